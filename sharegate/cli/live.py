"""The live screen's loop: the gate's changes and the owner's keys in, drawings and verbs out."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from rich.console import Console, Group
from rich.live import Live

from sharegate.cli.control import Control, api_path, every
from sharegate.cli.drawing import draw, looked_at
from sharegate.cli.keys import reading
from sharegate.cli.output import shown
from sharegate.cli.problems import ApiError, problems
from sharegate.cli.screen import Act, Board, Screen, Verb, press, told
from sharegate.errors import SharegateError, Unreachable

# A knock counts as seen after this long: a key meant for what was there before does not admit whoever just came.
LOOK_SECONDS = 0.6
# The gate is asked again at most this often, however much happens.
REREAD_SECONDS = 0.2
REREAD_ANYWAY_SECONDS = 2
_KEPT = 200
_REPEATS_AMONG = 12
_RECALLED = 20


class LiveScreen:
    """One screen on one terminal. `run` returns when the owner leaves; `board` is what was seen last."""

    def __init__(
        self,
        control: Control,
        console: Console,
        fd: int,
        *,
        zone: tzinfo,
        now: Callable[[], float] = time.time,
        cuts: bool = False,
        lab: bool = False,
        open_lab: Callable[[], str] | None = None,
    ) -> None:
        self._control = control
        self._console = console
        self._fd = fd
        self._now = now
        self._open_lab = open_lab
        self.board = Board(zone=zone, cuts=cuts, lab=lab)
        self._screen = Screen()
        self._happenings: deque[tuple[float, str]] = deque(maxlen=_KEPT)
        self._first_seen: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._drawn = asyncio.Event()
        self._acts: asyncio.Queue[Act] = asyncio.Queue()

    async def run(self, stop: asyncio.Event) -> None:
        """Show until `stop` is set or the owner leaves. Raises Unreachable when the gate ends meanwhile."""
        await self._read()
        await self._recall()
        with (
            Live(
                console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
            ) as live,
            reading(self._fd, self._press, stop.set),
        ):
            async with _on_resize(self._drawn.set):
                work = [self._follow(), self._reread(), self._act(stop), self._redraw(live), self._tick(), _set(stop)]
                tasks = [asyncio.create_task(each) for each in work]
                try:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)

    # -- in -------------------------------------------------------------------------------------------------------

    def _press(self, key: str) -> None:
        self._screen, act = press(self._screen, key, self._current())
        if act is not None:
            self._acts.put_nowait(act)
        self._drawn.set()

    async def _follow(self) -> None:
        async for change in self._control.changes():
            if change.get("text"):
                self._happened(float(change.get("at") or self._now()), shown(change["text"]))
            self._changed.set()
        raise Unreachable("the gate has stopped")

    async def _reread(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._read()
            self._drawn.set()
            await asyncio.sleep(REREAD_SECONDS)

    async def _recall(self) -> None:
        """What happened before the screen was opened."""
        try:
            answer = await self._control.call("GET", api_path("audit"), query={"newest": 1, "limit": _RECALLED})
        except ApiError:
            return  # shown empty: the screen is for what happens now
        for event in reversed(answer["events"]):
            self._happened(float(event.get("at") or 0), shown(event.get("text")))

    def _happened(self, at: float, text: str) -> None:
        """Remember a happening. One that repeats itself (a page asks again and again) is shown once, at its latest."""
        for earlier in list(self._happenings)[-_REPEATS_AMONG:]:
            if earlier[1] == text:
                self._happenings.remove(earlier)
        self._happenings.append((at, text))

    async def _read(self) -> None:
        gate = await self._control.call("GET", api_path("gate"))
        shares = await every(self._control, "shares")
        visits = await every(self._control, "visits", open=1)
        knocks = await self._control.call("GET", api_path("knocks"))
        asks = await self._control.call("GET", api_path("asks"))
        alarms = await self._control.call("GET", api_path("alarms"))
        waiting = {str(one["id"]) for one in (*knocks["knocks"], *asks["asks"])}
        waiting |= {f"alarm {one['id']}" for one in alarms["alarms"]}
        if waiting - set(self._first_seen):
            self._console.bell()
        seen = time.monotonic()
        self._first_seen = {id: self._first_seen.get(id, seen) for id in waiting}
        self.board = replace(
            self.board,
            gate=gate,
            shares=tuple(shares),
            visits=tuple(sorted(visits, key=lambda visit: not visit.get("here"))),
            knocks=tuple(knocks["knocks"]),
            asks=tuple(asks["asks"]),
            alarms=tuple(alarms["alarms"]),
        )

    def _current(self) -> Board:
        seen = time.monotonic() - LOOK_SECONDS
        fresh = frozenset(id for id, first in self._first_seen.items() if first > seen)
        return replace(
            self.board,
            now=self._now(),
            happenings=tuple(sorted(self._happenings, key=lambda happening: happening[0])),
            fresh=fresh,
        )

    # -- out ------------------------------------------------------------------------------------------------------

    async def _act(self, stop: asyncio.Event) -> None:
        while True:
            act = await self._acts.get()
            if act.verb is Verb.LEAVE:
                stop.set()
                return
            if act.verb is Verb.OPEN_LAB:
                note = (
                    await asyncio.to_thread(self._open_lab) if self._open_lab else "No server of yours is known here."
                )
            else:
                note = await self._ask(act)
            self._screen = replace(self._screen, note=note)
            self._changed.set()
            self._drawn.set()

    async def _ask(self, act: Act) -> str:
        folder, verb = act.verb.value
        body: dict[str, Any] | None = {"role": None} if act.verb is Verb.ADMIT else None
        if act.ask is not None:  # the answer is to the text that was looked at
            body = {"digest": act.ask["digest"]}
        try:
            return told(act, await self._control.call("POST", api_path(folder, act.id, verb), body=body))
        except Unreachable:
            raise
        except (ApiError, SharegateError) as error:
            return f"Not done: {shown(problems(error)[0].message)}"

    async def _redraw(self, live: Live) -> None:
        while True:
            size = self._console.size
            board = self._current()
            self._screen = looked_at(board, self._screen, size.width, size.height)
            live.update(Group(*draw(board, self._screen, size.width, size.height)), refresh=True)
            await self._drawn.wait()
            self._drawn.clear()

    async def _tick(self) -> None:
        """Times left move on by themselves; where visitors are and whether a server runs is not told as a change."""
        while True:
            for _ in range(REREAD_ANYWAY_SECONDS):
                await asyncio.sleep(1)
                self._drawn.set()
            self._changed.set()


async def _set(stop: asyncio.Event) -> None:
    await stop.wait()


@contextlib.asynccontextmanager
async def _on_resize(resized: Callable[[], None]) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, resized)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
