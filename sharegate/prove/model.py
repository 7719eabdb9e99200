"""What the suite is made of: checks, and the probes that each consists of, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Check(StrEnum):
    """One thing that holds, whatever is asked. Every check is seen to find a hole that is opened on purpose, or a test
    fails."""

    PLACES = "places"
    SPELLINGS = "spellings"
    ONE_ANSWER = "one_answer"
    LINKS = "links"
    LISTINGS = "listings"
    ROUTES = "routes"
    PAGES = "pages"
    ERRORS = "errors"
    HEADERS = "headers"
    OWNERS_DOINGS = "owners_doings"
    QUERIES = "queries"
    CREDENTIALS = "credentials"
    OTHER_VISITS = "other_visits"
    OTHER_SITES = "other_sites"
    HOSTS = "hosts"
    CONDITIONS = "conditions"
    STATIC = "static"
    SESSIONS = "sessions"
    ROOMS = "rooms"
    FRAMES = "frames"
    CHANNELS = "channels"
    WRITES = "writes"
    BODIES = "bodies"
    PLANTS = "plants"
    ENDED = "ended"


SENTENCES: dict[Check, str] = {
    Check.PLACES: "No file outside the folder, and no hidden one, is read by its plain path",
    Check.SPELLINGS: "No other spelling of a path leads outside",
    Check.ONE_ANSWER: "Outside, hidden, linked out and missing are one answer, byte for byte but for a random id",
    Check.LINKS: "No symbolic link leads outside",
    Check.LISTINGS: "Folders list what is inside and the way to it, nothing else",
    Check.ROUTES: "No address of the server opens that no role has",
    Check.PAGES: "Pages and error pages hold no token of the server, no path of its disk and no account",
    Check.ERRORS: "No error text of the server passes",
    Check.HEADERS: "No answer carries a header that belongs to the server alone",
    Check.OWNERS_DOINGS: "What the owner runs, has open and has set is not told",
    Check.QUERIES: "No argument that the gate does not know is taken",
    Check.CREDENTIALS: "Nothing but the visit's own cookie opens the visit, the server's own token neither",
    Check.OTHER_VISITS: "One visit's cookie opens no other visit",
    Check.OTHER_SITES: "No other site's page changes anything or opens a live connection",
    Check.HOSTS: "The gate answers by its own name only",
    Check.CONDITIONS: "Ranges, conditions and HEAD do not tell whether something outside is there",
    Check.STATIC: "JupyterLab's own files are served without the server's credential, and nothing beside them",
    Check.SESSIONS: "No live document is prepared for a place outside",
    Check.ROOMS: "No live document outside opens by its id or by another name",
    Check.FRAMES: "Hostile messages end their connection, and a viewer's save reaches no server",
    Check.CHANNELS: "Kernels, terminals and language servers cannot be connected to; the server's events are silent",
    Check.WRITES: "Nothing is written, made or moved outside by its address",
    Check.BODIES: "Nothing outside is copied or written by a path in a body",
    Check.PLANTS: "Nothing is made that programs load by its name, and nothing hidden",
    Check.ENDED: "A visit and a link that have ended open nothing",
}


class Answer(StrEnum):
    """What an answer must be. Whatever it must be, it is searched for canaries and foreign headers."""

    ANY = "any"
    # One of the gate's own refusals, with nothing in it but a code, a sentence and an id.
    REFUSED = "refused"
    # Exactly what the same question about a missing file inside is answered with.
    GONE = "gone"
    # With the status of the same question about a missing file inside: a page, which is made without a look.
    ALIKE = "alike"
    # Refused, or a list that the gate makes, which is empty whatever was asked for.
    NOTHING = "nothing"
    # `[]`, not refused.
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Probe:
    """One question and what its answer must be.

    `target` is below the visit's address unless it begins with a slash. `fields` override those of an honest page;
    an empty value leaves the field out. `missing` is the same target for a missing file, for Answer.GONE and ALIKE.
    `made` are paths, relative to the server's root, that must not have come into being afterwards.
    """

    check: Check
    name: str
    method: str
    target: str
    answer: Answer = Answer.REFUSED
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    missing: str = ""
    made: tuple[str, ...] = ()
    upgrade: bool = False
    # Without the visit's cookie and an honest page's fields.
    bare: bool = False
    # One of those that --quick asks too.
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that got out. `what` tells it without repeating it."""

    check: Check
    probe: str
    what: str


assert set(SENTENCES) == set(Check), "every check has a sentence"
