"""The trie of path segments against a reader that tries every rule in turn."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Denied, NotFound, Reason
from sharegate.policy.match import Policy
from sharegate.policy.model import AnswerKind, Part, Rule
from sharegate.shares.model import Capability, Role


def rule(id: str, route: str, methods: str = "GET", **more: object) -> Rule:
    """A rule from a short notation of its route: `/a/{x}/{y:re}/{z*}`."""
    pattern = []
    for text in filter(None, route.split("/")):
        name, _, expression = text.strip("{}").partition(":")
        named = text.startswith("{")
        pattern.append(Part(name.rstrip("*"), named, name.endswith("*"), expression) if named else Part(text))
    fields = {"answer": AnswerKind.FORWARD, "capability": Capability.PAGES_READ, **more}
    return Rule(id=id, methods=frozenset(methods.split(",")), pattern=tuple(pattern), **fields)  # type: ignore[arg-type]


def spans(pattern: tuple[Part, ...], segments: tuple[str, ...]) -> dict[str, tuple[str, ...]] | None:
    """What the named parts take when the pattern is laid over the segments; None when it does not fit."""
    size = len(segments) - (len(pattern) - sum(part.rest for part in pattern))
    if size < 0 or (size and not any(part.rest for part in pattern)):
        return None
    parts: dict[str, tuple[str, ...]] = {}
    at = 0
    for part in pattern:
        taken = segments[at : at + (size if part.rest else 1)]
        at += len(taken)
        if not part.is_name and taken != (part.text,):
            return None
        if part.pattern and not re.fullmatch(part.pattern, taken[0]):
            return None
        if part.is_name:
            parts[part.text] = taken
    return parts


def specificity(pattern: tuple[Part, ...]) -> list[tuple[int, int, int]]:
    """Smaller is more specific; the order that Policy.route promises."""
    key = []
    for at, part in enumerate(pattern):
        behind = len(pattern) - at - 1
        kind = 3 if part.rest else 2 if part.is_name and not part.pattern else 1 if part.is_name else 0
        key.append((kind, int(part.rest and not behind), behind if part.rest else 0))
    return key


def naive(rules: list[Rule], segments: tuple[str, ...]) -> tuple[str, dict[str, tuple[str, ...]]] | None:
    found = [(specificity(one.pattern), one.id, spans(one.pattern, segments)) for one in rules]
    fitting = sorted((key, id, parts) for key, id, parts in found if parts is not None)
    return (fitting[0][1], fitting[0][2]) if fitting else None  # type: ignore[return-value]


PART = st.sampled_from(["a", "b", "c", "{x}", "{x:[ab]}"])


@st.composite
def tables(draw: st.DrawFn) -> list[Rule]:
    routes = []
    for _ in range(draw(st.integers(1, 12))):
        parts = draw(st.lists(PART, max_size=4))
        if draw(st.booleans()):
            parts.insert(draw(st.integers(0, len(parts))), "{r*}")
        # Names are numbered so that they differ within a route but not between routes of one shape.
        routes.append("/" + "/".join(text.replace("x", f"x{at}") for at, text in enumerate(parts)))
    return [rule(f"r{number}", route) for number, route in enumerate(dict.fromkeys(routes))]


@given(tables(), st.lists(st.sampled_from("abcd"), max_size=6))
def test_the_trie_finds_what_a_reader_of_all_rules_finds(rules: list[Rule], path: list[str]) -> None:
    """For any table and any path the trie answers the rule, and the parts, that trying every rule in turn answers."""
    segments = tuple(path)
    found = Policy(rules).route(segments)
    assert (found[0][0].id, found[0][1]) == naive(rules, segments) if found else naive(rules, segments) is None


@given(tables(), st.lists(st.sampled_from("abcd"), max_size=6), st.randoms())
def test_the_order_of_the_rules_does_not_matter(rules: list[Rule], path: list[str], random: object) -> None:
    """A table in another order gives the same rule for the same path."""
    shuffled = list(rules)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = Policy(rules).route(tuple(path)), Policy(shuffled).route(tuple(path))
    assert [one.id for one, _ in first] == [one.id for one, _ in second]


CHECKPOINTS = [
    rule("contents", "/api/contents/{path*}"),
    rule("list", "/api/contents/{path*}/checkpoints"),
    rule("one", "/api/contents/{path*}/checkpoints/{id}"),
]


@pytest.mark.parametrize(
    ("path", "id", "taken"),
    [
        ("api/contents", "contents", ()),
        ("api/contents/a/b", "contents", ("a", "b")),
        ("api/contents/checkpoints", "list", ()),
        ("api/contents/a/checkpoints", "list", ("a",)),
        ("api/contents/a/checkpoints/x", "one", ("a",)),
        ("api/contents/a/checkpoints/checkpoints", "list", ("a", "checkpoints")),
        ("api/contents/a/checkpoints/x/y", "contents", ("a", "checkpoints", "x", "y")),
    ],
)
def test_literals_behind_a_rest_win_as_they_do_upstream(path: str, id: str, taken: tuple[str, ...]) -> None:
    """Checkpoint routes are found as jupyter-server finds them, files named `checkpoints` included."""
    match = Policy(CHECKPOINTS).match("GET", tuple(path.split("/")), False, Role.VIEW)
    assert (match.rule.id, match.parts["path"]) == (id, taken)


def refused(policy: Policy, method: str, path: str, websocket: bool = False, role: Role = Role.VIEW) -> Reason:
    with pytest.raises(Denied) as denied:
        policy.match(method, tuple(filter(None, path.split("/"))), websocket, role)
    return denied.value.reason


def test_a_method_that_a_route_lacks_does_not_slip_into_a_wider_route() -> None:
    """The path chooses the route; what that route does not list is refused though a wider one would allow it."""
    policy = Policy([rule("narrow", "/a/b"), rule("wide", "/a/{x*}", "GET,DELETE")])
    assert refused(policy, "DELETE", "/a/b") is Reason.NO_RULE
    assert policy.match("DELETE", ("a", "c"), False, Role.VIEW).rule.id == "wide"


@pytest.mark.parametrize("method", ["get", "Get", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "WEBSOCKET", ""])
def test_attack_methods_that_no_rule_lists_are_refused(method: str) -> None:
    """Other spellings and other methods have no rule; HEAD is not implied by GET."""
    assert refused(Policy([rule("a", "/a")]), method, "/a") is Reason.NO_RULE


@pytest.mark.parametrize("path", ["/A", "/a/b", "/", "/a%", "/ａ"])
def test_attack_other_spellings_of_a_path_are_refused(path: str) -> None:
    """Case counts and nothing is normalised here."""
    assert refused(Policy([rule("a", "/a")]), "GET", path) is Reason.NO_RULE


def test_an_upgrade_and_a_plain_request_are_different_calls() -> None:
    """A rule for upgrades answers no plain GET, a rule for GET answers no upgrade, and an upgrade is a GET."""
    policy = Policy([rule("ws", "/w", websocket=True), rule("http", "/h")])
    assert policy.match("GET", ("w",), True, Role.VIEW).rule.id == "ws"
    assert refused(policy, "GET", "/w") is Reason.NO_RULE
    assert refused(policy, "GET", "/h", websocket=True) is Reason.NO_RULE
    assert refused(policy, "POST", "/w", websocket=True) is Reason.NO_RULE
    assert refused(policy, "WEBSOCKET", "/w") is Reason.NO_RULE


def test_a_rule_that_denies_is_named_in_the_refusal() -> None:
    """`route_denied` carries the rule's id, for plain requests and, where the rule says either, for upgrades."""
    policy = Policy([rule("never", "/n", "GET,POST", answer=AnswerKind.DENY, either=True)])
    for method, websocket in (("GET", False), ("POST", False), ("GET", True)):
        with pytest.raises(Denied) as denied:
            policy.match(method, ("n",), websocket, Role.RUN)
        assert (denied.value.reason, denied.value.detail) == (Reason.ROUTE_DENIED, "never")


def test_rules_of_one_route_are_told_apart_by_role() -> None:
    """Each role gets its own rule; a role without one has no rule."""
    policy = Policy([rule("v", "/s", roles=frozenset({Role.VIEW})), rule("r", "/s", roles=frozenset({Role.RUN}))])
    assert policy.match("GET", ("s",), False, Role.VIEW).rule.id == "v"
    assert policy.match("GET", ("s",), False, Role.RUN).rule.id == "r"
    assert refused(policy, "GET", "/s", role=Role.EDIT) is Reason.NO_RULE


def test_parts_carry_the_names_of_the_rule_that_matched() -> None:
    """Two rules may name the parts of one route differently."""
    policy = Policy([rule("g", "/k/{id}/{rest*}"), rule("d", "/k/{kernel}/{more*}", "DELETE")])
    assert policy.match("GET", ("k", "1", "x"), False, Role.VIEW).parts == {"id": ("1",), "rest": ("x",)}
    match = policy.match("DELETE", ("k", "1"), False, Role.VIEW)
    assert match.parts == {"kernel": ("1",), "more": ()}
    assert match.path("more").segments == ()


def test_a_rule_is_found_by_its_id() -> None:
    """`rule` returns it or raises NotFound."""
    policy = Policy([rule("a", "/a")])
    assert policy.rule("a").route == "/a"
    with pytest.raises(NotFound):
        policy.rule("b")
