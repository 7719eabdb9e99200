"""What callers of the owner's API may say about rosters."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sharegate.dashboard.bodies import Asks

OWN = "own"
Csv = Annotated[str, Meta(description="The roster itself: CSV with a row for each person.")]


class RosterBody(msgspec.Struct, forbid_unknown_fields=True):
    """`teams`: each row names a team."""

    roster: Csv
    teams: bool = False

    def __repr__(self) -> str:
        return "<RosterBody>"


class _OfEach(Asks, kw_only=True):
    """`prove`: whoever opens a link with an address shows by a mailed code that it is theirs; null: where this gate
    sends mail and the link asks for no account. `recipient` is each person's own. `account`: what several people have
    (`*@example.org`), or `own`: each person signs in with the account of their row, which is that of their address
    where the row names none."""

    roster: Csv
    prove: bool | None = None
    devices: int = 3


class AddRosterBody(_OfEach, forbid_unknown_fields=True):
    """`dry_run`: nothing is made, and told who would get a link."""

    expires: float | None = None
    dry_run: bool = False


class _NewShares(_OfEach, kw_only=True):
    """As when a share is made for one (NewShareBody)."""

    server: str = ""
    role: str = "view"
    expires: float | None = None
    message: str = ""
    clients: bool = False
    own_extensions: bool = False
    runnable_files: bool = False
    page: str = "lab"

    def of_share(self) -> dict[str, Any]:
        """As NewShare takes it."""
        names = ("role", "expires", "message", "clients", "own_extensions", "runnable_files", "page")
        return {name: getattr(self, name) for name in names}


class ShareRosterBody(_NewShares, forbid_unknown_fields=True):
    """`dry_run`: nothing is made, and told who would get a link."""

    path: str
    name: str = ""
    open_file: str = ""
    dry_run: bool = False


class TeamsBody(_NewShares, forbid_unknown_fields=True):
    """`each` names folders, like `projects/*`. `partial`: what has no counterpart is left out; else nothing is made.
    `dry_run`: nothing is made, and told what would be."""

    each: str
    partial: bool = False
    dry_run: bool = False


class SendBody(msgspec.Struct, forbid_unknown_fields=True):
    """`again`: also where it was sent before."""

    again: bool = False


class CodeBody(msgspec.Struct, forbid_unknown_fields=True):
    """`seconds`: how long the code works, from a minute to a day."""

    seconds: float = 7200.0
