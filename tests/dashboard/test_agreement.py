"""Which gate says what holds, and what a gate with other rules tells."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from sharegate.dashboard.agreement import Agreement
from sharegate.shares.fitting import InForce
from tests.conftest import Clock
from tests.house import House, house


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


async def test_a_start_does_not_take_back_what_another_gate_said(home: House) -> None:
    """The gate that said it last may say another thing at its next start; the others have to be reloaded."""
    old, new = home.policies.sharing, replace(home.policies.sharing, anyone=False)
    a = Agreement(InForce(old), home.store, "a", home.clock)
    assert await a.begin() == ""
    assert await Agreement(InForce(old), home.store, "b", home.clock).begin() == ""
    assert "those of a," in await Agreement(InForce(new), home.store, "b", home.clock).begin()
    assert await Agreement(InForce(new), home.store, "a", home.clock).begin() == ""
    (finding,) = await a.findings()
    assert finding["level"] == "fail" and "policy reload" in finding["remedy"]
    await a.say()
    assert await a.findings() == []


async def test_the_log_says_once_that_the_rules_differ_and_once_that_they_do_not(
    home: House, caplog: pytest.LogCaptureFixture
) -> None:
    """As soon as the store tells."""
    caplog.set_level(logging.WARNING, "sharegate.dashboard")
    mine = InForce(home.policies.sharing)
    a = Agreement(mine, home.store, "a", home.clock)
    home.store.subscribe(a.changed)
    b = Agreement(InForce(replace(home.policies.sharing, anyone=False)), home.store, "b", home.clock)
    for _ in range(2):
        await b.say()
        await asyncio.gather(*a._tasks)
    await a.say()
    await asyncio.gather(*a._tasks)
    assert ["those of b," in record.getMessage() for record in caplog.records] == [True, False]
