"""A notebook to be read, as a course would have it, and the parts that others are made of."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

HEAD = "".join(f"<th>{name}</th>" for name in ("", "station", "depth", "salinity", "temperature"))
ROWS = "".join(
    f"<tr><th>{row}</th>" + "".join(f"<td>{row * 7 + column / 3:.3f}</td>" for column in range(4)) + "</tr>"
    for row in range(2)
)
# As pandas writes it.
TABLE = f"""<div>
<style scoped>.dataframe tbody tr th {{ vertical-align: top; }}</style>
<table border="1" class="dataframe">
  <thead><tr style="text-align: right;">{HEAD}</tr></thead>
  <tbody>{ROWS}</tbody>
</table>
</div>"""


def png(width: int = 320, height: int = 120, tone: int = 90) -> bytes:
    """A picture of that size, in shades of one colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(
        b"\0" + bytes(v for x in range(width) for v in (tone, x * 255 // width, y * 255 // height))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def code(source: str, *outputs: dict[str, Any], count: int | None = None, **more: Any) -> dict[str, Any]:
    made = {"cell_type": "code", "metadata": {}, "source": source, "outputs": list(outputs), "execution_count": count}
    return {**made, **more}


def words(source: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def shown(data: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": data}


def printed(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    named = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": named}


OPENING = """# Week 3: oxygen in the bay

We look at the *last* cast and ask whether the **bottom water** is still renewed.
The notes are in [notes.md](notes.md), the paper [elsewhere](https://example.org/paper).

1. Read the data
2. Look at the profile
3. Write one paragraph

> Bring your own questions."""
PROFILE = r"""## Profile

The gradient is $\partial O_2 / \partial z$, and

$$N^2 = -\frac{g}{\rho_0}$$

| layer | depth |
|---|--:|
| surface | 0–12 m |
| bottom | 60 m |"""
READING = """import pandas as pd

# The casts of this week, one row for each metre of depth.
casts = pd.read_csv("data/casts.csv")
casts.head(2)"""
TRACE = [
    "\x1b[31m" + "-" * 75 + "\x1b[39m",
    "\x1b[31mKeyError\x1b[39m                                  Traceback (most recent call last)",
    "\x1b[36mCell\x1b[39m \x1b[32mIn[3]\x1b[39m\x1b[32m, line 2\x1b[39m",
    '\x1b[32m----> \x1b[39m\x1b[32m2\x1b[39m casts.mean()["oxigen"]',
    "\x1b[31mKeyError\x1b[39m: 'oxigen'",
]


def course() -> dict[str, Any]:
    """A week of a course."""
    picture = base64.b64encode(png()).decode()
    return notebook(
        words(OPENING),
        code(READING, shown({"text/html": TABLE, "text/plain": "   station  depth"}), count=1),
        words(PROFILE),
        code('casts.plot(x="oxygen", y="depth")', shown({"image/png": picture, "text/plain": "<Axes>"}), count=2),
        code(
            'print("done")\ncasts.mean()["oxigen"]',
            printed("done\n"),
            {"output_type": "error", "ename": "KeyError", "evalue": "'oxigen'", "traceback": TRACE},
            count=3,
        ),
        code("chart", shown({"application/vnd.vegalite.v5+json": {}, "text/plain": "<Chart of 4 casts>"}), count=4),
    )


def written(content: object) -> bytes:
    return json.dumps(content).encode()
