"""The key of one co-owner's page: what tells a page that a person opened from a script that runs beside it.

It stands in the page's own text and nowhere else, and only a person's navigation gets that (apart.py). Nothing is
stored for it: it is a keyed digest, so that a page goes on after the gate was restarted, and at every gate of a store.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable

from sharegate.shares.model import Visit

LASTS = 12 * 3600.0
_KEY = re.compile(r"([a-z0-9]{10})\.([0-9]{1,12})\.([0-9a-f]{32})\.([0-9a-f]{64})\Z")


class PageKeys:
    """`key` is a secret that all gates of a store have."""

    def __init__(self, key: bytes, now: Callable[[], float]) -> None:
        self._key = hmac.digest(key, b"sharegate pages of co-owners", "sha256")
        self._now = now

    def give(self, visit: Visit) -> str:
        """Another one for each page. It opens nothing once the visit has another cookie."""
        return self._written(visit, int(self._now()), secrets.token_hex(16))

    @staticmethod
    def whose(shown: str) -> str:
        """The visit that a key names, before anything is known of it; "" for what is no key."""
        read = _KEY.match(shown)
        return read[1] if read else ""

    def fits(self, shown: str, visit: Visit) -> bool:
        """Whether this is a key of the visit's, and not too old."""
        read = _KEY.match(shown)
        if read is None:
            return False
        issued = int(read[2])
        right = hmac.compare_digest(shown.encode(), self._written(visit, issued, read[3]).encode())
        return right and self._now() - LASTS < issued <= self._now() + 1

    def _written(self, visit: Visit, issued: int, salt: str) -> str:
        told = f"{visit.id}\0{visit.cookie_hash}\0{issued}\0{salt}"
        return f"{visit.id}.{issued}.{salt}.{hmac.digest(self._key, told.encode(), 'sha256').hex()}"
