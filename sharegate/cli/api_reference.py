"""docs/reference/api.md, generated from the program: `python -m sharegate.cli.api_reference` writes it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from sharegate import app, config
from sharegate.dashboard.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"


async def written() -> str:
    """The page, from an API over records that are thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        async with app.offline(config.load(None, {}, {"data_dir": folder})) as api:
            return page(api.routes)


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(written()), encoding="utf-8")
    sys.stderr.write(f"{PAGE.name} is written\n")
