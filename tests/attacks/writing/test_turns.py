"""Whose write comes when many come at once."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.attacks.writing.editor import contents, text
from tests.gatehouse import Gatehouse, Inside

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


async def test_attack_holding_up_everybodys_writes(
    ed: Inside, gate: Gatehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many one visit sends, the next visitor waits for one of them."""
    bo = await gate.visit(await gate.share(role="edit", **{"for": ["Bo"]}), name="Bo")
    writing = gate.running.gate._answers._writing
    turn, judge = writing.turn, writing.judge
    came, go = 0, asyncio.Event()
    order: list[str] = []

    def counted(*asked: Any) -> AbstractAsyncContextManager[None]:
        nonlocal came
        came += 1
        return turn(*asked)  # type: ignore[no-any-return]

    async def slow(method: str, grant: Any, *asked: Any) -> Any:
        order.append(grant.visit.id)
        await go.wait()
        return await judge(method, grant, *asked)

    async def until(number: int) -> None:
        while came < number:
            await asyncio.sleep(0.01)

    monkeypatch.setattr(writing, "turn", counted)
    monkeypatch.setattr(writing, "judge", slow)
    many = [asyncio.create_task(contents(ed, "PUT", f"many{number}.txt", text("x"))) for number in range(4)]
    await until(4)
    one = asyncio.create_task(contents(bo, "PUT", "one.txt", text("x")))
    await until(5)
    go.set()

    assert {reply.status for reply in await asyncio.gather(*many, one)} == {201}
    assert len(order) == 5 and order.count(order[1]) == 1, "the second in the queue is the other visitor"
    assert not writing._own, "nothing is remembered of who has gone"
