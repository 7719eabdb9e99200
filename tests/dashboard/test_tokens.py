"""Tokens with which programs ask: shown once, kept hashed, recognised, ended, and named in the history."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sharegate.errors import StoreUnavailable
from sharegate.shares.model import Knock
from tests.dashboard.client import Program
from tests.dashboard.conftest import Office
from tests.dashboard.test_api import Full

DAY = 86400.0


@pytest.fixture
async def program(office: Office) -> AsyncIterator[Program]:
    program = Program(office)
    yield program
    await program.close()


async def test_a_token_is_shown_once_and_kept_hashed(office: Office) -> None:
    """Neither records, history, list nor the file hold it."""
    body = {"name": "CI", "capabilities": ["trail:read", "shares:read"], "expires": office.clock() + DAY}
    made = await office.call("POST", "tokens", body)
    secret = made["secret"]
    assert secret.startswith(f"sgt_{made['token']['id']}_") and len(secret) == 58
    assert made["token"]["capabilities"] == ["shares:read", "trail:read"]
    listed = await office.call("GET", "tokens")
    assert listed == {"tokens": [made["token"]]} and made["token"]["state"] == "active"
    kept = await office.running.gate._store.api_token(made["token"]["id"])  # type: ignore[attr-defined]
    hidden = secret[-20:]
    history = json.dumps(await office.call("GET", "audit"))
    assert "token.created" in history
    files = [path.read_bytes() for path in office.running.config.data_dir.rglob("*") if path.is_file()]
    for text in (history, repr(kept), json.dumps(listed)):
        assert hidden not in text
    assert not [each for each in files if hidden.encode() in each]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "\u202e"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"capabilities": []}, "capabilities"),
        ({"capabilities": ["shares:read", "everything"]}, "capabilities"),
        ({"capabilities": "shares:read"}, "capabilities"),
        ({"expires": 0}, "expires"),
        ({"expires": 1e300}, "expires"),
        ({"expires": None}, "expires"),
        ({"more": 1}, "more"),
    ],
)
async def test_what_makes_no_token_is_told_by_field(office: Office, fields: dict[str, Any], field: str) -> None:
    """And none is made."""
    body = {"name": "CI", "capabilities": ["shares:read"], "expires": office.clock() + DAY} | fields
    status, answer = await office.ask("POST", "tokens", body)
    assert status == 400 and answer["error"]["field"] == field, answer
    assert (await office.call("GET", "tokens"))["tokens"] == []


async def test_a_token_that_cannot_be_recorded_counts_for_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What opens something and is not in the history did not happen."""
    with monkeypatch.context() as full:
        full.setattr(office.running.api.tokens, "_trail", Full())
        body = {"name": "CI", "capabilities": ["shares:read"], "expires": office.clock() + DAY}
        assert (await office.ask("POST", "tokens", body))[0] == 503
    assert [each["state"] for each in (await office.call("GET", "tokens"))["tokens"]] == ["revoked"]


async def test_a_program_says_who_it_is_and_acts_under_its_own_name(office: Office, program: Program) -> None:
    """`me` tells its token; what it does stands in the history as done by the token, not by the owner."""
    program.token = await office.token("shares:write")
    status, me = await program.ask("GET", "/api/v1/me")
    assert status == 200 and me["kind"] == "token" and me["capabilities"] == ["shares:write"]
    assert (me["name"], me["expires"]) == ("CI", office.clock() + DAY)
    status, _ = await program.ask("POST", "/api/v1/shares", {"path": str(office.folder / "week3")})
    assert status == 200
    await office.share("week4")
    events = (await office.call("GET", "audit"))["events"]
    actors = [event["actor"] for event in events if event["action"] == "share.created"]
    assert actors == [f"token:{me['id']}", "owner"]
    assert events[-4]["text"].startswith("A program with a token shared")


async def test_attack_wrong_tokens_are_one_answer(office: Office, program: Program) -> None:
    """Unknown, misspelled, expired and revoked ones, byte for byte."""
    right, other, old = [await office.token("gate:read", days=days) for days in (3, 3, 1)]
    tokens = (await office.call("GET", "tokens"))["tokens"]
    await office.call("POST", f"tokens/{tokens[1]['id']}/revoke")
    office.clock.forward(DAY)
    told = set()
    wrong = (old, other, right[:-1] + "x", "sgt_2222222222_" + "x" * 43, "x", right.upper(), "sgt_", right + " ")
    for program.token in (*wrong[:-1], right[4:]):
        answer, said = await program.whole("GET", "/api/v1/gate")
        told.add((answer.status, answer.headers["WWW-Authenticate"], json.dumps(said)))
    assert len(told) == 1 and next(iter(told))[0] == 401
    program.token = right
    assert (await program.ask("GET", "/api/v1/gate"))[0] == 200


async def test_attack_guessing_is_slowed_and_keeps_nobody_waiting(office: Office, program: Program) -> None:
    """429 with Retry-After after 20 in a minute; a right token from the same address is answered all the same."""
    right = await office.token("gate:read")
    statuses = []
    for number in range(25):
        program.token = f"sgt_2222222222_{number:043}"
        answer, said = await program.whole("GET", "/api/v1/gate")
        statuses.append(answer.status)
    assert statuses == [401] * 20 + [429] * 5
    assert int(answer.headers["Retry-After"]) >= 1 and said["code"] == "too_many"
    program.token = right
    assert (await program.ask("GET", "/api/v1/gate"))[0] == 200
    program.token = "x"
    office.clock.forward(float(answer.headers["Retry-After"]))
    assert (await program.ask("GET", "/api/v1/gate"))[0] == 401


async def test_a_revoked_token_ends_at_once_and_for_ever(office: Office, program: Program) -> None:
    """Revoking it again keeps the first moment and is not recorded again."""
    program.token = await office.token("gate:read")
    assert (await program.ask("GET", "/api/v1/gate"))[0] == 200
    id = (await office.call("GET", "tokens"))["tokens"][0]["id"]
    first = await office.call("POST", f"tokens/{id}/revoke")
    office.clock.forward(5)
    assert await office.call("POST", f"tokens/{id}/revoke") == first
    assert (await program.ask("GET", "/api/v1/gate"))[0] == 401
    assert (await office.actions()).count("token.revoked") == 1
    status, answer = await office.ask("POST", "tokens/nobody/revoke")
    assert (status, answer["error"]["code"]) == (404, "not_found")


async def test_the_last_use_is_noted_once_a_day(
    office: Office, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the day, and a store that cannot note it keeps nobody out."""
    program.token = await office.token("gate:read", days=9)
    store = office.running.api.tokens._store
    noted: list[float] = []
    change = store.change_api_token

    async def noting(id: str, **fields: Any) -> Any:
        noted.append(fields["used"])
        return await change(id, **fields)

    monkeypatch.setattr(store, "change_api_token", noting)
    for _ in range(2):
        for _ in range(3):
            assert (await program.ask("GET", "/api/v1/gate"))[0] == 200
        office.clock.forward(DAY)
    assert len(noted) == 2 and noted[1] == noted[0] + DAY and not any(at % DAY for at in noted)
    used = (await office.call("GET", "tokens"))["tokens"][0]["used"]
    assert used == noted[1]

    async def full(id: str, **fields: Any) -> Any:
        raise StoreUnavailable("full")

    monkeypatch.setattr(store, "change_api_token", full)
    assert (await program.ask("GET", "/api/v1/gate"))[0] == 200


async def test_so_many_tokens_and_no_more(office: Office) -> None:
    """A hundred stand; the next is refused until one has ended."""
    for _ in range(100):
        await office.token("gate:read")
    body = {"name": "CI", "capabilities": ["gate:read"], "expires": office.clock() + DAY}
    status, answer = await office.ask("POST", "tokens", body)
    assert (status, answer["error"]["code"]) == (403, "too_many_tokens")
    office.clock.forward(DAY)
    body["expires"] += DAY
    assert (await office.ask("POST", "tokens", body))[0] == 200


async def test_attack_a_program_lets_somebody_in_above_their_link(office: Office, program: Program) -> None:
    """With `people:write` it gives what the link gives; more is the owner's to give."""
    made = await office.share(role="edit", **{"for": ["Ann"]})
    share, link = made["share"]["id"], made["links"][0]["id"]
    await office.call("PATCH", f"links/{link}", {"role": "view"})
    store = office.running.gate._store  # type: ignore[attr-defined]
    for id in ("k1", "k2"):
        await store.add_knock(Knock(id=id, share=share, link=link, name="Bo", created=office.clock()), limit=9)
    program.token = await office.token("people:write")
    status, said = await program.ask("POST", "/api/v1/knocks/k1/admit", {"role": "edit"})
    assert (status, said["code"], said["field"]) == (403, "role", "role")
    status, said = await program.ask("POST", "/api/v1/knocks/k1/admit", {"role": "view"})
    assert status == 200 and said["role"] == "view"
    assert (await office.call("POST", "knocks/k2/admit", {"role": "edit"}))["role"] == "edit"
