"""axe-core looks at a page: what keeps somebody from using it who reads by ear, by keyboard or in other colours."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from playwright.async_api import Page

HERE = Path(__file__).resolve().parent.parent.parent
SCRIPT = Path("node_modules", "axe-core", "axe.min.js")
SERIOUS = ("serious", "critical")
_RUN = """async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map((node) => node.html) }));
}"""


@cache
def source() -> str:
    """The library, which scripts/programs installs. Skips the test where it is not."""
    places = [Path(os.environ["AXE"])] if os.environ.get("AXE") else [HERE / ".venv" / "peers" / SCRIPT]
    for place in places:
        if place.exists():
            return place.read_text()
    pytest.skip("axe-core is not installed: scripts/programs axe-core")


async def serious(page: Page) -> list[str]:
    """What is serious or worse, with the elements."""
    await page.evaluate(source())
    found = await page.evaluate(_RUN)
    return [f"{each['id']}: {each['nodes'][:3]}" for each in found if each["impact"] in SERIOUS]
