"""What the settings say about notifications, and what is wrong with that. The addresses are secrets: they come from a
file or the environment, and stand in no error, log or repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sharegate.errors import Invalid
from sharegate.notify.model import CHOICES, Kind
from sharegate.passwords import Place, password

_OWNER = Place("notify_file", "SHAREGATE_NOTIFY", "notifications", "notify_file")
_ADMINS = Place("notify_admins_file", "SHAREGATE_NOTIFY_ADMINS", "notifications", "notify_admins_file")
# Minutes.
_LONGEST = 1_000_000
VARIABLES = (_OWNER.variable, _ADMINS.variable)
FILES = (_OWNER.file, _ADMINS.file)


@dataclass(frozen=True, slots=True)
class Notices:
    """Who is told, of what, and how often. `quiet` is in seconds."""

    owner: tuple[str, ...] = field(default=(), repr=False)
    admins: tuple[str, ...] = field(default=(), repr=False)
    about: frozenset[Kind] = frozenset(CHOICES)
    quiet: float = 600.0

    @property
    def on(self) -> bool:
        return bool(self.owner or self.admins)


def read(values: Mapping[str, Any], environ: Mapping[str, str], faults: list[Invalid]) -> Notices:
    """The addresses from where they stand, one on each line. Adds to `faults` what is wrong."""
    found: list[tuple[str, ...]] = []
    for place in (_OWNER, _ADMINS):
        name = str(values[place.file]).strip()
        path = Path(name).expanduser() if name else None
        text = password(place, path, environ.get(place.variable, ""), True, faults)
        lines = [line.strip() for line in text.splitlines()]
        found.append(tuple(line for line in lines if line and not line.startswith("#")))
    for place, urls in zip((_OWNER, _ADMINS), found, strict=True):
        if urls:
            faults += _url_faults(urls, place.file, insecure=bool(values["insecure"]))
    about = []
    for word in values["notify_about"]:
        try:
            about.append(CHOICES[[kind.value for kind in CHOICES].index(word)])
        except ValueError:
            choices = ", ".join(kind.value for kind in CHOICES)
            faults.append(Invalid("notify_about", f"{str(word)[:40]!r} is none of the kinds", f"Choose of {choices}"))
    owner, admins = found
    # What is out of range is told by whoever checks all counts.
    quiet = min(max(values["notify_quiet"], 0), _LONGEST) * 60.0
    return Notices(owner, admins, frozenset(about or CHOICES), quiet)


def _url_faults(urls: tuple[str, ...], field: str, *, insecure: bool) -> list[Invalid]:
    # The library is large, and most gates tell nobody.
    from sharegate.notify.targets import MOST, fault

    if len(urls) > MOST:
        return [Invalid(field, f"names more than {MOST} services", "Leave some out")]
    return [found for url in urls if (found := fault(url, field, insecure=insecure)) is not None]
