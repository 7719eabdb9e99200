"""*Admin*: notifications: which kinds are told, by which services, and a try."""

from __future__ import annotations

from sharegate.dashboard.pages.source import Json, Source


async def values(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin/notifications`."""
    return {"here": "admin", "tab": "notifications", "notifications": await source.get("notifications")}
