"""The commands against a scripted gate behind a real Unix socket: what is asked, printed and returned."""

from __future__ import annotations

import stat
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sharegate import __version__
from tests.cli import scripted as views
from tests.cli.conftest import run
from tests.cli.scripted import ScriptedGate
from tests.real.certificates import Authority

ADDRESS = "http://127.0.0.1:8870/join#" + "x" * 250


def created(*links: views.Json, **more: object) -> views.Json:
    given = [link | {"url": ADDRESS} for link in links or (views.link(visits_used=0),)]
    return {
        "share": views.share(links=given),
        "links": given,
        "warnings": ["Only this computer"],
        "overlaps": [],
    } | more


# -- share ------------------------------------------------------------------------------------------------------------


def test_share_sends_what_was_asked(scripted: ScriptedGate, home: Path) -> None:
    """Every option of share arrives in the API's words; a relative path is made absolute."""
    scripted.say("POST shares", created())
    ran = run(
        "share", "week3", "--for", "Ann", "--for", "Bo", "--expires", "2099-12-24 18:00", "--name", "Week 3",
        "--message", "Hello", "--open", "intro.ipynb", "--clients", "--own-extensions", "--devices", "2",
        "--runnable-files", "--page", "notebook",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert scripted.sent("POST shares") == [
        {
            "path": str(Path("week3").absolute()), "server": "", "role": "view",
            "expires": datetime(2099, 12, 24, 17, tzinfo=UTC).timestamp(), "name": "Week 3", "message": "Hello",
            "for": ["Ann", "Bo"], "anyone": False, "visits": None, "devices": 2, "open_file": "intro.ipynb",
            "clients": True, "own_extensions": True, "runnable_files": True,
            "page": "notebook",
        }
    ]  # fmt: skip


def test_share_in_a_pipe_prints_the_links_only(scripted: ScriptedGate) -> None:
    """stdout has one whole link per line; who, until when and warnings are on stderr."""
    scripted.say("POST shares", created(views.link(), views.link("k7f2.b", name="Bo")))
    ran = run("share", "week3", "--for", "Ann", "--for", "Bo")
    assert ran.out == f"{ADDRESS}\n{ADDRESS}\n"
    assert "Ann can view lectures/week3 until " in ran.err
    assert "Bo can view lectures/week3 until " in ran.err
    assert "! Only this computer" in ran.err
    assert "has to knock" in ran.err


PROGRAM = {"url": "http://127.0.0.1:8899/s/k7f2xxxxxx", "token": ADDRESS.partition("#")[2]}


def test_share_with_clients_says_what_programs_ask_for(scripted: ScriptedGate) -> None:
    """In a pipe the token stands on stdout only, as the link's; --json has both apart."""
    link = views.link(program=PROGRAM)
    scripted.say("POST shares", created(link) | {"share": views.share(clients=True)})
    ran = run("share", "week3", "--for", "Ann", "--clients")
    assert ran.out == f"{ADDRESS}\n"
    assert f"server URL {PROGRAM['url']}" in ran.err
    assert PROGRAM["token"] not in ran.err
    assert "Programs do not knock" in ran.err
    told = run("share", "week3", "--for", "Ann", "--clients", "--json").document
    assert told["links"][0]["program"] == PROGRAM


def test_list_tells_of_programs(scripted: ScriptedGate) -> None:
    """That they may, how many are in, and what they ask for."""
    scripted.say("GET shares", {"shares": [views.share(clients=True, programs=2, links=[views.link()])]})
    out = run("list").out
    assert "can view, programs too" in out
    assert "1 visitor, 2 programs" in out
    scripted.say("GET links/k7f2-a/url", {"url": ADDRESS, "program": PROGRAM})
    assert run("list", "--urls", "--json").document["shares"][0]["links"][0]["program"] == PROGRAM


def test_change_lets_programs_in_with_a_word_of_what_that_means(scripted: ScriptedGate) -> None:
    """--clients warns, --no-clients has nothing to warn of."""
    scripted.knows("share", "s1", "k7f2", "week3")
    scripted.say("PATCH shares/s1", {"share": views.share(clients=True)})
    ran = run("change", "k7f2", "--clients")
    assert "Programs do not knock" in ran.err and "list --urls" in ran.err
    assert "Programs" not in run("change", "k7f2", "--no-clients").err
    assert scripted.sent("PATCH shares/s1") == [{"clients": True}, {"clients": False}]


def test_share_tells_overlaps(scripted: ScriptedGate) -> None:
    """Another share of the same folder is named."""
    scripted.say("POST shares", created(overlaps=[views.share("m2x9", root="lectures")]))
    assert "m2x9 shares lectures too" in run("share", "week3").err


def test_running_does_not_exist_yet_and_is_refused(scripted: ScriptedGate) -> None:
    """--run says that it is not available, exits with 3, and asks the gate for nothing."""
    ran = run("share", "week3", "--run")
    assert ran.code == 3
    assert "--run is not available yet" in ran.err
    assert scripted.calls == []
    assert run("change", "k7f2", "--role", "run").code == 3
    assert run("admit", "q3mk", "--role", "run").code == 3
    assert run("change", "k7f2", "--role", "boss").code == 2


def test_a_link_for_editing(scripted: ScriptedGate) -> None:
    """--edit asks for the role, and says in one line what that means for whoever runs cells."""
    scripted.say("POST shares", created())
    ran = run("share", "week3", "--edit")
    assert ran.code == 0 and (scripted.sent("POST shares")[-1] or {})["role"] == "edit"
    assert "Whoever runs a cell runs what editors wrote" in ran.err


MEANS = "Whoever runs a cell runs what editors wrote. What they change is kept: sharegate snapshot list"


def test_somebody_is_admitted_to_edit(scripted: ScriptedGate) -> None:
    """The role is asked for and told, with what it means, also when it is the link's own; not with --json."""
    scripted.knows("knock", "s1", "q3mk", "Eve")
    for arguments, role in ((("--role", "edit"), "edit"), ((), "edit"), (("--role", "view"), "view"), ((), "view")):
        scripted.say("POST knocks/s1/admit", {"knock": views.knock(), "role": role})
        ran = run("admit", "Eve", *arguments)
        can = {"edit": "can edit text", "view": "can view"}[role]
        assert (ran.code, ran.out) == (0, f"Admitted Eve for this visit: {can}.\n")
        assert (MEANS in ran.err) == (role == "edit")
        assert scripted.sent("POST knocks/s1/admit")[-1] == {"role": arguments[1] if arguments else None}
    ran = run("admit", "Eve", "--role", "edit")
    assert "The share itself is to view, so this is too" in ran.err and MEANS not in ran.err
    assert run("admit", "Eve", "--role", "edit", "--json").document == {"knock": views.knock(), "role": "view"}


def test_a_role_is_changed(scripted: ScriptedGate) -> None:
    """Of a share or a link; what editing means is said, and that a link gets no more than its share."""
    for kind, answer, edits in (
        ("share", {"share": views.share(role="edit")}, True),
        ("link", {"link": views.link(role="edit"), "role": "edit"}, True),
        ("link", {"link": views.link(role="edit"), "role": "view"}, False),
    ):
        scripted.knows(kind, "s1", "k7f2", "week3")
        scripted.say(f"PATCH {kind}s/s1", answer)
        ran = run("change", "k7f2", "--role", "edit")
        assert ran.code == 0 and scripted.sent(f"PATCH {kind}s/s1")[-1] == {"role": "edit"}
        assert (MEANS in ran.err, "The share itself is to view" in ran.err) == (edits, not edits)
        assert MEANS not in run("change", "k7f2", "--name", "Week 3").err


def test_options_are_named_as_they_are_typed(scripted: ScriptedGate) -> None:
    """What is for a share only is refused for a link under the option's own name."""
    scripted.knows("link", "l1", "k7f2.a", "Ann")
    for option in ("--runnable-files", "--no-runnable-files"):
        ran = run("change", "k7f2.a", option)
        assert ran.code == 2 and ran.err.startswith("Error: --runnable-files: is for a share"), ran.err


def test_a_link_is_listed_with_what_it_can_do(scripted: ScriptedGate) -> None:
    """A link to edit of a share to view is to view."""
    scripted.say("GET shares", {"shares": [views.share(role="view", links=[views.link(role="edit")])]})
    assert "can edit" not in run("list").out
    scripted.say("GET shares", {"shares": [views.share(role="edit", links=[views.link(role="view")])]})
    listed = run("list").out
    assert "can edit text" in listed and "can view" in listed


def test_share_refuses_what_cannot_be_meant(scripted: ScriptedGate, home: Path) -> None:
    """Contradictions, bad moments and bad files exit with 2, name the field and create nothing."""
    (home / "taken.png").write_bytes(b"")
    for arguments, said in (
        (("--anyone", "--for", "Ann"), "--anyone: a link is for one person or for anyone"),
        (("--expires", "soon"), "expires: 'soon' is not a moment"),
        (("--expires", "2020-01-01"), "has passed"),
        (("--qr", str(home / "link.gif")), "neither .png nor .svg"),
        (("--qr", str(home / "taken.png")), "exists already"),
        (("--qr", str(home / "none" / "link.png")), "there is no folder"),
        (("--visits", "0"), "visits"),
    ):
        ran = run("share", "week3", *arguments)
        assert ran.code == 2, arguments
        assert said in ran.err
        assert ran.out == ""
    assert scripted.calls == []


def test_codes_are_written_for_their_owner_only(scripted: ScriptedGate, home: Path) -> None:
    """--qr writes one file per link, readable by nobody else."""
    scripted.say("POST shares", created(views.link(), views.link("k7f2.b", name="Bo")))
    assert run("share", "week3", "--qr", str(home / "link.png")).code == 0
    for name in ("link-k7f2.a.png", "link-k7f2.b.png"):
        file = home / name
        assert file.read_bytes().startswith(b"\x89PNG")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_the_gate_refuses_is_told(scripted: ScriptedGate) -> None:
    """The API's refusals become exit codes, with field, problem and remedy."""
    for status, code in ((400, 2), (403, 3), (404, 4), (409, 2), (500, 1), (503, 5)):
        error = views.error("some_code", "that is wrong", field="expires", remedy="Do better", candidates=[])
        scripted.say("POST shares", error, status)
        ran = run("share", "week3")
        assert ran.code == code
        assert "Error: expires: that is wrong\n  Do better\n" in ran.err
        with_json = run("share", "week3", "--json")
        assert with_json.code == code
        assert with_json.document == error


# -- references -------------------------------------------------------------------------------------------------------

VERBS = [
    ("pause", "share", "POST shares/s1/pause"),
    ("pause", "link", "POST links/s1/pause"),
    ("resume", "share", "POST shares/s1/resume"),
    ("resume", "link", "POST links/s1/resume"),
    ("revoke", "share", "POST shares/s1/revoke"),
    ("revoke", "link", "POST links/s1/revoke"),
    ("revoke", "visit", "POST visits/s1/end"),
    ("end", "visit", "POST visits/s1/end"),
    ("confirm", "share", "POST shares/s1/confirm"),
    ("admit", "knock", "POST knocks/s1/admit"),
    ("refuse", "knock", "POST knocks/s1/refuse"),
]


@pytest.mark.parametrize(("verb", "kind", "call"), VERBS)
def test_each_verb_reaches_its_thing(scripted: ScriptedGate, verb: str, kind: str, call: str) -> None:
    """A reference is resolved and the verb sent to what it names; the measured end is told."""
    scripted.knows(kind, "s1", "k7f2.a1", "Ann")
    scripted.say(call, {"ended": {"visits": 1, "pages": 1, "channels": 2, "took_ms": 41.4}})
    ran = run(verb, "k7f2", "--yes")
    assert ran.code == 0, ran.err
    assert len(scripted.sent(call)) == 1
    assert "closed 1 page and 2 connections in 41 ms" in ran.out
    assert run(verb, "k7f2", "--yes", "--json").document == scripted.answers[f"POST /api/v1/{call.split()[1]}"][1]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("revoke", "k7f2"), "link"),
        (("end", "k7f2.a1"), "visit"),
        (("confirm", "k7f2"), "share"),
        (("server", "remove", "p"), "server"),
    ],
)
def test_what_cannot_be_undone_needs_yes_without_a_terminal(
    scripted: ScriptedGate, arguments: tuple[str, ...], kind: str
) -> None:
    """Without a terminal, destructive commands do nothing unless --yes is said, and exit with 2."""
    scripted.knows(kind, "s1", "k7f2", "Ann")
    for more in ((), ("--json",)):
        ran = run(*arguments, *more, typed="y\n")
        assert ran.code == 2
        assert "--yes" in ran.err
    assert [call for call, _, _ in scripted.calls if not call.startswith("GET")] == []


def test_an_ambiguous_reference_lists_and_does_nothing(scripted: ScriptedGate) -> None:
    """Where a name fits several things they are listed, and nothing is done."""
    scripted.say(
        "GET resolve",
        views.error("ambiguous", "'Ann' fits several", candidates=["k7f2.a Ann (link)", "m2x9.a Ann (link)"]),
        409,
    )
    ran = run("revoke", "Ann", "--yes")
    assert ran.code == 2
    assert "  k7f2.a Ann (link)\n  m2x9.a Ann (link)\n" in ran.err
    assert [call for call, _, _ in scripted.calls] == ["GET /api/v1/resolve"]


def test_a_reference_to_the_wrong_kind_says_what_to_do(scripted: ScriptedGate) -> None:
    """A verb for links given a visit exits with 2 and names the command that fits."""
    scripted.knows("visit", "v1", "k7f2.a1", "Ann")
    ran = run("pause", "k7f2.a1")
    assert ran.code == 2
    assert "this needs a share or link, and that is a visitor k7f2.a1 (Ann)" in ran.err
    assert "sharegate end k7f2.a1" in ran.err


def test_an_unknown_reference_is_not_found(scripted: ScriptedGate) -> None:
    """Nothing by that name exits with 4."""
    scripted.say("GET resolve", views.error("not_found", "no share is called 'zzzz'"), 404)
    assert run("pause", "zzzz").code == 4


def test_change_sends_only_what_was_named(scripted: ScriptedGate) -> None:
    """change patches the named fields and echoes a new end; nothing named, or another thing's field, exits with 2."""
    scripted.knows("share", "s1", "k7f2", "week3")
    scripted.say("PATCH shares/s1", {"share": views.share(expires=4_102_000_000.0)})
    ran = run("change", "k7f2", "--message", "", "--expires", "2099-12-24")
    assert ran.code == 0, ran.err
    assert [set(body or {}) for body in scripted.sent("PATCH shares/s1")] == [{"message", "expires"}]
    assert "2099" in ran.out
    assert run("change", "k7f2", "--no-runnable-files").code == 0
    assert scripted.sent("PATCH shares/s1")[-1] == {"runnable_files": False}
    assert run("change", "k7f2").code == 2
    assert run("change", "k7f2", "--visits", "3").code == 2
    assert len(scripted.sent("PATCH shares/s1")) == 2


def test_replace_and_preview_print_the_link(scripted: ScriptedGate) -> None:
    """In a pipe both print the new link alone."""
    scripted.knows("link", "l1", "k7f2.a", "Ann")
    scripted.say("POST links/l1/replace", {"link": views.link() | {"url": ADDRESS}, "ended": None})
    assert run("replace", "Ann").out == f"{ADDRESS}\n"
    scripted.knows("share", "s1", "k7f2", "week3")
    scripted.say("POST shares/s1/preview", {"link": views.link(kind="preview") | {"url": ADDRESS}})
    assert run("preview", "k7f2").out == f"{ADDRESS}\n"


# -- looking ----------------------------------------------------------------------------------------------------------


def test_a_suspended_share_says_what_it_waits_for(scripted: ScriptedGate) -> None:
    """`list` names the command that goes on with it; a share that stands needs none."""
    scripted.say("GET shares", {"shares": [views.share(), views.share("m2x9", state="suspended")]})
    ran = run("list")
    assert "sharegate confirm m2x9" in ran.err and "sharegate confirm k7f2" not in ran.err
    assert "suspended" in ran.out


def test_list_is_plain_in_a_pipe(scripted: ScriptedGate) -> None:
    """Shares and links are aligned lines without drawing; --urls adds addresses that still work."""
    links = [views.link(), views.link("k7f2.b", kind="open", name="", visits_max=20, state="revoked")]
    scripted.say("GET shares", {"shares": [views.share(links=links, knocks=1)]})
    ran = run("list")
    head, share, first, second = ran.out.splitlines()
    assert head.split() == ["ID", "FOLDER", "OR", "PERSON", "CAN", "UNTIL", "INSIDE", "STATE"]
    assert share.startswith("k7f2")
    assert "1 visitor, 1 knock" in share
    assert "1 of 1 in" in first
    assert "anyone, at most 20 visitors" in second
    assert not set(ran.out) & set("│─┃━╭|")
    scripted.say("GET links/k7f2-a/url", {"url": ADDRESS})
    out = run("list", "--urls").out
    assert f"k7f2.a  Ann                          {ADDRESS}\n" in out
    assert run("list", "--urls", "--json").document["shares"][0]["links"][0]["url"] == ADDRESS


def test_list_shows_hostile_names_harmlessly(scripted: ScriptedGate) -> None:
    """A name with escape sequences and line breaks stays one harmless line."""
    scripted.say("GET shares", {"shares": [views.share(name="\x1b[31mX\nY", links=[])]})
    assert len(run("list").out.splitlines()) == 2


EVENT = {
    "action": "request.denied", "outcome": "denied", "actor": "visitor", "seq": 3, "at": views.NOW, "name": "=Eve",
    "path": "etc/passwd", "reason": "outside_root", "text": "Eve was refused at etc/passwd.",
}  # fmt: skip


def test_audit_show_filters_and_prints(scripted: ScriptedGate) -> None:
    """Filters arrive resolved and in seconds; events are printed oldest first with their outcome."""
    scripted.knows("share", "s1", "k7f2", "week3")
    scripted.say(
        "GET audit",
        {
            "events": [EVENT, EVENT | {"at": views.NOW - 9, "outcome": "allowed", "text": "Eve came."}],
            "next_after": None,
        },
    )
    ran = run(
        *("audit", "show", "--share", "k7f2", "--path", "lectures", "--reason", "outside_root"),
        *("--since", "2026-11-20", "--person", "Ann Ü"),
    )
    assert ran.code == 0, ran.err
    _, first, second = ran.out.splitlines()
    assert first.endswith("Eve came.")
    assert second.split("  ")[-2:] == ["refused", "Eve was refused at etc/passwd."]
    query = next(query for call, query, _ in scripted.calls if call == "GET /api/v1/audit")
    assert query == {
        "share": "s1",
        "person": "Ann Ü",
        "path": "lectures",
        "reason": "outside_root",
        "since": "1795129200.0",
        "limit": "50",
        "newest": "1",
    }
    assert run("audit", "show", "--since", "lately").code == 2


def test_history_looks_further_back_until_it_has_enough(scripted: ScriptedGate) -> None:
    """A page that looked at much and found little has a next one, which is asked for what is still missing; another
    action or outcome goes along."""

    def page(next: str, *seqs: int) -> dict[str, object]:
        events = [{"seq": seq, "at": 1e9 + seq, "outcome": "allowed", "text": f"Entry {seq}."} for seq in seqs]
        return {"events": events, "next": next, "reached": 1e9}

    scripted.say_in_turn("GET audit", page("c1", 9), page("c2"), page("", 3, 1))
    ran = run("audit", "show", "--limit", "5", "--action", "link.joined", "--outcome", "denied")
    assert [line.split("  ")[-1] for line in ran.out.splitlines()[1:]] == ["Entry 1.", "Entry 3.", "Entry 9."]
    assert ran.err.count("Looking further back") == 1
    asked = [query for call, query, _ in scripted.calls if call == "GET /api/v1/audit"]
    assert [(query["limit"], query.get("cursor")) for query in asked] == [("5", None), ("4", "c1"), ("4", "c2")]
    assert all((query["action"], query["outcome"]) == ("link.joined", "denied") for query in asked)


def test_export_writes_a_new_private_file(scripted: ScriptedGate, home: Path) -> None:
    """CSV has a fixed header and defuses formulas, JSON lines are one object each; no file is overwritten."""
    scripted.say("GET audit/export", {"lines": ["writer,seq\r\n", "gate,1,'=Eve\r\n"], "next": "", "events": 1})
    file = home / "history.csv"
    assert run("audit", "export", "--format", "csv", "--output", str(file)).code == 0
    assert file.read_bytes() == b"writer,seq\r\ngate,1,'=Eve\r\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("audit", "export", "--output", str(file)).code == 2
    scripted.say("GET audit/export", {"lines": ['{"path": "etc/passwd"}\n'], "next": "", "events": 1})
    assert run("audit", "export").document["path"] == "etc/passwd"
    assert run("audit", "export", "--json").code == 2


def test_verify_tells_a_broken_history(scripted: ScriptedGate) -> None:
    """An intact history exits with 0, a broken one with 1 and its faults."""
    scripted.say(
        "GET audit/verify", {"intact": True, "events": 3, "text": "history intact", "faults": [], "limits": "L"}
    )
    ran = run("audit", "verify")
    assert (ran.code, ran.out) == (0, "history intact\n")
    scripted.say(
        "GET audit/verify",
        {"intact": False, "events": 3, "text": "history broken", "faults": ["event 2"], "limits": ""},
    )
    ran = run("audit", "verify")
    assert (ran.code, ran.out) == (1, "history broken\n  event 2\n")
    assert run("audit", "verify", "--json").code == 1


def test_passed_on_is_a_tree(scripted: ScriptedGate) -> None:
    """Who got a link from whom is indented below them."""
    eve = {"at": views.NOW, "words": "Eve knocked with Bo's link", "onward": []}
    scripted.say("GET audit/passed-on", {"people": [{"at": views.NOW, "words": "Bo came in", "onward": [eve]}]})
    first, second = run("audit", "passed-on").out.splitlines()
    assert first.endswith("  Bo came in")
    assert second.endswith("  -> Eve knocked with Bo's link")


def test_doctor_fails_when_something_is_wrong(scripted: ScriptedGate) -> None:
    """Findings are printed with remedies; exit code 1 only when one is a failure."""
    scripted.say("GET doctor", {"findings": [{"level": "warn", "what": "plain http", "remedy": "Use TLS"}]})
    ran = run("doctor")
    assert (ran.code, ran.out) == (0, "warning plain http\n        Use TLS\n")
    scripted.say("GET doctor", {"findings": [{"level": "fail", "what": "disk full", "remedy": ""}]})
    assert run("doctor").code == 1


# -- servers ----------------------------------------------------------------------------------------------------------


def test_a_server_token_is_never_an_argument(
    scripted: ScriptedGate, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token comes from the environment or a private file; in the address or a public file it is refused."""
    scripted.say("POST servers", {"server": views.server()})
    url = "http://127.0.0.1:8888/"
    assert run("server", "add", url + "?token=abc").code == 2
    assert run("server", "add", url).code == 2
    assert run("server", "add", url, "--token", "abc").code == 2
    file = home / "token"
    file.write_text("from-file\n")
    file.chmod(0o644)
    assert run("server", "add", url, "--token-file", str(file)).code == 2
    file.chmod(0o600)
    ran = run("server", "add", url, "--token-file", str(file), "--name", "p")
    assert ran.code == 0, ran.err
    monkeypatch.setenv("SERVER_TOKEN", "from-environment")
    assert run("server", "add", url).code == 0
    assert [(body or {})["token"] for body in scripted.sent("POST servers")] == ["from-file", "from-environment"]


def test_servers_and_keys_are_listed(scripted: ScriptedGate) -> None:
    """Servers and keys are tables; an unknown server cannot be removed."""
    scripted.say("GET servers", {"servers": [views.server(collaboration=False), views.server(state="away")]})
    out = run("server", "list").out
    assert "running, without live collaboration" in out
    assert "not running" in out and "OWNER" not in out
    scripted.say("GET servers", {"servers": [views.server(), views.server(owner="Otto\u202e")]})
    out = run("server", "list").out
    assert "OWNER" in out and "Otto" in out and "\u202e" not in out
    there = views.server(state="away", computer="another\u202e", root_dir="/")
    scripted.say("GET servers", {"servers": [there]})
    out = run("server", "list").out
    assert "on another" in out and "whose gate serves it" in out and "\u202e" not in out
    ran = run("reach", "/srv")  # a path of this computer is none of that one's
    assert ran.code == 2 and "is not on a server that is known" in ran.err
    scripted.say("GET keys", {"keys": [{"kid": "k1", "state": "active", "created": views.NOW}]})
    assert "active" in run("key", "list").out
    scripted.knows("server", "s1", "s1", "p")
    scripted.say("DELETE servers/s1", {"server": views.server()})
    assert run("server", "remove", "p", "--yes").code == 0


# -- the way to the gate ----------------------------------------------------------------------------------------------


def test_an_attack_by_a_socket_in_an_open_directory_is_refused(scripted: ScriptedGate, home: Path) -> None:
    """A socket in a directory that others may enter is not spoken to."""
    (home / "data" / "run").chmod(0o755)
    ran = run("list")
    assert ran.code == 3
    assert "can be entered by others" in ran.err
    assert scripted.calls == []


def test_a_gate_that_speaks_nonsense_is_not_reachable(scripted: ScriptedGate) -> None:
    """An answer that is no object of the API exits with 5 and no traceback."""
    scripted.answers["GET /api/v1/shares"] = (200, [])  # type: ignore[assignment]
    assert run("list").code == 5


def test_an_unexpected_error_is_one_line(scripted: ScriptedGate) -> None:
    """What nobody foresaw is told in one line with exit code 1, and with --json as one document."""
    scripted.say("GET shares", {"shares": [{}]})
    ran = run("list")
    assert ran.code == 1
    assert "something unexpected happened (KeyError" in ran.err
    assert "--debug" in ran.err


def test_watch_needs_a_gate(home: Path) -> None:
    """Without a running gate watch exits with 5 and says how to start one."""
    ran = run("watch")
    assert ran.code == 5
    assert "sharegate up" in ran.err
    assert run("watch", "--json").document["error"]["code"] == "unreachable"


# -- settings and rules -----------------------------------------------------------------------------------------------


def test_settings_are_shown_and_checked(home: Path) -> None:
    """config show lists every setting; a wrong file is reported with all its faults and exit code 2."""
    assert "gate_port" in run("config", "show").out
    assert run("config", "show", "--json").document["gate_port"] == 8870
    assert run("config", "check").code == 0
    file = home / "gate.toml"
    file.write_text('gate_port = "x"\nnonsense = 1\n')
    ran = run("config", "check", "--config", str(file))
    assert ran.code == 2
    assert "gate_port" in ran.err
    assert "nonsense" in ran.err
    assert len(run("config", "check", "--config", str(file), "--json").document["errors"]) == 2


def test_tls_files_are_checked_with_the_settings(home: Path) -> None:
    """config check reads them; everything that is wrong is told with its remedy, and no gate starts."""
    pair = Authority(home / "authority").leaf("gate", ("elsewhere.example",))
    file = home / "gate.toml"
    file.write_text(f'tls_certificate = "{pair.certificate}"\ntls_key = "{pair.key}"\n')
    pair.key.chmod(0o644)
    for command in (("config", "check"), ("serve",)):
        ran = run(*command, "--config", str(file))
        assert ran.code == 2
        assert "is for elsewhere.example, not for 127.0.0.1" in ran.err
        assert f"chmod 600 {pair.key}" in ran.err
    pair.key.chmod(0o600)
    file.write_text(file.read_text() + 'gate_host = "elsewhere.example"\n')
    ran = run("config", "check", "--config", str(file), "--json")
    assert ran.code == 0
    assert ran.document["gate_url"] == "https://elsewhere.example:8870"
    assert ran.document["tls_certificate_ends"] > time.time()


def test_a_list_is_shown_as_a_list(home: Path) -> None:
    """Its members with commas, in JSON as an array."""
    file = home / "gate.toml"
    file.write_text('trusted_forwarders = ["127.0.0.1", "10.0.3.0/24"]\n')
    assert "127.0.0.1, 10.0.3.0/24" in run("config", "show", "--config", str(file)).out
    shown = run("config", "show", "--config", str(file), "--json").document
    assert shown["trusted_forwarders"] == ["127.0.0.1", "10.0.3.0/24"]


def test_rules_are_checked_and_explained(home: Path) -> None:
    """policy check counts, explain names the rule and the reason, docs prints a page."""
    assert run("policy", "check").out == "The rules are sound.\n"
    assert run("policy", "check", "--json").document["sound"] is True
    ran = run("policy", "explain", "PUT", "/api/contents/a.ipynb")
    assert ran.code == 0
    assert ran.out.startswith("capability_missing")
    outside = run("policy", "explain", "GET", "/api/contents/secret", "--root", "lectures", "--json").document
    assert outside["outcome"] == "outside_root"
    assert run("policy", "docs").out.startswith("#")
    (home / "policies").mkdir()
    (home / "policies" / "roles.yaml").write_text("nonsense: 1\n")
    assert run("policy", "check", "--policy-dir", str(home / "policies")).code == 2


# -- help -------------------------------------------------------------------------------------------------------------


def test_version_and_help(home: Path) -> None:
    """--version prints it; no command, like a wrong one, shows how to go on and exits with 2."""
    assert run("--version").out == f"sharegate {__version__}\n"
    assert run("--help").code == 0
    assert run("nonsense").code == 2
    assert run("share").code == 2
