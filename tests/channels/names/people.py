"""Two visitors and the owner, and what their pages say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharegate.channels.frames import Awareness, AwarenessState

ANN: Mapping[str, Any] = {
    "username": "sharegate-ann",
    "name": "Ann",
    "display_name": "Ann",
    "initials": "A",
    "avatar_url": None,
    "color": "var(--jp-collaborator-color1)",
}
BO: Mapping[str, Any] = {**ANN, "username": "sharegate-bo", "name": "“Bo”", "display_name": "“Bo”"}
OWNER = 900
HERE = {"type": {"client": 5, "clock": 7}, "tname": None, "item": {"client": 5, "clock": 9}, "assoc": 0}
CURSOR = {"anchor": HERE, "head": HERE, "primary": True, "empty": True}


def said(client: int, clock: int, state: Any = None, *more: AwarenessState) -> Awareness:
    return Awareness((AwarenessState(client, clock, state), *more))


def owner(clock: int = 1, autosave: Any = True, client: int = OWNER, name: str = "Olga") -> Awareness:
    user = {"username": "olga@example.org", "name": name, "display_name": name}
    return said(client, clock, {"user": user, "autosave": autosave})
