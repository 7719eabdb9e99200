"""The closed list of what the trail records, and the shape of one record."""

from __future__ import annotations

import unicodedata
from enum import StrEnum

import msgspec


class Action(StrEnum):
    """`noun.past`. Every action is documented in docs/trail.md, or a test fails."""

    SHARE_CREATED = "share.created"
    SHARE_CHANGED = "share.changed"
    SHARE_PAUSED = "share.paused"
    SHARE_RESUMED = "share.resumed"
    SHARE_SUSPENDED = "share.suspended"
    SHARE_CONFIRMED = "share.confirmed"
    SHARE_REVOKED = "share.revoked"
    SHARE_PROVED = "share.proved"
    LINK_CREATED = "link.created"
    LINK_CHANGED = "link.changed"
    LINK_PAUSED = "link.paused"
    LINK_RESUMED = "link.resumed"
    LINK_REPLACED = "link.replaced"
    LINK_REVOKED = "link.revoked"
    LINK_SENT = "link.sent"
    LINK_UNSENT = "link.unsent"
    COOWNER_ADDED = "coowner.added"
    COOWNER_REMOVED = "coowner.removed"
    LINK_JOINED = "link.joined"
    LINK_REENTERED = "link.reentered"
    LINK_REFUSED = "link.refused"
    LINK_PASSED_ON = "link.passed_on"
    KNOCK_MADE = "knock.made"
    KNOCK_ADMITTED = "knock.admitted"
    KNOCK_REFUSED = "knock.refused"
    CODE_ASKED = "code.asked"
    CODE_UNSENT = "code.unsent"
    CODE_PROVED = "code.proved"
    SHORT_CODE_MADE = "short_code.made"
    SHORT_CODE_ENDED = "short_code.ended"
    SHORT_CODE_USED = "short_code.used"
    ACCOUNT_PROVED = "account.proved"
    ACCOUNT_FAILED = "account.failed"
    DASHBOARD_ENTERED = "dashboard.entered"
    DASHBOARD_REFUSED = "dashboard.refused"
    DEVICE_CODE_MADE = "device.code_made"
    DEVICE_ADDED = "device.added"
    PROGRAM_JOINED = "program.joined"
    PROGRAM_ELSEWHERE = "program.elsewhere"
    VISIT_ENDED = "visit.ended"
    VISIT_LEFT = "visit.left"
    REQUEST_ANSWERED = "request.answered"
    REQUEST_DENIED = "request.denied"
    STRANGER_DENIED = "stranger.denied"
    CHANNEL_OPENED = "channel.opened"
    CHANNEL_CLOSED = "channel.closed"
    CHANNEL_REFUSED = "channel.refused"
    CHANNEL_SUMMARY = "channel.summary"
    DOCUMENT_WRITTEN = "document.written"
    DOCUMENT_CORRECTED = "document.corrected"
    DOCUMENT_REFUSED = "document.refused"
    RUN_ASKED = "run.asked"
    RUN_ANSWERED = "run.answered"
    SNAPSHOT_TAKEN = "snapshot.taken"
    DOCUMENT_RESTORED = "document.restored"
    DOCUMENT_UNDONE = "document.undone"
    DOCUMENT_ALARM = "document.alarm"
    TIME_ASKED = "time.asked"
    TIME_GRANTED = "time.granted"
    TIME_REFUSED = "time.refused"
    REPORT_MADE = "report.made"
    REPORT_CLOSED = "report.closed"
    REPORT_REOPENED = "report.reopened"
    NOTIFICATION_LOST = "notification.lost"
    NOTIFICATION_TESTED = "notification.tested"
    MAIL_TESTED = "mail.tested"
    UPSTREAM_ADDED = "upstream.added"
    UPSTREAM_REMOVED = "upstream.removed"
    UPSTREAM_LOST = "upstream.lost"
    UPSTREAM_BACK = "upstream.back"
    RULES_APPLIED = "rules.applied"
    ACCESS_REVIEWED = "access.reviewed"
    KEY_ADDED = "key.added"
    KEY_RETIRED = "key.retired"
    KEY_REFUSED = "key.refused"
    TOKEN_CREATED = "token.created"  # noqa: S105 -- an act
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 -- an act
    TRAIL_ERASED = "trail.erased"
    STORE_MIGRATED = "store.migrated"
    STORE_COPIED = "store.copied"
    STORE_RESTORED = "store.restored"
    GATE_STARTED = "gate.started"
    CLOCK_BELIEVED = "clock.believed"
    GATE_STOPPED = "gate.stopped"
    TRAIL_GAP = "trail.gap"
    TRAIL_UNREADABLE = "trail.unreadable"


class Outcome(StrEnum):
    ALLOWED = "allowed"
    DENIED = "denied"
    FAILED = "failed"


def folded(name: str) -> str:
    """One spelling for names that people take for the same."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One recorded act. Empty means unknown or not applicable; sizes are bytes, durations milliseconds.

    `actor` is `owner`, `admin`, `visitor`, `stranger`, `gate`, for a program with a token of the owner's API
    `token:<id>`, and for somebody whom the owner named to let others in `coowner:<visit>`. `name`, `address` and
    `agent` are personal: they enter the chain as salted digests. `seq` and `at` are set by the trail.
    """

    action: Action
    outcome: Outcome = Outcome.ALLOWED
    actor: str
    seq: int = 0
    at: float = 0.0
    share: str = ""
    link: str = ""
    visit: str = ""
    came_from: str = ""
    reason: str = ""
    rule: str = ""
    method: str = ""
    path: str = ""
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    duration_ms: float = 0.0
    count: int = 1
    detail: str = ""
    name: str = ""
    address: str = ""
    agent: str = ""


COOWNER = "coowner"


def coowner_of(event: AuditEvent) -> str:
    """The visit of the co-owner who did it; "" for what others did."""
    kind, _, visit = event.actor.partition(":")
    return visit if kind == COOWNER else ""
