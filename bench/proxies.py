"""HTTP: the server directly, nginx, configurable-http-proxy and the gate with everything on, turn and turn about.

Behind each stands the same nginx with fixed files (a Jupyter server would be what is measured). wrk asks, with the head
of a browser. Processor time is that of the process in the middle and those below it, and is the figure to compare.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bench.process import MEASURED, OTHERS, configurable_http_proxy, cpu, gate, nginx, proxying
from sharegate.demo.visitor import RobotVisitor
from tests.real.jupyter import plant

SHARED = "sub/shared"
# What is asked for: bytes, connections at once.
SIZES = {"1 KB": (1024, 64), "100 KB": (100 * 1024, 16), "10 MB": (10 * 1024 * 1024, 2)}
BROWSER = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en-GB,en;q=0.9",
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}


@dataclass(frozen=True)
class Contender:
    """`pid` 0: nobody in the middle."""

    name: str
    pid: int
    origin: str
    base: str
    cookie: str


@dataclass(frozen=True)
class Round:
    """Processor microseconds and milliseconds for a request, requests in a second."""

    cpu: float
    middle: float
    late: float
    rate: float


@contextlib.asynccontextmanager
async def contenders(folder: Path) -> AsyncIterator[list[Contender]]:
    root = folder / "root"
    root.mkdir()
    plant(root)
    for size, _ in SIZES.values():
        (root / SHARED / f"{size}.bin").write_bytes(b"x" * size)
    (root / "api").write_text(json.dumps({"version": "2.21.1"}))
    files = f"""default_type application/octet-stream; server {{ listen 127.0.0.1:$PORT; etag on; root {root};
location /files/ {{ alias {root}/; }} location /api {{ default_type application/json; }} }}"""
    async with contextlib.AsyncExitStack() as held:
        pid, port = await held.enter_async_context(nginx(folder / "behind", OTHERS, files))
        server = {"url": f"http://127.0.0.1:{port}/", "token": "t" * 48, "root": str(root.resolve()), "pid": pid}
        found = [Contender("direct", 0, f"http://127.0.0.1:{port}", "/", "")]
        pid, mine = await held.enter_async_context(nginx(folder / "nginx", MEASURED, proxying(port)))
        found.append(Contender("nginx", pid, f"http://127.0.0.1:{mine}", "/", ""))
        pid, mine = await held.enter_async_context(configurable_http_proxy(MEASURED, port))
        found.append(Contender("configurable-http-proxy", pid, f"http://127.0.0.1:{mine}", "/", ""))
        ours = await held.enter_async_context(gate(folder / "gate", MEASURED, server))
        made = await ours.call("POST", "shares", {"path": str(root / SHARED), "for": ["Ann"]})
        robot = RobotVisitor("Ann", made["links"][0]["url"])
        held.push_async_callback(robot.close)
        assert await robot.enter()
        cookies = {each.key: each.value for each in robot._session.cookie_jar}  # the only one who needs to see it
        shown = f"sharegate-visit={cookies['sharegate-visit']}"
        found.append(Contender("gate", ours.pid, ours.origin, robot.base, shown))
        yield found


async def ask(one: Contender, size: int, connections: int, seconds: int) -> Round:
    fields = dict(BROWSER) | ({"Cookie": one.cookie} if one.cookie else {"Cookie": "session=" + "c" * 43})
    heads = [part for name, value in fields.items() for part in ("-H", f"{name}: {value}")]
    url = f"{one.origin}{one.base}files/{SHARED}/{size}.bin"
    before = cpu(one.pid) if one.pid else 0.0
    process = await asyncio.create_subprocess_exec(
        *("taskset", "-c", OTHERS, "wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds}s", *heads, url),
        stdout=asyncio.subprocess.PIPE,
    )
    said = (await process.communicate())[0].decode()
    spent = cpu(one.pid) - before if one.pid else 0.0
    assert "Non-2xx" not in said, said
    number = int(_found(r"(\d+) requests in", said)[1])
    rate = float(_found(r"Requests/sec:\s+([\d.]+)", said)[1])
    return Round(spent / number * 1e6, _ms(said, "50%"), _ms(said, "99%"), rate)


def _found(pattern: str, said: str) -> re.Match[str]:
    found = re.search(pattern, said)
    assert found is not None, said
    return found


def _ms(said: str, row: str) -> float:
    number, unit = _found(rf"{row}\s+([\d.]+)(us|ms|s)", said).groups()
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


async def measure(folder: Path, rounds: int, seconds: int) -> None:
    print(
        "| asked for | by | CPU µs a request | to configurable-http-proxy's | to nginx's | requests a second | ", end=""
    )
    print("median ms | 99 % ms |\n|---|---|---|---|---|---|---|---|")
    async with contenders(folder) as found:
        for name, (size, connections) in SIZES.items():
            taken: dict[str, list[Round]] = {one.name: [] for one in found}
            for number in range(rounds + 1):
                for one in random.sample(found, len(found)):
                    result = await ask(one, size, connections, seconds)
                    if number:  # the first one warms up
                        taken[one.name].append(result)
            for one in found:
                print(_row(name, one.name, taken), flush=True)


def _row(size: str, name: str, taken: dict[str, list[Round]]) -> str:
    """Ratios are taken within a round, and their median told."""
    mine = taken[name]

    def median(field: str) -> float:
        return statistics.median(getattr(each, field) for each in mine)

    def ratio(other: str) -> str:
        return f"{statistics.median(a.cpu / b.cpu for a, b in zip(mine, taken[other], strict=True)):.2f}"

    costs = name != "direct"
    cells = (
        *(size, name, f"{median('cpu'):.0f}" if costs else "–"),
        *(ratio("configurable-http-proxy") if costs else "–", ratio("nginx") if costs else "–"),
        *(f"{median('rate'):.0f}", f"{median('middle'):.2f}", f"{median('late'):.2f}"),
    )
    return "| " + " | ".join(cells) + " |"
