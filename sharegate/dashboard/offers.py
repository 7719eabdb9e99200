"""What an owner may hand out here, for the form that asks for it; and a link as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import segno

from sharegate.dashboard.acts import Acts
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import choices
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import HandOut
from sharegate.shares.model import Link, Role

Json = dict[str, Any]


class Offers:
    """`offers` and `links/{id}/qr`. `address` gives a link's URL; `mail` is whether the gate sends any, and
    `accounts` what the provider is called at which people sign in ("" for none)."""

    def __init__(
        self,
        *,
        acts: Acts,
        rules: HandOut,
        sentence: Callable[[Role], str],
        address: Callable[[Link], str],
        mail: bool,
        accounts: str = "",
    ) -> None:
        self._acts = acts
        self._rules = rules
        self._sentence = sentence
        self._address = address
        self._mail = mail
        self._accounts = accounts

    def table(self) -> list[Route]:
        return [
            Route("GET", "offers", self._offers, "What may be handed out here", Can.SHARES_WRITE, choices.Offered),
            Route(
                "GET",
                "links/{id}/qr",
                self._code,
                "The address of a link as a QR code: whoever sees it can enter",
                Can.SHARES_WRITE,
                choices.Picture,
                of=Of.LINK,
            ),
        ]

    async def _offers(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        """The house's limits; durations in seconds."""
        rules = self._rules
        return {
            "roles": [{"role": role.value, "sentence": self._sentence(role)} for role in rules.roles],
            "anyone": rules.anyone,
            "max_visits": rules.max_visits,
            "max_devices": rules.max_devices,
            "default_expires_seconds": rules.default_expires_seconds,
            "max_expires_seconds": rules.max_expires_seconds,
            "clients": rules.clients,
            "own_extensions": rules.own_extensions,
            "runnable_files": rules.runnable_files,
            "coowners": rules.coowners,
            "edit_asks_for": list(rules.edit_asks_for),
            "anyone_asks_for": list(rules.anyone_asks_for),
            "anyone_max_expires_seconds": min(rules.anyone_max_expires_seconds, rules.max_expires_seconds),
            "mail": self._mail,
            "accounts": self._accounts,
        }

    async def _code(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        """The link as a QR code: an SVG in a `data:` address. Whoever sees it has the link."""
        link = await self._acts.link(parts["id"])
        code = segno.make(self._address(link), error="m", micro=False)
        # Named colours: scanners need the contrast, whatever the page's are.
        return {"image": code.svg_data_uri(scale=4, border=3, dark="#000", light="#fff", nl=False)}
