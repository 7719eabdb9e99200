"""The gate itself: its servers, rules, keys and records, tokens of the API, and who asks."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from sharegate.dashboard.shapes.given import LinkGiven, VisitView
from sharegate.dashboard.shapes.kept import Head
from sharegate.dashboard.shapes.shape import Shape
from sharegate.shares.api_tokens import ApiCapability
from sharegate.shares.model import Role


class ServerView(Shape):
    """A Jupyter server, without its token. What is shared from it is its owner's. `computer`: the host name of the
    other one on which it runs, whose gate serves it; empty for this one."""

    id: str
    name: str
    owner: str
    url: str
    root_dir: str
    state: Literal["here", "away", "not_ours"]
    computer: str
    pid: int
    collaboration: bool | None


class Servers(Shape):
    servers: list[ServerView]


class OneServer(Shape):
    server: ServerView


class Counts(Shape):
    """`shares` that are not over, `visits` that are open and how many `persons` that are: devices are not counted."""

    shares: int
    visits: int
    persons: int
    knocks: int
    channels: int


class GateView(Shape):
    version: str
    pid: int
    running: bool
    started: float
    gate_url: str
    share_hosts: str
    share_address: str
    dashboard_url: str
    reach: str
    owner: str
    warnings: list[str]
    servers: list[ServerView]
    counts: Counts


class Finding(Shape):
    level: Literal["ok", "note", "warn", "fail"]
    what: str
    remedy: str


class Findings(Shape):
    findings: list[Finding]


class RulesView(Shape):
    """What owners may hand out."""

    default_expires_seconds: float
    max_expires_seconds: float
    roles: list[Role]
    anyone: bool
    max_visits: int
    max_devices: int
    clients: bool
    own_extensions: bool
    runnable_files: bool
    edit_asks_for: list[str]
    anyone_asks_for: list[str]
    anyone_max_expires_seconds: float
    coowners: bool


class Rules(Shape):
    """`differed` is a sentence where other gates of the same store have other rules."""

    rules: RulesView
    differed: str


class Consequence(Shape):
    """What the rules ended or changed."""

    kind: str
    id: str
    label: str
    share: str
    share_name: str
    link: str
    person: str
    stops: bool
    what: str


class RulesReloaded(Shape):
    rules: RulesView
    changed: bool
    waiting: list[str]
    differed: str
    dry_run: bool
    consequences: list[Consequence]
    stops: int
    shrinks: int
    digest: str


class KeyView(Shape):
    """A key that signs links."""

    kid: str
    state: str
    created: float
    retired: float | UnsetType | None = UNSET
    refused: float | UnsetType | None = UNSET
    links: int | UnsetType = UNSET
    needed_until: float | UnsetType | None = UNSET


class Keys(Shape):
    keys: list[KeyView]


class Rotated(Shape):
    """With `replace` the links come with their new addresses."""

    compromised: bool
    dry_run: bool
    links: list[LinkGiven]
    ends: list[VisitView]
    inside: int
    key: KeyView | None
    digest: str


class StoreChecked(Shape):
    sound: bool
    faults: list[str]
    notes: list[str]
    format: int | UnsetType = UNSET
    newest_format: int | UnsetType = UNSET
    counts: dict[str, int] | UnsetType = UNSET
    sizes: dict[str, int] | UnsetType = UNSET
    heads: dict[str, Head] | UnsetType = UNSET


class BackedUp(Shape):
    to: str
    with_keys: bool
    format: int
    counts: dict[str, int]
    heads: dict[str, Head]


class StoreWorkView(Shape):
    """Work on the records, one piece at a time: the one that runs, or the last. `step`, `done` and `total` say how far
    it is; `checked` or `copied` is there when it is done."""

    kind: Literal["check", "copy"]
    state: Literal["running", "done", "failed"]
    step: str
    done: int
    total: int
    began: float
    ended: float | None
    problem: str
    remedy: str
    checked: StoreChecked | None
    copied: BackedUp | None


class StoreWork(Shape):
    """`work` is null where nothing was asked for yet; `folder` is where copies go."""

    work: StoreWorkView | None
    folder: str


class AfterRestore(Shape):
    """Shares that were paused, and tokens that were ended."""

    paused: list[str]
    tokens: list[str]


class SettingView(Shape):
    """`usual` is what holds where nobody sets it."""

    name: str
    value: str | int | bool | list[str] | None
    usual: str | int | bool | list[str] | None
    meaning: str


class Settings(Shape):
    """`file` is where they were read from, "" for none."""

    file: str
    settings: list[SettingView]


class Invited(Shape):
    """An address that signs one browser in, once."""

    url: str
    expires: float


class TokenView(Shape):
    """A token of the API. `used` is the day of its last use."""

    id: str
    name: str
    capabilities: list[str]
    created: float
    expires: float
    state: Literal["active", "expired", "revoked"]
    revoked: float | None
    used: float | None


class Tokens(Shape):
    tokens: list[TokenView]


class OneToken(Shape):
    token: TokenView


class TokenMade(Shape):
    """`secret` is the token itself. It is told this once."""

    token: TokenView
    secret: str


class Me(Shape):
    """Who asks. `expires` is null for the terminal; a browser's comes earlier when it is not used."""

    kind: Literal["terminal", "browser", "token"]
    id: str
    name: str
    capabilities: list[ApiCapability]
    expires: float | None


class Document(Shape, forbid_unknown_fields=False):
    """This very document: OpenAPI 3.1."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


class Problem(Shape):
    """A refusal (RFC 9457). `code` is for programs; `field` names what was wrong with the request, `remedy` what to do.
    `candidates` are the things that an ambiguous name fits; `errors` are several faults, found together."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str
    remedy: str
    candidates: list[str]
    errors: list[dict[str, str]] | UnsetType = UNSET


class MailTested(Shape):
    """The mail server took it; what becomes of it then nobody tells."""

    address: str
    server: str
    sender: str | None


class HealthView(Shape):
    """How a gate is doing; all empty where none runs."""

    running: bool
    checks: dict[str, str]
    channels: dict[str, int]
    numbers: dict[str, float]
