"""The pages that people meet at the door, rendered: join, somebody else's address, a visit that is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sharegate.messages import Response
from sharegate.visits.pages.assets import assets

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_FEATURES = (
    "accelerometer",
    "camera",
    "clipboard-read",
    "display-capture",
    "geolocation",
    "gyroscope",
    "hid",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "screen-wake-lock",
    "serial",
    "usb",
)  # fmt: skip -- a list of words
HEADERS: tuple[tuple[str, str], ...] = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", _CSP),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Origin-Agent-Cluster", "?1"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("X-Robots-Tag", "noindex, nofollow"),
    ("Permissions-Policy", ", ".join(f"{feature}=()" for feature in _FEATURES)),
    ("Cache-Control", "no-store"),
)


class Ended(StrEnum):
    """Why a visit is over, in the words of the page."""

    REVOKED = "revoked"
    PAUSED = "paused"
    EXPIRED = "expired"
    REPLACED = "replaced"
    SUSPENDED = "suspended"
    ENDED = "ended"
    LEFT = "left"
    REFUSED = "refused"
    OUTSIDE_NETWORKS = "outside_networks"
    NOT_YET = "not_yet"
    PASSPHRASE_NEEDED = "passphrase_needed"  # noqa: S105 -- a word, no secret
    RECIPIENT_NEEDED = "recipient_needed"
    ACCOUNT_NEEDED = "account_needed"
    APPROVAL_NEEDED = "approval_needed"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, word: str) -> Ended:
        """Read `Visit.ended_reason` or a Reason; a word that the page has no sentence for is UNKNOWN."""
        tail = word.removeprefix("link_").removeprefix("share_").removeprefix("visit_").removeprefix("knock_")
        if word == "root_changed":
            return cls.SUSPENDED
        try:
            return cls(tail)
        except ValueError:  # fails closed: a page that tells less
            return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class Ending:
    """What the ended page may tell: only to a browser that proves it held this visit; else `Ending()`.

    `at` is in seconds since the epoch, 0 when unknown; `whole_share` tells a share from one of its links.
    """

    why: Ended = Ended.UNKNOWN
    owner: str = ""
    share: str = ""
    at: float = 0.0
    whole_share: bool = False


def join_page(share_hosts: str = "") -> Response:
    """`GET /join`: the same bytes for everybody, since the token is in the fragment and never arrives here.

    With `share_hosts` the page's script sends a token that belongs to another host below that name on to it.
    """
    return page("join.html", share_hosts=share_hosts)


def address_page() -> Response:
    """A page address opened without its cookie (401). The same bytes whether the address exists or not."""
    return page("address.html", status=401)


def ended_page(ending: Ending) -> Response:
    """`GET /s/<share>/~<visit>/-/ended`: what happened, by whom, and what to do."""
    moment = datetime.fromtimestamp(ending.at, UTC) if ending.at else None
    return page("ended.html", ending=ending, moment=moment)


def page(template: str, status: int = 200, **values: object) -> Response:
    """Render one of our templates with the door's headers. Everything in `values` is escaped."""
    text = _environment().get_template(template).render(asset=assets().url, **values)
    return Response(status, HEADERS, text.encode())


@cache
def _environment() -> Environment:
    folder = Path(__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
