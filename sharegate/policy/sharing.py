"""What owners may hand out: policies/sharing.yaml as one frozen value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sharegate.policy.source import FaultList, Reader, Value
from sharegate.shares.model import OPEN_ENDED, Role
from sharegate.shares.roles import RoleTable

_DURATION = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_UNIT = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_KEYS = frozenset(
    {"max_expires", "default_expires", "roles", "anyone", "max_visits", "max_devices", "clients", "own_extensions"}
    | {"runnable_files", "coowners", "dotfiles"}
)
MOST_VISITS = 10_000
MOST_DEVICES = 100


@dataclass(frozen=True, slots=True)
class Sharing:
    """The house's limits on shares and links. Durations are seconds.

    `anyone`: links that are for nobody in particular may be made; `clients`: links that programs can use;
    `own_extensions`: the owner's own JupyterLab extensions may run in visitors' pages; `runnable_files`: visitors who
    edit may make files that run by themselves (files.yaml); `coowners`: owners may name people who let others in.
    `dotfiles` is false in this version: hidden names stay
    invisible inside a root.
    """

    max_expires_seconds: float
    default_expires_seconds: float
    roles: tuple[Role, ...]
    anyone: bool
    max_visits: int
    max_devices: int
    clients: bool
    own_extensions: bool
    runnable_files: bool
    coowners: bool
    dotfiles: bool = False


def read_sharing(document: Value | None, roles: RoleTable | None, faults: FaultList) -> Sharing | None:
    """Read the `sharing:` mapping. Every key must be there: an owner's limits are not left to a default nobody saw.

    None when a fault was added.
    """
    reader = Reader(faults)
    before = len(faults.faults)
    if document is None or not reader.known(document, frozenset({"sharing"}), "the file", frozenset({"sharing"})):
        return None
    table = document.get("sharing")
    if table is None or not reader.known(table, _KEYS, "sharing", _KEYS):
        return None
    longest = _duration(table.get("max_expires"), "max_expires", reader)
    default = _duration(table.get("default_expires"), "default_expires", reader)
    if longest > OPEN_ENDED:
        faults.add(_where(table, "max_expires"), "max_expires is longer than 400d", "Browsers keep no cookie longer")
    if default > longest:
        faults.add(_where(table, "default_expires"), "default_expires is longer than max_expires")
    sharing = Sharing(
        max_expires_seconds=longest,
        default_expires_seconds=default,
        roles=_roles(table, roles, reader),
        anyone=reader.flag(table.get("anyone"), "anyone", False),
        max_visits=_count(table, "max_visits", MOST_VISITS, reader),
        max_devices=_count(table, "max_devices", MOST_DEVICES, reader),
        clients=reader.flag(table.get("clients"), "clients", False),
        own_extensions=reader.flag(table.get("own_extensions"), "own_extensions", False),
        runnable_files=reader.flag(table.get("runnable_files"), "runnable_files", False),
        coowners=reader.flag(table.get("coowners"), "coowners", False),
        dotfiles=reader.flag(table.get("dotfiles"), "dotfiles", False),
    )
    if sharing.dotfiles:
        faults.add(_where(table, "dotfiles"), "hidden files cannot be shared in this version", "Write false")
    return sharing if len(faults.faults) == before else None


def _roles(table: Value, known: RoleTable | None, reader: Reader) -> tuple[Role, ...]:
    found: list[Role] = []
    where = _where(table, "roles")
    for name in reader.texts(table.get("roles"), "roles"):
        if name not in list(Role):
            reader.faults.add(where, f"there is no role {name!r}", f"Known: {', '.join(Role)}")
            continue
        role = Role(name)
        if known is not None and not known.available(role):
            reader.faults.add(where, f"the role {name!r} is not available in this version", "See roles.yaml")
        found.append(role)
    if not found:
        reader.faults.add(where, "no role at all may be handed out", "Name at least view")
    return tuple(found)


def _count(table: Value, key: str, most: int, reader: Reader) -> int:
    value = reader.number(table.get(key), key, 1)
    if value > most:
        reader.faults.add(_where(table, key), f"{key} is larger than {most}")
    return value


def _duration(value: Value | None, what: str, reader: Reader) -> float:
    found = _DURATION.fullmatch(reader.text(value, what))
    if found is None:
        if value is not None and value.text is not None:
            reader.faults.add(value.where, f"{what} is no duration: {value.text!r}", "Write 90m, 12h or 7d")
        return 0.0
    return int(found[1]) * _UNIT[found[2]]


def _where(table: Value, key: str) -> str:
    return (table.get(key) or table).where
