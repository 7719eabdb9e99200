"""Large files go through without growing the gate."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import aiohttp
import pytest

from tests.attacks.writing.editor import (
    contents,
)
from tests.gatehouse import Gatehouse, Inside

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


# `LARGE_MEGABYTES=2048 pytest tests/attacks/writing -k large` tries the real thing.
LARGE = int(os.environ.get("LARGE_MEGABYTES", "160"))


def resident() -> int:
    """Bytes of memory that this process, which is the gate's, holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(900)
async def test_large_uploads_and_downloads_do_not_grow_the_gate(gate: Gatehouse, ed: Inside, shared: Path) -> None:
    """What goes through goes through in parts, as JupyterLab's file browser sends it and a browser loads it."""
    part = base64.b64encode(os.urandom(1 << 20)).decode()
    names = {"type": "file", "format": "base64", "name": "large.bin", "content": part}
    before, most = resident(), 0
    for number in range(1, LARGE + 1):
        chunk = -1 if number == LARGE else number
        assert (await contents(ed, "PUT", "large.bin", {**names, "chunk": chunk})).status in (200, 201)
        most = max(most, resident() - before)
    assert (shared / "large.bin").stat().st_size == LARGE << 20

    headers = {"Cookie": f"sharegate-visit={ed.cookie}", "Sec-Fetch-Site": "same-origin"}
    address, total = gate.origin + ed.base + "files/sub/shared/large.bin", 0
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as answer:
        assert answer.status == 200
        async for piece in answer.content.iter_chunked(1 << 16):
            total += len(piece)
            most = max(most, resident() - before)
    assert total == LARGE << 20
    (shared / "large.bin").unlink()
    assert most < min(LARGE << 19, 64 << 20), most
