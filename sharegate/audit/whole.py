"""The trail as a whole: verified against anchors, anchored, written out page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sharegate.audit import anchor
from sharegate.audit.chain import opened, verify_store
from sharegate.audit.export import csv_lines, json_lines
from sharegate.audit.interfaces import AuditStore, Query
from sharegate.errors import Invalid

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
        """Writer after writer, because an event's number counts within its writer."""
        await self._trail.flush()
        writers = sorted(await self._store.writers())
        current, after = _cursor(cursor)
        for writer in writers:
            if writer < current:
                continue
            start = after if writer == current else 0
            asked = Query(
                **{name: getattr(query, name) for name in _FILTERS}, writer=writer, after_seq=start, limit=_PAGE
            )
            page = await self._store.read(asked)
            if page:
                lines = json_lines(page) if form == "jsonl" else csv_lines(page, header=not cursor)
                return [line for line in lines if line], f"{page[-1].seq}:{writer}", len(page)
        header = [*csv_lines([])] if form == "csv" and not cursor else []
        return header, "", 0


_FILTERS = ("share", "link", "visit", "path", "reason", "action", "outcome", "since", "until")


def _cursor(text: str) -> tuple[str, int]:
    if not text:
        return "", 0
    seq, _, writer = text.partition(":")
    if not seq.isascii() or not seq.isdigit() or len(seq) > 15 or not writer:
        raise Invalid("cursor", "is not one that was given out", "Begin anew")
    return writer, int(seq)
