"""What all shapes have in common."""

from __future__ import annotations

import msgspec


class Shape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An object of an answer. Moments are seconds since the epoch (UTC)."""
