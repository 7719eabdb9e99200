"""The history, versions of documents, and proofs."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from sharegate.audit.events import AuditEvent
from sharegate.dashboard.shapes.given import LinkView, ShareView, VisitView
from sharegate.dashboard.shapes.shape import Shape
from sharegate.prove.receipt import Receipt
from sharegate.versions.diff import Difference
from sharegate.versions.model import Cause, Kind


class EventView(AuditEvent, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recorded act; `text` says it in words, in which `by` is the name of the co-owner who did it."""

    text: str
    by: str


class PassedView(Shape):
    """One visit or knock, and who came from it. Where `how` is `tried`, the address of their page was opened elsewhere,
    `count` times, and nobody came in for `reason`."""

    name: str
    share: str
    link: str
    visit: str
    came_from: str
    at: float
    how: str
    signs: str
    reason: str
    count: int
    words: str
    onward: list[PassedView]


class PassedOn(Shape):
    people: list[PassedView]


class Head(Shape):
    seq: int
    digest: str


class Verdict(Shape):
    """Whether the history is as it was written, and how far that can be told."""

    intact: bool
    events: int
    erased: int
    text: str
    faults: list[str]
    limits: str
    who: str
    anchors: int
    anchored: float | None
    unanchored: int
    unreadable: int
    heads: dict[str, Head]


class Anchor(Shape):
    """The ends of all chains at one moment, signed."""

    at: float
    heads: dict[str, tuple[int, str]]
    key: str
    signature: str


class Anchored(Shape):
    anchor: Anchor
    to: str
    entries: int


class Exported(Shape):
    """A page of lines; `next` is the next page's `cursor`, empty at the end."""

    lines: list[str]
    next: str
    events: int


class Retention(Shape):
    """What identifies people in the history, and when it leaves. `clock` is this moment as the gate has it; doubted, it
    lets go of nothing unless the owner says that it is right."""

    retention_days: float
    entries: int
    oldest: float | None
    first_leaves: float | None
    due: int
    within_a_day: int
    within_a_week: int
    within_a_month: int
    clock: float
    clock_doubted: bool


class LetGo(Shape):
    retention_days: float
    erased: int


class Erased(Shape):
    """`stays` says in words what erasing does not reach."""

    dry_run: bool
    visits: int
    ends: list[VisitView]
    links: list[LinkView]
    share: ShareView | None
    knocks: int
    entries: int
    stays: list[str]


class SnapshotView(Shape):
    """One kept version of a document. `by`: before whose change it was kept."""

    id: str
    label: str
    server: str
    path: str
    file: str
    room: str
    kind: Kind
    taken: float
    cause: Cause
    visit: str
    link: str
    share: str
    by: str
    digest: str
    size: int
    stored: int
    cells: int
    characters: int
    named: bool


class Snapshots(Shape):
    snapshots: list[SnapshotView]


class OneSnapshot(Shape):
    snapshot: SnapshotView


class SnapshotContent(Shape):
    """One of `notebook`, `text` and `data` (base64) is there."""

    snapshot: SnapshotView
    notebook: dict[str, Any] | None
    text: str | None
    data: str | None


class Compared(Shape):
    """`after` is null for the document as it is now."""

    before: SnapshotView
    after: SnapshotView | None
    difference: Difference


class Restored(Shape):
    snapshot: SnapshotView
    path: str
    missing: bool
    before: SnapshotView | None
    difference: Difference
    restored: bool


class DocumentUndone(Shape):
    path: str
    server: str
    report: dict[str, Any] | None
    before: SnapshotView | None
    problem: str
    names: dict[str, str] | UnsetType = UNSET
    digest: str | UnsetType = UNSET


class Undone(Shape):
    visit: VisitView
    documents: list[DocumentUndone]
    undone: bool
    digest: str


class AlarmView(Shape):
    """A document that looks damaged. `version` is what it can be restored to."""

    id: str
    at: float
    path: str
    what: str
    sentence: str
    version: str
    visit: str
    name: str


class AlarmList(Shape):
    alarms: list[AlarmView]


class AlarmId(Shape):
    id: str
    path: str


class AlarmDismissed(Shape):
    alarm: AlarmId


class ProofView(Shape):
    """An attack on a share, by the gate itself. `receipt` is there when it is over."""

    id: str
    share: str
    state: str
    problem: str
    step: str
    done: int
    total: int
    receipt: Receipt | None
    words: list[str]


class OneProof(Shape):
    proof: ProofView


class ProofList(Shape):
    proofs: list[ProofView]


class ReceiptChecked(Shape):
    receipt: Receipt
    words: list[str]
