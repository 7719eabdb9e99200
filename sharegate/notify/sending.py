"""Carries messages to one service, beside everything else: in a thread of its own, with retries, a bounded queue and an
end. Nobody waits for it. A thread that hangs is left behind as a daemon, and so few of them are ever made."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sharegate.notify.interfaces import Sends
from sharegate.notify.model import Message

log = logging.getLogger("sharegate.notify")

WAITING = 50
PAUSES = (5.0, 30.0, 120.0)
PATIENCE = 20.0
# Threads of one service that may hang at the same time.
HANGING = 2


@dataclass(slots=True)
class State:
    """How a service does. Moments in seconds since the epoch, None for never."""

    name: str
    waiting: int = 0
    sent: int = 0
    lost: int = 0
    last_sent: float | None = None
    last_lost: float | None = None


class Carrier:
    """One service's queue and the task that empties it. `lost` is told of each message that is given up."""

    def __init__(
        self,
        target: Sends,
        now: Callable[[], float],
        lost: Callable[[str], None],
        *,
        pauses: tuple[float, ...] = PAUSES,
        patience: float = PATIENCE,
    ) -> None:
        self._target = target
        self._now = now
        self._lost = lost
        self._pauses = pauses
        self._patience = patience
        self._queue: asyncio.Queue[Message] = asyncio.Queue(WAITING)
        self._busy = False
        self._hanging = 0
        self.state = State(target.name)

    def put(self, message: Message) -> None:
        """Never waits: what finds no room is lost."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self._give_up()
        self.state.waiting = self._queue.qsize() + self._busy

    async def run(self) -> None:
        while True:
            message = await self._queue.get()
            self._busy = True
            try:
                await self._carry(message)
            finally:
                self._busy = False
                self._queue.task_done()
                self.state.waiting = self._queue.qsize()

    async def idle(self) -> None:
        """Wait until nothing waits."""
        await self._queue.join()

    def drop(self) -> int:
        """What was not sent when the gate stops, counted as lost."""
        left = self._queue.qsize() + self._busy
        for _ in range(left):
            self._give_up()
        return left

    async def _carry(self, message: Message) -> None:
        for pause in (*self._pauses, None):
            if await self.once(message):
                return
            if pause is not None:
                await asyncio.sleep(pause)
        self._give_up()

    async def once(self, message: Message) -> bool:
        """One try. False also when the service did not answer in time."""
        if self._hanging >= HANGING:
            return False
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bool] = loop.create_future()

        def tell(taken: bool) -> None:
            self._hanging -= 1
            if not answered.done():
                answered.set_result(taken)

        def work() -> None:
            taken = self._target.send(message)
            try:
                loop.call_soon_threadsafe(tell, taken)
            except RuntimeError:  # the gate has stopped meanwhile
                return

        self._hanging += 1
        threading.Thread(target=work, name="notification", daemon=True).start()
        try:
            async with asyncio.timeout(self._patience):
                taken = await answered
        except TimeoutError:
            return False
        if taken:
            self.state.sent += 1
            self.state.last_sent = self._now()
        return taken

    def _give_up(self) -> None:
        self.state.lost += 1
        self.state.last_lost = self._now()
        log.warning("a notification to %s was not taken and is lost", self._target.name)
        self._lost(self._target.name)
