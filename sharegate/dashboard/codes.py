"""The owner's verbs on short codes: make one, see it, end it."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import segno

from sharegate.audit.events import Action
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.interfaces import GateFacts
from sharegate.dashboard.roster_bodies import CodeBody
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import rosters as shapes
from sharegate.dashboard.views import Views
from sharegate.errors import Invalid
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.model import Link
from sharegate.visits.short_codes import LEAST_SECONDS, MOST_SECONDS, ShortCodes

Json = dict[str, Any]


class Codes:
    """`links/{id}/code`. `door` gives the address to which the code of a link leads."""

    def __init__(
        self, *, acts: Acts, codes: ShortCodes, views: Views, facts: GateFacts, door: Callable[[Link], str]
    ) -> None:
        self._acts = acts
        self.short = codes
        self._views = views
        self._facts = facts
        self.door = door

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "links/{id}/code",
                self._show,
                "The short code of a link: whoever sees it comes to its door",
                Can.SHARES_WRITE,
                shapes.ShortCode,
                of=Of.LINK,
            ),
            Route(
                "POST",
                "links/{id}/code",
                self._make,
                "A short code for a link, in place of the one before",
                Can.SHARES_WRITE,
                shapes.ShortCode,
                body=CodeBody,
                creates=True,
                of=Of.LINK,
            ),
            Route(
                "DELETE",
                "links/{id}/code",
                self._end,
                "End the short code of a link; whoever is in stays in",
                Can.SHARES_WRITE,
                shapes.ShortCode,
                of=Of.LINK,
            ),
        ]

    async def _show(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        return await self._told(await self._acts.link(parts["id"]))

    async def _make(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        link = await self._acts.link(parts["id"])
        seconds = msgspec.convert(body, CodeBody).seconds
        if not math.isfinite(seconds) or not LEAST_SECONDS <= seconds <= MOST_SECONDS:
            raise Invalid("seconds", "is not from a minute to a day", "A class hour: 7200")
        share = await self._acts.share(link.share)
        link = await self.short.make(share, link, seconds)
        until = datetime.fromtimestamp(link.code_expires, UTC)
        async with self._acts.taken_back(lambda: self.short.end(link)):
            detail = f"until {until:%Y-%m-%d %H:%M} UTC"
            await self._acts.record(Action.SHORT_CODE_MADE, share=share, link=link, name=link.name, detail=detail)
        return await self._told(link)

    async def _end(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        link = await self._acts.link(parts["id"])
        if link.code_hash:
            link = await self.short.end(link)
            share = await self._acts.share(link.share)
            await self._acts.record(Action.SHORT_CODE_ENDED, share=share, link=link, name=link.name)
        return await self._told(link)

    async def _told(self, link: Link) -> Json:
        code = self.short.shown(link)
        address = self._facts.gate_url.rstrip("/") + "/code"
        return {
            "link": await self._views.link(link),
            "code": f"{code[:4]} {code[4:]}" if code else "",
            "expires": link.code_expires if self.short.works(link) else None,
            "address": address,
            "image": _drawn(f"{address}#{code}") if code else "",
        }


def _drawn(address: str) -> str:
    # Named colours: scanners need the contrast, whatever the page's are.
    drawn = segno.make(address, error="m", micro=False)
    return drawn.svg_data_uri(scale=8, border=3, dark="#000", light="#fff", nl=False)
