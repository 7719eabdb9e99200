"""What the largest change that is taken costs the gate: `python bench/largest.py [--rounds N]`.

An editor moves a cell whose outputs are as large as one change may be. What is timed is what nothing else happens
during: the change is judged and applied in one piece. Processor time, the best of some rounds; of this machine. The
second table: a text document that is in as many blocks as an editor may make, and the most that one change may cut.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pycrdt import Array, Doc, Map, Text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sharegate.channels.admission import RoomName
from sharegate.channels.epoch import Epoch
from sharegate.channels.scan import FROM_EDITOR, scan_update
from sharegate.policy.load import load_policies

RULES = load_policies().documents
ID = "11111111-1111-4111-8111-111111111111"


def output(kind: str, data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": {kind: data}}


OUTPUTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "one text of 7.9 MB": lambda: [output("text/html", "x" * 7_900_000)],
    "a plot of 850,000 numbers": lambda: [output("application/json", [random.random() for _ in range(850_000)])],
    "8,000 outputs": lambda: [output("text/html", "x" * 900) for _ in range(8_000)],
    "990,000 nulls": lambda: [output("application/json", [None] * 990_000)],
    "190,000 empty lists": lambda: [output("application/json", [[]] * 190_000)],
    "90,000 keys": lambda: [output("application/json", {f"k{number}": None for number in range(90_000)})],
}


def cell(plain: dict[str, Any]) -> Map[Any]:
    shared = {"source": Text(plain["source"]), "metadata": Map(plain["metadata"]), "outputs": Array(plain["outputs"])}
    return Map({**plain, **shared})


def notebook(outputs: list[dict[str, Any]]) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    doc["state"], doc["meta"] = Map({"path": "nb.ipynb"}), Map({"nbformat": 4.0, "nbformat_minor": 5.0})
    plain = {"cell_type": "code", "source": "x", "metadata": {}, "execution_count": None}
    doc["cells"] = Array(
        [cell({**plain, "id": "moved", "outputs": outputs}), cell({**plain, "id": "other", "outputs": []})]
    )
    return doc


async def taken(outputs: list[dict[str, Any]]) -> tuple[int, float, float]:
    """Bytes of the change, and seconds: the first time, when the owner's outputs are read as well, and once more."""
    doc = notebook(outputs)
    epoch = Epoch(RoomName("json", "notebook", ID), doc, RULES)
    await epoch.prepare()
    page: Doc[Any] = Doc(client_id=7)
    page.apply_update(doc.get_update())
    cells = page.get("cells", type=Array)
    spent, update = [], b""
    for number in range(2):
        before, plain = page.get_state(), cells[number].to_py()
        with page.transaction():
            del cells[number]
            cells.insert(1 - number, cell(plain))
        update = page.get_update(before)
        summary = scan_update(update, FROM_EDITOR, structs=True)
        began = time.process_time()
        assert not epoch.take("ann", update, summary).corrected
        spent.append(time.process_time() - began)
    return len(update), spent[0], spent[1]


async def measure(rounds: int) -> None:
    print("| a cell is moved with | MB | first: ms | then: ms |\n|---|---|---|---|")
    for name, make in OUTPUTS.items():
        found = [await taken(make()) for _ in range(rounds)]
        first, then = (min(each[place] for each in found) * 1000 for place in (1, 2))
        print(f"| {name} | {found[0][0] / 1e6:.1f} | {first:.0f} | {then:.0f} |")


SHORT = 400_000  # letters in one block
MANY = 44_000  # letters that do not become one block
EDITOR = 9


def number(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def deleting(starts: range, size: int) -> bytes:
    """An update, as nobody's library writes it, that deletes so many letters at each of these places."""
    ranges = b"".join(number(start) + number(size) for start in starts)
    return b"\0\1" + number(EDITOR) + number(len(starts)) + ranges


async def cut(blocks: int, starts: range, size: int) -> tuple[int, float]:
    """Bytes, and seconds, of a change to a text whose second part was typed backwards, letter by letter."""
    doc: Doc[Any] = Doc()
    doc["state"], doc["source"] = Map({"path": "n.md"}), Text()
    page: Doc[Any] = Doc(client_id=EDITOR)
    source = page.get("source", type=Text)
    page.apply_update(doc.get_update())
    source.insert(0, "x" * SHORT)
    for _ in range(blocks):
        source.insert(0, "y")
    doc.apply_update(page.get_update(doc.get_state()))
    epoch = Epoch(RoomName("text", "file", ID), doc, RULES)
    await epoch.prepare()
    update = deleting(starts, size)
    summary = scan_update(update, FROM_EDITOR, structs=True)
    began = time.process_time()
    epoch.repeats(summary)
    epoch.cost(summary)
    epoch.take("ann", update, summary)
    return len(update), time.process_time() - began


CUTS: dict[str, tuple[int, range, int]] = {
    "4,000 cuts before 45,000 blocks": (MANY, range(1, 4_000, 2), 1),
    "1,000 cuts before 195,000 blocks": (195_000, range(1, 1_000, 2), 1),
    "100,000 ranges, nothing cut": (195_000, range(SHORT, SHORT + 100_000), 1),
}


async def measure_cuts(rounds: int) -> None:
    print("\n| one change | kB | ms |\n|---|---|---|")
    for name, (blocks, starts, size) in CUTS.items():
        found = [await cut(blocks, starts, size) for _ in range(rounds)]
        print(f"| {name} | {found[0][0] / 1e3:.0f} | {min(each[1] for each in found) * 1000:.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.rounds))
    asyncio.run(measure_cuts(arguments.rounds))
