"""What may be handed out here, as forms that make shares and links tell it."""

from __future__ import annotations

from sharegate.dashboard.pages.source import Json, Source
from sharegate.shares.required import listed


async def offers(source: Source) -> Json:
    """As the API has it; `edit_wants` and `anyone_wants` say in words what such a link asks for, "" for nothing."""
    found = await source.get("offers")
    wants = {f"{kind}_wants": found[f"{kind}_asks_for"] for kind in ("edit", "anyone")}
    return found | {name: listed(conditions) if conditions else "" for name, conditions in wants.items()}
