"""The pages that people meet at the door, rendered: join, somebody else's address, a visit that is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from sharegate.language.catalogue import ENGLISH, PLACEHOLDER, Language, languages
from sharegate.messages import Response
from sharegate.shares.reports import Concern
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
    ("Vary", "Accept-Language"),
)

_CONCERNS = [concern.value for concern in Concern]


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

    `at` is in seconds since the epoch, 0 when unknown; `whole_share` tells a share from one of its links, `time`
    how it stands with asking for more (visits/more_time.py).
    """

    why: Ended = Ended.UNKNOWN
    owner: str = ""
    share: str = ""
    at: float = 0.0
    whole_share: bool = False
    time: str = ""


def join_page(share_hosts: str = "", language: Language = ENGLISH) -> Response:
    """`GET /join`: the same bytes for everybody who reads that language, since the token is in the fragment and never
    arrives here.

    With `share_hosts` the page's script sends a token that belongs to another host below that name on to it.
    """
    return page("join.html", language, share_hosts=share_hosts, concerns=_CONCERNS)


def code_page(language: Language = ENGLISH) -> Response:
    """`GET /code`: where a short code is typed. The same bytes for everybody who reads that language."""
    return page("code.html", language)


def signed_page(door: str, language: Language = ENGLISH) -> Response:
    """Back from the provider of accounts: the page leads to the door. The link stands in its text and in no head of an
    answer, which proxies write down."""
    return page("signed.html", language, door=door)


def address_page(language: Language = ENGLISH) -> Response:
    """A page address opened without its cookie (401). The same bytes whether the address exists or not."""
    return page("address.html", language, status=401)


def ended_page(ending: Ending, language: Language = ENGLISH) -> Response:
    """`GET /s/<share>/~<visit>/-/ended`: what happened, by whom, and what to do."""
    moment = datetime.fromtimestamp(ending.at, UTC) if ending.at else None
    # From outside the link's networks nothing of it is answered.
    reportable = ending != Ending() and ending.why is not Ended.OUTSIDE_NETWORKS
    return page("ended.html", language, ending=ending, moment=moment, concerns=_CONCERNS, reportable=reportable)


def page(template: str, language: Language, status: int = 200, **values: object) -> Response:
    """Render one of our templates with the door's headers. Everything in `values` is escaped."""
    return Response(status, HEADERS, render(template, language, **values).encode())


def render(template: str, language: Language, **values: object) -> str:
    """One of our templates. Everything in `values` is escaped, unless it is Markup."""
    return _environment(language.tag.lower()).get_template(template).render(**values)


class Words:
    """What templates call for their sentences. Names of people and folders stand apart from the sentence around them
    (`<bdi>`), whichever way they are written."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def sentence(self, key: str, **values: object) -> Markup:
        """A sentence of the catalogue. Whatever fills it is escaped, unless a template made it."""
        text = str(escape(self._language.sentences[key]))
        return Markup(PLACEHOLDER.sub(lambda match: str(escape(values[match[1]])), text))  # noqa: S704 -- escaped

    @staticmethod
    def bdi(text: object) -> Markup:
        return Markup("<bdi>{}</bdi>").format(text)

    @staticmethod
    def verbatim(text: object) -> Markup:
        """What no translator may touch."""
        return Markup('<span translate="no">{}</span>').format(text)

    @staticmethod
    def slot(name: str, default: object = "", verbatim: bool = False) -> Markup:
        """Where a script puts something."""
        kept = Markup(' translate="no"') if verbatim else Markup("")
        return Markup('<bdi data-slot="{}"{}>{}</bdi>').format(name, kept, default)

    @classmethod
    def strong(cls, name: str) -> Markup:
        return Markup("<strong>{}</strong>").format(cls.slot(name, verbatim=True))

    @staticmethod
    def quiet(name: str) -> Markup:
        return Markup('<span class="quiet" data-slot="{}"></span>').format(name)


@cache
def _environment(tag: str) -> Environment:
    """One for each language, so that macros know it too."""
    folder = Path(__file__).parent / "templates"
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    language = languages()[tag]
    words = Words(language)
    made.globals.update(asset=assets().url, language=language, t=words.sentence, bdi=words.bdi, slot=words.slot)
    made.globals.update(strong=words.strong, quiet=words.quiet, verbatim=words.verbatim)
    return made
