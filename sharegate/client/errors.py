"""What can go wrong, as exceptions. `reason` is the gate's public code (docs/reference/reasons.md); none holds a token.

ShareError
├── BadLink       what was given is no link, or no token
├── Ended         the owner ended, paused or replaced it, it expired, asks for more, or is not for programs
├── NotAllowed    the role or the share does not include that
├── NotFound      nothing is there, as far as the share goes
├── Conflict      something else stands there, or it is open
├── TooMuch       too large, or too often
├── EditRefused   the gate took back an edit; the notebook is as the others have it
├── EditsLost     the server began the document anew; what was not saved may be gone
├── NotSent       closed before the gate had all that was written
└── Unreachable   the gate, or the Jupyter server behind it, does not answer
"""

from __future__ import annotations

import msgspec

# The code of a refusal that ends the use of a link, for now or for good.
ENDED = frozenset(
    {"link_revoked", "link_replaced", "link_expired", "link_paused", "visit_ended", "clients_off", "no_access"}
    | {"share_revoked", "share_expired", "share_paused", "share_suspended", "places_taken"}
    | {"outside_networks", "not_yet", "passphrase_needed", "recipient_needed", "account_needed", "approval_needed"}
)
_EDITS = frozenset({"update_refused", "update_too_large", "writing_ended"})


class ShareError(Exception):
    """Base of all errors. `id` names the refusal in the owner's history."""

    def __init__(self, reason: str, message: str, id: str = "") -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.id = id

    def __str__(self) -> str:
        return f"{self.message} ({self.reason})"


class BadLink(ShareError):
    pass


class Ended(ShareError):
    pass


class NotAllowed(ShareError):
    pass


class NotFound(ShareError):
    pass


class Conflict(ShareError):
    pass


class TooMuch(ShareError):
    pass


class EditRefused(ShareError):
    pass


class EditsLost(ShareError):
    pass


class NotSent(ShareError):
    """`cells` are the ids of the cells in which something was written that the gate may not have."""

    def __init__(self, message: str, cells: tuple[str, ...]) -> None:
        super().__init__("not_sent", message)
        self.cells = cells


class Unreachable(ShareError):
    pass


class _Error(msgspec.Struct):
    code: str
    message: str = ""
    id: str = ""


class _Refusal(msgspec.Struct):
    """The body of a refusal (sharegate.visits.pages.refusal)."""

    error: _Error
    message: str = ""


def refusal(status: int, body: bytes) -> ShareError:
    """The error for an answer of status 400 and up; what is no refusal of a gate's is one by its status."""
    try:
        read = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        read = _Refusal(_Error(f"http_{status}", f"The answer was {status}, without a reason."))
    code = read.error.code
    return kind_of(code, status)(code, read.message or read.error.message, read.error.id)


def kind_of(code: str, status: int = 0) -> type[ShareError]:
    """Which error goes with a code; the status decides for those without one of their own."""
    if code in ENDED:
        return Ended
    if code in _EDITS:
        return EditRefused
    by_status = {403: NotAllowed, 404: NotFound, 409: Conflict, 413: TooMuch, 429: TooMuch}
    return by_status.get(status, Unreachable if status >= 500 else ShareError)
