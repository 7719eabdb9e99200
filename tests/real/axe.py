"""axe-core, which reads a page as assistive technology does, where scripts/programs puts it."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Page

_ROOT = Path(__file__).parents[2]
# What is worth a failed test; the rest is advice.
_GRAVE = ("serious", "critical")
_RUN = "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"


@cache
def source() -> str | None:
    """The library's text; None when it is not installed."""
    main = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    # A second work tree of this repository has no .venv of its own.
    for place in (_ROOT, Path(main).parent):
        file = place / ".venv" / "peers" / "node_modules" / "axe-core" / "axe.min.js"
        if file.exists():
            return file.read_text()
    return None


async def violations(page: Page) -> list[str]:
    """What is serious on the page as it stands, a line each. The page's own policy stays in force."""
    text = source()
    assert text is not None, "axe-core is not installed"
    await page.evaluate(text)
    found: list[dict[str, Any]] = await page.evaluate(_RUN)
    return [
        f"{each['id']}: {each['help']} ({', '.join(' '.join(node['target']) for node in each['nodes'][:3])})"
        for each in found
        if each["impact"] in _GRAVE
    ]
