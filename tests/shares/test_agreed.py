"""A gate whose rules are not those in force gives nothing new and nothing wider, and may always take away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from sharegate.errors import Refused
from sharegate.shares.agreed import agrees, digest, wider
from sharegate.shares.issue import NewLink
from sharegate.shares.model import Knock, Link, Role, RulesInForce, Share
from tests.conftest import Clock
from tests.house import House, house

OTHER = RulesInForce(digest="0" * 64, gate="b", at=1.0)


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


def test_rules_have_one_digest_however_they_are_written(home: House) -> None:
    """The order of roles and 1 for 1.0 make no difference; every rule that is another one does."""
    rules = home.policies.sharing
    same = replace(rules, roles=tuple(reversed(rules.roles)), max_expires_seconds=int(rules.max_expires_seconds))
    assert digest(same) == digest(rules) and agrees(rules, None)
    assert agrees(same, RulesInForce(digest=digest(rules), gate="a", at=0))
    others: list[dict[str, Any]] = [
        {"max_expires_seconds": 1.0},
        {"default_expires_seconds": 1.0},
        {"roles": (Role.VIEW,)},
        {"max_visits": 1},
        {"max_devices": 1},
        *({name: not getattr(rules, name)} for name in ("anyone", "clients", "own_extensions", "runnable_files")),
        {"coowners": not rules.coowners},
    ]
    assert len({digest(replace(rules, **other)) for other in others} | {digest(rules)}) == len(others) + 1


ASKS: dict[str, Any] = {
    "not_before": 5.0,
    "networks": ("10.0.0.0/8",),
    "ask": True,
    "passphrase": "$hash",
    "recipient": "ann@example.org",
    "domain": "example.org",
}


def test_what_is_wider() -> None:
    """More of anything; less, or the same, is not."""
    usual = {"upstream": "u", "owner": "O", "root": "r", "created": 1.0, "expires": 9.0}
    share = Share(id="s", role=Role.EDIT, clients=True, **usual)  # type: ignore[arg-type]
    link = Link(id="l", share="s", letter="a", visits=5, devices=3, role=Role.VIEW, created=1.0, expires=9.0)
    for less in ({"role": Role.VIEW}, {"role": Role.EDIT}, {"expires": 9.0}, {"expires": 8.0}, {"clients": False}):
        assert not wider(share, less), less
    for less in ({"visits": 5}, {"devices": 2}, {"role": Role.VIEW}, {"name": "x"}, {"paused": True}):
        assert not wider(link, less), less
    for more in ({"role": Role.RUN}, {"expires": 9.1}, {"runnable_files": True}, {"own_extensions": True}):
        assert wider(share, {"name": "x", **more}), more
    for more in ({"visits": 6}, {"visits": None}, {"devices": 4}, {"role": None}, {"role": Role.EDIT}):
        assert wider(link, more), more
    asks = msgspec.structs.replace(link, **ASKS)
    for name, value in ASKS.items():
        assert not wider(link, {name: value}) and not wider(asks, {name: value}), name
        assert wider(asks, {name: getattr(link, name)}), name
    for less in ({"networks": ("10.1.0.0/16",)}, {"not_before": 6.0}):
        assert not wider(asks, less), less
    # Another passphrase or address lets in others than before.
    for more in ({"networks": ("10.0.0.0/7",)}, {"networks": ("10.1.0.0/16", "::1/128")}, {"not_before": 4.0}):
        assert wider(asks, more), more
    for more in ({"passphrase": "$other"}, {"recipient": "bo@example.org"}, {"domain": "example.net"}):
        assert wider(asks, more), more


async def test_nothing_new_or_wider_is_given_by_other_rules(home: House) -> None:
    """It is refused by one code, and is not there; what narrows and ends goes on, and all of it with the same rules."""
    share, (link,) = await home.share(NewLink(name="Ann"))
    await home.issuer.pause_link(link.id, paused=True)
    await home.store.put_rules_in_force(OTHER)
    later = share.expires + 60
    for give in (
        lambda: home.share(),
        lambda: home.issuer.add_link(share.id, NewLink(name="Bo")),
        lambda: home.issuer.change_share(share.id, {"role": "edit"}),
        lambda: home.issuer.change_share(share.id, {"expires": later}),
        lambda: home.issuer.change_link(link.id, {"devices": 4}),
        lambda: home.issuer.pause_link(link.id, paused=False),
    ):
        with pytest.raises(Refused, match="gives nothing new") as refused:
            await give()
        assert refused.value.code == "rules_differ" and "policy reload" in refused.value.remedy
    assert await home.store.shares() == [share] and len(await home.store.links(share.id)) == 1

    await home.issuer.change_link(link.id, {"devices": 1, "expires": share.expires - 60})
    await home.issuer.change_share(share.id, {"name": "Other"})
    await home.store.put_rules_in_force(RulesInForce(digest=digest(home.policies.sharing), gate="a", at=2.0))
    await home.issuer.pause_link(link.id, paused=False)
    await home.issuer.revoke_share(share.id)


async def test_what_was_given_while_the_rules_changed_is_taken_back(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other gate's reload came between the question and the write, and has looked at everything before it."""
    share, (link,) = await home.share(NewLink(name="Ann"))

    def slow(name: str) -> None:
        write = getattr(home.store, name)

        async def late(*arguments: Any, **fields: Any) -> Any:
            monkeypatch.undo()
            await home.store.put_rules_in_force(OTHER)
            return await write(*arguments, **fields)

        monkeypatch.setattr(home.store, name, late)

    async def agreed() -> None:
        await home.store.put_rules_in_force(RulesInForce(digest=digest(home.policies.sharing), gate="a", at=2.0))

    slow("add_share")
    with pytest.raises(Refused, match="gives nothing new"):
        await home.share()
    assert [each.revoked is None for each in await home.store.shares()] == [True, False]
    await agreed()
    slow("add_links")
    with pytest.raises(Refused, match="gives nothing new"):
        await home.issuer.add_link(share.id, NewLink(name="Bo"))
    assert [each.revoked is None for each in await home.store.links(share.id)] == [True, False]
    await agreed()
    slow("change_link")
    with pytest.raises(Refused, match="gives nothing new"):
        await home.issuer.change_link(link.id, {"devices": 4})
    assert (await home.issuer._link_record(link.id)).paused
    await agreed()
    slow("change_share")
    with pytest.raises(Refused, match="gives nothing new"):
        await home.issuer.change_share(share.id, {"role": "edit"})
    assert (await home.issuer._share(share.id)).paused


async def test_nobody_is_let_in_by_other_rules(home: House) -> None:
    """Whoever waits goes on waiting, and can be refused."""
    share, (link,) = await home.share(NewLink(name="Ann"))
    knock = Knock(id="k", share=share.id, link=link.id, name="Bo", created=home.clock())
    await home.store.add_knock(knock, limit=5)
    await home.store.put_rules_in_force(OTHER)
    with pytest.raises(Refused, match="gives nothing new"):
        await home.knocks.admit("k", None)
    assert await home.store.knocks() == [knock] and await home.store.visits(share.id) == []
    await home.knocks.refuse("k")
