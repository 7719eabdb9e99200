"""`python -m bench [PART …]`: what the gate costs beside others, in one run, as the tables of docs/performance.md.

Every figure is of this machine; compare the rows of one table. Needs the extras `lab` and `dev`, nginx, wrk, node and
configurable-http-proxy (`scripts/programs` installs all but wrk), two cores and little else going on.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

from bench import channels, lists, pages, proxies, soak, trail

Part = Callable[[Path, argparse.Namespace], Awaitable[None]]
PARTS: dict[str, Part] = {
    "proxies": lambda folder, chosen: proxies.measure(folder, chosen.rounds, chosen.seconds),
    "channels": lambda folder, chosen: channels.measure(folder, chosen.rounds, chosen.sockets),
    "pages": lambda folder, chosen: pages.measure(folder, chosen.rounds),
    "soak": lambda folder, chosen: soak.measure(folder, chosen.minutes),
    "trail": lambda folder, chosen: trail.measure(folder, chosen.events),
    "lists": lambda folder, chosen: lists.measure(folder, chosen.shares),
}
LONG = ("soak", "trail", "lists")
VERSIONS = ("aiohttp", "uvloop", "pycrdt", "jupyter-server", "jupyterlab", "jupyter-collaboration")


async def run(chosen: argparse.Namespace) -> None:
    print(f"{datetime.date.today()}, Python {platform.python_version()}, ", end="")
    print(", ".join(f"{name} {version(name)}" for name in VERSIONS))
    for name in chosen.parts or [part for part in PARTS if part not in LONG]:
        print(f"\n## {name}\n")
        with tempfile.TemporaryDirectory() as folder:
            await PARTS[name](Path(folder), chosen)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    those = f"of {', '.join(PARTS)}; without: all but {', '.join(LONG)}"
    parser.add_argument("parts", nargs="*", metavar="PART", help=those)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of asking, for each contender and round")
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=30, help="of the soak")
    parser.add_argument("--shares", type=int, default=3000, help="of lists")
    parser.add_argument("--events", type=int, default=1_000_000, help="of the longest history (trail)")
    chosen = parser.parse_args()
    if unknown := [part for part in chosen.parts if part not in PARTS]:
        sys.exit(f"No such part: {', '.join(unknown)}. There are: {', '.join(PARTS)}.")
    asyncio.run(run(chosen))


main()
