"""What of a page's awareness state is shown to others: built anew field by field, never passed on as it came.

JupyterLab's state in a document room: `user` (its identity), `cursors` (relative positions of Yjs), `autosave`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any, TypeGuard

from sharegate.errors import Invalid
from sharegate.names import clean_name

MAX_STATES = 256
MAX_CURSORS = 32
# Of notebooks and text files (jupyter_ydoc): a cursor stands in one of them, or in an item of it.
ROOTS = frozenset({"cells", "meta", "source", "state"})

PROCESS_KEY = secrets.token_bytes(32)
_COLOR = re.compile(r"[A-Za-z0-9#(),.%\- ]{1,64}")


def server_key(upstream: str, key: bytes = PROCESS_KEY) -> bytes:
    """What usernames of one server are replaced with: the same person has other names at another server."""
    return hashlib.blake2b(upstream.encode(), key=key, digest_size=32).digest()


def shown_state(said: dict[str, Any], key: bytes) -> dict[str, Any]:
    """A state of the owner's side as visitors see it."""
    shown: dict[str, Any] = {}
    user = said.get("user")
    if isinstance(user, dict):
        shown["user"] = _user(user, key)
    cursors = shown_cursors(said)
    if cursors is not None:
        shown["cursors"] = cursors
    if isinstance(said.get("autosave"), bool):
        shown["autosave"] = said["autosave"]
    return shown


def shown_cursors(said: dict[str, Any]) -> list[dict[str, Any]] | None:
    """At most 32 cursors; None when the state has none."""
    cursors = said.get("cursors")
    if not isinstance(cursors, list):
        return None
    return [cursor for each in cursors[:MAX_CURSORS] if (cursor := _cursor(each)) is not None]


def shown_name(text: str) -> str:
    """A name of somebody else's choosing; empty when it has no visible character."""
    try:
        return clean_name(text)
    except Invalid:  # shown as no name
        return ""


def _user(said: dict[str, Any], key: bytes) -> dict[str, Any]:
    shown = {name: shown_name(said[name]) for name in ("name", "display_name") if isinstance(said.get(name), str)}
    if isinstance(said.get("initials"), str):
        shown["initials"] = shown_name(said["initials"])[:4]
    if isinstance(said.get("color"), str) and _COLOR.fullmatch(said["color"]):
        shown["color"] = said["color"]
    if isinstance(said.get("username"), str):
        # An account name of the owner's server tells apart who is who, no more.
        whole = said["username"].encode("utf-8", "surrogatepass")
        shown["username"] = hashlib.blake2b(whole, key=key, digest_size=10).hexdigest()
    return shown


def _cursor(said: Any) -> dict[str, Any] | None:
    """JupyterLab's cursor: two relative positions of Yjs and two flags; None without both positions."""
    if not isinstance(said, dict):
        return None
    anchor, head = _position(said.get("anchor")), _position(said.get("head"))
    if anchor is None or head is None:
        return None
    flags = {flag: said[flag] for flag in ("primary", "empty") if isinstance(said.get(flag), bool)}
    return {"anchor": anchor, "head": head, **flags}


def _position(said: Any) -> dict[str, Any] | None:
    """`type` and `item` are ids, `tname` the name of a root, `assoc` a side (yjs RelativePosition.js).

    All four are always there, and one of the first three says where: pages hand a position to Yjs as it comes, which
    throws on what is missing or negative, in the middle of an editor's update, and makes every root that is named.
    """
    if not isinstance(said, dict):
        return None
    kind, item = _id(said.get("type")), _id(said.get("item"))
    root = said.get("tname")
    root = root if isinstance(root, str) and root in ROOTS else None
    if kind is None and item is None and root is None:
        return None
    assoc = said.get("assoc")
    return {"type": kind, "tname": root, "item": item, "assoc": assoc if _whole(assoc) else 0}


def _id(said: Any) -> dict[str, int] | None:
    if not isinstance(said, dict):
        return None
    client, clock = said.get("client"), said.get("clock")
    if not _whole(client) or not _whole(clock) or client < 0 or clock < 0:
        return None
    return {"client": client, "clock": clock}


def _whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
