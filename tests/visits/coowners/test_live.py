"""The channel of a co-owner's page."""

from __future__ import annotations

import asyncio

from sharegate.visits.coowners.live import ACTS
from tests.visits.coowners.school import School


async def test_the_page_hears_of_everything_at_once(school: School) -> None:
    """Who knocks, who came, who left, what was changed: the newest state, once for each change."""
    made = await school.share("Tia", "Ann")
    tia = await school.coowner(made)
    async with school.tab(tia) as tab:
        assert [one["you"] for one in tab.states[0]["people"]] == [True]
        ann = await school.gate.visit(made, 1)
        state = await tab.until(lambda state: len(state["people"]) == 2)
        assert [one["coowner"] for one in state["people"]] == [True, False]
        await school.knock(made["links"][1])
        await tab.until(lambda state: state["knocks"])
        await school.gate.call("PATCH", f"shares/{made['share']['id']}", {"name": "Week three"})
        await tab.until(lambda state: state["share"] == "Week three")
        await ann.ask("POST", "-/leave")
        await tab.until(lambda state: len(state["people"]) == 1)


async def test_nothing_is_said_twice(school: School) -> None:
    """A look that finds the same says nothing."""
    tia = await school.coowner(await school.share())
    live = school.gate.running.gate._own._coowners._live  # type: ignore[attr-defined]
    async with school.tab(tia) as tab:
        for _ in range(3):
            live._wake()
            await asyncio.sleep(0)
        assert (await tab.ask("resume"))["problem"] == "It is open already."
        assert len(tab.states) == 1


async def test_a_gate_that_stops_sends_the_page_back(school: School) -> None:
    """1012, as when a service restarts; nobody comes in any more, and the page is not told that it is over."""
    tia = await school.coowner(await school.share())
    key = await school.key(tia)
    async with school.tab(tia, key) as tab:
        school.gate.running.drain()
        assert await tab.ended() == 1012 and not tab.over
    assert await school.handshake(tia, key) == 503


async def test_acts_are_limited(school: School) -> None:
    """Whoever clicks without end is told so; what was asked then is not done."""
    tia = await school.coowner(await school.share())
    async with school.tab(tia) as tab:
        said = [(await tab.ask("resume"))["problem"] for _ in range(int(ACTS.burst) + 2)]
    assert said[:-2] == ["It is open already."] * int(ACTS.burst)
    assert said[-1] == "Too much at once. Wait a moment, then try again."


async def test_attack_a_frame_that_is_no_word(school: School) -> None:
    """The page is closed, and nothing is done."""
    tia = await school.coowner(await school.share())
    for text in ("{}", '{"type":"pause"}', "x" * 5000):
        async with school.tab(tia) as tab:
            await tab.socket.send_str(text)
            assert await tab.ended() in (1008, 1009) and not tab.over
    assert (await school.gate.call("GET", "shares"))["shares"][0]["state"] == "active"
