"""Every rule × role × state of the credential, HTTP and WebSocket, through a real gate.

The upstream here is a recorder: it counts connections, so that "refused" can be shown to mean "never asked".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from sharegate import app, config
from sharegate.answers import LATER
from sharegate.errors import MEANINGS, Reason
from sharegate.limits import Buckets, Rate
from sharegate.policy.load import builtin_policies, load_policies
from sharegate.policy.model import AnswerKind, Example, Rule
from sharegate.shares.model import Role
from sharegate.upstream.model import Credential, Upstream
from tests.gatehouse import HANDSHAKE, Gatehouse, Inside, Program, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

W = TypeVar("W", Inside, Program)
TOKEN = "raw-server-token-that-nobody-may-see"
MODEL = b'{"type":"directory","name":"shared","path":"sub/shared","content":null,"format":null,"writable":true}'
FILE = MODEL.replace(b"directory", b"file")


@dataclass
class Recorder:
    """An upstream that answers everything with one small model, of a file where one is asked for, and remembers who
    asked."""

    port: int = 0
    requests: list[bytes] = None  # type: ignore[assignment]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head)
                model = FILE if b"/data.csv" in head else MODEL
                length = f"Content-Length: {len(model)}\r\n".encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + length + b"\r\n" + model)
                await writer.drain()
        writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorder() -> AsyncIterator[Recorder]:
    made = Recorder(requests=[])
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["", "localhost"], ids=["path mode", "share hosts"])
async def gate(
    tmp_path_factory: pytest.TempPathFactory, recorder: Recorder, request: pytest.FixtureRequest
) -> AsyncIterator[Gatehouse]:
    folder = tmp_path_factory.mktemp("matrix")
    values: dict[str, Any] = {"data_dir": str(folder), "gate_port": 0, "dashboard_port": 0, "owner": "Olga"}
    # The table is tried for all its roles, also those that this version does not hand out.
    policies = folder / "policies"
    policies.mkdir()
    roles = (builtin_policies() / "roles.yaml").read_text()
    (policies / "roles.yaml").write_text(roles.replace("available: false", "available: true"))
    values["policy_dir"] = str(policies)
    values["share_hosts"] = request.param
    values |= {"requests_per_minute": 1_000_000, "strangers_per_minute": 1_000_000, "requests_at_once": 1000}
    async with app.running(config.load(None, {}, values)) as running:
        store = running.gate._store  # the matrix gives out roles that owners cannot hand out yet
        url = f"http://127.0.0.1:{recorder.port}/"
        upstream = Upstream(id="rec2345", name="rec", owner="Olga", url=url, token=Credential(TOKEN))
        await store.put_upstream(upstream)  # type: ignore[attr-defined]
        yield Gatehouse(running, None, folder)  # type: ignore[arg-type]


# What a link can ask for, set while somebody is in. These visitors come from this computer's own address.
CONDITIONS: dict[str, dict[str, Any]] = {
    "outside": {"networks": ("192.0.2.0/24", "2001:db8::/32")},
    "too early": {"not_before": 4e9},
    "passphrase": {"passphrase": "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHQ$aGFzaA"},
    "asked": {"ask": True},
    "recipient": {"recipient": "ann@example.org"},
    "domain": {"domain": "example.org"},
    "account": {"account": "*", "issuer": "https://login.example.org"},
}
UNMET = {
    "outside": Reason.OUTSIDE_NETWORKS,
    "too early": Reason.NOT_YET,
    "passphrase": Reason.PASSPHRASE_NEEDED,
    "asked": Reason.APPROVAL_NEEDED,
    "recipient": Reason.RECIPIENT_NEEDED,
    "domain": Reason.RECIPIENT_NEEDED,
    "account": Reason.ACCOUNT_NEEDED,
}


async def in_each_state(store: Any, make: Callable[[Role], Awaitable[W]], *more: str) -> dict[str, W]:
    """One of each role, and of each role one in each state in which a share or link answers nothing; and in `more`."""
    found = {}
    for role in Role:
        found[role.value] = await make(role)
        for state in ("revoked", "expired", "paused", "link revoked", *more):
            found[f"{state} {role}"] = await make(role)
        await store.change_share(found[f"revoked {role}"].share["id"], revoked=1.0)
        await store.change_share(found[f"expired {role}"].share["id"], expires=1.0)
        await store.change_share(found[f"paused {role}"].share["id"], paused=True)
        await store.change_link(found[f"link revoked {role}"].link["id"], revoked=1.0)
        for state, condition in CONDITIONS.items():
            found[f"{state} {role}"] = await make(role)
            await store.change_link(found[f"{state} {role}"].link["id"], **condition)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visits(gate: Gatehouse) -> dict[str, Inside]:
    """A visit of each role, and of each role one in each state in which nothing may be answered: `STATE ROLE`."""
    store = gate.running.gate._store

    async def visit(role: Role, path: str = "sub/shared") -> Inside:
        made = await gate.call("POST", "shares", {"path": path, "server": "rec2345", "for": ["A"]})
        await store.change_share(made["share"]["id"], role=role)
        return await gate.visit(made)

    found = await in_each_state(store, visit, "ended", "other")
    for role in Role:
        await store.end_visits([visit_of(found[f"ended {role}"])], at=1.0, reason="ended by the owner")
    found["edit, taken back"] = await visit(Role.EDIT)
    await store.change_visit(visit_of(found["edit, taken back"]), role=Role.VIEW)
    found["edit elsewhere"] = await visit(Role.EDIT, "sub/elsewhere")
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def programs(gate: Gatehouse) -> dict[str, Program]:
    """A program of each role, and of each role one in each state in which nothing may be answered: `STATE ROLE`."""
    store = gate.running.gate._store

    async def program(role: Role) -> Program:
        body = {"path": "sub/shared", "server": "rec2345", "for": ["A"], "clients": True}
        made = await gate.call("POST", "shares", body)
        await store.change_share(made["share"]["id"], role=role)
        return await gate.program(made)

    found = await in_each_state(store, program, "replaced", "for browsers")
    for role in Role:
        await store.change_share(found[f"for browsers {role}"].share["id"], clients=False)
        await store.change_link(found[f"replaced {role}"].link["id"], serial=2)
    return found


def visit_of(who: Inside) -> str:
    return who.base.split("~")[1].strip("/")


POLICIES = load_policies()
EXAMPLES = [(rule, example) for rule in POLICIES.policy.rules for example in rule.examples]
STRANGERS = {
    "none": Reason.NO_CREDENTIAL,
    "wrong cookie": Reason.OTHER_VISIT,
    "other visit": Reason.OTHER_VISIT,
    "revoked": Reason.SHARE_REVOKED,
    "expired": Reason.SHARE_EXPIRED,
    "paused": Reason.SHARE_PAUSED,
    "link revoked": Reason.LINK_REVOKED,
    "ended": Reason.VISIT_ENDED,
    **UNMET,
}
# Below a visit, the gate's own addresses; and pieces of a file.
BESIDE = (
    Example(method="GET", target="/-/live", role=Role.VIEW, expect="allow", websocket=True),
    Example(method="POST", target="/-/leave", role=Role.VIEW, expect="allow"),
    Example(method="POST", target="/-/device", role=Role.VIEW, expect="allow"),
    Example(method="HEAD", target="/files/sub/shared/data.csv", role=Role.VIEW, expect="allow"),
    # A co-owner's alone: to nobody here there is such an address.
    Example(method="GET", target="/-/coowner", role=Role.VIEW, expect="allow"),
    Example(method="GET", target="/-/coowner", role=Role.VIEW, expect="allow", websocket=True),
    Example(method="POST", target="/-/coowner", role=Role.VIEW, expect="allow"),
)
RANGES = ("bytes=0-0", "bytes=-5", "bytes=0-0,5-9")


def asker(visits: dict[str, Inside], state: str, role: Role) -> Inside:
    if state == "none":
        return replace(visits[role.value], cookie="")
    if state == "wrong cookie":
        return replace(visits[role.value], cookie="x" * 43)
    if state == "other visit":
        return replace(visits[role.value], cookie=visits[f"other {role}"].cookie)
    return visits[f"{state} {role}"]


async def ask(who: Inside, example: Example) -> Reply:
    target = example.target.removeprefix("/")
    if example.websocket and isinstance(who, Program):
        return await who.gate.raw("GET", who.base + target, who.manners("GET") | HANDSHAKE)
    if example.websocket:
        headers = who.manners("GET") | {"Origin": who.origin, "Upgrade": "websocket", "Connection": "Upgrade"}
        headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        return await who.gate.raw("GET", who.base + target, headers)
    return await who.ask(example.method, target)


# Each way to change a file through the contents API, with all that it needs: what stops it is who asks.
A_FILE = {"type": "file", "format": "text", "content": "x"}
A_NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
WRITES: list[tuple[str, str, object]] = [
    ("PUT", "api/contents/sub/shared/x.txt", A_FILE),
    ("PUT", "api/contents/sub/shared/x.txt", {**A_FILE, "chunk": 1}),
    ("PUT", "api/contents/sub/shared/x.ipynb", {"type": "notebook", "format": "json", "content": A_NOTEBOOK}),
    ("PUT", "api/contents/sub/shared/folder", {"type": "directory"}),
    ("POST", "api/contents/sub/shared", {"type": "file", "ext": ".txt"}),
    ("POST", "api/contents/sub/shared", {"type": "notebook"}),
    ("POST", "api/contents/sub/shared", {"type": "directory"}),
    ("POST", "api/contents/sub/shared", {"copy_from": "sub/shared/data.csv"}),
    ("PATCH", "api/contents/sub/shared/data.csv", {"path": "sub/shared/y.csv"}),
    ("DELETE", "api/contents/sub/shared/data.csv", None),
]
# The owner's alone, whatever a visitor may do.
CHECKPOINTS: list[tuple[str, str, object]] = [
    ("POST", "api/contents/sub/shared/nb.ipynb/checkpoints", None),
    ("POST", "api/contents/sub/shared/nb.ipynb/checkpoints/checkpoint", None),
    ("DELETE", "api/contents/sub/shared/nb.ipynb/checkpoints/checkpoint", None),
]


async def write(who: Inside, method: str, target: str, body: object) -> Reply:
    data = b"" if body is None else json.dumps(body).encode()
    return await who.ask(method, target, headers={"Content-Type": "application/json"} if data else None, body=data)


def asked_since(recorder: Recorder, before: int) -> list[bytes]:
    """What the server was asked, besides whether it is there."""
    return [head for head in recorder.requests[before:] if b" /api HTTP" not in head]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("state", STRANGERS)
async def test_without_a_standing_visit_every_route_is_refused_and_the_server_is_not_asked(
    gate: Gatehouse, visits: dict[str, Inside], recorder: Recorder, state: str, role: Role
) -> None:
    """No rule, method or upgrade answers, whatever role the visit had; the refusal says what its state allows to say
    and nothing else."""
    who = asker(visits, state, role)
    expected = MEANINGS[STRANGERS[state]]
    before = len(recorder.requests)
    for method, target, body in WRITES + CHECKPOINTS:
        reply = await write(who, method, target, body)
        assert (reply.status, reply.public) == (expected.status, expected.public), (state, method, target)
    for rule, example in EXAMPLES:
        reply = await ask(who, example)
        # What is no path at all is refused before anybody asks who sends it.
        meaning = MEANINGS[Reason.BAD_PATH] if example.expect == "bad_path" else expected
        assert reply.status == meaning.status, (state, rule.id, example.target)
        assert example.method == "HEAD" or reply.public == meaning.public, (state, rule.id, example.target)
        assert TOKEN.encode() not in reply.body
    for example in BESIDE:
        reply = await ask(who, example)
        assert reply.status == expected.status, (state, example.target)
    for piece in RANGES:
        reply = await who.ask("GET", "files/sub/shared/data.csv", headers={"Range": piece})
        assert (reply.status, reply.public) == (expected.status, expected.public), (state, piece)

    assert asked_since(recorder, before) == []


# What holds also of a visit that is over. Who has no part in it, or asks from elsewhere, gets the usual refusal.
OUTLIVING = (("GET", "-/time", b""), ("POST", "-/time", b"{}"), ("POST", "-/report", b'{"concern":"other"}'))
NOT_THEIRS = ("none", "wrong cookie", "other visit", "outside")
# Where more time would change nothing the refusal says why; expired these are for longer than it can be asked for.
NO_MORE_TIME = {"revoked", "link revoked", "ended", "expired", "paused"}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("state", STRANGERS)
async def test_what_outlives_a_visit_is_answered_to_whoever_held_it(
    gate: Gatehouse,
    visits: dict[str, Inside],
    recorder: Recorder,
    state: str,
    role: Role,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`-/report` and `-/time`, for every state of the share, link and visit: to the one whose visit it was, to nobody
    else, and the server is not asked. `-/ended` says to anybody that it is over, and to strangers nothing of what."""
    who, before = asker(visits, state, role), len(recorder.requests)
    expected = MEANINGS[STRANGERS[state]]
    # All of them report from one computer, which is limited.
    monkeypatch.setattr(gate.running.gate._own._reporting, "_of_all", Buckets(Rate(1e6, 1, burst=1e6), time.monotonic))
    for method, target, body in OUTLIVING:
        reply = await who.ask(method, target, headers={"Content-Type": "application/json"}, body=body)
        if state in NOT_THEIRS:
            assert (reply.status, reply.public) == (expected.status, expected.public), (state, method, target)
        elif method == "POST" and target == "-/time" and state in NO_MORE_TIME:
            assert (reply.status, reply.public) == (expected.status, expected.public), (state, reply.body)
        else:
            assert reply.status == 200, (state, method, target, reply.body)
        shown = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        cross = await who.ask(method, target, headers={"Content-Type": "application/json", **shown}, body=body)
        assert cross.status in (401, 403), (state, method, target)
    ended = await who.ask("GET", "-/ended")
    assert ended.status == 200 and (state not in NOT_THEIRS or b"Olga" not in ended.body)
    assert state != "revoked" or b"Olga" in ended.body
    assert asked_since(recorder, before) == []


@pytest.mark.parametrize("state", UNMET)
async def test_who_has_no_cookie_learns_nothing_of_what_a_link_asks_for(
    gate: Gatehouse, visits: dict[str, Inside], state: str
) -> None:
    """The visit of a link that asks for something refuses strangers, a wrong cookie and another's as every other does,
    and a person who navigates there gets the page that everybody gets."""
    there = visits[f"{state} view"]
    for cookie in ("", "x" * 43, visits["other view"].cookie):
        who = replace(there, cookie=cookie)
        plain = replace(visits["view"], cookie=cookie)
        for path in ("api/contents/sub/shared", "lab", "-/live"):
            told, usual = await who.ask("GET", path), await plain.ask("GET", path)
            assert (told.status, told.public) == (usual.status, usual.public) == (401, "no_access")
            page = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
            assert (await who.ask("GET", path, headers=page)).body == (await plain.ask("GET", path, headers=page)).body


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("state", UNMET)
async def test_what_a_link_asks_for_no_more_lets_the_same_visit_go_on(
    gate: Gatehouse, visits: dict[str, Inside], state: str, role: Role
) -> None:
    """Nothing has ended: with the condition gone the same cookie reads again."""
    who, store = visits[f"{state} {role}"], gate.running.gate._store
    link = await store.link(who.link["id"])
    assert link is not None
    assert (await who.ask("GET", "api/contents/sub/shared")).public == UNMET[state].value
    await store.change_link(
        link.id, networks=(), not_before=0.0, passphrase="", ask=False, recipient="", domain="", account=""
    )
    try:
        assert (await who.ask("GET", "api/contents/sub/shared")).status == 200
    finally:
        await store.change_link(link.id, **CONDITIONS[state])
    assert (await who.ask("GET", "api/contents/sub/shared")).public == UNMET[state].value


@pytest.mark.parametrize("who", ["view", "edit, taken back", "edit elsewhere"])
async def test_each_way_to_write_is_refused_to_whom_it_is_not_given(
    gate: Gatehouse, visits: dict[str, Inside], recorder: Recorder, who: str
) -> None:
    """A viewer, an editor whose role was taken back, an editor of another share: the server is asked nothing."""
    reason = Reason.OUTSIDE_ROOT if who == "edit elsewhere" else Reason.CAPABILITY_MISSING
    expected = MEANINGS[reason]
    before = len(recorder.requests)
    for method, target, body in WRITES:
        reply = await write(visits[who], method, target, body)
        assert (reply.status, reply.public) == (expected.status, expected.public), (who, method, target, body)

    assert asked_since(recorder, before) == []
    # Without those of strangers at the address of the visit's pages.
    refused = await gate.events(share=visits[who].share["id"], action="request.denied")
    assert [event["reason"] for event in refused] == [reason.value] * len(WRITES)


async def test_each_way_to_write_goes_on_for_an_editor(
    gate: Gatehouse, visits: dict[str, Inside], recorder: Recorder
) -> None:
    """What is refused to others above is whole: for an editor each of them is looked at on the server."""
    for method, target, body in WRITES:
        before = len(recorder.requests)
        reply = await write(visits["edit"], method, target, body)
        assert reply.public not in ("not_allowed", "bad_request"), (method, target, body, reply.body)
        assert asked_since(recorder, before), (method, target, body)


@pytest.mark.parametrize("role", list(Role))
async def test_the_servers_checkpoints_are_nobodys_but_the_owners(
    gate: Gatehouse, visits: dict[str, Inside], recorder: Recorder, role: Role
) -> None:
    """None is made, restored or deleted, nor asked for, by any role."""
    share = visits[role.value].share["id"]
    before, refused = len(recorder.requests), len(await gate.events(share=share, outcome="denied"))
    for method, target, body in CHECKPOINTS:
        reply = await write(visits[role.value], method, target, body)
        assert (reply.status, reply.public) == (403, "not_allowed"), (role, method, target)
    listed = await visits[role.value].ask("GET", "api/contents/sub/shared/nb.ipynb/checkpoints")
    assert (listed.status, listed.json) == (200, [])

    assert asked_since(recorder, before) == []
    events = (await gate.events(share=share, outcome="denied"))[refused:]
    assert [event["reason"] for event in events] == [Reason.ROUTE_DENIED.value] * len(CHECKPOINTS)


ROOMS = [example for rule, example in EXAMPLES if rule.id == "collaboration-room" and example.expect == "allow"]


@pytest.mark.parametrize("role", list(Role))
async def test_rooms_are_looked_up_for_each_role_and_what_is_none_is_not_opened(
    gate: Gatehouse, visits: dict[str, Inside], recorder: Recorder, role: Role
) -> None:
    """An id that the gate has not seen is asked of the server; the upgrade is refused, because no file has it."""
    for example in ROOMS:
        before = len(recorder.requests)
        reply = await ask(visits[role.value], example)
        assert reply.status != 101 and reply.public not in ("not_allowed", "bad_request"), (role, example.target)
        assert asked_since(recorder, before), example.target


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_gets_what_the_table_says_and_nothing_else(
    gate: Gatehouse, visits: dict[str, Inside], recorder: Recorder, role: Role
) -> None:
    """The examples of the policy files, judged by the running gate instead of by the loader."""
    who = visits[role.value]
    wrong = []
    for rule, example in EXAMPLES:
        if example.role is not role:
            continue
        before = len(recorder.requests)
        reply = await ask(who, example)
        asked = asked_since(recorder, before)
        if "token=" in example.target:
            # The loader judges the rule alone; the gate takes a token beside the cookie for a second credential.
            fine = reply.status == 401 and asked == []
        elif example.expect == "allow" and rule.answer is AnswerKind.FILTER and rule.answer_name in LATER:
            fine = reply.status in (400, 403) and asked == []
        elif example.expect == "allow":
            # Examples carry no body, so a write whose fields are required is judged as far as its body.
            unread = example.method in ("PUT", "POST", "PATCH") and reply.public == "bad_request"
            fine = unread or (reply.status not in (401, 403) and reply.public not in ("bad_request", "not_allowed"))
        else:
            # Confinement is judged before capability, so an example without the body its rule wants may stop there.
            meaning = MEANINGS[Reason(example.expect)]
            unread = example.method in ("PUT", "POST", "PATCH") and reply.public == "bad_request"
            fine = (unread or reply.status in (meaning.status, 501)) and asked == []
        if not fine:
            wrong.append((rule.id, example.method, example.target, example.expect, reply.status, reply.body[:120]))
        assert TOKEN.encode() not in reply.body

    assert wrong == []


@pytest.mark.parametrize("role", list(Role))
async def test_a_capability_that_a_role_lacks_is_refused_on_every_route_that_needs_it(
    gate: Gatehouse, visits: dict[str, Inside], recorder: Recorder, role: Role
) -> None:
    """Taken from the table itself: whichever rule needs more than the role has is not answered."""
    lacking = [
        (rule, example)
        for rule, example in EXAMPLES
        if rule.capability is not None
        and rule.answer is not AnswerKind.DENY
        and rule.capability not in POLICIES.roles.capabilities(role)
        and example.expect == "allow"
        and rule.serves(role)
    ]
    for rule, example in lacking:
        before = len(recorder.requests)
        reply = await ask(visits[role.value], example)
        asked = asked_since(recorder, before)
        assert reply.status in (400, 403, 404), (rule.id, example.target, reply.status)
        assert asked == [], rule.id


async def test_the_credential_reaches_the_server_and_the_visitors_own_never_does(
    gate: Gatehouse, visits: dict[str, Inside], recorder: Recorder
) -> None:
    """Swapped: our token goes up, the visit's cookie does not; static files go up without any."""
    recorder.requests.clear()
    who = visits["view"]
    await who.ask("GET", "api/contents/sub/shared?content=1")
    await who.ask("GET", "lab/extensions/x/static/a.js")
    sent = {head.split(b" ")[1]: head for head in recorder.requests}
    contents = next(head for path, head in sent.items() if path.startswith(b"/api/contents"))
    static = next(head for path, head in sent.items() if path.startswith(b"/lab/extensions"))

    assert f"token {TOKEN}".encode() in contents
    assert TOKEN.encode() not in static
    assert all(who.cookie.encode() not in head and b"ookie" not in head for head in recorder.requests)


def rules_without_examples(rules: list[Rule]) -> list[str]:
    return [rule.id for rule in rules if not rule.examples]


async def test_every_rule_is_in_the_matrix() -> None:
    """A rule without an example would not be tried."""
    assert rules_without_examples(list(POLICIES.policy.rules)) == []


# -- programs: the token instead of the cookie -------------------------------------------------------------------------

# At the root of a share's own host these addresses are the door's.
OF_THE_DOOR = ("/", "/robots.txt")
NO_PROGRAMS = {
    "none": Reason.NO_CREDENTIAL,
    "wrong token": Reason.BAD_CREDENTIAL,
    "token of another share": Reason.BAD_CREDENTIAL,
    "replaced": Reason.LINK_REPLACED,
    "for browsers": Reason.CLIENTS_OFF,
    "revoked": Reason.SHARE_REVOKED,
    "expired": Reason.SHARE_EXPIRED,
    "paused": Reason.SHARE_PAUSED,
    "link revoked": Reason.LINK_REVOKED,
    **UNMET,
    "cookie too": Reason.BROWSER_ON_PROGRAM_ADDRESS,
    "page's script": Reason.BROWSER_ON_PROGRAM_ADDRESS,
    "page's origin": Reason.BROWSER_ON_PROGRAM_ADDRESS,
}
BROWSERS = {
    "cookie too": ("Cookie", "sharegate-visit=x"),
    "page's script": ("Sec-Fetch-Mode", "cors"),
    "page's origin": ("Origin", "http://127.0.0.1"),
}


@dataclass
class InBrowser(Program):
    """Whoever shows a good token and something that only browsers send."""

    state: str = ""

    def manners(self, method: str) -> dict[str, str]:
        name, value = BROWSERS[self.state]
        return {**super().manners(method), name: value}


def program_in(programs: dict[str, Program], state: str, role: Role) -> Program:
    good = programs[role.value]
    if state == "none":
        return replace(good, cookie="")
    if state == "wrong token":
        head, _, rest = good.cookie.rpartition(".")
        return replace(good, cookie=f"{head}.{'A' if rest[0] != 'A' else 'B'}{rest[1:]}")
    if state == "token of another share":
        return replace(good, cookie=programs[(Role.EDIT if role is Role.VIEW else Role.VIEW).value].cookie)
    if state in BROWSERS:
        return InBrowser(good.gate, good.share, good.link, good.base, good.cookie, state=state)
    return programs[f"{state} {role}"]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("state", NO_PROGRAMS)
async def test_without_a_standing_token_every_route_is_refused_and_the_server_is_not_asked(
    gate: Gatehouse, programs: dict[str, Program], recorder: Recorder, state: str, role: Role
) -> None:
    """The address for programs is no way around: no rule, method or upgrade answers."""
    who = program_in(programs, state, role)
    expected = MEANINGS[NO_PROGRAMS[state]]
    before = len(recorder.requests)
    for method, target, body in WRITES + CHECKPOINTS:
        reply = await write(who, method, target, body)
        assert (reply.status, reply.public) == (expected.status, expected.public), (state, method, target)
    for rule, example in EXAMPLES:
        if "token=" in example.target:
            continue  # another token is another state
        if who.addresses.own_host and example.target in OF_THE_DOOR:
            continue
        reply = await ask(who, example)
        meaning = MEANINGS[Reason.BAD_PATH] if example.expect == "bad_path" else expected
        assert reply.status == meaning.status, (state, rule.id, example.target)
        assert example.method == "HEAD" or reply.public == meaning.public, (state, rule.id, example.target)

    assert asked_since(recorder, before) == []


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_gets_the_same_with_a_token_but_for_pages(
    gate: Gatehouse, programs: dict[str, Program], visits: dict[str, Inside], recorder: Recorder, role: Role
) -> None:
    """Every example of the table is answered to a program as to a browser of the same role, on the server too."""
    wrong = []
    for rule, example in EXAMPLES:
        if example.role is not role or "token=" in example.target:
            continue
        if programs[role.value].addresses.own_host and example.target in OF_THE_DOOR:
            continue
        replies, asked = [], []
        for who in (visits[role.value], programs[role.value]):
            before = len(recorder.requests)
            replies.append(await ask(who, example))
            asked.append([head.split(b"\r\n")[0] for head in asked_since(recorder, before)])
        browser, program = replies
        same = (browser.status, browser.public, asked[0]) == (program.status, program.public, asked[1])
        if rule.answer_name in ("page", "picture", "reading", "root-redirect"):
            # Whose page it would be is not looked at for who gets none.
            none = (program.status, program.public, asked[1]) == (403, "not_for_browsers", [])
            fine = none or (same and example.expect != "allow")
        else:
            fine = same
        if not fine:
            wrong.append((rule.id, example.method, example.target, browser.status, program.status, asked))

    assert wrong == []


async def test_each_way_to_write_is_refused_to_a_viewers_program(
    gate: Gatehouse, programs: dict[str, Program], recorder: Recorder
) -> None:
    """The role is the link's, whatever is asked with."""
    before = len(recorder.requests)
    for method, target, body in WRITES:
        reply = await write(programs["view"], method, target, body)
        assert (reply.status, reply.public) == (403, "not_allowed"), (method, target, body)

    assert asked_since(recorder, before) == []


async def test_the_share_token_of_a_program_never_reaches_the_server(
    gate: Gatehouse, programs: dict[str, Program], recorder: Recorder
) -> None:
    """Swapped like a cookie, from the header and from the query."""
    recorder.requests.clear()
    who = programs["edit"]
    await who.ask("GET", "api/contents/sub/shared?content=1")
    bare = replace(who, cookie="")
    await bare.ask("GET", f"api/contents/sub/shared?content=1&token={who.cookie}")
    await bare.ask("GET", f"lab/extensions/x/static/a.js?token={who.cookie}")
    await bare.ask("GET", f"static/x.js?v=1&%74oken={who.cookie}")
    sent = {head.split(b" ")[1]: head for head in asked_since(recorder, 0)}

    assert list(sent) == [b"/api/contents/sub/shared?content=1", b"/lab/extensions/x/static/a.js", b"/static/x.js?v=1"]
    assert f"token {TOKEN}".encode() in sent[b"/api/contents/sub/shared?content=1"]
    assert all(who.cookie.encode() not in head for head in recorder.requests)


# -- from outside: one answer ------------------------------------------------------------------------------------------

# Each state of a share and of a link that the door or a program would be told of, and some at once.
STATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "open": ({}, {}),
    "share revoked": ({"revoked": 1.0}, {}),
    "share expired": ({"expires": 1.0}, {}),
    "share paused": ({"paused": True}, {}),
    "share suspended": ({"suspended": True}, {}),
    "for browsers": ({"clients": False}, {}),
    "link revoked": ({}, {"revoked": 1.0}),
    "link expired": ({}, {"expires": 1.0}),
    "link paused": ({}, {"paused": True}),
    "replaced": ({}, {"serial": 2}),
    "full": ({}, {"visits": 0}),
    "all": ({"paused": True, "suspended": True}, {"serial": 3, "paused": True, "revoked": 1.0}),
    **{name: ({}, condition) for name, condition in CONDITIONS.items() if name != "outside"},
}


async def test_attack_from_outside_a_links_networks_every_state_is_one_answer(
    gate: Gatehouse, recorder: Recorder
) -> None:
    """Whatever is posted at the door, and whatever a program asks: the same status and words, for every state of the
    share and the link, by a door that cannot be told from another; and the server is not asked."""
    store = gate.running.gate._store
    answers: dict[str, set[tuple[Any, ...]]] = {}
    for of_share, of_link in STATES.values():
        body = {"path": "sub/shared", "server": "rec2345", "for": ["A"], "clients": True}
        made = await gate.call("POST", "shares", body)
        link, share = made["links"][0], made["share"]["id"]
        token = link["url"].partition("#")[2]
        await store.change_link(link["id"], networks=("192.0.2.0/24", "2001:db8::/32"), **of_link)
        if of_share:
            await store.change_share(share, **of_share)
        door, before = gate.door(share), len(recorder.requests)
        for path, more in (
            ("about", {}),
            ("", {"name": "Eve"}),
            ("", {"name": "Eve", "passphrase": "green bicycle", "code": "23456789", "email": "eve@example.org"}),
            ("code", {"email": "eve@example.org"}),
            ("code", {"email": "eve@evil.example"}),
            ("knock", {"name": "Eve"}),
            ("knock", {"name": "Eve", "same_person": True, "passphrase": "green bicycle"}),
            ("sign", {}),
            ("sign", {"again": True}),
            ("time", {}),
            ("report", {"concern": "other"}),
        ):
            reply = await gate.post(f"/join/{path}".rstrip("/"), {"token": token, **more}, door)
            told = reply.json if path == "about" else (reply.public, reply.json["error"]["message"])
            answers.setdefault(f"{path} {sorted(more)}", set()).add((reply.status, str(told)))
        who = await gate.program(made)
        for example in (*BESIDE, *(example for _, example in EXAMPLES[::25])):
            if "token=" in example.target or example.target in OF_THE_DOOR or example.expect == "bad_path":
                continue
            reply = await ask(who, example)
            public = "" if example.method == "HEAD" else reply.public
            answers.setdefault(f"{example.method} {example.target}", set()).add((reply.status, public))
        assert asked_since(recorder, before) == []
    assert {what: told for what, told in answers.items() if len(told) != 1} == {}
    assert {status for what, told in answers.items() for status, _ in told if not what.startswith("about")} == {403}
