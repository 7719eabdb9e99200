"""Local answers: what a normal JupyterLab asks and a visitor may not have gets a small true-looking answer, no denial.

`LOCAL` maps the names that the route table uses (`local:<name>`) to functions of a grant. What a visit keeps for itself
(workspaces, settings) is in overlay.py, because it needs the store; `me` needs the names of all who are in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from sharegate.messages import Response
from sharegate.shares.model import Grant, Link, Visit, VisitKind

_COLOURS = 7  # JupyterLab's theme defines --jp-collaborator-color1 ... 7
HANDLE = "sharegate-"  # before a visit's id: a username that no account has
_SAFE = "/!$&'()*+,;=:@~"
_EPOCH = "1970-01-01T00:00:00.000000Z"

JSON_HEADERS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)


def json_bytes(value: Any) -> bytes:
    """Compact JSON of any size of number; a lone surrogate, which UTF-8 cannot carry, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def json_answer(value: Any, status: int = 200) -> Response:
    return Response(status, JSON_HEADERS, json_bytes(value))


def no_content(grant: Grant | None = None) -> Response:
    return Response(204, (("Cache-Control", "no-store"),))


def empty_list(grant: Grant | None = None) -> Response:
    return json_answer([])


def empty_object(grant: Grant | None = None) -> Response:
    return json_answer({})


def absent(grant: Grant | None = None) -> Response:
    """What JupyterLab asks for and does without: a plain 404, which is no denial."""
    return json_answer({"message": "There is nothing here.", "reason": None}, status=404)


def called(link: Link, visit: Visit) -> str:
    """What a visitor is called, as far as anybody has said."""
    if visit.kind is VisitKind.CLIENT:
        return f"{link.name} · program" if link.name else "Program"
    # The owner's own word comes first; an address that was proved comes before a name that was typed.
    if visit.email or visit.account is not None:
        return link.name or visit.email or (visit.account.shown if visit.account is not None else "")
    return visit.name or link.name or "Visitor"


def identity(grant: Grant, name: str) -> dict[str, Any]:
    """Who the visitor is to others in the document: the gate's word. `name` is the one that tells people apart
    (visits/names.py)."""
    number = hashlib.sha256(grant.visit.id.encode()).digest()[0] % _COLOURS + 1
    return {
        "username": HANDLE + grant.visit.id,
        "name": name,
        "display_name": name,
        "initials": initials(called(grant.link, grant.visit)),
        "avatar_url": None,
        "color": f"var(--jp-collaborator-color{number})",
    }


def initials(name: str) -> str:
    """At most two capitals: of the first and the last word."""
    words = [word for word in name.split() if word[:1].isalnum()]
    if not words:
        return name[:1].upper()
    ends = words if len(words) == 1 else (words[0], words[-1])
    return "".join(word[0].upper() for word in ends)


def me(identity: dict[str, Any]) -> Response:
    """`GET /api/me`: the visit's identity; nothing about it can be changed from inside."""
    return json_answer({"identity": identity, "permissions": {"updatable_fields": []}})


def status(grant: Grant) -> Response:
    """`GET /api/status`: nothing of the owner's activity."""
    return json_answer({"connections": 0, "kernels": 0, "last_activity": _EPOCH, "started": _EPOCH})


def root_redirect(grant: Grant) -> Response:
    """The visit's base, `/lab` and `/doc` lead to where it starts."""
    return redirect(grant, grant.share.landing)


def redirect(grant: Grant, to: str) -> Response:
    """To another address of the same visit: percent-encoded and relative to its base."""
    return Response(302, (("Location", grant.base + to), ("Cache-Control", "no-store")))


def style_sheet(grant: Grant | None = None) -> Response:
    """An empty style sheet: Notebook's own page asks for the owner's."""
    return Response(200, (("Content-Type", "text/css; charset=utf-8"), ("Cache-Control", "no-store")))


def robots(grant: Grant | None = None) -> Response:
    return Response(
        200,
        (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "max-age=86400")),
        b"User-agent: *\nDisallow: /\n",
    )


LOCAL: dict[str, Callable[[Grant], Response]] = {
    "absent": absent,
    "empty-list": empty_list,
    "empty-object": empty_object,
    "nbconvert-list": empty_object,
    "no-content": no_content,
    "robots": robots,
    "root-redirect": root_redirect,
    "status": status,
    "style-sheet": style_sheet,
}
