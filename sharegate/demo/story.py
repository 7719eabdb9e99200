"""What the robot visitor does: enters by a real link, types live, tries a script, tries to get out, passes the link on.

Every line is labelled as the robot's, and every figure in it is measured here.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import aiohttp

from sharegate.demo.notebook import LiveNotebook
from sharegate.demo.project import NOTEBOOK, PRIVATE, SHARED
from sharegate.demo.visitor import RobotVisitor
from sharegate.errors import Unreachable

Tell = Callable[[str], None]
PAUSE = 2.0
ASK_EVERY = 0.5
WITHIN = 10.0
# As a share of the pause: a word is typed so often.
PER_WORD = 0.12

CELL = "robo"
FIRST = "# I am Robo, a visitor. I type this live: I can edit text here, and cannot run code."
GREETING = "\n# Hello! You have just opened this, so you see me type, with my name at the cursor."
GREETINGS = 3
SAID = "Robo runs script in your page"
SCRIPT = f"<img src=x onerror=\"alert('{SAID}')\">"
BUG = "this is a bug, please report it"


class Story:
    """Robo and Eve. `tell` takes one line for people."""

    def __init__(self, link: str, tell: Tell, *, pause: float = PAUSE) -> None:
        self._link = link
        self._tell = tell
        self._pause = pause
        self._closing = contextlib.AsyncExitStack()
        self.knocked = asyncio.Event()

    async def run(self) -> None:
        """Until both are out, or cancelled. Never raises for what the owner does."""
        async with self._closing as closing:
            robo = RobotVisitor("Robo", self._link)
            closing.push_async_callback(robo.close)
            eve = RobotVisitor("Eve", self._link)
            closing.push_async_callback(eve.close)
            try:
                await self._play(robo, eve)
            except* (Unreachable, aiohttp.ClientError, KeyError, ValueError) as errors:
                name = type(errors.exceptions[0]).__name__
                self._say("Robo", f"is out of step with the gate ({name}) and goes home")

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
            tasks.create_task(self._stay(robo))
            await self._look_around(robo)
            notebook = await self._work(robo)
            if notebook is not None:
                tasks.create_task(self._greet(notebook))
            await asyncio.sleep(self._pause)
            await self._try_outside(robo)
            await asyncio.sleep(self._pause)
            tasks.create_task(self._pass_on(eve))

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
        result = f"and gets it: {BUG}" if leaked else f"and is refused: {status} in {took:.0f} ms"
        self._say("Robo", f"asks for {PRIVATE}, outside his folder, {result}")

    async def _pass_on(self, eve: RobotVisitor) -> None:
        self._say("Robo", "passes his link on to Eve")
        await asyncio.sleep(self._pause)
        if await eve.enter():
            self._say("Eve", f"got in with Robo's link: {BUG}")
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
        if await self._open(eve) is not None:
            self._say("Eve", f"watches {NOTEBOOK} live")
        await self._stay(eve)

    # -- the live notebook ----------------------------------------------------------------------------------------

    async def _work(self, robo: RobotVisitor) -> LiveNotebook | None:
        """Type, try what editors may not, and open the document again; None when the gate lets nobody in."""
        page = await self._open(robo)
        if page is None:
            return None
        self._say("Robo", f"watches {NOTEBOOK} live, and types a line at its end, word by word")
        await page.add_cell(CELL)
        await self._type(page, FIRST)
        await asyncio.sleep(self._pause)
        await self._try_script(page)
        await asyncio.sleep(self._pause)
        await self._try_path(page)
        again = await self._open(robo)
        if again is not None:
            harm = again.holds(SAID) or again.path == PRIVATE
            line = ", his line is" if FIRST in again.source(CELL) else ""
            self._say("Robo", f"opens it again: {BUG if harm else f'neither script nor path is there{line}'}")
        return again

    async def _open(self, robo: RobotVisitor) -> LiveNotebook | None:
        page = await LiveNotebook.opened(robo, f"{SHARED}/{NOTEBOOK}")
        if page is not None:
            self._closing.push_async_callback(page.close)
        return page

    async def _type(self, page: LiveNotebook, words: str) -> None:
        for number, word in enumerate(words.split(" ")):
            await page.type(CELL, f" {word}" if number else word)
            await asyncio.sleep(self._pause * PER_WORD)

    async def _try_script(self, page: LiveNotebook) -> None:
        began = time.perf_counter()
        if not await page.plant(CELL, SCRIPT):
            return
        gone = await page.becomes(lambda: not page.holds(SAID) and not page.trusted(CELL), within=WITHIN)
        took = (time.perf_counter() - began) * 1000
        result = "he is cut off" if page.closed.is_set() else BUG
        if gone:
            result = f"it is taken out before anybody sees it, in {took:.0f} ms"
        self._say("Robo", f"puts a script into an output and calls it trusted: {result}")

    async def _try_path(self, page: LiveNotebook) -> None:
        began = time.perf_counter()
        await page.lead_away(PRIVATE)
        refused = await page.becomes(page.closed.is_set, within=WITHIN)
        took = (time.perf_counter() - began) * 1000
        result = f"and is refused and cut off, in {took:.0f} ms" if refused else BUG
        self._say("Robo", f"tries to lead your page to {PRIVATE}, {result}")

    async def _greet(self, page: LiveNotebook) -> None:
        """Type again whenever somebody opens the notebook, so that they see it."""
        for _ in range(GREETINGS):
            if not await page.meets():
                return
            self._say("Robo", f"sees somebody open {NOTEBOOK}, and greets them there")
            await asyncio.sleep(self._pause)
            await self._type(page, GREETING)

    async def _stay(self, robot: RobotVisitor) -> None:
        """Hold the page's live connection, as a browser does, until the gate ends it."""
        live = await robot.live()
        sentence = "The connection broke."
        async for message in live:
            if message.type is aiohttp.WSMsgType.TEXT and (told := message.json()).get("type") == "ended":
                sentence = str(told.get("sentence", ""))
        self._say(robot.name, f"is out: “{sentence}”")

    def _say(self, who: str, what: str) -> None:
        self._tell(f"robot · {who} {what}")
