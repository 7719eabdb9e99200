"""The trail for other programs and for people: JSON lines, CSV, and one sentence per event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from sharegate.audit import sheet
from sharegate.audit.chain import erased, opened
from sharegate.audit.events import Action, AuditEvent, Outcome, coowner_of
from sharegate.audit.interfaces import Sealed
from sharegate.audit.strangers import TOTAL
from sharegate.errors import MEANINGS, Reason

# The order is a promise to whoever reads the file with a program: new columns come last.
COLUMNS = (
    "writer",
    "seq",
    "time",
    "action",
    "outcome",
    "actor",
    "name",
    "share",
    "link",
    "visit",
    "came_from",
    "reason",
    "rule",
    "method",
    "path",
    "status",
    "bytes_in",
    "bytes_out",
    "duration_ms",
    "count",
    "detail",
    "address",
    "agent",
    "at",
    "erased",
    "digest",
)


def rows(sealed: Iterable[Sealed]) -> Iterator[dict[str, Any]]:
    """One plain mapping per event, keys as COLUMNS. `time` is ISO 8601 (UTC), `erased`: personal values are gone."""
    for one in sealed:
        event = opened(one)
        row: dict[str, Any] = {name: getattr(event, name) for name in event.__struct_fields__}
        row["action"], row["outcome"] = event.action.value, event.outcome.value
        row["writer"], row["digest"], row["erased"] = one.writer, one.digest, erased(one)
        row["time"] = _readable(event.at)
        yield {name: row[name] for name in COLUMNS}


def _readable(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return ""  # altered: no date of a calendar


def json_lines(sealed: Iterable[Sealed]) -> Iterator[str]:
    """One JSON object per line (with its line feed)."""
    for row in rows(sealed):
        yield msgspec.json.encode(row).decode() + "\n"


def csv_lines(sealed: Iterable[Sealed], *, header: bool = True) -> Iterator[str]:
    """RFC 4180 with a header, but for later pages; no text is a formula."""
    return sheet.lines(COLUMNS, (tuple(row.values()) for row in rows(sealed)), header=header)


# {who}: the visitor or whoever acted; {path}, {detail}: as recorded; {because}: the reason's sentence.
_SENTENCES: dict[Action, str] = {
    Action.SHARE_CREATED: "{owner} shared a folder{with_detail}",
    Action.SHARE_CHANGED: "{owner} changed what is shared{with_detail}",
    Action.SHARE_PAUSED: "{owner} paused sharing; everybody is out",
    Action.SHARE_RESUMED: "{owner} resumed sharing",
    Action.SHARE_SUSPENDED: "Sharing was suspended: the folder is another one, or holds something of the gate",
    Action.SHARE_CONFIRMED: "{owner} confirmed the folder; sharing goes on",
    Action.SHARE_REVOKED: "{owner} ended sharing for good",
    Action.SHARE_PROVED: "{owner} had the share attacked by its own gate{with_detail}",
    Action.LINK_CREATED: "{owner} made a link{for_name}{with_detail}",
    Action.LINK_CHANGED: "{owner} changed a link{for_name}{with_detail}",
    Action.LINK_PAUSED: "{owner} paused a link{for_name}",
    Action.LINK_RESUMED: "{owner} resumed a link{for_name}",
    Action.LINK_REPLACED: "{owner} replaced a link{for_name}; the old one stopped working",
    Action.LINK_SENT: "{owner} had a link mailed{for_name}",
    Action.LINK_UNSENT: "A link could not be mailed{for_name}",
    Action.LINK_REVOKED: "{owner} ended a link{for_name} for good",
    Action.COOWNER_ADDED: "{owner} made {whom} a co-owner, who lets others in{with_detail}",
    Action.COOWNER_REMOVED: "{owner} took it from {whom} to be a co-owner",
    Action.LINK_JOINED: "{who} opened the link and came in",
    Action.LINK_REENTERED: "{who} opened the link again in the same browser",
    Action.LINK_REFUSED: "{who} opened a link and was not let in{because}",
    Action.LINK_PASSED_ON: "A link or address seems to have been passed on{to_name}{with_detail}",
    Action.KNOCK_MADE: "{who} knocked and waits",
    Action.KNOCK_ADMITTED: "{owner} let {whom} in",
    Action.KNOCK_REFUSED: "{owner} did not let {whom} in",
    Action.CODE_ASKED: "A code for a link was asked for, to be mailed to {whom}",
    Action.CODE_UNSENT: "A code was to be mailed to {whom}{with_detail}",
    Action.CODE_PROVED: "Somebody proved by a mailed code that they are {whom}",
    Action.SHORT_CODE_MADE: "{owner} made a short code for a link{for_name}{with_detail}",
    Action.SHORT_CODE_ENDED: "{owner} ended the short code of a link{for_name}",
    Action.SHORT_CODE_USED: "Somebody typed the short code of a link",
    Action.ACCOUNT_PROVED: "Somebody signed in as {whom}",
    Action.ACCOUNT_FAILED: "Somebody tried to sign in and could not{because}{with_detail}",
    Action.DASHBOARD_ENTERED: "{whom} signed in to the dashboard{with_detail}",
    Action.DASHBOARD_REFUSED: "Somebody tried to sign in to the dashboard and could not{with_detail}",
    Action.DEVICE_CODE_MADE: "{who} asked for a code to add another device",
    Action.DEVICE_ADDED: "{who} came in on another device",
    Action.PROGRAM_JOINED: "A program began to use the link{for_name}",
    Action.PROGRAM_ELSEWHERE: "A program uses the link{for_name} from elsewhere or under another name{with_detail}",
    Action.VISIT_ENDED: "The visit of {whom} was ended{because}{with_detail}",
    Action.VISIT_LEFT: "{who} left",
    Action.REQUEST_ANSWERED: "{who} {did}",
    Action.REQUEST_DENIED: "{who} was refused{at_path}{because}",
    Action.STRANGER_DENIED: "Somebody without a link was refused{times}{at_path}{because}",
    Action.CHANNEL_OPENED: "{who} opened{a_path}",
    Action.CHANNEL_CLOSED: "{who} closed{a_path}{with_detail}",
    Action.CHANNEL_REFUSED: "{who} was refused a live connection{at_path}{because}",
    Action.CHANNEL_SUMMARY: "{who} followed{a_path}",
    Action.DOCUMENT_WRITTEN: "{who} began to edit{a_path}",
    Action.DOCUMENT_CORRECTED: "An edit of {whom} was put right{at_path}{with_detail}",
    Action.DOCUMENT_REFUSED: "An edit of {whom} was refused{at_path}{because}",
    Action.RUN_ASKED: "{who} asked for a cell to be run{at_path}",
    Action.RUN_ANSWERED: "{owner} answered {whom}, who asked for a cell to be run{at_path}{with_detail}",
    Action.SNAPSHOT_TAKEN: "A version of {the_path} was kept{with_detail}",
    Action.DOCUMENT_RESTORED: "{owner} restored {the_path}{with_detail}",
    Action.DOCUMENT_UNDONE: "{owner} undid what {whom} had changed in {the_path}{with_detail}",
    Action.DOCUMENT_ALARM: "{the_path} changed in a way that looks like damage{with_detail}",
    Action.MAIL_TESTED: "{owner} had a test mail sent{to_name}{with_detail}",
    Action.UPSTREAM_ADDED: "{owner} added a Jupyter server{with_detail}",
    Action.UPSTREAM_REMOVED: "{owner} removed a Jupyter server{with_detail}",
    Action.UPSTREAM_LOST: "The Jupyter server stopped answering{with_detail}",
    Action.UPSTREAM_BACK: "The Jupyter server answers again{with_detail}",
    Action.RULES_APPLIED: "The rules were applied to what is shared{with_detail}",
    Action.TIME_ASKED: "{who} asked for more time",
    Action.TIME_GRANTED: "{owner} gave {whom} more time{with_detail}",
    Action.TIME_REFUSED: "{owner} did not give {whom} more time",
    Action.NOTIFICATION_LOST: "A notification was not taken by its service{with_detail}",
    Action.NOTIFICATION_TESTED: "{owner} sent a notification to try it out{with_detail}",
    Action.REPORT_MADE: "A visitor reported a share to the admins{with_detail}",
    Action.REPORT_CLOSED: "A report was closed{with_detail}",
    Action.REPORT_REOPENED: "A report was opened again{with_detail}",
    Action.ACCESS_REVIEWED: "{owner} reviewed what is shared and signed it off{with_detail}",
    Action.KEY_ADDED: "A signing key was added{with_detail}",
    Action.KEY_RETIRED: "A signing key was retired{with_detail}",
    Action.KEY_REFUSED: "A signing key is not trusted any more; links that it signed stopped working{with_detail}",
    Action.TOKEN_CREATED: "{owner} made a token for a program{with_detail}",
    Action.TOKEN_REVOKED: "{owner} revoked the token of a program{with_detail}",
    Action.TRAIL_ERASED: "{owner} erased what identifies somebody{with_detail}",
    Action.STORE_COPIED: "{owner} had the records copied{with_detail}",
    Action.STORE_RESTORED: "Older records were put in the place of newer ones",
    Action.STORE_MIGRATED: "The records were brought to a newer format{with_detail}",
    Action.GATE_STARTED: "sharegate started{with_detail}",
    Action.CLOCK_BELIEVED: "The clock is believed again after an hour",
    Action.GATE_STOPPED: "sharegate stopped{with_detail}",
    Action.TRAIL_GAP: "{count} acts could not be recorded and were refused",
    Action.TRAIL_UNREADABLE: "An entry cannot be read{with_detail}",
}
_ACTORS = {
    "owner": "The owner",
    "admin": "An admin",
    "visitor": "A visitor",
    "stranger": "Somebody",
    "gate": "sharegate",
    "token": "A program with a token",
    "coowner": "A co-owner",
}


def describe(event: AuditEvent, by: str = "") -> str:
    """The event as one sentence in people's words, for a terminal. Its strings are bounded already. `by` is the name of
    the co-owner who did it, where it is known."""
    actor = _ACTORS.get(event.actor.partition(":")[0], "Somebody")
    actor = f"{by}, a co-owner," if by else actor
    parts = {
        "who": event.name or actor,
        "whom": event.name or "a visitor",
        "owner": actor,
        "for_name": f" for {event.name}" if event.name else "",
        "to_name": f" to {event.name}" if event.name else "",
        "at_path": f" at {event.path}" if event.path else "",
        "a_path": f" {event.path}" if event.path else " a document",
        "the_path": f"the document {event.path}" if event.path else "a document",
        "with_detail": f" ({event.detail})" if event.detail else "",
        "because": _because(event.reason),
        "times": f" {event.count} more times" if event.count > 1 and event.detail != TOTAL else "",
        "count": str(event.count),
        "did": _did(event),
    }
    if event.action is Action.STRANGER_DENIED and event.detail == TOTAL:
        return f"{event.count} further refusals of people without a link."
    template = _SENTENCES[event.action]
    if event.action is Action.VISIT_ENDED and coowner_of(event):
        template = "{owner} put {whom} out"
    elif event.action is Action.CHANNEL_CLOSED and event.outcome is Outcome.DENIED:
        # Closed by the gate: who had it open did nothing.
        template = "For {whom}{a_path} was closed{because}"
    sentence = template.format_map(parts)
    if event.outcome is Outcome.FAILED and event.action not in (Action.TRAIL_GAP, Action.TRAIL_UNREADABLE):
        sentence += ", which failed"
    return sentence[0].upper() + sentence[1:] + "."


def _did(event: AuditEvent) -> str:
    """In people's words. Writes that stay with the visit (layout, settings) and the PUT by which a page asks where a
    document's room is change nothing of the owner's."""
    kind = event.rule.partition("-")[0]
    if kind in ("own", "lab", "doc") and event.method not in ("", "GET", "HEAD"):
        return "kept their own layout or settings"
    verb = "changed" if kind == "contents" and event.method not in ("", "GET", "HEAD") else "asked for"
    return f"{verb} {event.path or 'a page'}"


def _because(reason: str) -> str:
    try:
        sentence = MEANINGS[Reason(reason)].sentence
    except ValueError:
        return f" ({reason})" if reason else ""  # a reason of a newer or older version
    return f": {sentence[0].lower()}{sentence[1:].rstrip('.')} ({reason})"
