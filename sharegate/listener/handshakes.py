"""Accepting connections that speak TLS. Each has its place in the crowd before the first byte of its handshake.

The event loop's own server tells of a connection only when its handshake is done: until then it would be in nobody's
count, and whoever never ends one could take every descriptor.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
from typing import Protocol

from aiohttp import web

from sharegate.listener.crowd import POLITE, Crowd, Place

# After accepting failed, mostly for want of descriptors: as long as asyncio's own server rests.
REST_SECONDS = 1.0
# For the handshake of a connection that is told only that there is no room.
TURNED_SECONDS = 3.0


class Greet(Protocol):
    """What speaks over a connection: with a place, which becomes its own when it is made; without, it turns away."""

    def __call__(self, place: Place | None) -> asyncio.BaseProtocol: ...


class _Handshake:
    """One connection until its handshake is done. As a Line it can be given up."""

    def __init__(self) -> None:
        self.place: Place | None = None
        self.met = False
        self._task: asyncio.Task[None] | None = None

    def begin(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Handshakes:
    """A listening socket and the handshakes under way. `patience` and `farewell`: seconds for a handshake, and for the
    visitor's last word when a connection ends."""

    def __init__(
        self,
        bound: socket.socket,
        tls: ssl.SSLContext,
        crowd: Crowd,
        greet: Greet,
        *,
        backlog: int,
        patience: float,
        farewell: float,
    ) -> None:
        self._bound = bound
        self._tls = tls
        self._crowd = crowd
        self._greet = greet
        self._backlog = backlog
        self._patience = patience
        self._farewell = farewell
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turning = 0
        self._rest: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._bound.setblocking(False)
        self._bound.listen(self._backlog)
        self._watch()

    async def stop(self) -> None:
        """Accept nobody more, and drop who has not come in yet."""
        self._loop.remove_reader(self._bound)
        if self._rest is not None:
            self._rest.cancel()
        self._bound.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _watch(self) -> None:
        self._rest = None
        self._loop.add_reader(self._bound, self._ready)

    def _ready(self) -> None:
        for _ in range(self._backlog):
            try:
                connection, address = self._bound.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # fails closed: nobody comes in until the next try
                self._loop.remove_reader(self._bound)
                self._rest = self._loop.call_later(REST_SECONDS, self._watch)
                said = {"message": "socket.accept() failed", "exception": error, "socket": self._bound}
                self._loop.call_exception_handler(said)
                return
            connection.setblocking(False)
            with contextlib.suppress(OSError):  # it is gone already, which the handshake will find
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._accepted(connection, str(address[0]))

    def _accepted(self, connection: socket.socket, address: str) -> None:
        handshake = _Handshake()
        handshake.place = self._crowd.enter(handshake, address)
        if handshake.place is None:
            if self._turning >= POLITE:
                connection.close()
                return
            self._turning += 1
        task = self._loop.create_task(self._shake(handshake, connection))
        handshake.begin(task)
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._over, handshake, connection))

    async def _shake(self, handshake: _Handshake, connection: socket.socket) -> None:
        def met() -> asyncio.BaseProtocol:
            handshake.met = True
            return self._greet(handshake.place)

        patience = self._patience if handshake.place is not None else min(self._patience, TURNED_SECONDS)
        # Fails closed: whoever does not shake hands has no connection. (An ssl.SSLError is an OSError.)
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(
                met,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=patience,
                ssl_shutdown_timeout=self._farewell,
            )

    def _over(self, handshake: _Handshake, connection: socket.socket, task: asyncio.Task[None]) -> None:
        """Also of a task that was cancelled before it began."""
        self._tasks.discard(task)
        if not handshake.met:
            connection.close()  # nobody has it yet who would
        if handshake.place is None:
            self._turning -= 1
        elif handshake.place.line is handshake:
            # Nothing speaks over it that would give the place back.
            handshake.place.leave()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": "a TLS handshake failed", "exception": error})


class TlsSite(web.SockSite):
    """The library's, for what accepts by itself: stopped where the library stops its own."""

    def __init__(self, runner: web.ServerRunner, bound: socket.socket, handshakes: Handshakes) -> None:
        super().__init__(runner, bound)
        self._handshakes = handshakes

    async def start(self) -> None:
        await web.BaseSite.start(self)
        self._handshakes.start()

    async def stop(self) -> None:
        await self._handshakes.stop()
        await super().stop()
