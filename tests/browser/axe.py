"""axe-core looks at a page: what keeps somebody from using it who reads by ear, by keyboard or in other colours."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

_ROOT = Path(__file__).parents[2]
_SCRIPT = Path(".venv", "peers", "node_modules", "axe-core", "axe.min.js")
# What is worth a failed test; the rest is advice.
_GRAVE = ("serious", "critical")
_RUN = "async (rules) => (await axe.run(document, { resultTypes: ['violations'], ...rules })).violations"


@cache
def source() -> str:
    """The library, where scripts/programs puts it. Skips the test where it is not."""
    main = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    # A second work tree of this repository has no .venv of its own.
    for place in (_ROOT, Path(main).parent):
        if (place / _SCRIPT).exists():
            return (place / _SCRIPT).read_text()
    pytest.skip("axe-core is not installed: scripts/programs axe-core")


async def serious(page: Page, *rules: str) -> list[str]:
    """What is serious or worse on the page as it stands, a line each. The page's own policy stays in force.

    `rules` are those of axe-core that are to be applied, by id; all when none is named.
    """
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(source())
    only = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found: list[dict[str, Any]] = await page.evaluate(_RUN, only)
    return [
        f"{each['id']}: {each['help']} ({', '.join(' '.join(node['target']) for node in each['nodes'][:3])})"
        for each in found
        if each["impact"] in _GRAVE
    ]
