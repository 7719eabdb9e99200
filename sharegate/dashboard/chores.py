"""Long work on the records of a running gate: looked through, or copied. One piece at a time, in a thread of its own,
so that it keeps no request waiting; whoever wants more is told, and how far it is can be asked at any time.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sharegate.errors import Refused, SharegateError

log = logging.getLogger("sharegate.dashboard")

Json = dict[str, Any]
# (what, done, of how many)
Progress = Callable[[str, int, int], None]


class _Stopped(Exception):
    """The gate stops, and the work with it."""


@dataclass(slots=True)
class _Work:
    kind: str
    began: float
    step: str = ""
    done: int = 0
    total: int = 0
    ended: float | None = None
    result: Json | None = None
    error: Exception | None = None


class Chores:
    """The last piece of work is remembered until the next one begins. `now` is the time of day."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._thread = ThreadPoolExecutor(1, "records")
        self._last: _Work | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def begin(self, kind: str, work: Callable[[Progress], Json] | Callable[[], Awaitable[Json]]) -> None:
        """Start `work`: a function that tells how far it is and runs in the thread, or a coroutine function that runs
        beside everything else. Raises Refused(`work_running`) while something runs."""
        self.free()
        self._last = one = _Work(kind, self._now())
        self._task = asyncio.create_task(self._do(one, work), name="work on the records")

    def free(self) -> None:
        """Raises Refused(`work_running`) unless something could begin now."""
        if self._task is not None and not self._task.done():
            assert self._last is not None
            raise Refused("work_running", f"the records are being {_DOING[self._last.kind]}", "Wait until that is over")

    async def finish(self, kind: str, work: Callable[[Progress], Json] | Callable[[], Awaitable[Json]]) -> Json:
        """The same, waiting for what comes of it. Who stops waiting does not stop the work."""
        self.begin(kind, work)
        one, task = self._last, self._task
        assert one is not None
        assert task is not None
        await asyncio.shield(task)
        if one.error is not None:
            raise one.error
        assert one.result is not None
        return one.result

    def view(self) -> Json | None:
        one = self._last
        if one is None:
            return None
        error = one.error
        return {
            "kind": one.kind,
            "state": "running" if one.ended is None else "failed" if error is not None else "done",
            "step": one.step,
            "done": one.done,
            "total": one.total,
            "began": one.began,
            "ended": one.ended,
            "problem": "" if error is None else _problem(error),
            "remedy": getattr(error, "remedy", ""),
            "checked": one.result if one.kind == "check" else None,
            "copied": one.result if one.kind == "copy" else None,
        }

    async def close(self) -> None:
        """What runs ends at its next step."""
        self._stopping = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=True)

    async def _do(self, one: _Work, work: Callable[..., Any]) -> None:
        def step(what: str, done: int, total: int) -> None:
            if self._stopping:
                raise _Stopped
            one.step, one.done, one.total = what, done, total

        try:
            if inspect.iscoroutinefunction(work):
                one.result = await work()
            else:
                one.result = await asyncio.get_running_loop().run_in_executor(self._thread, work, step)
        except (SharegateError, _Stopped) as error:
            one.error = error
        except Exception as error:  # fails closed: nothing is said to be sound or copied
            log.exception("fault in the work on the records")
            one.error = error
        finally:
            one.ended = self._now()


_DOING = {"check": "looked through", "copy": "copied"}


def _problem(error: Exception) -> str:
    if isinstance(error, Refused):
        return error.problem
    if isinstance(error, SharegateError):
        return str(error)
    if isinstance(error, _Stopped):
        return "the gate stopped"
    return "something unexpected happened; the gate's log says what"
