"""Every error that sharegate raises on purpose, and the closed list of reasons for a refusal.

SharegateError
├── Denied            the gate refuses a request (carries one Reason)
├── Invalid           bad input from a person or a program: field, problem, remedy
│   └── Faults        several of them together (configuration, policy files)
├── NotFound          the named share, link, visit, knock, server does not exist
├── Ambiguous         a short id or name fits several things
├── Refused           an owner's command that the rules of the house do not permit
├── Unreachable       a gate or a Jupyter server that should answer does not
├── Unsent            a mail that the mail server did not take, or may not have taken
└── StoreUnavailable  the store cannot promise durability: the gate fails closed (503)
    └── AccountFull   it keeps nothing more on one visitor's account
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why the gate refused. One per refusal; the same word in code, trail, pages, docs and tests."""

    # who is asking
    NO_CREDENTIAL = "no_credential"
    BAD_CREDENTIAL = "bad_credential"
    AMBIGUOUS_CREDENTIAL = "ambiguous_credential"
    OTHER_VISIT = "other_visit"
    VISIT_ENDED = "visit_ended"
    LINK_REVOKED = "link_revoked"
    LINK_REPLACED = "link_replaced"
    LINK_EXPIRED = "link_expired"
    LINK_PAUSED = "link_paused"
    LINK_IN_USE = "link_in_use"
    SEATS_TAKEN = "seats_taken"
    DEVICES_TAKEN = "devices_taken"
    DEVICE_CODE_INVALID = "device_code_invalid"
    KNOCK_REFUSED = "knock_refused"
    SHARE_REVOKED = "share_revoked"
    SHARE_EXPIRED = "share_expired"
    SHARE_PAUSED = "share_paused"
    ROOT_CHANGED = "root_changed"
    CLIENTS_OFF = "clients_off"
    BROWSER_ON_PROGRAM_ADDRESS = "browser_on_program_address"
    PLACES_TAKEN = "places_taken"
    # what a link asks for
    OUTSIDE_NETWORKS = "outside_networks"
    NOT_YET = "not_yet"
    PASSPHRASE_NEEDED = "passphrase_needed"  # noqa: S105 -- a word, no secret
    PASSPHRASE_WRONG = "passphrase_wrong"  # noqa: S105 -- a word, no secret
    RECIPIENT_NEEDED = "recipient_needed"
    ACCOUNT_NEEDED = "account_needed"
    OTHER_ACCOUNT = "other_account"
    APPROVAL_NEEDED = "approval_needed"
    OTHER_DOMAIN = "other_domain"
    MAIL_CODE_INVALID = "mail_code_invalid"
    SHORT_CODE_INVALID = "short_code_invalid"
    SIGN_IN_FAILED = "sign_in_failed"
    # where the request comes from
    BAD_ORIGIN = "bad_origin"
    BAD_HOST = "bad_host"
    CROSS_SITE = "cross_site"
    SERVICE_WORKER = "service_worker"
    # what it says
    BAD_PATH = "bad_path"
    BAD_QUERY = "bad_query"
    BAD_HEADER = "bad_header"
    BAD_FORWARDING = "bad_forwarding"
    BAD_BODY = "bad_body"
    BODY_TOO_LARGE = "body_too_large"
    BAD_FRAME = "bad_frame"
    # where it wants to go
    OUTSIDE_ROOT = "outside_root"
    HIDDEN_PATH = "hidden_path"
    LINK_OUT = "link_out"
    NOT_FOUND = "not_found"
    # what it wants to do
    NO_RULE = "no_rule"
    ROUTE_DENIED = "route_denied"
    CAPABILITY_MISSING = "capability_missing"
    ROOM_UNKNOWN = "room_unknown"
    ROOM_FORMAT = "room_format"
    ROOM_LEFT_ROOT = "room_left_root"
    # what it would change
    UPDATE_REFUSED = "update_refused"
    UPDATE_TOO_LARGE = "update_too_large"
    WRITING_ENDED = "writing_ended"
    DOCUMENT_OPEN = "document_open"
    RUNS_BY_ITSELF = "runs_by_itself"
    CONFLICT = "conflict"
    VERSIONS_FULL = "versions_full"
    HIDDEN_INSIDE = "hidden_inside"
    UNSEEN_DISK = "unseen_disk"
    # how much
    JOIN_LIMIT = "join_limit"
    CREDENTIAL_LIMIT = "credential_limit"
    REQUEST_LIMIT = "request_limit"
    CHANNEL_LIMIT = "channel_limit"
    ROOM_LIMIT = "room_limit"
    BYTES_LIMIT = "bytes_limit"
    OVERLAY_LIMIT = "overlay_limit"
    MAIL_LIMIT = "mail_limit"
    REPORT_LIMIT = "report_limit"
    # what is not there
    UPSTREAM_AWAY = "upstream_away"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_BAD_ANSWER = "upstream_bad_answer"
    UPSTREAM_NOT_OURS = "upstream_not_ours"
    STORE_UNAVAILABLE = "store_unavailable"
    MAIL_UNAVAILABLE = "mail_unavailable"
    SIGN_IN_UNAVAILABLE = "sign_in_unavailable"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reason becomes at the edge.

    `public` is the code a visitor is told. Reasons that share a `public` code are one answer to a
    visitor, byte for byte but for a random id; only the trail keeps the true reason.
    """

    status: int
    public: str
    sentence: str


_NOT_FOUND = Meaning(404, "not_found", "There is nothing here.")
_STRANGER = Meaning(401, "no_access", "This address needs a link that is in use in this browser.")
_BAD_REQUEST = "The request was not understood."
_LIMIT = "Too much at once. Wait a moment, then try again."
_NOT_ALLOWED = Meaning(403, "not_allowed", "This share does not allow that.")
_FOREIGN = Meaning(403, "cross_site", "The request came from another site.")


def _bad(status: int = 400) -> Meaning:
    return Meaning(status, "bad_request", _BAD_REQUEST)


MEANINGS: dict[Reason, Meaning] = {
    Reason.NO_CREDENTIAL: _STRANGER,
    Reason.BAD_CREDENTIAL: _STRANGER,
    Reason.AMBIGUOUS_CREDENTIAL: _STRANGER,
    Reason.OTHER_VISIT: _STRANGER,
    Reason.VISIT_ENDED: Meaning(403, "visit_ended", "This visit has ended."),
    Reason.LINK_REVOKED: Meaning(403, "link_revoked", "This link was ended by its owner."),
    Reason.LINK_REPLACED: Meaning(403, "link_replaced", "This link was replaced by a newer one."),
    Reason.LINK_EXPIRED: Meaning(403, "link_expired", "This link has expired."),
    Reason.LINK_PAUSED: Meaning(403, "link_paused", "This link is paused."),
    Reason.LINK_IN_USE: Meaning(409, "link_in_use", "This link is in use in another browser."),
    Reason.SEATS_TAKEN: Meaning(409, "seats_taken", "Everybody this link has room for is in."),
    Reason.DEVICES_TAKEN: Meaning(409, "devices_taken", "No further device can be added."),
    Reason.DEVICE_CODE_INVALID: Meaning(403, "device_code_invalid", "This code is not valid any more."),
    Reason.KNOCK_REFUSED: Meaning(403, "knock_refused", "The owner did not let you in."),
    Reason.SHARE_REVOKED: Meaning(403, "share_revoked", "Sharing was ended by its owner."),
    Reason.SHARE_EXPIRED: Meaning(403, "share_expired", "This share has expired."),
    Reason.SHARE_PAUSED: Meaning(403, "share_paused", "Sharing is paused."),
    Reason.ROOT_CHANGED: Meaning(403, "share_suspended", "Sharing is suspended until its owner confirms."),
    Reason.CLIENTS_OFF: Meaning(403, "clients_off", "This link is for browsers only."),
    Reason.BROWSER_ON_PROGRAM_ADDRESS: Meaning(403, "not_for_browsers", "This address is for programs."),
    Reason.PLACES_TAKEN: Meaning(409, "places_taken", "Programs use this link from as many places as it allows."),
    Reason.OUTSIDE_NETWORKS: Meaning(403, "outside_networks", "This link does not open from here."),
    Reason.NOT_YET: Meaning(403, "not_yet", "This link does not open yet."),
    Reason.PASSPHRASE_NEEDED: Meaning(403, "passphrase_needed", "This link asks for a passphrase."),
    Reason.PASSPHRASE_WRONG: Meaning(403, "passphrase_wrong", "That is not the passphrase."),
    Reason.RECIPIENT_NEEDED: Meaning(403, "recipient_needed", "This link asks for a proved e-mail address."),
    Reason.ACCOUNT_NEEDED: Meaning(403, "account_needed", "This link asks you to sign in."),
    Reason.OTHER_ACCOUNT: Meaning(403, "other_account", "This link is for another account."),
    Reason.APPROVAL_NEEDED: Meaning(403, "approval_needed", "The owner lets people in one by one."),
    Reason.OTHER_DOMAIN: Meaning(403, "other_domain", "This link is for addresses at another domain."),
    Reason.MAIL_CODE_INVALID: Meaning(403, "mail_code_invalid", "This code does not open the link."),
    Reason.SHORT_CODE_INVALID: Meaning(403, "short_code_invalid", "This code opens nothing."),
    Reason.SIGN_IN_FAILED: Meaning(403, "sign_in_failed", "Signing in did not work."),
    Reason.BAD_ORIGIN: _FOREIGN,
    Reason.BAD_HOST: Meaning(421, "bad_host", "This gate is not known by that name."),
    Reason.CROSS_SITE: _FOREIGN,
    Reason.SERVICE_WORKER: _NOT_ALLOWED,
    Reason.BAD_PATH: _bad(),
    Reason.BAD_QUERY: _bad(),
    Reason.BAD_HEADER: _bad(),
    Reason.BAD_FORWARDING: _bad(),
    Reason.BAD_BODY: _bad(),
    Reason.BODY_TOO_LARGE: Meaning(413, "body_too_large", "The request is larger than this share allows."),
    Reason.BAD_FRAME: _bad(),
    Reason.OUTSIDE_ROOT: _NOT_FOUND,
    Reason.HIDDEN_PATH: _NOT_FOUND,
    Reason.LINK_OUT: _NOT_FOUND,
    Reason.NOT_FOUND: _NOT_FOUND,
    Reason.NO_RULE: _NOT_ALLOWED,
    Reason.ROUTE_DENIED: _NOT_ALLOWED,
    Reason.CAPABILITY_MISSING: _NOT_ALLOWED,
    Reason.ROOM_UNKNOWN: _NOT_FOUND,
    Reason.ROOM_FORMAT: _NOT_FOUND,
    Reason.ROOM_LEFT_ROOT: _NOT_FOUND,
    Reason.UPDATE_REFUSED: Meaning(403, "update_refused", "The gate took back a change that no notebook page makes."),
    Reason.UPDATE_TOO_LARGE: Meaning(413, "update_too_large", "The change is larger than what is taken at once here."),
    Reason.WRITING_ENDED: Meaning(403, "writing_ended", "Too many changes were taken back. You can still read."),
    Reason.DOCUMENT_OPEN: Meaning(409, "document_open", "The file is open in a live page. Edit it there."),
    Reason.RUNS_BY_ITSELF: Meaning(403, "runs_by_itself", "Files that run by themselves cannot be made here."),
    Reason.CONFLICT: Meaning(409, "conflict", "Something else stands there meanwhile."),
    Reason.VERSIONS_FULL: Meaning(413, "versions_full", "What is kept of your changes fills its room."),
    Reason.HIDDEN_INSIDE: Meaning(409, "hidden_inside", "The folder holds something that is hidden here."),
    Reason.UNSEEN_DISK: _NOT_ALLOWED,
    Reason.JOIN_LIMIT: Meaning(429, "too_many", _LIMIT),
    Reason.CREDENTIAL_LIMIT: Meaning(429, "too_many", _LIMIT),
    Reason.REQUEST_LIMIT: Meaning(429, "too_many", _LIMIT),
    Reason.CHANNEL_LIMIT: Meaning(429, "too_many", _LIMIT),
    Reason.ROOM_LIMIT: Meaning(429, "too_many", _LIMIT),
    Reason.BYTES_LIMIT: Meaning(429, "too_many", _LIMIT),
    Reason.MAIL_LIMIT: Meaning(429, "too_many", _LIMIT),
    Reason.REPORT_LIMIT: Meaning(429, "too_many", _LIMIT),
    Reason.OVERLAY_LIMIT: Meaning(413, "overlay_limit", "Your own layout and settings are full here."),
    Reason.UPSTREAM_AWAY: Meaning(503, "server_away", "The Jupyter server behind this link is not running."),
    Reason.UPSTREAM_TIMEOUT: Meaning(504, "server_slow", "The Jupyter server did not answer in time."),
    Reason.UPSTREAM_BAD_ANSWER: Meaning(502, "server_fault", "The Jupyter server gave an unusable answer."),
    Reason.UPSTREAM_NOT_OURS: Meaning(503, "server_away", "The Jupyter server behind this link is not running."),
    Reason.STORE_UNAVAILABLE: Meaning(503, "gate_fault", "The gate cannot keep its records and lets nobody in."),
    Reason.MAIL_UNAVAILABLE: Meaning(503, "mail_unavailable", "No code can be sent at the moment."),
    Reason.SIGN_IN_UNAVAILABLE: Meaning(503, "sign_in_unavailable", "Nobody can sign in at the moment."),
    Reason.DRAINING: Meaning(503, "gate_restarting", "The gate is restarting."),
}

assert set(MEANINGS) == set(Reason), "every reason has a meaning"


class SharegateError(Exception):
    """Base of all errors raised on purpose."""


class Denied(SharegateError):
    """The gate refuses. `detail` is for the trail only and must hold no secret. `wait`: whole seconds after which it is
    worth trying again, where that is known (Retry-After); `recorded`: in the trail already, with all that is known."""

    def __init__(self, reason: Reason, detail: str = "", *, wait: int = 0, recorded: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.wait = wait
        self.recorded = recorded

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}" if self.detail else self.reason.value


class Invalid(SharegateError):
    """Bad input. Nothing was changed."""

    def __init__(self, field: str, problem: str, remedy: str = "") -> None:
        super().__init__(field, problem, remedy)
        self.field = field
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.field}: {self.problem}" if self.field else self.problem
        return f"{text}. {self.remedy}" if self.remedy else text


class Faults(Invalid):
    """Several faults reported together, so that one correction round is enough."""

    def __init__(self, source: str, faults: list[Invalid]) -> None:
        super().__init__(source, f"{len(faults)} fault(s)")
        self.faults = faults

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


class NotFound(SharegateError):
    """The named thing does not exist (exit code 4, status 404)."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name)
        self.kind = kind
        self.name = name

    def __str__(self) -> str:
        return f"no {self.kind} is called {self.name!r}"


class Ambiguous(SharegateError):
    """A short id or name that fits several things. Nothing was done (exit code 2, status 409)."""

    def __init__(self, name: str, candidates: list[str]) -> None:
        super().__init__(name, candidates)
        self.name = name
        self.candidates = candidates

    def __str__(self) -> str:
        return f"{self.name!r} fits several: {', '.join(self.candidates)}"


class Refused(SharegateError):
    """An owner's command that the rules do not permit (exit code 3, status 403). `field` is there where one part of it
    is what is not permitted."""

    def __init__(self, code: str, problem: str, remedy: str = "", field: str = "") -> None:
        super().__init__(code, problem, remedy)
        self.code = code
        self.problem = problem
        self.remedy = remedy
        self.field = field

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}" if self.remedy else self.problem


class Unreachable(SharegateError):
    """A gate or Jupyter server that should answer does not (exit code 5, status 503)."""


class Why(StrEnum):
    """Why a mail was not sent."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TLS = "tls"
    CERTIFICATE = "certificate"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"
    PROTOCOL = "protocol"
    BROKEN = "broken"
    BUSY = "busy"
    UNKNOWN = "unknown"


_UNSENT: dict[Why, tuple[str, str]] = {
    Why.UNREACHABLE: ("cannot be reached", "Check smtp_host and smtp_port, and whether the gate may connect there"),
    Why.TIMEOUT: ("did not answer in time", "Try again later; check smtp_port and smtp_security if it stays so"),
    Why.TLS: ("does not speak TLS as expected", "Check smtp_security: tls (465) or starttls (587), and smtp_port"),
    Why.CERTIFICATE: ("has a certificate that is not believed", "Check that smtp_host is its name, and smtp_ca_file"),
    Why.LOGIN: ("refuses the login", "Check smtp_user and smtp_password_file"),
    Why.SENDER: ("takes no mail from mail_from", "Check mail_from; some servers want smtp_user to be the same"),
    Why.RECIPIENT: ("does not take mail for this address", "Check the address"),
    Why.CONTENT: ("refused the message", "Ask whoever runs it what it objects to"),
    Why.PROTOCOL: ("does not speak as a mail server does", "Check smtp_host, smtp_port and smtp_security"),
    Why.BROKEN: ("broke off", "Try again later"),
    Why.BUSY: ("is asked by too many at once", "Try again in a moment"),
    Why.UNKNOWN: ("broke off after it had the message", "It may have been sent: look there before sending it again"),
}
assert set(_UNSENT) == set(Why), "every reason has words"


class Unsent(SharegateError):
    """A mail that the mail server did not take; for Why.UNKNOWN nobody knows. `told` are the server's own words (code
    and text), for owners; it holds no secret."""

    def __init__(self, why: Why, server: str, told: str = "", *, code: int = 0) -> None:
        super().__init__(why, server, told)
        self.why = why
        self.server = server
        self.code = code
        self.told = " ".join(filter(None, (str(code or ""), told)))

    @property
    def remedy(self) -> str:
        return _UNSENT[self.why][1]

    @property
    def brief(self) -> str:
        """Without the server's words, which may repeat the address: for what is kept and cannot be erased."""
        said = f" ({self.code})" if self.code else ""
        return f"the mail server {self.server} {_UNSENT[self.why][0]}{said}"

    def __str__(self) -> str:
        said = f" ({self.told})" if self.told else ""
        return f"the mail server {self.server} {_UNSENT[self.why][0]}{said}"


class StoreUnavailable(SharegateError):
    """The store cannot promise durability (full disk, lock, corruption). Callers fail closed. `remedy` is there where a
    better one is known than to look at the disk."""

    def __init__(self, *words: object, remedy: str = "") -> None:
        super().__init__(*words)
        self.remedy = remedy


class AccountFull(StoreUnavailable):
    """The store is well, but what is kept on one visitor's account fills what one may have of it."""
