"""Half an hour of coming and going (`python -m bench soak --minutes 30`): memory, descriptors, store by the minute.

Visitors enter by new links, load what a page loads, open documents, write, hang up without a word or leave; shares are
made and revoked; strangers knock at addresses that are none.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
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
PAGES = ("lab/tree/sub/shared/nb.ipynb", "api/contents/sub/shared?content=1", "api/me", "files/sub/shared/data.csv")


async def visit(ours: Gate, session: aiohttp.ClientSession, root: Path, counts: dict[str, int]) -> None:
    """One visitor from link to end."""
    role = random.choice(("view", "edit"))
    made = await ours.call("POST", "shares", {"path": str(root / "sub/shared"), "role": role, "for": ["Ann"]})
    robot = RobotVisitor("Ann", made["links"][0]["url"])
    try:
        assert await robot.enter()
        counts["visits"] += 1
        for path in PAGES:
            status, _ = await robot.get(path)
            assert status == 200, (path, status)
            counts["requests"] += 1
        await robot.get("api/contents/secret?content=1")
        cookies = "; ".join(f"{each.key}={each.value}" for each in robot._session.cookie_jar)
        way = Way("gate", 0, ours.origin + robot.base, {"Origin": ours.origin, "Cookie": cookies})
        live = await robot.live()
        socket, doc = await enter(session, way, await join(session, way))
        source = doc.get("source", type=Text)
        for _ in range(random.randrange(20) if role == "edit" else 0):
            state = doc.get_state()
            source.insert(0, secrets.token_hex(3))
            if len(source) > 2000:
                del source[1000:]
            await socket.send_bytes(frames.write(Update(doc.get_update(state))).data)
            counts["edits"] += 1
            await asyncio.sleep(0.05)
        await asyncio.sleep(random.random() * 3)
        match random.randrange(3):
            case 0:
                await ours.call("POST", f"shares/{made['share']['id']}/revoke", {})
            case 1:
                await live.close()
                await socket.close()
            case _:
                pass  # hangs up without a word
    except (aiohttp.ClientError, ConnectionError, TypeError, Unreachable):
        counts["broken"] += 1  # revoked while it spoke
    finally:
        await robot.close()


async def churn(ours: Gate, root: Path, until: float, counts: dict[str, int]) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        while time.monotonic() < until:
            await visit(ours, session, root, counts)
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{ours.origin}/s/none/~none/lab") as answer:
                    await answer.read()


def stored(folder: Path) -> int:
    """KiB."""
    kept = (folder / "gate" / "gate" / "store").rglob("*")
    return sum(each.stat().st_size for each in kept if each.is_file()) // 1024


async def measure(folder: Path, minutes: float) -> None:
    (folder / "root").mkdir()
    plant(folder / "root")
    counts = dict.fromkeys(("visits", "requests", "edits", "broken"), 0)
    with running_jupyter(folder) as server:
        place = {"root": str(server.root.resolve()), "pid": server.process.pid}
        facts = {"url": server.url, "token": server.token, **place}
        async with gate(folder / "gate", MEASURED, facts) as ours:
            began = time.monotonic()
            until = began + minutes * 60
            tasks = [asyncio.create_task(churn(ours, server.root, until, counts)) for _ in range(AT_ONCE)]
            print("| minute | visits | requests | edits | memory KiB | descriptors | store KiB | store KiB a visit |")
            print("|---|---|---|---|---|---|---|---|")
            while time.monotonic() < until:
                await asyncio.sleep(min(60.0, max(0.1, until - time.monotonic())))
                row = (
                    f"{(time.monotonic() - began) / 60:.0f}",
                    *(str(counts[name]) for name in ("visits", "requests", "edits")),
                    *(f"{memory(ours.pid):.0f}", str(descriptors(ours.pid)), str(stored(folder))),
                    f"{stored(folder) / max(1, counts['visits']):.1f}",
                )
                print("| " + " | ".join(row) + " |", flush=True)
            await asyncio.gather(*tasks)
            await asyncio.sleep(5)
            print(f"\nWhen all had left: {memory(ours.pid):.0f} KiB, {descriptors(ours.pid)} descriptors.", end=" ")
            print(f"{counts['broken']} visits were cut while they spoke.")
