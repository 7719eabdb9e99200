"""docs/reference/reasons.md: every reason for a refusal, as whoever reads the history needs it.

Print it with: python -m sharegate.visits.pages.reasons
"""

from __future__ import annotations

from sharegate.errors import MEANINGS, Reason
from sharegate.visits.pages.refusal import REMEDIES

# What happened, for the owner. The visitor is told only the sentence of the public code.
EXPLAINED: dict[Reason, str] = {
    Reason.NO_CREDENTIAL: "an address of a visit was asked for without its cookie",
    Reason.BAD_CREDENTIAL: "a share token that this gate did not sign, or of a link it does not know",
    Reason.AMBIGUOUS_CREDENTIAL: "two cookies of one name, or a cookie and a token together",
    Reason.OTHER_VISIT: "a cookie, but not the one of this visit; or there is no such visit",
    Reason.VISIT_ENDED: "this visit ended: the visitor left, the owner ended it, or its time was over",
    Reason.LINK_REVOKED: "the link was revoked",
    Reason.LINK_REPLACED: "an older address of a link that was replaced",
    Reason.LINK_EXPIRED: "the link's time is over",
    Reason.LINK_PAUSED: "the link is paused",
    Reason.LINK_IN_USE: "a link for one person was opened in another browser",
    Reason.SEATS_TAKEN: "everybody that an open link has room for is in",
    Reason.DEVICES_TAKEN: "the visitor has as many devices as the link allows, or it allows none",
    Reason.DEVICE_CODE_INVALID: "a device code that is wrong, spent or older than five minutes",
    Reason.KNOCK_REFUSED: "the owner answered a knock with no",
    Reason.SHARE_REVOKED: "the share was revoked",
    Reason.SHARE_EXPIRED: "the share's time is over",
    Reason.SHARE_PAUSED: "the share is paused",
    Reason.ROOT_CHANGED: "what stands at the shared path is not what was shared: moved, replaced or deleted",
    Reason.CLIENTS_OFF: "a program used a link that is for browsers",
    Reason.BROWSER_ON_PROGRAM_ADDRESS: "a browser asked for an address that is for programs",
    Reason.PLACES_TAKEN: "programs used a link from as many networks within an hour as it allows devices",
    Reason.OUTSIDE_NETWORKS: "somebody used a link from outside the networks that it is for",
    Reason.NOT_YET: "a link was used before the moment from which on it opens",
    Reason.PASSPHRASE_NEEDED: "the link has a passphrase, and this visit has not shown it, or not the newest",
    Reason.PASSPHRASE_WRONG: "somebody at the door typed a wrong passphrase; several in a short time are one entry",
    Reason.RECIPIENT_NEEDED: "the link is for a proved e-mail address, and this visit has not proved one that fits",
    Reason.APPROVAL_NEEDED: "the link lets people in one by one, and the owner has not let in this visit",
    Reason.ACCOUNT_NEEDED: "the link is for who signs in, and this visit has not, or with another account",
    Reason.OTHER_ACCOUNT: "somebody at the door signed in with another account than the link is for",
    Reason.OTHER_DOMAIN: "somebody at the door typed an address of another domain than the link is for",
    Reason.MAIL_CODE_INVALID: "a mailed code that is wrong, spent or expired, of another link, address or browser, or "
    "tried too often; several in a short time are one entry",
    Reason.SHORT_CODE_INVALID: "a short code that is wrong, over, or of a link that lets nobody in",
    Reason.BAD_ORIGIN: "a WebSocket or a change from a page that is not the gate's, or that does not say where from",
    Reason.BAD_HOST: "the gate was asked for under another name than its own",
    Reason.CROSS_SITE: "a page of another site asked, and not by a navigation",
    Reason.SERVICE_WORKER: "a script wanted to install itself in front of the gate",
    Reason.BAD_PATH: "a path with dot segments, backslashes, control characters or a second layer of encoding",
    Reason.BAD_QUERY: "a query that this address does not take",
    Reason.BAD_HEADER: "a header that appears twice, or says what it must not",
    Reason.BAD_FORWARDING: "a proxy of `trusted_forwarders` told an address or scheme of the visitor that is none",
    Reason.BAD_BODY: "a body that is not what this address takes",
    Reason.BODY_TOO_LARGE: "a body larger than this address takes",
    Reason.BAD_FRAME: "a message on a live connection that does not read, or that may not be sent there",
    Reason.OUTSIDE_ROOT: "a path outside what is shared",
    Reason.HIDDEN_PATH: "a hidden file or folder (its name begins with a dot)",
    Reason.LINK_OUT: "a symbolic link that leads outside what is shared",
    Reason.NOT_FOUND: "nothing is there",
    Reason.NO_RULE: "an address that no rule names",
    Reason.ROUTE_DENIED: "an address that a rule denies by name",
    Reason.CAPABILITY_MISSING: "something that the visitor's role does not include",
    Reason.ROOM_UNKNOWN: "a document that nobody asked a session for, or that is gone",
    Reason.ROOM_FORMAT: "a document in another format or type than it is shared in",
    Reason.ROOM_LEFT_ROOT: "an open document that was moved out of what is shared",
    Reason.UPDATE_REFUSED: "an edit that would have harmed the document or whoever has it open; it reached nobody",
    Reason.UPDATE_TOO_LARGE: "an edit above a limit of size, and nothing else is known against it; it reached nobody",
    Reason.WRITING_ENDED: "three refused edits (or six that were too large) within a minute: this visit can only read",
    Reason.DOCUMENT_OPEN: "a file was to be written over while it is open, or what is named `*` to go from beside it",
    Reason.RUNS_BY_ITSELF: "a file was to be made whose name has a program load or run it (`*.py` beside a notebook)",
    Reason.CONFLICT: "the server found something else at that place than the change was made for",
    Reason.VERSIONS_FULL: "what one visit replaced fills a quarter of `versions_megabytes` (one link: half)",
    Reason.HIDDEN_INSIDE: "a folder was to be deleted or copied that holds hidden files (`.env`, `x~`)",
    Reason.UNSEEN_DISK: "a folder was to be copied on a server whose disk the gate does not see",
    Reason.JOIN_LIMIT: "too many attempts at the door from one network, or too many knocks waiting at one link",
    Reason.CREDENTIAL_LIMIT: "too many wrong credentials from one network",
    Reason.REQUEST_LIMIT: "more requests than a visit may make in a minute or have running; no room for a large save",
    Reason.CHANNEL_LIMIT: "more live connections than a visit, link or share may hold",
    Reason.ROOM_LIMIT: "more live documents than one visit may have open",
    Reason.BYTES_LIMIT: "more data than one visit may receive in a minute",
    Reason.MAIL_LIMIT: "too many mails with codes were asked for: to one address, for one link, from one network or of "
    "this gate",
    Reason.REPORT_LIMIT: "too many reports from one network, or too many wait for an admin",
    Reason.OVERLAY_LIMIT: "more layouts or settings of their own than a visitor may keep",
    Reason.UPSTREAM_AWAY: "the Jupyter server is not running or cannot be reached",
    Reason.UPSTREAM_TIMEOUT: "the Jupyter server took too long",
    Reason.UPSTREAM_BAD_ANSWER: "the Jupyter server answered something that the gate cannot show to be safe",
    Reason.UPSTREAM_NOT_OURS: "another program listens where the Jupyter server was, so nothing was sent to it",
    Reason.STORE_UNAVAILABLE: "the gate's records cannot be written (full disk, locked file), so nobody is let in",
    Reason.SIGN_IN_FAILED: "a browser came back with an answer that is not the provider's, or not to what it asked",
    Reason.SIGN_IN_UNAVAILABLE: "somebody was to sign in, and there is no provider of accounts, or it does not answer",
    Reason.MAIL_UNAVAILABLE: "a code was to be mailed, and the gate has no mail server, or it takes no mail from it",
    Reason.DRAINING: "the gate was stopping",
}

assert set(EXPLAINED) == set(Reason), "every reason is explained"

_HEAD = """\
# Reasons

Generated from the program: change the words there, not here.

Whenever the gate refuses, it does so for one reason from this list. The history (`sharegate audit show`) keeps the
true reason; the visitor is told the public code and its sentence. Reasons with the same public code are one answer to
a visitor, byte for byte, apart from a random id that the history knows too.

## For whoever reads the history

| reason | what happened | status | public code |
|---|---|---|---|
"""

_TOLD = """
## What a visitor reads

| public code | status | sentence | what to do |
|---|---|---|---|
"""


def documentation() -> str:
    """The page, whole."""
    rows = [
        f"| `{reason.value}` | {EXPLAINED[reason]} | {MEANINGS[reason].status} | `{MEANINGS[reason].public}` |\n"
        for reason in Reason
    ]
    told = {
        meaning.public: f"| `{meaning.public}` | {meaning.status} | {meaning.sentence} | {REMEDIES[meaning.public]} |\n"
        for meaning in MEANINGS.values()
    }
    return _HEAD + "".join(rows) + _TOLD + "".join(told.values())


if __name__ == "__main__":
    print(documentation(), end="")
