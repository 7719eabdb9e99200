"""What callers of the owner's API may ask for in an address: each query, read strictly."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Moment = Annotated[float, Meta(ge=0, le=2**53, description="Seconds since the epoch (UTC).")]


class _Asked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything may be left out."""


class Named(_Asked):
    ref: Annotated[str, Meta(description="A short id or a name.")] = ""


class Recently(_Asked):
    recent: Annotated[bool, Meta(description="What was found within the last minute will do.")] = False


class _Paged(_Asked):
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most.")] = 1000
    cursor: Annotated[str, Meta(description="`next` of the page before.")] = ""


class AllShares(_Paged):
    all: Annotated[bool, Meta(description="Also those that are over.")] = False


class NumberedPage(_Asked):
    limit: Annotated[int, Meta(ge=1, le=500, description="How many at most.")] = 0
    page: Annotated[int, Meta(ge=1, le=10_000_000, description="Which page, from 1; past the end: the last.")] = 1


class NumberedShares(NumberedPage):
    all: Annotated[bool, Meta(description="Also those that are over.")] = False


class OfShare(_Asked):
    share: Annotated[str, Meta(description="Only of this share (its id).")] = ""


class WhichReports(OfShare):
    limit: Annotated[int, Meta(ge=1, le=500, description="How many on a page; without it all are on one.")] = 0
    page: Annotated[int, Meta(ge=1, le=10_000_000, description="Which page, from 1; past the end: the last.")] = 1
    all: Annotated[bool, Meta(description="Also those that are closed.")] = False


class WhichVisits(_Paged):
    share: Annotated[str, Meta(description="Only of this share (its id).")] = ""
    open: Annotated[bool, Meta(description="Only those that are open.")] = False
    here: Annotated[bool, Meta(description="Only those with a page, or as a program a channel, open now.")] = False


class WhichEvents(OfShare):
    link: Annotated[str, Meta(description="Only of this link (its id).")] = ""
    visit: Annotated[str, Meta(description="Only of this visit (its id).")] = ""
    person: Annotated[str, Meta(description="Only of people of this name, in all shares or in this one.")] = ""
    path: Annotated[str, Meta(description="Only at this path or below it.")] = ""
    reason: Annotated[str, Meta(description="Only what was denied for this reason.")] = ""
    action: Annotated[str, Meta(description="Only this action.")] = ""
    outcome: Annotated[str, Meta(description="Only this outcome: allowed, denied or failed.")] = ""
    since: Moment = 0.0
    until: Moment = 0.0
    after_seq: Annotated[float, Meta(ge=0, le=2**53, description="Only with a higher number than this.")] = 0
    limit: Annotated[int, Meta(ge=1, le=10_000, description="How many at most.")] = 1000
    newest: Annotated[bool, Meta(description="The newest first.")] = False
    cursor: Annotated[str, Meta(description="`next` of the page before.")] = ""


class Export(WhichEvents):
    format: Annotated[Literal["jsonl", "csv"], Meta(description="What the lines are.")] = "jsonl"


class PassedOnExport(OfShare):
    format: Annotated[Literal["jsonl", "csv"], Meta(description="What the lines are.")] = "jsonl"


class Wanted(_Asked):
    q: Annotated[str, Meta(description="What to look for: at least two characters.")] = ""


class WantedExport(Wanted):
    format: Annotated[Literal["jsonl", "csv"], Meta(description="What the lines are.")] = "jsonl"


class WhichLanes(_Asked):
    share: Annotated[str, Meta(description="Of this share (its id).", max_length=1000)] = ""
    since: Moment = 0.0
    until: Moment = 0.0


class WhichReviews(_Asked):
    sort: Annotated[Literal["oldest", "widest", "unused"], Meta(description="Which come first.")] = "oldest"
    unused: Annotated[bool, Meta(description="Only those that are unused for 30 days.")] = False
    limit: Annotated[int, Meta(ge=1, le=500, description="How many at most.")] = 100
    cursor: Annotated[str, Meta(description="`next` of the page before.")] = ""


class Verify(_Asked):
    anchors: Annotated[str, Meta(description="A file of anchors on the gate's computer.")] = ""


class Days(_Asked):
    days: Annotated[float, Meta(ge=0, le=2**53, description="As if the history kept people so long.")] = 0


class AtPath(_Asked):
    path: Annotated[str, Meta(description="Below the server's root; empty is the root.")] = ""


class WhichVersions(OfShare):
    path: Annotated[str, Meta(description="Only of this document.")] = ""
    server: Annotated[str, Meta(description="Only of this server (its id or name).")] = ""
    limit: Annotated[float, Meta(ge=0, le=2**53, description="How many at most; 0 is 100, 1,000 is the most.")] = 0


class With(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename={"other": "with"}):
    """Everything may be left out."""

    other: Annotated[str, Meta(description="Another version; else the document as it is now.")] = ""
