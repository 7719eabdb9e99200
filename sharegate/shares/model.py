"""What an owner gives, and who came: the records of the gate.

Records are immutable; a change is a new record written through the store. Times are seconds since the epoch (UTC).
They hold plain values and each other at most: the collector of cyclic garbage need not look through them (`gc=False`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import msgspec

from sharegate.paths import CanonicalPath
from sharegate.shares.addresses import ShareAddresses

# No vowels and no look-alikes: an id never spells a word and survives being read aloud.
ALPHABET = "23456789bcdfghjkmnpqrstvwxz"
OPEN_ENDED = 400 * 86400.0


def new_id(length: int = 10) -> str:
    """A public handle. It names a record and grants nothing."""
    number = secrets.randbits(5 * length + 64)  # so many that each letter is as likely as the others
    letters = []
    for _ in range(length):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)


class Role(StrEnum):
    VIEW = "view"
    EDIT = "edit"
    RUN = "run"


class Capability(StrEnum):
    """`resource:action`. policies/roles.yaml says which role has which."""

    PAGES_READ = "pages:read"
    STATIC_READ = "static:read"
    CONTENTS_READ = "contents:read"
    CONTENTS_WRITE = "contents:write"
    FILES_READ = "files:read"
    ROOMS_READ = "rooms:read"
    ROOMS_WRITE = "rooms:write"
    KERNELS_READ = "kernels:read"
    KERNELS_EXECUTE = "kernels:execute"
    OVERLAY_WRITE = "overlay:write"
    IDENTITY_READ = "identity:read"


class RootKind(StrEnum):
    DIRECTORY = "directory"
    FILE = "file"


class LinkKind(StrEnum):
    PERSON = "person"
    OPEN = "open"
    PREVIEW = "preview"


class VisitKind(StrEnum):
    BROWSER = "browser"
    DEVICE = "device"
    KNOCK = "knock"
    PREVIEW = "preview"
    CLIENT = "client"


class KnockState(StrEnum):
    WAITING = "waiting"
    ADMITTED = "admitted"
    REFUSED = "refused"
    GONE = "gone"


class FrontEnd(StrEnum):
    """Whose pages a visit begins with; both are there in every visit."""

    LAB = "lab"
    NOTEBOOK = "notebook"


class RootIdentity(msgspec.Struct, frozen=True, gc=False):
    """Device and inode of a share's root, where the gate can see the disk."""

    device: int
    inode: int


class Share(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """This role on this root of this upstream, until then. `paused_by` is the visit of the co-owner who paused it;
    empty where the owner or the rules did."""

    id: str
    upstream: str
    owner: str
    root: str
    kind: RootKind = RootKind.DIRECTORY
    open_file: str = ""
    role: Role = Role.VIEW
    name: str = ""
    message: str = ""
    created: float
    expires: float
    paused: bool = False
    paused_by: str = ""
    suspended: bool = False
    revoked: float | None = None
    clients: bool = False
    own_extensions: bool = False
    runnable_files: bool = False
    page: FrontEnd = FrontEnd.LAB
    identity: RootIdentity | None = None

    @property
    def root_path(self) -> CanonicalPath:
        return _path_of(self.root)

    @property
    def landing(self) -> str:
        """Where a visit begins, percent-encoded and relative to its base: the one file, the file to open, or the
        file browser at the root."""
        return self.notebook_landing if self.page is FrontEnd.NOTEBOOK else self.lab_landing

    @property
    def lab_landing(self) -> str:
        """`landing` in JupyterLab."""
        if self.kind is RootKind.FILE:
            return "doc/tree/" + self.root_path.encoded
        return "lab/tree/" + self._shown.encoded

    @property
    def notebook_landing(self) -> str:
        """`landing` in Notebook 7, which shows a notebook, another file or a folder at an address each."""
        if self.kind is RootKind.FILE or self.open_file:
            # What is shared was looked at when it was shared; the name says which of the two pages is for it.
            page = "notebooks/" if self._shown.name.lower().endswith(".ipynb") else "edit/"
            return page + self._shown.encoded
        return "tree/" + self._shown.encoded

    @property
    def reading_landing(self) -> str:
        """`landing` in the gate's own pages for reading."""
        return "-/read/" + self._shown.encoded

    @property
    def _shown(self) -> CanonicalPath:
        return CanonicalPath(tuple(self.open_file.split("/"))) if self.open_file else self.root_path


@lru_cache(maxsize=1024)
def _path_of(root: str) -> CanonicalPath:
    return CanonicalPath(tuple(root.split("/")))


class Account(msgspec.Struct, frozen=True, gc=False):
    """Who somebody is at a provider of accounts: `subject` is theirs at this issuer for ever. `email` is what the
    provider said it had checked when they signed in; `group` is the one that the link asked for and they were in."""

    issuer: str
    subject: str
    email: str = ""
    group: str = ""

    def __repr__(self) -> str:
        return f"<Account at {self.issuer}>"

    @property
    def shown(self) -> str:
        """How others see it: the address, else the subject, which only the provider understands."""
        return self.email or f"{self.subject[:40]} at {self.issuer.partition('://')[2][:60]}"


class Link(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One URL of a share. `letter` names it within the share (`k7f2.a`); `serial` rises when it is replaced.

    From `not_before` on are conditions (shares/conditions.py); empty ones ask for nothing. `networks` are CIDR texts,
    `passphrase` is an encoded hash (argon2id), `recipient` an e-mail address and `domain` one of such addresses.
    `account` says who may sign in, at `issuer`: an e-mail address, `*@<domain>`, `group:<name>`, `sub:<subject>` or
    `*`. `subject` is whose the link is from then on: that of the first who signed in with that address.
    `email` is where the link is sent to, and asks for nothing; `sent` is when it was last; with `mailing` that
    was begun, and how it ended was not heard. `code_hash` is what is kept
    of its short code (visits/short_codes.py), which works until `code_expires`. With
    `coowner` whoever it is for may let others in (shares/coowners.py), in the browser that `coowner_browser` is the
    hash of; empty: in the first one that opens it.
    """

    id: str
    share: str
    letter: str
    kind: LinkKind = LinkKind.PERSON
    name: str = ""
    visits: int | None = 1
    devices: int = 3
    serial: int = 1
    role: Role | None = None
    created: float
    expires: float
    paused: bool = False
    revoked: float | None = None
    coowner: bool = False
    coowner_browser: str = ""
    email: str = ""
    sent: float | None = None
    mailing: bool = False
    code_hash: str = ""
    code_expires: float = 0.0
    not_before: float = 0.0
    networks: tuple[str, ...] = ()
    ask: bool = False
    passphrase: str = ""
    recipient: str = ""
    domain: str = ""
    account: str = ""
    issuer: str = ""
    subject: str = ""

    def __repr__(self) -> str:
        state = "revoked" if self.revoked is not None else "paused" if self.paused else "open"
        return f"<Link {self.id} of share {self.share} ({self.kind.value}, {state})>"


class Visit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One browser's use of a link. The cookies' values are never stored, only their SHA-256 (hex).

    `number` names it within the link (`k7f2.a1`). `came_from` is the visit of the same person (device) or the visit
    from which the link was passed on (knock). `serial` is the link's when a program's visit began, 0 for all others.
    Proved were `passphrase` (a fingerprint of the link's hash), `email` and `account`; `admitted`: the owner let in the
    person whose device this is; `admitted_by`: the visit of the co-owner who let them in.
    """

    id: str
    share: str
    link: str
    number: int
    kind: VisitKind = VisitKind.BROWSER
    name: str = ""
    role: Role | None = None
    cookie_hash: str = ""
    browser_hash: str = ""
    came_from: str = ""
    created: float
    expires: float
    ended: float | None = None
    ended_reason: str = ""
    address: str = ""
    agent: str = ""
    serial: int = 0
    passphrase: str = ""
    email: str = ""
    account: Account | None = None
    admitted: bool = False
    admitted_by: str = ""

    def __repr__(self) -> str:
        state = "ended" if self.ended is not None else "open"
        return f"<Visit {self.id} of link {self.link} ({self.kind.value}, {state})>"


class Knock(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Somebody at the door. `browser_hash` is how the same browser is known when the owner has decided. `passphrase`,
    `email` and `account` are what they proved before, as in a visit's record, which gets them."""

    id: str
    share: str
    link: str
    name: str = ""
    same_person: bool = False
    came_from: str = ""
    by_address: bool = False
    browser_hash: str = ""
    created: float
    state: KnockState = KnockState.WAITING
    decided: float | None = None
    visit: str = ""
    address: str = ""
    agent: str = ""
    passphrase: str = ""
    email: str = ""
    account: Account | None = None

    def __repr__(self) -> str:
        return f"<Knock {self.id} on link {self.link} ({self.state.value})>"


class RulesInForce(msgspec.Struct, frozen=True, kw_only=True):
    """Which rules hold for all gates of a store: their SHA-256 (shares/agreed.py), and the gate that said so. There is
    one such record."""

    digest: str
    gate: str
    at: float
    id: str = "sharing"


class DeviceCode(msgspec.Struct, frozen=True, kw_only=True):
    """A one-use code by which a person adds an own device. Only its SHA-256 is kept."""

    code_hash: str
    visit: str
    expires: float


class MailCode(msgspec.Struct, frozen=True, kw_only=True):
    """A one-use code that was mailed. `id` names the link and the browser that asked, a pair that has one at most;
    neither from that nor from `code_hash` can the address or the code be found (visits/mailed.py)."""

    id: str
    code_hash: str
    expires: float
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """Who asks, from which address, and what for: the frozen result of authenticating. Only shares.authenticate makes
    one."""

    share: Share
    link: Link
    visit: Visit
    role: Role
    capabilities: frozenset[Capability]
    expires: float
    addresses: ShareAddresses
    peer: str = ""

    @property
    def root(self) -> CanonicalPath:
        return self.share.root_path

    @property
    def base(self) -> str:
        """The visit's base address, as Jupyter's `base_url`: begins and ends with a slash."""
        if self.visit.kind is VisitKind.CLIENT:
            return self.addresses.programs
        return self.addresses.visit(self.visit.id)

    def allows(self, capability: Capability) -> bool:
        return capability in self.capabilities

    def __repr__(self) -> str:
        return f"<Grant {self.role.value} on {self.share.id} by visit {self.visit.id}>"
