"""Half an hour of coming and going (`python -m bench soak --minutes 30`): memory, descriptors, store by the minute.

Visitors enter by links for anyone, load what a page loads, open one of many documents, write, hang up without a word or
leave; shares are revoked and made anew; strangers knock at addresses that are none.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from pycrdt import Text

from bench.channels import Way, enter, join
from bench.process import MEASURED, Gate, descriptors, gate, memory
from sharegate.channels import frames
from sharegate.channels.frames import Update
from sharegate.demo.visitor import RobotVisitor
from sharegate.errors import Unreachable
from tests.real.jupyter import plant, running_jupyter

AT_ONCE = 20
# Far more than the gate keeps of those that everybody left: they come and go.
DOCUMENTS = 300
PAGES = ("lab/tree/sub/shared/nb.ipynb", "api/contents/sub/shared?content=1", "api/me", "files/sub/shared/data.csv")
# Visits by one share before it is revoked, with whoever is in.
VISITS = 25
# Seconds for which what has ended is looked for again, and a document that everybody left is kept.
SETTLING = 20


@dataclass
class Churn:
    """What goes on, and how much of it there was. `shares`: id, address of a link for anyone, visits by it."""

    ours: Gate
    root: Path
    shares: list[tuple[str, str, int]] = field(default_factory=list)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("shares", "visits", "requests", "edits", "broken"), 0)
    )

    async def link(self) -> str:
        """The address of a share's link; a share that was visited often is revoked, and another made."""
        if len(self.shares) < AT_ONCE:
            role = random.choice(("view", "edit"))
            made = await self.ours.call(
                "POST", "shares", {"path": str(self.root / "sub/shared"), "role": role, "anyone": True, "visits": 100}
            )
            self.shares.append((made["share"]["id"], made["links"][0]["url"], 0))
            self.counts["shares"] += 1
        id, url, visits = self.shares.pop(random.randrange(len(self.shares)))
        if visits == VISITS:
            await self.ours.call("POST", f"shares/{id}/revoke", {})
            return await self.link()
        self.shares.append((id, url, visits + 1))
        return url

    async def visit(self, session: aiohttp.ClientSession) -> None:
        """One visitor from link to end."""
        counts = self.counts
        robot = RobotVisitor(f"Ann {counts['visits']}", await self.link())
        try:
            assert await robot.enter()
            counts["visits"] += 1
            for path in PAGES:
                status, _ = await robot.get(path)
                assert status == 200, (path, status)
                counts["requests"] += 1
            await robot.get("api/contents/secret?content=1")
            cookies = "; ".join(f"{each.key}={each.value}" for each in robot._session.cookie_jar)
            headers = {"Origin": self.ours.origin, "Cookie": cookies}
            way = Way("gate", 0, self.ours.origin + robot.base, headers)
            live = await robot.live()
            path = document(random.randrange(DOCUMENTS))
            socket, doc = await enter(session, way, await join(session, way, path))
            source = doc.get("source", type=Text)
            for _ in range(random.randrange(20)):
                state = doc.get_state()
                source += secrets.token_hex(3)
                if len(source) > 2000:
                    del source[:1000]
                await socket.send_bytes(frames.write(Update(doc.get_update(state))).data)
                counts["edits"] += 1
                await asyncio.sleep(0.05)
            await asyncio.sleep(random.random() * 3)
            if random.random() < 0.5:
                await live.close()
                await socket.close()
                async with session.post(way.base + "-/leave", headers=headers) as answer:
                    assert answer.status < 400, answer.status
            # Or hangs up without a word.
        except (aiohttp.ClientError, ConnectionError, TypeError, AssertionError, Unreachable):
            counts["broken"] += 1  # revoked while it spoke, or may only look
        finally:
            await robot.close()

    async def go_on(self, until: float) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            while time.monotonic() < until:
                await self.visit(session)
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.ours.origin}/s/none/~none/lab") as answer:
                        await answer.read()


def document(number: int) -> str:
    return f"sub/shared/soak-{number:03}.md"


def stored(folder: Path) -> int:
    """KiB."""
    kept = (folder / "gate" / "gate" / "store").rglob("*")
    return sum(each.stat().st_size for each in kept if each.is_file()) // 1024


async def measure(folder: Path, minutes: float) -> None:
    (folder / "root").mkdir()
    plant(folder / "root")
    for number in range(DOCUMENTS):
        (folder / "root" / document(number)).write_text("soaked\n")
    with running_jupyter(folder) as server:
        place = {"root": str(server.root.resolve()), "pid": server.process.pid}
        facts = {"url": server.url, "token": server.token, **place}
        async with gate(folder / "gate", MEASURED, facts) as ours:
            churn = Churn(ours, server.root)
            counts = churn.counts
            began = time.monotonic()
            until = began + minutes * 60
            tasks = [asyncio.create_task(churn.go_on(until)) for _ in range(AT_ONCE)]
            print("| minute | shares | visits | requests | edits | memory KiB | descriptors | store KiB |")
            print("|---|---|---|---|---|---|---|---|")
            while time.monotonic() < until:
                await asyncio.sleep(min(60.0, max(0.1, until - time.monotonic())))
                row = (
                    f"{(time.monotonic() - began) / 60:.0f}",
                    *(str(counts[name]) for name in ("shares", "visits", "requests", "edits")),
                    *(f"{memory(ours.pid):.0f}", str(descriptors(ours.pid)), str(stored(folder))),
                )
                print("| " + " | ".join(row) + " |", flush=True)
            await asyncio.gather(*tasks)
            await asyncio.sleep(SETTLING)
            print(f"\nWhen all had left: {memory(ours.pid):.0f} KiB, {descriptors(ours.pid)} descriptors.", end=" ")
            print(f"{counts['broken']} visits were cut while they spoke, or wrote where they may only look.")
