"""What many viewers of one document cost: `python bench/rooms.py [--viewers 1,50,500] [--rounds N]`.

A steady typist (the owner, directly on the server), and viewers through the gate and directly connected to the server,
turn and turn about in one run. The server and the viewers are processes of their own; the typist is in the gate's.
Figures are of this machine; compare the rows of one number of viewers. Needs the extras `lab` and `dev`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
from pycrdt import Doc, Text
from yarl import URL

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sharegate.channels import frames
from sharegate.channels.frames import SyncStep1, SyncStep2, Update
from tests.attacks.pages import Page, Visitor, owning, room_of, visiting
from tests.gatehouse import Gatehouse, gatehouse
from tests.real.jupyter import JupyterServer, plant, running_jupyter

PATH = "sub/shared/notes.md"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """Seconds of processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> float:
    """KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def websockets() -> int:
    """WebSockets that this process, which is the gate's, has open to servers."""
    return sum(isinstance(each, aiohttp.ClientWebSocketResponse) and not each.closed for each in gc.get_objects())


async def follow(sockets: list[aiohttp.ClientWebSocketResponse], marks: list[bytes]) -> list[float]:
    """When the last of the sockets had got each mark, by the clock of all processes."""
    last = [0.0] * len(marks)

    async def one(socket: aiohttp.ClientWebSocketResponse) -> None:
        at = 0
        async for message in socket:
            data = message.data if isinstance(message.data, bytes) else b""
            while at < len(marks) and marks[at] in data:
                last[at] = max(last[at], time.monotonic())
                at += 1
            if at == len(marks):
                return

    async with asyncio.timeout(120):
        await asyncio.gather(*(one(each) for each in sockets))
    return last


async def watching() -> None:
    """The process of the viewers: told on its input where to go, tells on its output what it saw."""
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    asked = json.loads(await reader.readline())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sockets = []
        for address in asked["addresses"]:
            socket = await session.ws_connect(URL(address, encoded=True), headers=asked["headers"], max_msg_size=0)
            await socket.send_bytes(frames.write(SyncStep1(b"\0")).data)
            while (await socket.receive_bytes())[:2] != b"\0\1":
                pass
            await socket.send_bytes(frames.write(SyncStep2(b"\0\0")).data)
            sockets.append(socket)
        print("ready", flush=True)
        marks = [each.encode() for each in json.loads(await reader.readline())]
        print(json.dumps(await follow(sockets, marks)), flush=True)
        await reader.readline()
        await asyncio.gather(*(each.close() for each in sockets))


class Viewers:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, addresses: list[str], headers: dict[str, str]) -> Viewers:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--watch"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        viewers = cls(process)
        await viewers._tell({"addresses": addresses, "headers": headers})
        assert await viewers._hear() == b"ready\n"
        return viewers

    async def _tell(self, what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        await self._process.stdin.drain()

    async def _hear(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()

    async def expect(self, marks: list[str]) -> None:
        await self._tell(marks)

    async def seen(self) -> list[float]:
        return [float(each) for each in json.loads(await self._hear())]

    async def leave(self) -> None:
        await self._tell(None)
        await self._process.wait()


async def keys(page: Page, viewers: Viewers, number: int, pause: float) -> list[float]:
    """Milliseconds from each of `number` keystrokes to the last viewer."""
    marks = [f"k{secrets.token_hex(4)}" for _ in range(number)]
    await viewers.expect(marks)
    await asyncio.sleep(0.2)
    typed = []
    for mark in marks:
        typed.append(time.monotonic())
        page.source.insert(0, mark)
        await asyncio.sleep(pause)
    seen = await viewers.seen()
    page.source.clear()
    return [(last - began) * 1000 for began, last in zip(typed, seen, strict=True)]


# One round: connections, CPU ms per key of server and gate, ms to the last viewer (median, 95 %), KiB per viewer.
Figures = tuple[float, float, float, float, float, float]


async def measure(gate: Gatehouse, server: JupyterServer, number: int, direct: bool, most: dict[str, Any]) -> Figures:
    """`number` viewers, and the typist."""
    async with owning(server) as owner:
        page = await owner.open(PATH)
        gc.collect()
        before, upstream, at = resident(os.getpid()), resident(server.process.pid), websockets()
        if direct:
            session = await owner.index(PATH)
            addresses = [server.url + room_of(session)] * number
            headers = {"Authorization": f"token {server.token}"}
        else:
            made = await gate.share(**{"for": ["Ann"]})
            ann = await gate.visit(made)
            async with visiting(ann) as asking:
                room = room_of(await asking.session(PATH))
            addresses = [gate.origin + ann.base + room] * number
            headers = {"Origin": gate.origin, "Cookie": f"sharegate-visit={ann.cookie}"}
        viewers = await Viewers.start(addresses, headers)
        open_ = number if direct else websockets() - at
        began, own = cpu(server.process.pid), cpu(os.getpid())
        took = await keys(page, viewers, most["keys"], most["pause"])
        spent, gates = cpu(server.process.pid) - began, cpu(os.getpid()) - own
        memory = (resident(server.process.pid) - upstream if direct else resident(os.getpid()) - before) / number
        await viewers.leave()
        await asyncio.sleep(0.5)
    took.sort()
    return (
        open_,
        spent / most["keys"] * 1000,
        gates / most["keys"] * 1000,
        statistics.median(took),
        took[int(len(took) * 0.95)],
        memory,
    )


def row(number: int, by: str, rounds: list[Figures]) -> str:
    """Medians over the rounds, how far the rounds were apart in the column that people feel, memory of the first."""
    most, server, gate, last, late, _ = (statistics.median(column) for column in zip(*rounds, strict=True))
    lasts = [each[3] for each in rounds]
    memory = rounds[0][5]  # later rounds have what the first one left
    cells = (
        *(str(number), by, f"{most:.0f}", f"{server:.2f}", "-" if by == "direct" else f"{gate:.2f}"),
        *(f"{last:.1f}", f"{min(lasts):.1f}-{max(lasts):.1f}", f"{late:.1f}", f"{memory:.0f}"),
    )
    return " ".join(f"{each:>13}" for each in cells)


@contextlib.contextmanager
def longest_stall() -> Iterator[list[float]]:
    """Milliseconds that this loop was late at worst."""
    worst = [0.0]

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            worst[0] = max(worst[0], (time.perf_counter() - began) * 1000 - 1)

    task = asyncio.create_task(watch())
    yield worst
    task.cancel()


async def attack(address: str, cookie: str, origin: str, kind: str) -> float:
    """One hostile or large update of an editor, from another process: the longest stall from then on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--attack", kind, "--address", address, "--cookie", cookie, "--origin", origin),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readline()
    gc.collect()
    with longest_stall() as worst:
        await asyncio.sleep(0)
        process.stdin.write(b"go\n")
        await process.wait()
    return worst[0]


def hostile(kind: str) -> tuple[Doc[Any], list[bytes]]:
    doc: Doc[Any] = Doc()
    source = doc.get("source", type=Text)
    match kind:
        case "nothing":
            return doc, []
        case "300 kB of 0xff":
            return doc, [b"\0\2" + b"\xff" * 300_000]
        case "nested 200,000 deep":
            return doc, [frames.write(Update(b"\1\1\5\0\x28\1\6source\1k" + b"\1" + b"\x75\1" * 200_000 + b"\0")).data]
        case "1 MB of text" | "8 MB of text" | "30 MB of text":
            source.insert(0, "x" * (int(kind.split()[0]) * 1_000_000))
            return doc, [frames.write(Update(doc.get_update())).data]
        case "100,000 structs":
            for number in range(100_000):
                source.insert((number * 7919) % (number + 1), "y")
            return doc, [frames.write(Update(doc.get_update())).data]
        case "1,000 keystrokes":
            said = []
            for number in range(1000):
                state = doc.get_state()
                source.insert(number, "z")
                said.append(frames.write(Update(doc.get_update(state))).data)
            return doc, said
    raise ValueError(kind)


KINDS = (
    "nothing",
    "300 kB of 0xff",
    "nested 200,000 deep",
    "1 MB of text",
    "8 MB of text",
    "30 MB of text",
    "100,000 structs",
    "1,000 keystrokes",
)


async def attacking(chosen: argparse.Namespace) -> None:
    _, said = hostile(chosen.attack)
    headers = {"Origin": chosen.origin, "Cookie": f"sharegate-visit={chosen.cookie}"}
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(URL(chosen.address, encoded=True), headers=headers, max_msg_size=0)
        await socket.send_bytes(frames.write(SyncStep1(b"\0")).data)
        await socket.send_bytes(frames.write(SyncStep2(b"\0\0")).data)
        await asyncio.sleep(1)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        # The gate hangs up on what is too large before it is all said.
        with contextlib.suppress(TimeoutError, ConnectionError):
            for frame in said:
                await socket.send_bytes(frame)
            async with asyncio.timeout(3):
                async for _ in socket:
                    pass
        await socket.close()


async def stalls(gate: Gatehouse, server: JupyterServer) -> None:
    print(f"\n{'an editor sends':24} {'longest stall of the gate, ms':>30}")
    for number, kind in enumerate(KINDS):
        (server.root / "sub" / "shared" / f"stall{number}.md").write_text("words\n")
        made = await gate.share(role="edit", **{"for": ["Eve"]})
        eve = await gate.visit(made, name="Eve")
        visitor = Visitor(eve)
        address = gate.origin + eve.base + room_of(await visitor.session(f"sub/shared/stall{number}.md"))
        await visitor.close()
        worst = await attack(address, eve.cookie, gate.origin, kind)
        print(f"{kind:24} {worst:30.0f}", flush=True)


async def bench(folder: Path, chosen: argparse.Namespace) -> None:
    (folder / "root").mkdir()
    plant(folder / "root")
    limits = dict.fromkeys(("requests_per_minute", "megabytes_per_minute", "strangers_per_minute"), 10**6)
    limits |= dict.fromkeys(("channels_per_visit", "channels_per_link", "channels_per_share"), 2000)
    with running_jupyter(folder) as server:
        async with gatehouse(folder / "g", server, **limits) as gate:
            heads = ("viewers", "by", "connections", "server ms/key", "gate ms/key", "last ms", "rounds", "p95 ms")
            print(" ".join(f"{each:>13}" for each in (*heads, "KiB/viewer")))
            for number in (int(each) for each in chosen.viewers.split(",")):
                ways: dict[str, list[Figures]] = {"gate": [], "direct": []}
                if number > chosen.direct_most:
                    del ways["direct"]
                for _ in range(chosen.rounds):  # one beside the other: both have the machine's good and bad minutes
                    for by, rounds in ways.items():
                        most = {"keys": chosen.keys, "pause": chosen.pause}
                        rounds.append(await measure(gate, server, number, by == "direct", most))
                for by, rounds in ways.items():
                    print(row(number, by, rounds), flush=True)
            await stalls(gate, server)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", default="1,50,500")
    parser.add_argument("--direct-most", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between two keystrokes")
    for hidden in ("attack", "address", "cookie", "origin"):
        parser.add_argument(f"--{hidden}", default="", help=argparse.SUPPRESS)
    parser.add_argument("--watch", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.watch:
        asyncio.run(watching())
    elif chosen.attack:
        asyncio.run(attacking(chosen))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(bench(Path(folder), chosen))


main()
