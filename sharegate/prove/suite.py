"""Which probes a run asks: all rows that its ground has, for the role that the share gives."""

from __future__ import annotations

from collections.abc import Collection

from sharegate.prove import addresses, reading, rooms, writing
from sharegate.prove.ground import Ground
from sharegate.prove.model import Answer, Check, Probe

# Known ways that are named and not tried, and why: the owner's server is running, with others in it.
NEVER_TRIED = (
    f"{', '.join(addresses.NOT_TRIED)}: a hole would stop the server, install into it or start programs on it",
    "deleting, moving and overwriting what exists, and checkpoints: a hole would cost the owner a file",
    "well-formed changes of a document, floods, and documents moved while open: others would see them",
    "the ids of kernels that run, at kernel addresses, and another share's host: made-up ids stand for them",
    "malformed HTTP: whatever stands in front of the gate serves others too",
)


def probes(
    ground: Ground, origin: str, *, edits: bool, quick: bool = False, only: Collection[Check] = ()
) -> list[Probe]:
    """In the order in which they are asked. `only` is what tests want to see found."""
    rows = [
        *reading.probes(ground),
        *addresses.probes(ground, origin),
        *rooms.sessions(ground),
        *rooms.channels(ground),
        *writing.probes(ground, edits=edits),
    ]
    return [row for row in rows if (not quick or row.quick) and wanted(row, only)]


def wanted(probe: Probe, only: Collection[Check]) -> bool:
    if not only or probe.check in only:
        return True
    compared = probe.answer is Answer.ALIKE or (probe.answer is Answer.GONE and probe.quick)
    return Check.ONE_ANSWER in only and compared
