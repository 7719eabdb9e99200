"""Which versions of a Jupyter server's packages are known to be bad, or older than what is tried.

The list is `advisories.yaml` beside this module. Versions are compared as PEP 440 has it; a version that cannot be read
is told as such and never taken for a good one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

MAX_VERSION = 64


class Advisory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`affected` is a PEP 440 specifier set, `what` the end of a sentence that begins with package and version."""

    package: str
    affected: str
    id: str
    what: str

    @property
    def fixed(self) -> str:
        """The version that ends the affected range."""
        return next(part.strip()[1:] for part in self.affected.split(",") if part.strip().startswith("<"))


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    advisories: tuple[Advisory, ...]
    oldest: dict[str, str]


@dataclass(frozen=True, slots=True)
class Concern:
    """Something about an installed package, in words, and what helps. `serious` where it is an advisory."""

    what: str
    remedy: str
    serious: bool


@cache
def known() -> Known:
    """The list as it is installed."""
    return msgspec.yaml.decode((files("sharegate.upstream") / "advisories.yaml").read_bytes(), type=Known)


def normal(name: str) -> str:
    """A distribution's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def concerns(installed: Mapping[str, str], listed: Known | None = None) -> list[Concern]:
    """What is to be said of these versions (distribution name → version), one concern a package at most of each kind.

    A pre-release counts as older than its release, so one of a fixed version is still affected; a local part
    (`2.20.0+us1`) changes nothing.
    """
    listed = listed or known()
    found: list[Concern] = []
    for name, text in sorted((normal(name), version) for name, version in installed.items()):
        about = [one for one in listed.advisories if one.package == name]
        oldest = listed.oldest.get(name)
        if not about and oldest is None:
            continue
        version = _version(text)
        if version is None:
            shown = re.sub(r"[^ -~]", "?", text[:40])
            found.append(Concern(f"{name} says that its version is {shown!r}", f"Install a release of {name}", False))
            continue
        bad = [one for one in about if _affected(version, one.affected)]
        if bad:
            fixed = max((one.fixed for one in bad), key=Version)
            told = "; ".join(f"{one.id}: {one.what}" for one in bad)
            found.append(Concern(f"{name} {version} has known holes ({told})", _upgrade(name, fixed), True))
        if oldest is not None and version < Version(oldest):
            what = f"{name} {version} is older than what the gate is tried with ({oldest} and newer)"
            found.append(Concern(what, _upgrade(name, oldest), False))
    return found


def _upgrade(name: str, version: str) -> str:
    return f"pip install '{name}>={version}', then restart that server"


def _version(text: str) -> Version | None:
    try:
        return Version(text) if len(text) <= MAX_VERSION else None
    except InvalidVersion:
        return None  # fails towards saying so


def _affected(version: Version, specifiers: str) -> bool:
    """Whether a version lies in a range of `<` and `>=`. SpecifierSet takes a pre-release of the bound for none of the
    range (PEP 440, exclusive ordered comparison); for an advisory it is not fixed yet."""
    public = Version(version.public)
    parts = [(one.operator, Version(one.version)) for one in SpecifierSet(specifiers)]
    return all(public < bound if operator == "<" else public >= bound for operator, bound in parts)
