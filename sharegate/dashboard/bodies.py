"""What callers of the owner's API may say: bodies and queries, read strictly."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from sharegate.audit.bounds import LIMITS, safe_text
from sharegate.audit.events import Action, Outcome, folded
from sharegate.audit.interfaces import Query
from sharegate.errors import Invalid
from sharegate.shares import asking
from sharegate.shares.model import FrontEnd, Role


class Asks(msgspec.Struct, kw_only=True):
    """What links ask for (shares/asking.py)."""

    not_before: float | None = None
    networks: list[str] = msgspec.field(default_factory=list)
    ask: bool = False
    passphrase: str = ""
    recipient: str = ""
    domain: str = ""
    account: str = ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def asked(self) -> dict[str, Any]:
        """As NewLink takes it."""
        return {name: getattr(self, name) for name in asking.FIELDS} | {"networks": tuple(self.networks)}


class NewShareBody(Asks, forbid_unknown_fields=True, rename={"people": "for"}):
    path: str
    server: str = ""
    role: str = "view"
    expires: float | None = None
    name: str = ""
    message: str = ""
    people: list[str] = msgspec.field(default_factory=list)
    anyone: bool = False
    visits: int | None = None
    devices: int = 3
    open_file: str = ""
    clients: bool = False
    own_extensions: bool = False
    runnable_files: bool = False
    page: str = "lab"


class NewLinkBody(Asks, forbid_unknown_fields=True):
    name: str = ""
    anyone: bool = False
    visits: int | None = None
    devices: int = 3
    expires: float | None = None
    email: str = ""


class ChangeShareBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is not named stays as it is; at least one is named."""

    role: Role | UnsetType = UNSET
    expires: float | UnsetType = UNSET
    name: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    clients: bool | UnsetType = UNSET
    runnable_files: bool | UnsetType = UNSET
    page: FrontEnd | UnsetType = UNSET


class ChangeLinkBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is not named stays as it is; at least one is named. `role` null: the share's."""

    name: str | UnsetType = UNSET
    role: Role | UnsetType | None = UNSET
    expires: float | UnsetType = UNSET
    visits: int | UnsetType | None = UNSET
    devices: int | UnsetType = UNSET
    not_before: float | UnsetType | None = UNSET
    networks: list[str] | UnsetType | None = UNSET
    ask: bool | UnsetType = UNSET
    passphrase: str | UnsetType | None = UNSET
    recipient: str | UnsetType | None = UNSET
    domain: str | UnsetType | None = UNSET
    account: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return "<ChangeLinkBody>"


class AdmitBody(msgspec.Struct, forbid_unknown_fields=True):
    """`role` null: the link's."""

    role: str | None = None


class NewTokenBody(msgspec.Struct, forbid_unknown_fields=True):
    """`expires` in seconds since the epoch (UTC)."""

    name: str
    capabilities: list[str]
    expires: float


class NewServerBody(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    token: str = ""
    root_dir: str = ""
    name: str = ""

    def __repr__(self) -> str:
        return "<NewServerBody>"


class SnapshotBody(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    server: str = ""


class RestoreBody(msgspec.Struct, forbid_unknown_fields=True):
    cells: list[str] | None = None
    preview: bool = False


class UndoBody(msgspec.Struct, forbid_unknown_fields=True):
    """`digest` of a preview: then that is undone and nothing else."""

    path: str = ""
    preview: bool = False
    digest: str = ""


def check_text(given: dict[str, Any]) -> None:
    """JSON can hold halves of characters, which nothing can write down, and NUL, at which paths end."""
    for name, value in given.items():
        try:
            written = json.dumps([name, value], ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Invalid(name.encode("ascii", "replace").decode(), "is not Unicode text", "Write it anew") from None
        if b"\\u0000" in written.replace(b"\\\\", b""):
            raise Invalid(name.replace("\0", "?"), "holds the character NUL", "Write it anew")


MOST_EVENTS = 10_000


def read_query(query: dict[str, str]) -> Query:
    known: dict[str, str] = {
        name: query[name] for name in ("share", "link", "visit", "path", "reason", "action", "outcome") if name in query
    }
    if "person" in query:
        # As it is cut when it is recorded.
        known["person"] = folded(safe_text(query["person"], LIMITS["name"]))
        if not known["person"]:
            raise Invalid("person", "is no name", "Give the name as the history shows it")
    lists: tuple[tuple[str, type[StrEnum]], ...] = (("action", Action), ("outcome", Outcome))
    for field, every in lists:
        text = query.get(field, "")
        if text and text not in [one.value for one in every]:
            raise Invalid(field, f"{text[:80]!r} is none", "docs/trail.md lists them")
    return Query(
        **known,
        since=number(query, "since", "Give seconds since the epoch"),
        until=number(query, "until", "Give seconds since the epoch"),
        after_seq=int(number(query, "after_seq", "Give the number of an event")),
        limit=limit(query, 1000, MOST_EVENTS),
        newest_first=query.get("newest") in ("1", "true"),
    )


def limit(query: dict[str, str], usual: int, most: int) -> int:
    """How many are asked for at once. Raises Invalid."""
    text = query.get("limit", "")
    if not text:
        return usual
    asked = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= asked <= most:
        raise Invalid("limit", f"is not a number from 1 to {most}", "Ask for fewer; `next` leads on")
    return asked


def number(query: dict[str, str], name: str, remedy: str) -> float:
    """0 where it is not given."""
    try:
        number = float(query.get(name) or 0)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 2**53:
        raise Invalid(name, "is not a number from 0 up", remedy)
    return number
