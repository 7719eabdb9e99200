"""What was shown before it was agreed to: an act that was looked at first is bound to what was shown."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from sharegate.errors import Refused


def digest(shown: Any) -> str:
    """Of what a preview shows, as far as it decides what will be done."""
    return hashlib.sha256(msgspec.json.encode(shown, order="deterministic")).hexdigest()


def check(seen: str, now: str) -> None:
    """`seen` is the digest of what was agreed to, "" for whoever agrees to whatever there is. Raises
    Refused(`changed`), before anything is done."""
    if seen and seen != now:
        raise Refused("changed", "something changed since this was shown", "Look at it again", "digest")
