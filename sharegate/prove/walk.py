"""How far a visit really gets: every folder that it is shown, and whether what it is shown lies inside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from sharegate.prove.eye import Eye
from sharegate.prove.ground import Ground
from sharegate.prove.model import Check, Finding
from sharegate.prove.visitor import Visitor
from sharegate.prove.wire import Reply

FOLDERS, QUICK_FOLDERS = 400, 40
ENTRIES = 20_000
# Of the files, how many are asked for one by one, and how many of those are read.
TOUCHED, READ = 100, 10


@dataclass(slots=True)
class Walked:
    """`files` are paths relative to the server's root; `more`: there are more than were looked at. `replies` is what
    came, with what was asked, for whoever searches it."""

    files: list[str] = field(default_factory=list)
    more: bool = False
    findings: list[Finding] = field(default_factory=list)
    replies: list[tuple[str, Reply]] = field(default_factory=list)


async def walk(visitor: Visitor, eye: Eye, ground: Ground, *, quick: bool) -> Walked:
    """From the folder that is shared down, and the folders above it."""
    walked = Walked()
    await _above(visitor, ground, walked)
    if not ground.directory:
        walked.files.append(ground.root)
    waiting, folders = ([ground.root] if ground.directory else []), 0
    while waiting:
        folders += 1
        if folders > (QUICK_FOLDERS if quick else FOLDERS) or len(walked.files) > ENTRIES:
            walked.more = True
            break
        folder = waiting.pop(0)
        entries, strange = await _look(visitor, eye, folder, walked)
        if strange:
            # A file may have come or gone between the two looks.
            entries, strange = await _look(visitor, eye, folder, walked)
        if strange:
            what = f"shows {len(strange)} that do not lie inside"
            walked.findings.append(Finding(Check.LISTINGS, f"folder {folder}", what))
        for entry in entries:
            if entry not in strange:
                path = f"{folder}/{entry['name']}".lstrip("/")
                (waiting if entry.get("type") == "directory" else walked.files).append(path)
    await _touch(visitor, walked, quick=quick)
    return walked


async def _look(
    visitor: Visitor, eye: Eye, folder: str, walked: Walked
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """What a folder is shown to hold, and what of that does not lie inside."""
    entries = await _listing(visitor, folder, walked)
    inside = await eye.inside_names(folder, [str(entry.get("name")) for entry in entries])
    return entries, [entry for entry in entries if not _belongs(entry, folder, inside)]


def _belongs(entry: dict[str, object], folder: str, inside: set[str]) -> bool:
    name = str(entry.get("name"))
    return name in inside and str(entry.get("path")) == f"{folder}/{name}".lstrip("/")


async def _listing(visitor: Visitor, folder: str, walked: Walked) -> list[dict[str, object]]:
    target = f"api/contents/{quote(folder)}?content=1".replace("/?", "?")
    reply = await visitor.get(target)
    walked.replies.append((target, reply))
    return list(_entries(reply))


def _entries(reply: Reply) -> Iterator[dict[str, object]]:
    try:
        content = json.loads(reply.body)["content"] if reply.status == 200 else None
    except (ValueError, KeyError, TypeError):
        content = None
    for entry in content if isinstance(content, list) else ():
        if isinstance(entry, dict):
            yield entry


async def _above(visitor: Visitor, ground: Ground, walked: Walked) -> None:
    """The folders on the way are shown with the next one on the way, and nothing else."""
    parts = ground.root.split("/")
    for depth, way in enumerate(parts):
        folder = "/".join(parts[:depth])
        names = [str(entry.get("name")) for entry in await _listing(visitor, folder, walked)]
        if names != [way]:
            what = f"shows {len(names)} instead of the one way to the share"
            walked.findings.append(Finding(Check.LISTINGS, f"folder above, {depth}", what))


async def _touch(visitor: Visitor, walked: Walked, *, quick: bool) -> None:
    """Of many, some: what is listed and not there is not reachable."""
    count = READ if quick else TOUCHED
    gone = set()
    for number, path in enumerate(walked.files[:count]):
        fields = {} if number < READ else {"Range": "bytes=0-0"}
        target = f"files/{quote(path)}"
        reply = await visitor.get(target, **fields)
        walked.replies.append((target, reply))
        if reply.status >= 400 and reply.status != 416:
            gone.add(path)
    walked.files = [path for path in walked.files if path not in gone]
