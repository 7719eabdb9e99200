"""`GET config`: the settings that this gate was started with, for whoever looks from a page."""

from __future__ import annotations

from typing import Any

from sharegate.config import Config
from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import gate
from sharegate.settings import SETTINGS


class Configured:
    """There is no secret among them (config.py); places on the disk there are, which are for people alone."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "config",
                self._show,
                "The gate's settings, with their meaning",
                Only.PERSON,
                gate.Settings,
                who=Who.ADMIN,
            )
        ]

    async def _show(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        values = self._config.as_dict()
        return {
            "file": str(self._config.file or ""),
            "settings": [
                {"name": one.name, "value": values[one.name], "usual": one.default, "meaning": one.sentence}
                for one in SETTINGS
            ],
        }
