"""What visitors tell the admins of a share: that something about it looks wrong.

The share's owner is not told: a report may be about them. Text and name were written by a stranger.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

MAX_TEXT = 1000


class Concern(StrEnum):
    """What looks wrong. The same words on the visitor's page, in the API and in the trail."""

    PHISHING = "phishing"
    PRIVATE = "private"
    HARMFUL = "harmful"
    RIGHTS = "rights"
    OTHER = "other"


MEANINGS: dict[Concern, str] = {
    Concern.PHISHING: "asks for passwords, or pretends to be somebody",
    Concern.PRIVATE: "shows private data of people",
    Concern.HARMFUL: "harms computers or people",
    Concern.RIGHTS: "shows what is not theirs to share",
    Concern.OTHER: "is something else",
}
assert set(MEANINGS) == set(Concern), "every concern has a meaning"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`visit` is "" for who told it at the door. `name`, `address` (as the gate keeps addresses) and `text` are
    personal; `closed` is when an admin was done with it, `note` what they wrote down then."""

    id: str
    share: str
    link: str
    visit: str = ""
    concern: Concern
    text: str = ""
    name: str = ""
    address: str = ""
    created: float
    closed: float | None = None
    note: str = ""

    def same(self, other: Report) -> bool:
        """Whether somebody said this already: a double click, or two tabs."""
        mine = (self.share, self.link, self.visit, self.address, self.concern, self.text)
        return mine == (other.share, other.link, other.visit, other.address, other.concern, other.text)

    def __repr__(self) -> str:
        return f"<Report {self.id} of share {self.share} ({self.concern.value}, {len(self.text)} chars)>"
