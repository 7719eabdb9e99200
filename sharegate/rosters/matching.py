"""Who of a roster has a link already; and which team has which folder. Decides on plain values."""

from __future__ import annotations

import fnmatch
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sharegate.errors import Invalid
from sharegate.rosters.model import Person

# A link that somebody has: its id, the name, the address and the account that it is for, each "" where it has none.
Having = tuple[str, str, str, str]
_WILD = frozenset("*?[")


def known(person: Person, links: Iterable[Having]) -> str:
    """The id of the link that is this person's; "" for who is new. By the account where both have one, else by the
    address, else by the name."""
    for id, name, email, account in links:
        if person.account and account:
            if person.account == account:
                return id
        elif person.email and email:
            if person.email == email:
                return id
        elif person.name and name.casefold() == person.name.casefold():
            return id
    return ""


@dataclass(frozen=True, slots=True)
class Matched:
    """`folders` by team, in the order of the roster. Left over: folders that no row names, teams without a folder with
    their first row."""

    folders: Mapping[str, str]
    without_team: tuple[str, ...]
    without_folder: tuple[tuple[str, int], ...]


def match(people: Sequence[Person], folders: Iterable[str]) -> Matched:
    """`folders` are names. Letters are compared as they look: NFC and NFD are one; capitals only where nothing fits
    otherwise, and then one folder alone."""
    names = sorted(set(folders))
    exact = {_plain(name): name for name in names}
    loose: dict[str, list[str]] = {}
    for name in names:
        loose.setdefault(_plain(name).casefold(), []).append(name)
    found: dict[str, str] = {}
    missing: dict[str, int] = {}
    for person in people:
        if person.team in found or person.team in missing:
            continue
        near = loose.get(_plain(person.team).casefold(), [])
        folder = exact.get(_plain(person.team)) or (near[0] if len(near) == 1 else "")
        if folder and folder not in found.values():
            found[person.team] = folder
        else:
            missing[person.team] = person.row
    left = tuple(name for name in names if name not in found.values())
    return Matched(found, left, tuple(missing.items()))


def parted(pattern: str) -> tuple[str, str]:
    """`projects/*` as the folder and what its folders are called. Raises Invalid."""
    parent, _, last = pattern.strip().rstrip("/").rpartition("/")
    if not last or not _WILD & set(last):
        raise Invalid("each", "names no folders: its last part has no *", "Write it like projects/* in quotes")
    if _WILD & set(parent) or last.startswith("."):
        raise Invalid("each", "may have * in its last part only, and not for hidden folders", "Write: projects/*")
    return parent, last


def fits(name: str, last: str) -> bool:
    return not name.startswith(".") and fnmatch.fnmatchcase(name, last)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()
