"""What a visitor asks of the owner when the end of their link is near, or has come: more time."""

from __future__ import annotations

from enum import StrEnum

import msgspec

# A link that expired longer ago is not asked for any more: its owner shares something else by now.
AFTER_END = 14 * 86400.0
# Who was refused may ask again, but not at once.
AFTER_REFUSAL = 1 * 86400.0


class TimeState(StrEnum):
    WAITING = "waiting"
    GRANTED = "granted"
    REFUSED = "refused"
    GONE = "gone"


class TimeAsk(msgspec.Struct, frozen=True, kw_only=True):
    """One browser asks for one link. `visit` is "" where it is not known to have one; `browser_hash` is how the same
    browser is known when the owner has decided. `ends` was the link's end then, `until` is the new one."""

    id: str
    share: str
    link: str
    visit: str = ""
    browser_hash: str = ""
    created: float
    ends: float = 0.0
    state: TimeState = TimeState.WAITING
    decided: float | None = None
    until: float = 0.0

    @property
    def whose(self) -> tuple[str, str]:
        return self.link, self.browser_hash

    def __repr__(self) -> str:
        return f"<TimeAsk {self.id} for link {self.link} ({self.state.value})>"
