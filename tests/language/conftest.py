"""A browser that reads German, at the door of a scripted gate."""

from __future__ import annotations

from tests.visits.conftest import chromium, door

__all__ = ["chromium", "door"]
