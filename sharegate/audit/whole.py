"""The trail as a whole: verified against anchors, anchored, written out page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sharegate.audit import anchor
from sharegate.audit.chain import opened, verify_store
from sharegate.audit.cursors import cursor_of, gone, mark_of
from sharegate.audit.export import csv_lines, json_lines
from sharegate.audit.interfaces import AuditStore, Mark, Page, Query
from sharegate.errors import Invalid, NotFound

_PAGE = 500
WHO = (
    "Whoever can write the store can write all of it anew; whoever has the signing key too, anchors as well. "
    "Keep anchors where neither of them reaches."
)


class SigningKeys(Protocol):
    """The keys that sign links sign anchors too."""

    def signing_key(self) -> Ed25519PrivateKey: ...

    def every_public(self) -> list[Ed25519PublicKey]: ...


class FlushedTrail(Protocol):
    async def flush(self) -> None:
        """Write what is pending. StoreUnavailable."""


class WholeTrail:
    """Implements what the owner's API needs of the trail as a whole."""

    def __init__(self, store: AuditStore, trail: FlushedTrail, keys: SigningKeys, clock: Callable[[], float]) -> None:
        self._store = store
        self._trail = trail
        self._keys = keys
        self._clock = clock
        self._appending = asyncio.Lock()

    async def newest(self) -> float | None:
        found = await self._store.read(Query(newest_first=True, limit=1))
        return opened(found[0]).at if found else None

    async def verify(self, anchors: Path | None) -> dict[str, Any]:
        found = anchor.Anchors()
        if anchors is not None:
            found = await asyncio.to_thread(anchor.read_all, anchors, self._keys.every_public())
        verdict = await verify_store(self._store, anchor=found.ends, anchored=found.newest, seen=found.seen)
        faults = [*found.faults, *(str(broken) for broken in verdict.broken)]
        text = str(verdict) if verdict.broken or not found.faults else "History or anchors altered."
        return {
            "intact": not faults,
            "events": verdict.events,
            "erased": verdict.erased,
            "text": text,
            "faults": faults,
            "limits": verdict.limits,
            "who": WHO,
            "anchors": found.count,
            "anchored": verdict.anchored,
            "unanchored": verdict.unanchored if found.count else verdict.events,
            "unreadable": found.unreadable,
            "heads": {writer: {"seq": seq, "digest": digest} for writer, (seq, digest) in verdict.heads.items()},
        }

    async def anchor(self, to: Path | None) -> dict[str, Any]:
        async with self._appending:
            await self._trail.flush()
            ends = await anchor.heads(self._store)
            made = anchor.checkpoint(ends, at=self._clock(), key=self._keys.signing_key())
            if to is not None:
                try:
                    await asyncio.to_thread(anchor.append, made, to)
                except OSError as error:
                    raise Invalid("to", f"{to} cannot be written ({error.strerror})", "Name another file") from None
        return {
            "anchor": {"at": made.at, "heads": made.heads, "key": made.key, "signature": made.signature},
            "to": str(to) if to else "",
            "entries": sum(seq for seq, _ in ends.values()),
        }

    async def export(self, query: Query, form: str, cursor: str) -> tuple[list[str], str, int]:
        """Oldest first. All of it comes writer after writer, each chain in its order, so that it can be verified from
        the file as well; what fits a filter comes by time."""
        await self._trail.flush()
        asked = msgspec.structs.replace(query, limit=_PAGE, newest_first=False)
        begun = mark_of(asked, cursor)
        if asked == Query(limit=_PAGE):
            page = await self._chains(begun)
        else:
            try:
                page = await self._store.page(asked, begun)
            except NotFound:
                raise gone() from None
        lines = json_lines(page.events) if form == "jsonl" else csv_lines(page.events, header=not cursor)
        following = cursor_of(asked, page.after) if page.after is not None else ""
        return [line for line in lines if line], following, len(page.events)

    async def _chains(self, begun: Mark | None) -> Page:
        for writer in sorted(await self._store.writers()):
            if begun is not None and writer < begun.writer:
                continue
            start = begun.seq if begun is not None and writer == begun.writer else 0
            found = await self._store.read(Query(writer=writer, after_seq=start, limit=_PAGE))
            if found:
                return Page(events=found, after=Mark(writer=writer, seq=found[-1].seq))
        return Page(events=[])
