"""Every rule × role × state of the credential, HTTP and WebSocket, through a real gate.

The upstream here is a recorder: it counts connections, so that "refused" can be shown to mean "never asked".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio

from sharegate import app, config
from sharegate.answers import LATER
from sharegate.errors import MEANINGS, Reason
from sharegate.policy.load import builtin_policies, load_policies
from sharegate.policy.model import AnswerKind, Example, Rule
from sharegate.shares.model import Role
from sharegate.upstream.model import Credential, Upstream
from tests.gatehouse import Gatehouse, Inside, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "raw-server-token-that-nobody-may-see"
MODEL = b'{"type":"directory","name":"shared","path":"sub/shared","content":null,"format":null,"writable":true}'


@dataclass
class Recorder:
    """An upstream that answers everything with one small model and remembers who asked."""

    port: int = 0
    requests: list[bytes] = None  # type: ignore[assignment]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head)
                length = f"Content-Length: {len(MODEL)}\r\n".encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + length + b"\r\n" + MODEL)
                await writer.drain()
        writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorder() -> AsyncIterator[Recorder]:
    made = Recorder(requests=[])
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> AsyncIterator[Gatehouse]:
    folder = tmp_path_factory.mktemp("matrix")
    values: dict[str, Any] = {"data_dir": str(folder), "gate_port": 0, "dashboard_port": 0, "owner": "Olga"}
    # The table is tried for all its roles, also those that this version does not hand out.
    policies = folder / "policies"
    policies.mkdir()
    roles = (builtin_policies() / "roles.yaml").read_text()
    (policies / "roles.yaml").write_text(roles.replace("available: false", "available: true"))
    values["policy_dir"] = str(policies)
    values |= {"requests_per_minute": 1_000_000, "strangers_per_minute": 1_000_000, "requests_at_once": 1000}
    async with app.running(config.load(None, {}, values)) as running:
        store = running.gate._store  # the matrix gives out roles that owners cannot hand out yet
        url = f"http://127.0.0.1:{recorder.port}/"
        upstream = Upstream(id="rec2345", name="rec", owner="Olga", url=url, token=Credential(TOKEN))
        await store.put_upstream(upstream)  # type: ignore[attr-defined]
        yield Gatehouse(running, None, folder)  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visits(gate: Gatehouse) -> dict[str, Inside]:
    """A visit of each role, and one in each state in which nothing may be answered."""
    store = gate.running.gate._store
    found = {}
    for role in Role:
        made = await gate.call("POST", "shares", {"path": "sub/shared", "server": "rec2345", "for": ["A"]})
        found[role.value] = await gate.visit(made)
        await store.change_share(made["share"]["id"], role=role)
    for state in ("revoked", "expired", "paused", "link revoked", "ended", "other"):
        made = await gate.call("POST", "shares", {"path": "sub/shared", "server": "rec2345", "for": ["A"]})
        found[state] = await gate.visit(made)
    await store.change_share(found["revoked"].share["id"], revoked=1.0)
    await store.change_share(found["expired"].share["id"], expires=1.0)
    await store.change_share(found["paused"].share["id"], paused=True)
    await store.change_link(found["link revoked"].link["id"], revoked=1.0)
    visit = found["ended"].base.split("~")[1].strip("/")
    await store.end_visits([visit], at=1.0, reason="ended by the owner")
    return found


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
}


def asker(visits: dict[str, Inside], state: str) -> Inside:
    if state == "none":
        return replace(visits["view"], cookie="")
    if state == "wrong cookie":
        return replace(visits["view"], cookie="x" * 43)
    if state == "other visit":
        return replace(visits["view"], cookie=visits["other"].cookie)
    return visits[state]


async def ask(who: Inside, example: Example) -> Reply:
    target = example.target.removeprefix("/")
    if example.websocket:
        headers = who.manners("GET") | {"Origin": who.gate.origin, "Upgrade": "websocket", "Connection": "Upgrade"}
        headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        return await who.gate.raw("GET", who.base + target, headers)
    return await who.ask(example.method, target)


@pytest.mark.parametrize("state", STRANGERS)
async def test_without_a_standing_visit_every_route_is_refused_and_the_server_is_not_asked(
    gate: Gatehouse, visits: dict[str, Inside], recorder: Recorder, state: str
) -> None:
    """No rule, method or upgrade answers; the refusal says what its state allows to say and nothing else."""
    who = asker(visits, state)
    expected = MEANINGS[STRANGERS[state]]
    before = len(recorder.requests)
    for rule, example in EXAMPLES:
        reply = await ask(who, example)
        # What is no path at all is refused before anybody asks who sends it.
        meaning = MEANINGS[Reason.BAD_PATH] if example.expect == "bad_path" else expected
        assert reply.status == meaning.status, (state, rule.id, example.target)
        assert example.method == "HEAD" or reply.public == meaning.public, (state, rule.id, example.target)
        assert TOKEN.encode() not in reply.body

    assert [head for head in recorder.requests[before:] if b" /api HTTP" not in head] == []


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
        asked = [head for head in recorder.requests[before:] if b" /api HTTP" not in head]
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
        asked = [head for head in recorder.requests[before:] if b" /api HTTP" not in head]
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
