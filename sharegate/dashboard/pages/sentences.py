"""Entries of the history for reading: their sentences in parts, and actions in the words that people look for."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
Parts = list[tuple[str, str]]

# Each action of the trail stands in one group, or a test fails.
GROUPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Coming and going",
        (
            ("link.joined", "came in by a link"),
            ("link.reentered", "opened the link again"),
            ("device.code_made", "asked for a code for another device"),
            ("device.added", "came in on another device"),
            ("program.joined", "a program began to use a link"),
            ("code.asked", "asked for a code by mail"),
            ("code.unsent", "a code could not be mailed"),
            ("code.proved", "proved an address"),
            ("account.proved", "signed in"),
            ("account.failed", "could not sign in"),
            ("dashboard.entered", "signed in to the dashboard"),
            ("dashboard.refused", "could not sign in to the dashboard"),
            ("time.asked", "asked for more time"),
            ("time.granted", "more time was given"),
            ("time.refused", "more time was not given"),
            ("short_code.used", "typed a short code"),
            ("visit.left", "left"),
            ("visit.ended", "a visit was ended"),
        ),
    ),
    (
        "Passing on and knocking",
        (
            ("link.passed_on", "a link or address was passed on"),
            ("program.elsewhere", "a program used a link from elsewhere"),
            ("knock.made", "knocked"),
            ("knock.admitted", "was let in"),
            ("knock.refused", "was not let in"),
        ),
    ),
    (
        "Reading",
        (
            ("request.answered", "a page or file was asked for"),
            ("channel.opened", "a document was opened"),
            ("channel.summary", "a document was followed"),
            ("channel.closed", "a document was closed"),
        ),
    ),
    (
        "Changing",
        (
            ("document.written", "began to edit"),
            ("document.corrected", "an edit was put right"),
            ("document.alarm", "a document looks damaged"),
            ("document.restored", "a version was restored"),
            ("document.undone", "a person's edits were undone"),
            ("snapshot.taken", "a version was kept"),
            ("run.asked", "asked for a cell to be run"),
            ("run.answered", "that was answered"),
        ),
    ),
    (
        "Refused",
        (
            ("request.denied", "a visitor's request"),
            ("link.refused", "a link that was opened"),
            ("channel.refused", "a live connection"),
            ("document.refused", "an edit"),
            ("stranger.denied", "somebody without a link"),
        ),
    ),
    (
        "Shares and links",
        (
            ("share.created", "a folder was shared"),
            ("share.changed", "a share was changed"),
            ("share.paused", "a share was paused"),
            ("share.resumed", "a share was resumed"),
            ("share.suspended", "a share was suspended"),
            ("share.confirmed", "a folder was confirmed"),
            ("share.revoked", "a share was ended"),
            ("share.proved", "a share was attacked by its own gate"),
            ("link.created", "a link was made"),
            ("link.changed", "a link was changed"),
            ("link.paused", "a link was paused"),
            ("link.resumed", "a link was resumed"),
            ("link.replaced", "a link was replaced"),
            ("link.revoked", "a link was ended"),
            ("short_code.made", "a short code was made"),
            ("short_code.ended", "a short code was ended"),
            ("link.sent", "a link was mailed"),
            ("link.unsent", "a link could not be mailed"),
            ("coowner.added", "somebody was made a co-owner"),
            ("coowner.removed", "somebody is no co-owner any more"),
        ),
    ),
    (
        "The gate itself",
        (
            ("gate.started", "sharegate started"),
            ("gate.stopped", "sharegate stopped"),
            ("upstream.added", "a Jupyter server was added"),
            ("upstream.removed", "a Jupyter server was removed"),
            ("upstream.lost", "a Jupyter server went away"),
            ("upstream.back", "a Jupyter server came back"),
            ("access.reviewed", "access was reviewed"),
            ("report.made", "a visitor reported a share"),
            ("report.closed", "a report was closed"),
            ("report.reopened", "a report was opened again"),
            ("rules.applied", "rules were applied"),
            ("key.added", "a signing key was added"),
            ("key.retired", "a signing key was retired"),
            ("key.refused", "a signing key was given up"),
            ("token.created", "a token for a program was made"),
            ("token.revoked", "a token for a program was ended"),
            ("notification.lost", "a notification was lost"),
            ("notification.tested", "a notification was sent to try it out"),
            ("mail.tested", "a mail was sent to try it out"),
            ("trail.erased", "somebody was forgotten"),
            ("trail.gap", "acts could not be recorded"),
            ("trail.unreadable", "an entry cannot be read"),
            ("store.migrated", "records were brought to a newer format"),
            ("store.copied", "the records were copied"),
            ("store.restored", "older records were put back"),
            ("clock.believed", "the clock is believed again"),
        ),
    ),
)
OUTCOMES = (("allowed", "done"), ("denied", "refused"), ("failed", "failed"))


def parts(event: Json) -> Parts:
    """The sentence, cut where it names a person or a path: each of those is set apart from the words around it, so
    that letters of another direction do not move them."""
    found: Parts = [("", event["text"])]
    for kind, value in (("path", event["path"]), ("name", event["name"]), ("name", event.get("by", ""))):
        if value:
            found = [piece for part in found for piece in _cut(part, kind, value)]
    return found


def _cut(part: tuple[str, str], kind: str, value: str) -> Parts:
    known, text = part
    # A sentence begins with a capital, also where it begins with a name.
    at = text.casefold().find(value.casefold()) if known == "" else -1
    if at < 0 or len(text.casefold()) != len(text):
        at = text.find(value) if known == "" else -1
    if at < 0:
        return [part]
    before, inner, after = text[:at], text[at : at + len(value)], text[at + len(value) :]
    return [piece for piece in (("", before), (kind, inner), ("", after)) if piece[1]]
