"""What the robot visitor does: enters by a real link, looks, tries to get out, passes the link on.

Every line is labelled as the robot's, and every figure in it is measured here.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import aiohttp

from sharegate.demo.project import NOTEBOOK, PRIVATE, SHARED
from sharegate.demo.visitor import RobotVisitor
from sharegate.errors import Unreachable

Tell = Callable[[str], None]
PAUSE = 2.0
ASK_EVERY = 0.5


class Story:
    """Robo and Eve. `tell` takes one line for people."""

    def __init__(self, link: str, tell: Tell, *, pause: float = PAUSE) -> None:
        self._link = link
        self._tell = tell
        self._pause = pause
        self.knocked = asyncio.Event()

    async def run(self) -> None:
        """Until both are out, or cancelled. Never raises for what the owner does."""
        async with contextlib.AsyncExitStack() as closing:
            robo = RobotVisitor("Robo", self._link)
            closing.push_async_callback(robo.close)
            eve = RobotVisitor("Eve", self._link)
            closing.push_async_callback(eve.close)
            try:
                await self._play(robo, eve)
            except (Unreachable, aiohttp.ClientError, KeyError, ValueError) as error:
                self._say("Robo", f"is out of step with the gate ({type(error).__name__}) and goes home")

    async def _play(self, robo: RobotVisitor, eve: RobotVisitor) -> None:
        told = await robo.about()
        self._say(
            "Robo", f"opens his link: {told['owner']} shares “{told['share']['name']}”, he {told['role_sentence']}"
        )
        await asyncio.sleep(self._pause)
        if not await robo.enter():
            self._say("Robo", "finds his link in use, and leaves")
            return
        async with asyncio.TaskGroup() as tasks:
            watching = asyncio.create_task(self._watch(robo))
            await self._look_around(robo)
            await asyncio.sleep(self._pause)
            await self._try_outside(robo)
            await asyncio.sleep(self._pause)
            tasks.create_task(self._pass_on(eve))
            tasks.create_task(_until(watching))

    async def _look_around(self, robo: RobotVisitor) -> None:
        began = time.perf_counter()
        status, body = await robo.get(f"lab/tree/{SHARED}/{NOTEBOOK}")
        took = (time.perf_counter() - began) * 1000
        self._say("Robo", f"opens {NOTEBOOK}: {status}, {len(body)} bytes in {took:.0f} ms")

    async def _try_outside(self, robo: RobotVisitor) -> None:
        began = time.perf_counter()
        status, body = await robo.get(f"api/contents/{PRIVATE}?content=1")
        took = (time.perf_counter() - began) * 1000
        leaked = b"salary" in body
        result = (
            "and gets it: this is a bug, please report it" if leaked else f"and is refused: {status} in {took:.0f} ms"
        )
        self._say("Robo", f"asks for {PRIVATE}, outside his folder, {result}")

    async def _pass_on(self, eve: RobotVisitor) -> None:
        self._say("Robo", "passes his link on to Eve")
        await asyncio.sleep(self._pause)
        if await eve.enter():
            self._say("Eve", "got in with Robo's link: this is a bug, please report it")
            return
        knock = await eve.knock()
        self._say("Eve", "finds the link in use by Robo, and knocks")
        self.knocked.set()
        while (state := await eve.knock_state(knock)) == "waiting":  # noqa: ASYNC110 -- as the door's page asks
            await asyncio.sleep(ASK_EVERY)
        if state != "admitted":
            self._say("Eve", {"refused": "was refused, and goes away"}.get(state, "finds the door closed for good"))
            return
        status, _ = await eve.get(f"lab/tree/{SHARED}/{NOTEBOOK}")
        self._say("Eve", f"was let in and opens {NOTEBOOK}: {status}")
        await self._watch(eve)

    async def _watch(self, robot: RobotVisitor) -> None:
        """Hold the page's live connection and the live document, as a browser does, until the gate ends them."""
        live = await robot.live()
        room = None
        session = await robot.session(f"{SHARED}/{NOTEBOOK}")
        if session:
            room = await robot.room(session)
            # The opening word of the collaboration protocol: "I have nothing, send me what there is".
            await room.send_bytes(b"\x00\x00\x01\x00")
            self._say(robot.name, f"watches {NOTEBOOK} live")
        draining = asyncio.create_task(_drain(room)) if room is not None else None
        sentence = "The connection broke."
        async for message in live:
            if message.type is aiohttp.WSMsgType.TEXT and (told := message.json()).get("type") == "ended":
                sentence = str(told.get("sentence", ""))
        if draining is not None:
            await draining
        self._say(robot.name, f"is out: “{sentence}”")

    def _say(self, who: str, what: str) -> None:
        self._tell(f"robot · {who} {what}")


async def _drain(room: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in room:
        pass


async def _until(task: asyncio.Task[None]) -> None:
    await task
