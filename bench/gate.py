"""What the gate costs, side by side with the server itself, in one run: `python bench/gate.py [--rounds N]`.

Every figure is a ratio or a median of interleaved rounds on this machine; absolute numbers mean nothing elsewhere.
Needs the extras `lab` and `dev` (it uses the tests' real server).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from yarl import URL

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sharegate.demo.visitor import RobotVisitor
from tests.gatehouse import gatehouse
from tests.real.jupyter import plant, running_jupyter

ROUTES = {
    "listing": "api/contents/sub/shared?content=1",
    "notebook": "api/contents/sub/shared/nb.ipynb?type=notebook&content=1",
    "file of 1 KB": "files/sub/shared/small.bin",
    "file of 10 MB": "files/sub/shared/large.bin",
}


async def _time(session: aiohttp.ClientSession, url: URL, headers: dict[str, str], times: int) -> float:
    """Seconds per request, one after the other on one connection."""
    began = time.perf_counter()
    for _ in range(times):
        async with session.get(url, headers=headers) as answer:
            assert answer.status == 200, (answer.status, await answer.text())
            await answer.read()
    return (time.perf_counter() - began) / times


async def measure(folder: Path, rounds: int, sockets: int) -> None:
    (folder / "root").mkdir()
    plant(folder / "root")
    shared = folder / "root" / "sub" / "shared"
    (shared / "small.bin").write_bytes(b"x" * 1024)
    (shared / "large.bin").write_bytes(b"x" * 10_000_000)
    with running_jupyter(folder) as server:
        limits = {"requests_per_minute": 10**6, "megabytes_per_minute": 10**6, "channels_per_visit": sockets + 10}
        async with gatehouse(folder / "g", server, **limits) as gate:
            made = await gate.share(**{"for": ["Ann", "Bo"]})
            ann = await gate.visit(made)
            direct = {"Authorization": f"token {server.token}"}
            through = ann.manners("GET")
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
                print(f"{'route':16} {'direct ms':>10} {'gate ms':>10} {'ratio':>7}")
                for name, path in ROUTES.items():
                    times = 3 if "MB" in name else 20
                    pairs = []
                    for _ in range(rounds):
                        one = await _time(session, URL(server.url + path, encoded=True), direct, times)
                        two = await _time(session, URL(gate.origin + ann.base + path, encoded=True), through, times)
                        pairs.append((one, two))
                    slow, fast = (statistics.median(each[side] for each in pairs) * 1000 for side in (1, 0))
                    ratio = statistics.median(two / one for one, two in pairs)
                    print(f"{name:16} {fast:10.2f} {slow:10.2f} {ratio:7.2f}")
            robot = RobotVisitor("Bo", made["links"][1]["url"])
            assert await robot.enter()
            pages = [await robot.live() for _ in range(sockets)]
            listening = [asyncio.create_task(_until_closed(page)) for page in pages]
            began = time.perf_counter()
            ended = (await gate.call("POST", f"links/{made['links'][1]['id']}/revoke"))["ended"]
            await asyncio.gather(*listening)
            took = (time.perf_counter() - began) * 1000
            print(f"revoke to the last of {sockets} closed: {took:.0f} ms (the gate says {ended['took_ms']} ms)")
            await robot.close()


async def _until_closed(page: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in page:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sockets", type=int, default=200)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), chosen.rounds, chosen.sockets))


main()
