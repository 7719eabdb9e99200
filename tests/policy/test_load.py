"""Loading policies: what is refused, with which file and line, and what the built-in ones hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sharegate.confine.holding import Holding
from sharegate.confine.request import aim, confine_request
from sharegate.errors import Denied, Faults
from sharegate.messages import Headers, NoBody
from sharegate.paths import CanonicalPath, split_target
from sharegate.policy.judge import judge
from sharegate.policy.load import EXAMPLE_ROOT, SINGLE_FILES, Policies, builtin_policies, load_policies
from sharegate.policy.model import CHANNELS, FILTERS, LOCALS, AnswerKind, Example
from sharegate.shares.model import Capability, Role, RootKind

GOOD = """\
rules:
  good:
    route: GET /api/good/{path*}
    capability: contents:read
    paths: path
    headers: json
    answer: forward
    examples:
      view GET /api/good/sub/shared: allow
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Policies with the built-in roles, headers and limits, and without routes."""
    target = tmp_path / "policies"
    (target / "routes").mkdir(parents=True)
    for name in SINGLE_FILES:
        shutil.copy(builtin_policies() / name, target / name)
    return target


def faults(directory: Path, routes: str | None = None, extra: Path | None = None) -> list[tuple[str, str]]:
    """The faults as (file:line, sentence)."""
    if routes is not None:
        (directory / "routes" / "r.yaml").write_text(routes)
    with pytest.raises(Faults) as raised:
        load_policies(directory, extra)
    return [(fault.field, f"{fault.problem}. {fault.remedy}") for fault in raised.value.faults]


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_sound_policy_loads(directory: Path) -> None:
    """The table that the faults below are made from has none itself."""
    (directory / "routes" / "r.yaml").write_text(GOOD)
    loaded = load_policies(directory)
    assert [rule.source for rule in loaded.policy.rules] == ["routes/r.yaml:2"]


SINGLE = [
    # (text of the route file, line, part of the sentence)
    (changed("headers: json", "heders: json"), 6, "has no 'heders'"),
    (changed("answer: forward", "answer: passon"), 7, "no answer 'passon'"),
    (changed("answer: forward", "answer: filter:nothing"), 7, "no answer 'filter:nothing'"),
    (changed("answer: forward", "answer: local:nothing"), 7, "no answer 'local:nothing'"),
    (changed("contents:read", "contents:raed"), 4, "no capability 'contents:raed'"),
    (changed("headers: json", "headers: jsn"), 6, "no header profile 'jsn'"),
    (changed("    headers: json\n", ""), 2, "names its `headers`"),
    (changed("    capability: contents:read\n", ""), 2, "names its `capability`"),
    (changed("    paths: path\n", ""), 2, "`paths` or `opaque`"),
    (changed("paths: path", "opaque: [path]\n    paths: path"), 2, "`paths` or `opaque`"),
    (changed("paths: path", "paths: pth"), 2, "no part 'pth'"),
    (changed("GET /api", "FETCH /api"), 3, "no methods of a rule"),
    (changed("GET /api", "OPTIONS /api"), 3, "no methods of a rule"),
    (changed("GET /api", "get /api"), 3, "no methods of a rule"),
    (changed("GET /api", "GET,GET /api"), 3, "no methods of a rule"),
    (changed("GET /api", "ANY /api"), 3, "for rules that deny"),
    (changed("GET /api", "GET,WEBSOCKET /api"), 3, "stands alone"),
    (changed("GET /api", "WEBSOCKET /api"), 2, "do not go together"),
    (changed("/api/good/{path*}", "api/good/{path*}"), 3, "no path of a route"),
    (changed("/api/good/{path*}", "/api//good/{path*}"), 3, "no path of a route"),
    (changed("/api/good/{path*}", "/api/go od/{path*}"), 3, "no literal part"),
    (changed("/api/good/{path*}", "/api/good/{path*}/"), 3, "no path of a route"),
    (changed("/api/good/{path*}", "/api/../good/{path*}"), 3, "no literal part"),
    (changed("/api/good/{path*}", "/api/{path}/{path*}"), 3, "the same name"),
    (changed("/api/good/{path*}", "/api/{other*}/{path*}"), 3, "one {name*} only"),
    (changed("/api/good/{path*}", "/api/{id:[}/{path*}"), 3, "no regular expression"),
    (changed("/api/good/{path*}", "/api/{Id}/{path*}"), 3, "no named part"),
    (changed("  good:", "  Good_One:"), 2, "no rule id"),
    (changed("view GET", "viewer GET"), 9, "no example"),
    (changed("view GET", "view FETCH"), 9, "no example"),
    (changed(": allow", ": route_denied"), 2, "expects allow"),
    (GOOD + "      view GET /api/good/x: nonsense\n", 10, "neither allow nor a reason"),
    (GOOD + "      view GET /api/good/secret: allow\n", 10, "expected allow, found outside_root by rule 'good'"),
    (GOOD + "      view GET /api/other: no_rules\n", 10, "neither allow nor a reason"),
    (changed("    examples:\n      view GET /api/good/sub/shared: allow\n", ""), 2, "lacks 'examples'"),
    (changed("      view GET /api/good/sub/shared: allow\n", "      {}\n"), 8, "at least one example"),
    (changed("paths: path", "paths: path\n    roles: [view, boss]"), 2, "no role 'boss'"),
    (changed("paths: path", "paths: path\n    roles: []"), 6, "roles is empty"),
    (changed("paths: path", "paths: path\n    ancestors: maybe"), 6, "true or false"),
    (changed("paths: path", "opaque: path\n    ancestors: true"), 2, "without `paths`"),
    (changed("paths: path", "paths: path\n    credential: false"), 2, "`credential: false`"),
    (changed("paths: path", "paths: path\n    query: {token: string}"), 6, "cannot be a field"),
    (changed("paths: path", "paths: path\n    query: {a: strin}"), 6, "cannot be 'strin'"),
    (changed("paths: path", "paths: path\n    query: {a: {patern: x}}"), 6, "has no 'patern'"),
    (changed("paths: path", "paths: path\n    query: {a: {pattern: '['}}"), 6, "no regular expression"),
    (changed("paths: path", "paths: path\n    query: {a: {max_length: -1}}"), 6, "whole number"),
    (changed("paths: path", "paths: path\n    query: {a: []}"), 6, "no choices"),
    (changed("paths: path", "paths: path\n    query: {a: {ancestors: true}}"), 6, "is no path"),
    (changed("paths: path", "paths: path\n    query: {a: {path: true, one_of: [x]}}"), 6, "is a path"),
    (changed("paths: path", "paths: path\n    query: {a: {type: integer, pattern: x}}"), 6, "is a string"),
    (changed("paths: path", "paths: path\n    body: {json: {a: any}}"), 6, "have a body"),
    (changed("GET /api", "POST /api").replace("view GET", "view POST") + "    body: {}\n", 10, "either"),
    (changed("GET /api", "POST /api").replace("view GET", "view POST") + "    body: {raw: true}\n", 2, "raw body"),
    (
        changed("GET /api", "POST /api").replace("view GET", "view POST") + "    body: {json: {}}\n",
        10,
        "lists the fields",
    ),
    (changed("answer: forward", "answer: deny").replace(": allow", ": route_denied"), 4, "denies has no 'capability'"),
    (changed("answer: forward", "answer: local:status"), 2, "asks no upstream"),
    (GOOD + "  good:\n    route: GET /b\n", 10, "stands here twice"),
    (GOOD.replace("rules:", "ruls:"), 1, "has no 'ruls'"),
    (GOOD.replace("  good:", "  good: &anchor"), 2, "anchors"),
    (GOOD.replace("answer: forward", "answer: *there"), 7, "aliases"),
    (GOOD.replace("answer: forward", "answer: !!python/name:os.system forward"), 7, "tags"),
    (GOOD.replace("headers: json", "headers: 2024-01-01"), 6, "of this kind"),
    (GOOD.replace("    paths: path\n", "    paths: path\n    <<: {why: x}\n"), 6, "plain text"),
    (GOOD.replace("    paths", "   paths"), 6, "is no YAML"),
    (GOOD.replace("/api/good/{path*}", "/api/good/{path*"), 3, "no named part"),
    ("- a\n- b\n", 1, "must be a mapping"),
    ("", 1, "the file is empty"),
    ("rules: [" * 500, 1, "no YAML"),
    ("rules:\n  deep: " + "[" * 40 + "]" * 40 + "\n", 2, "too deeply nested"),
]


@pytest.mark.parametrize(("text", "line", "sentence"), SINGLE)
def test_each_fault_is_refused_with_file_and_line(directory: Path, text: str, line: int, sentence: str) -> None:
    """Every kind of fault in a route file is reported where it stands and in words that say what is wrong."""
    found = faults(directory, text)
    places = [where for where, said in found if sentence in said]
    near = [place for place in places if place.startswith("routes/r.yaml")]
    assert near, found
    if sentence != "no YAML":
        assert f"routes/r.yaml:{line}" in near, found


def test_all_faults_are_reported_together(directory: Path) -> None:
    """Faults in several files and rules come in one list, so that one correction round is enough."""
    (directory / "roles.yaml").write_text((directory / "roles.yaml").read_text().replace("rooms:read", "rooms:raed", 1))
    (directory / "sharing.yaml").write_text((directory / "sharing.yaml").read_text().replace("7d", "7 days"))
    (directory / "headers.yaml").write_text((directory / "headers.yaml").read_text().replace("etag", "set-cookie"))
    places = [where.partition(":")[0] for where, _ in faults(directory, changed("answer: forward", "answer: x"))]
    assert places == ["headers.yaml", "roles.yaml", "sharing.yaml", "routes/r.yaml"]


SECOND = GOOD.partition("\n")[2].replace("good:", "second:")


def test_ambiguous_rules_are_refused(directory: Path) -> None:
    """Two rules that answer one request for one role are a fault that names both, whatever they call their parts."""
    found = faults(directory, GOOD + SECOND.replace("{path*}", "{rest*}").replace("paths: path", "paths: rest"))
    assert found[0][0] == "routes/r.yaml:10"
    assert "GET for view, edit, run is also answered by 'good' (routes/r.yaml:2)" in found[0][1]


def test_rules_of_one_route_with_other_methods_or_roles_are_not_ambiguous(directory: Path) -> None:
    """What differs in methods or roles may share a route."""
    narrowed = GOOD.replace("paths: path", "paths: path\n    roles: view")
    other = SECOND.replace("paths: path", "paths: path\n    roles: [edit, run]").replace("view GET", "edit GET")
    (directory / "routes" / "r.yaml").write_text(narrowed + other)
    assert len(load_policies(directory).policy.rules) == 2


def test_patterns_that_may_both_fit_are_refused(directory: Path) -> None:
    """Nobody can tell which of two expressions in one place wins, so there is one at most."""
    one = GOOD.replace("good/{path*}", "{a:[a-z]+}/{path*}")
    found = faults(directory, one + SECOND.replace("good/{path*}", "{a:[b-d]+}/{path*}"))
    assert any("different patterns" in said for _, said in found)


def test_shadowed_rules_are_refused(directory: Path) -> None:
    """A rule of which every path belongs to more specific routes can never match, and says by whom it is shadowed."""
    wide = """\
  wide:
    route: GET /api/{kind:good}/{path*}
    capability: contents:read
    paths: path
    headers: json
    answer: forward
    examples:
      view GET /api/good/sub/shared: allow
"""
    found = faults(directory, GOOD + wide)
    assert any("is decided by rule 'good' (routes/r.yaml:2)" in said for _, said in found)
    short = """\
  bare:
    route: GET /api/bare
    answer: deny
    why: x
    examples:
      view GET /api/bare: route_denied
  one:
    route: GET /api/bare/{any*}/x
    answer: deny
    why: x
    examples:
      view GET /api/bare/x: route_denied
  every:
    route: GET /{a:.*}/{b*}
    answer: deny
    why: x
    examples:
      view GET /other: route_denied
  shadowed:
    route: GET /{a}/{b*}
    answer: deny
    why: x
    examples:
      view GET /other: route_denied
"""
    found = faults(directory, GOOD + short)
    assert ("routes/r.yaml:28", "rule 'shadowed' can never match. Shadowed by every") in found


def test_an_example_decided_by_another_rule_is_refused(directory: Path) -> None:
    """An example belongs to the rule that it stands at."""
    other = SECOND.replace("/good/", "/other/") + "      view GET /api/good/sub/shared/x: allow\n"
    assert ("routes/r.yaml:18", "example of rule 'second': is decided by rule 'good' (routes/r.yaml:2). ") in faults(
        directory, GOOD + other
    )


def test_a_rule_id_is_unique_over_all_files(directory: Path) -> None:
    """The trail names rules by id, so two files cannot use the same."""
    (directory / "routes" / "a.yaml").write_text(GOOD.replace("/good/", "/other/"))
    assert faults(directory, GOOD) == [
        ("routes/r.yaml:2", "the rule id 'good' is taken. It is first at routes/a.yaml:2")
    ]


@pytest.mark.parametrize("name", SINGLE_FILES)
def test_a_missing_file_is_a_fault(directory: Path, name: str) -> None:
    """Without one of the single files nothing loads."""
    (directory / name).unlink()
    assert (name, "the file is missing. ") in faults(directory, GOOD)


def test_missing_routes_are_a_fault(directory: Path) -> None:
    """A policy without any route file is a mistake, not a policy that denies everything."""
    assert ("routes", "there is no route file. ") in faults(directory)


def test_a_file_that_is_no_text_is_a_fault(directory: Path) -> None:
    """Bytes that are no UTF-8 are reported, not raised."""
    (directory / "routes" / "r.yaml").write_bytes(b"\xff\xfe")
    assert "cannot be read" in faults(directory)[0][1]


@pytest.mark.parametrize(
    "header", ["cookie", "authorization", "x-forwarded-for", "x-xsrftoken", "host", "Accept", "sec-fetch-site"]
)
def test_attack_request_headers_that_never_pass_are_refused_in_a_profile(directory: Path, header: str) -> None:
    """No operator can list a credential, a forwarded address or an identity as allowed."""
    text = (directory / "headers.yaml").read_text().replace("accept-language", header)
    (directory / "headers.yaml").write_text(text)
    assert any(where.startswith("headers.yaml:") and header in said for where, said in faults(directory, GOOD))


@pytest.mark.parametrize(
    "header",
    [
        "set-cookie",
        "access-control-allow-origin",
        "service-worker-allowed",
        "www-authenticate",
        "clear-site-data",
        "refresh",
        "alt-svc",
        "link",
        "content-security-policy",
        "server",
    ],
)
def test_attack_response_headers_that_never_pass_are_refused_in_a_profile(directory: Path, header: str) -> None:
    """No operator can let an upstream set cookies, open CORS or replace our own security headers."""
    text = (directory / "headers.yaml").read_text().replace("- etag", f"- {header}")
    (directory / "headers.yaml").write_text(text)
    assert any(where.startswith("headers.yaml:") and header in said for where, said in faults(directory, GOOD))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("  edit:", "  editor:", "no role 'editor'"),
        ("    confined: true\n", "", "lacks 'confined'"),
        ("available: true", "available: perhaps", "true or false"),
        ("rooms:read", "rooms:dance", "no capability 'rooms:dance'"),
    ],
)
def test_faults_of_the_role_table_are_refused(directory: Path, old: str, new: str, sentence: str) -> None:
    """Roles are total and typed: each has all of its facts and known capabilities."""
    text = (directory / "roles.yaml").read_text()
    (directory / "roles.yaml").write_text(text.replace(old, new, 1))
    assert any(where.startswith("roles.yaml:") and sentence in said for where, said in faults(directory, GOOD))


def test_an_operators_file_replaces_the_one_of_its_name(tmp_path: Path) -> None:
    """A directory of the operator's replaces single files and may add route files; the rest stays built in."""
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "notebook.yaml").write_text(GOOD)
    (tmp_path / "routes" / "own.yaml").write_text(GOOD.replace("good", "own"))
    (tmp_path / "README").write_text("notes are no policy")
    sharing = (builtin_policies() / "sharing.yaml").read_text()
    (tmp_path / "sharing.yaml").write_text(sharing.replace("7d", "2d"))
    loaded = load_policies(extra=tmp_path)
    ids = {rule.id for rule in loaded.policy.rules}
    assert {"good", "own", "contents-read"} <= ids
    assert "notebook-tree" not in ids
    assert loaded.sharing.default_expires_seconds == 2 * 86400


def test_an_operators_faults_name_his_own_file(tmp_path: Path) -> None:
    """The place of a fault in an operator's file is its whole path."""
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "own.yaml").write_text(changed("answer: forward", "answer: x"))
    with pytest.raises(Faults, match=r"own\.yaml:7") as raised:
        load_policies(extra=tmp_path)
    assert raised.value.faults[0].field == f"{tmp_path}/routes/own.yaml:7"


@pytest.mark.parametrize("name", ["rolls.yaml", "roles.yml", "routes/a.yml"])
def test_a_file_that_would_be_overlooked_is_refused(tmp_path: Path, name: str) -> None:
    """A mistyped name in the operator's directory is a fault: it would otherwise change nothing without a word."""
    (tmp_path / "routes").mkdir()
    (tmp_path / name).write_text("roles: {}\n")
    with pytest.raises(Faults, match="is no policy file"):
        load_policies(extra=tmp_path)


def test_files_are_understood_as_they_are_now(directory: Path) -> None:
    """What was read once is known by its text: a fault is told each time, a change counts at once, and back again."""
    for bad in (changed("answer: forward", "answer: passon"), "rules: [&a 1, *a"):
        first, second = faults(directory, bad), faults(directory, bad)
        assert first == second
        assert len(first) >= 1
    for id in ("good", "other", "good"):
        (directory / "routes" / "r.yaml").write_text(GOOD.replace("good", id))
        assert [rule.id for rule in load_policies(directory).policy.rules] == [id]
    (directory / "routes" / "r.yaml").rename(directory / "routes" / "s.yaml")
    assert [rule.source for rule in load_policies(directory).policy.rules] == ["routes/s.yaml:2"]


def test_an_operators_directory_that_is_missing_is_refused(tmp_path: Path) -> None:
    """A path that is no directory is a fault, not an empty set of changes."""
    with pytest.raises(Faults, match="is no directory"):
        load_policies(extra=tmp_path / "none")


# The built-in policies ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def builtin() -> Policies:
    return load_policies()


def test_every_rule_has_examples_and_they_hold(builtin: Policies) -> None:
    """Each rule's examples are decided by it as they say; every rule has one that it allows or denies by name."""
    for rule in builtin.policy.rules:
        wanted = "route_denied" if rule.answer is AnswerKind.DENY else "allow"
        assert wanted in {example.expect for example in rule.examples}, rule.id
        for one in rule.examples:
            found = judge(builtin.policy, builtin.roles, one.role, one.method, one.target, one.websocket, EXAMPLE_ROOT)
            assert (found.word, found.rule in (None, rule)) == (one.expect, True), one


async def test_the_gates_own_confinement_agrees_with_the_examples(builtin: Policies) -> None:
    """What the loader judges of an example is what confine.request decides for the same request."""

    async def no_disk(segments: tuple[str, ...]) -> None:
        return None

    async def decide(one: Example) -> str:
        try:
            path, query = split_target(one.target)
            rest = CanonicalPath.parse(path)
            match = builtin.policy.match(one.method, rest.segments, one.websocket, one.role)
            aimed = aim(match, rest, query, EXAMPLE_ROOT, RootKind.DIRECTORY, method=one.method)
            await confine_request(aimed, NoBody(), Headers(), Holding().of("l"), no_disk)
        except Denied as denied:
            return denied.reason.value
        held = match.rule.capability in builtin.roles.capabilities(one.role)
        return "allow" if held else "capability_missing"

    for rule in builtin.policy.rules:
        for one in rule.examples:
            found = await decide(one)
            if found == "bad_body" and any(field.required for field in rule.body.fields):
                continue  # an example has no body
            assert found == one.expect, one


def test_every_named_answer_is_used(builtin: Policies) -> None:
    """The closed lists hold nothing that no rule uses."""
    used = {(rule.answer, rule.answer_name) for rule in builtin.policy.rules}
    assert {name for kind, name in used if kind is AnswerKind.FILTER} == FILTERS
    assert {name for kind, name in used if kind is AnswerKind.LOCAL} == LOCALS
    assert {f"{kind.value}:{name}" for kind, name in used} >= CHANNELS


def test_roles_rise(builtin: Policies) -> None:
    """Each role may do what the one below it may, and only run executes."""
    view, edit, run = (builtin.roles.capabilities(role) for role in Role)
    assert view < edit < run
    assert run - edit == {Capability.KERNELS_EXECUTE}
    assert edit - view == {Capability.CONTENTS_WRITE, Capability.ROOMS_WRITE}


def test_roles_that_are_not_built_cannot_be_handed_out(builtin: Policies) -> None:
    """In this version viewing and editing are available and held inside the root; a running kernel is not."""
    assert [builtin.roles.available(role) for role in Role] == [True, True, False]
    assert [builtin.roles.confined(role) for role in Role] == [True, True, False]
    assert builtin.roles.sentence(Role.EDIT) == "can edit text, cannot run code"
    assert builtin.sharing.roles == (Role.VIEW, Role.EDIT)


def test_answers_from_the_share_are_filtered(builtin: Policies) -> None:
    """A JSON answer about paths or documents never passes unread: only static files and logos do."""
    forwarded = {rule.id for rule in builtin.policy.rules if rule.answer is AnswerKind.FORWARD}
    assert forwarded == {
        "favicon",
        "kernelspec-logo",
        "lab-extension-files",
        "lab-theme-files",
        "static",
    }


def test_static_files_are_asked_for_without_the_credential(builtin: Policies) -> None:
    """The upstream's error pages carry no token when it was given none."""
    without = {rule.id for rule in builtin.policy.rules if not rule.credential}
    assert without == {"favicon", "lab-extension-files", "lab-theme-files", "static"}
