"""Runs all probes against the gate, nginx and configurable-http-proxy, and writes docs/http.md."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.probes import chp, nginx
from tests.probes.gate import gate
from tests.probes.model import Mark, Probe, all_probes
from tests.probes.peer import Peer
from tests.probes.table import PAGE, Results, write
from tests.real.jupyter import plant, running_jupyter

EXAMPLES = """\
examples:
  scripts/probes                         all probes on all three, and docs/http.md written anew
  scripts/probes --peer sharegate        the gate alone; nothing is written
  scripts/probes --only Paths --json     one topic, as JSON on standard output

Exit code 0: every probe of the gate is ok. 1: one is not. 2: a program is missing.
"""

Opening = Callable[[], contextlib.AbstractAsyncContextManager[Peer]]


@contextlib.asynccontextmanager
async def _gate() -> AsyncIterator[Peer]:
    with tempfile.TemporaryDirectory(prefix="probes-gate-") as made:
        folder = Path(made)
        (folder / "root").mkdir()
        plant(folder / "root")
        with running_jupyter(folder) as jupyter:
            async with gate(folder / "gate", jupyter) as peer:
                yield peer


PEERS: dict[str, Opening] = {
    "sharegate": _gate,
    "nginx": nginx.nginx,
    "configurable-http-proxy": chp.configurable_http_proxy,
}


def _missing(names: list[str]) -> list[str]:
    found = {"nginx": nginx.program, "configurable-http-proxy": chp.program}
    return [name for name in names if name in found and found[name]() is None]


async def _run(names: list[str], probes: list[Probe], results: Results) -> None:
    for name in names:
        async with PEERS[name]() as peer:
            results.versions[peer.name] = peer.version
            for number, probe in enumerate(probes, 1):
                print(f"\r\x1b[K{name} {number}/{len(probes)} {probe.name}", end="", file=sys.stderr, flush=True)
                verdict = await probe.judge(peer)
                results.verdicts.setdefault(probe.name, {})[peer.name] = verdict
                if name == "sharegate" and verdict.mark is not Mark.OK:
                    print(f"\r\x1b[K{verdict.mark.value}: {probe.name}: {verdict.sentence}", file=sys.stderr)
            counts = results.counts(peer.name)
            told = ", ".join(f"{counts.get(mark, 0)} {mark.value}" for mark in Mark)
            print(f"\r\x1b[K{peer.name} {peer.version}: {told}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/probes",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--peer", action="append", choices=list(PEERS), help="only this one (may be repeated)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only probes whose name or topic holds this")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    arguments = parser.parse_args()
    names = [name for name in PEERS if not arguments.peer or name in arguments.peer]
    if missing := _missing(names):
        print(f"not here: {', '.join(missing)}. `scripts/programs` installs them.", file=sys.stderr)
        return 2
    wanted = arguments.only.lower()
    probes = [probe for probe in all_probes() if wanted in probe.name.lower() or wanted in probe.topic.lower()]
    if not probes:
        print(f"no probe's name or topic holds {arguments.only!r}.", file=sys.stderr)
        return 2
    results = Results(datetime.datetime.now(datetime.UTC).date().isoformat())
    asyncio.run(_run(names, probes, results))
    if arguments.json:
        print(json.dumps(results.as_json(probes), indent=2))
    if names == list(PEERS) and not wanted:
        write(results, probes)
        print(f"written: {PAGE}", file=sys.stderr)
    return 0 if results.clean("sharegate") else 1


if __name__ == "__main__":
    raise SystemExit(main())
