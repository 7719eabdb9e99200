"""The rules of this gate beside those that hold for all gates of its store: told in the log and by `doctor`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sharegate.dashboard.doctor import Finding
from sharegate.errors import StoreUnavailable
from sharegate.shares.agreed import REMEDY, agrees, digest, words
from sharegate.shares.interfaces import Change, HandOut, ShareStore
from sharegate.shares.model import RulesInForce

log = logging.getLogger("sharegate.dashboard")


class Agreement:
    """`rules` are this gate's at any time, `gate` is its name."""

    def __init__(self, rules: HandOut, store: ShareStore, gate: str, now: Callable[[], float]) -> None:
        self._rules = rules
        self._store = store
        self._gate = gate
        self._now = now
        self._told = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def say(self) -> None:
        """From now on this gate's rules hold for all gates."""
        await self._store.put_rules_in_force(RulesInForce(digest=digest(self._rules), gate=self._gate, at=self._now()))

    async def begin(self) -> str:
        """At a start: a gate goes on saying what holds where it was the last to say so, for its files may have changed
        meanwhile; it does not take back what another gate said. Returns a sentence where they differ."""
        stored = await self._store.rules_in_force()
        if stored is None or (stored.gate == self._gate and not agrees(self._rules, stored)):
            await self.say()
            return ""
        return await self.difference()

    async def difference(self) -> str:
        """A sentence, "" where there is none."""
        stored = await self._store.rules_in_force()
        return "" if agrees(self._rules, stored) else words(stored)

    async def findings(self) -> list[Finding]:
        with contextlib.suppress(StoreUnavailable):  # told by another check
            if what := await self.difference():
                return [{"level": "fail", "what": what[0].upper() + what[1:], "remedy": REMEDY}]
        return []

    def changed(self, change: Change) -> None:
        """Called by the store after each commit."""
        if change.kind == "rules":
            task = asyncio.get_running_loop().create_task(self._tell())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        with contextlib.suppress(StoreUnavailable):  # what is given is refused then all the same
            what = await self.difference()
            if what and not self._told:
                log.warning("%s. %s", what, REMEDY)
            elif self._told and not what:
                log.warning("this gate has the rules that are in force")
            self._told = bool(what)
