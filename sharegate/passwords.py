"""A password for another server: from a file, the environment, or another setting, but from one place only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sharegate.errors import Invalid

# Characters; a device has no end.
_LONGEST_FILE = 1 << 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a password may come from: a setting that names a file, and an environment variable. `server` says whose it
    is, in words; `setting` is the one without which there is no such server."""

    file: str
    variable: str
    server: str
    setting: str


def password(
    place: Place, path: Path | None, environment: str, needed: bool, faults: list[Invalid], **elsewhere: str
) -> str:
    """The one that was found, or none. Without the server (`needed`) it is a fault. `elsewhere`: other settings that
    may hold it. No fault repeats a password."""
    found: dict[str, str] = {}
    if path is not None:
        try:
            with path.open(encoding="utf-8") as file:
                read = file.read(_LONGEST_FILE + 1)
            if len(read) > _LONGEST_FILE:  # fails closed: a part of a secret is none
                faults.append(Invalid(place.file, f"{str(path)!r} is too long to hold it", "Check the path"))
            else:
                found[place.file] = read.removesuffix("\n")
        except (OSError, ValueError) as error:
            what = f"{str(path)!r} cannot be read ({type(error).__name__})"
            faults.append(Invalid(place.file, what, "Check path and permissions"))
        else:
            if path.stat().st_mode & 0o007:
                faults.append(Invalid(place.file, f"{path} may be read by everybody", f"chmod 600 {path}"))
    if environment:
        found[place.variable] = environment
    found |= {name: value for name, value in elsewhere.items() if value}
    if len(found) > 1:
        faults.append(Invalid(" and ".join(found), f"each give a password of {place.server}", "Leave one of them"))
    if found and not needed:
        what = f"is a password for no {place.server.removeprefix('the ')}"
        faults.append(Invalid(next(iter(found)), what, f"Set {place.setting}, or leave it out"))
    return next(iter(found.values()), "")
