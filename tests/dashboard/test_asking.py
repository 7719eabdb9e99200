"""Who asks: what each may, and under which name it is recorded."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.audit.events import Action, AuditEvent
from sharegate.dashboard.asking import Asker, Attributed, By, Only, asker, asking
from sharegate.shares.api_tokens import ApiCapability

READS = frozenset({ApiCapability.SHARES_READ})


@pytest.mark.parametrize(
    ("by", "needs", "may"),
    [
        *((By.TERMINAL, needs, True) for needs in (*Only, *ApiCapability)),
        *((By.BROWSER, needs, needs is not Only.TERMINAL) for needs in (*Only, *ApiCapability)),
        *((By.TOKEN, needs, needs in (Only.SIGNED_IN, ApiCapability.SHARES_READ)) for needs in (*Only, *ApiCapability)),
    ],
)
def test_who_may_what(by: By, needs: Only | ApiCapability, may: bool) -> None:
    """The terminal everything, a page what is not the terminal's, a token what it has."""
    assert Asker(by, capabilities=READS).may(needs) is may


class Heard:
    def __init__(self) -> None:
        self.actors: list[str] = []

    async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
        self.actors.append(event.actor)

    async def flush(self) -> None:
        """Nothing waits."""


async def test_an_act_is_recorded_as_whose_it_is() -> None:
    """The owner's verbs as the token's where one asks, also in what it begins; the gate's own stay the gate's."""
    heard = Heard()
    trail = Attributed(heard)

    async def act(actor: str) -> None:
        await trail.record(AuditEvent(action=Action.SHARE_PAUSED, actor=actor))

    await act("owner")
    with asking(Asker(By.TOKEN, "k7f2")):
        began = asyncio.ensure_future(act("owner"))
        await act("gate")
    await began
    with asking(Asker(By.BROWSER, "s", owner="Olga")):
        await act("owner")
    with asking(Asker(By.BROWSER, "s", admin=True)):
        await act("owner")
    assert heard.actors == ["owner", "gate", "token:k7f2", "owner", "admin"]
    assert asker() == Asker()
