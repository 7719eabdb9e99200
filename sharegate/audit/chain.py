"""One hash chain per writer: what an event's digest covers, and how a change to the past is found.

digest = SHA-256("sharegate trail 1" LF previous LF body), `previous` being the hex digest of the writer's event before
("" for the first). `body` is canonical JSON: sorted keys, no white space, defaults left out, with the writer and the
sequence number in it. Name, address and agent are in the body only as HMAC-SHA-256 under a random salt of their own;
the clear values and the salts are kept beside it, and with a name the spelling by which it is found (`folded`). When
those are erased, the digests cannot be guessed back and the chain still verifies.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from sharegate.audit.events import Action, AuditEvent, Outcome, folded
from sharegate.audit.interfaces import AuditStore, Query, Sealed

PERSONAL = ("name", "address", "agent")
_FORMAT = b"sharegate trail 1"
_PAGE = 2000
_DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_WHERE = ("share", "link", "visit", "path")
_NEVER = 1e11  # seconds; no date of a calendar


def seal(event: AuditEvent, *, writer: str, seq: int, previous: str) -> Sealed:
    """The event as it is stored, linked to the digest before it. `event.at` is the caller's, `event.seq` is ignored."""
    body: dict[str, Any] = msgspec.to_builtins(event)
    body["writer"], body["seq"], body["at"] = writer, seq, round(event.at, 3)
    kept: dict[str, list[str]] = {}
    for name in PERSONAL:
        value = body.pop(name, "")
        if value:
            salt = os.urandom(16)
            body.setdefault("personal", {})[name] = _salted(salt, name, value)
            kept[name] = [salt.hex(), value, *([folded(value)] if name == "name" else [])]
    encoded = msgspec.json.encode(body, order="sorted")
    return Sealed(
        writer=writer,
        seq=seq,
        previous=previous,
        digest=_digest(previous, encoded),
        body=encoded,
        personal=msgspec.json.encode(kept, order="sorted") if kept else b"",
    )


def opened(sealed: Sealed) -> AuditEvent:
    """The event in clear; what was erased is empty. Does not verify. One that does not read, for it was altered or a
    newer version wrote it, is TRAIL_UNREADABLE with what of it does: one such entry hides no others."""
    said = _read(sealed.body) | _said(sealed)
    try:
        return msgspec.convert(said, type=AuditEvent)
    except msgspec.ValidationError:
        pass
    texts = {name: said[name] for name in (*_WHERE, *PERSONAL) if isinstance(said.get(name), str)}
    at = said.get("at")
    return AuditEvent(
        action=Action.TRAIL_UNREADABLE,
        outcome=Outcome.FAILED,
        actor="gate",
        seq=sealed.seq,
        at=float(at) if isinstance(at, int | float) and abs(at) < _NEVER else 0.0,
        detail="altered, or written by a newer version: verify says which",
        **texts,
    )


def erased(sealed: Sealed) -> bool:
    """Whether the event once held personal values that are gone."""
    digests = _read(sealed.body).get("personal")
    return bool(set(digests if isinstance(digests, dict) else ()) - set(_said(sealed)))


def person_of(personal: bytes) -> str:
    """The name, as `folded` spells it; "" where there is none (any more), or where it does not read."""
    try:
        kept = _personal(personal).get("name")
    except _DAMAGED:
        return ""
    return "" if kept is None else kept[2] if len(kept) > 2 else folded(kept[1])


def _read(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except _DAMAGED:
        return {}


def _said(sealed: Sealed) -> dict[str, str]:
    """The personal values, as far as they read."""
    try:
        return {name: kept[1] for name, kept in _personal(sealed.personal).items() if name in PERSONAL}
    except _DAMAGED:
        return {}


class Fault(StrEnum):
    """How a chain is broken."""

    ALTERED = "altered"
    MISSING = "missing"
    REORDERED = "reordered"
    PERSONAL_ALTERED = "personal_altered"
    CUT = "cut"  # ends before the anchor
    REWRITTEN = "rewritten"  # consistent in itself, but not what the anchor saw


_SENTENCES = {
    Fault.ALTERED: "was altered",
    Fault.MISSING: "is missing",
    Fault.REORDERED: "is not where it was written",
    Fault.PERSONAL_ALTERED: "has an altered name, address or agent",
    Fault.CUT: "is missing: the history was cut off after it was anchored",
    Fault.REWRITTEN: "is not the one that was anchored: the history was rewritten",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """The first event of a writer's chain that does not hold, and how."""

    writer: str
    seq: int
    how: Fault

    def __str__(self) -> str:
        return f"entry {self.seq} of {self.writer} {_SENTENCES[self.how]}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying found. `heads` are (seq, digest) up to which each chain holds; `erased` counts the events whose
    personal values are gone; `anchored` is the time of the anchor that was compared, or None."""

    events: int
    heads: dict[str, tuple[int, str]]
    erased: int = 0
    broken: tuple[Broken, ...] = ()
    anchored: float | None = None
    unanchored: int = 0

    @property
    def intact(self) -> bool:
        return not self.broken

    @property
    def first(self) -> Broken | None:
        return self.broken[0] if self.broken else None

    @property
    def limits(self) -> str:
        """What this verdict cannot say, in words."""
        if self.anchored is None:
            return (
                "No anchor was compared, so this cannot show that the newest entries were not cut off, "
                "or the whole history not written anew."
            )
        return (
            f"{self.unanchored} entries are newer than the anchor; that none after them was cut off cannot be proved."
        )

    def __str__(self) -> str:
        if self.broken:
            return "History broken: " + "; ".join(str(one) for one in self.broken) + "."
        return f"History intact: {self.events} entries. {self.limits}"


class _Body(msgspec.Struct):
    writer: str
    seq: int
    personal: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class _Chain:
    seq: int = 0
    digest: str = ""
    broken: Broken | None = None


@dataclass(slots=True)
class Verifier:
    """Verifies event by event, so that a long trail need not fit into memory. Each writer's events come in order."""

    anchor: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    anchored: float | None = None
    # Digests that older anchors saw, by writer and seq.
    seen: Mapping[tuple[str, int], str] = field(default_factory=dict)
    _chains: dict[str, _Chain] = field(default_factory=dict)
    _events: int = 0
    _erased: int = 0
    _unanchored: int = 0

    def add(self, sealed: Sealed) -> None:
        chain = self._chains.setdefault(sealed.writer, _Chain())
        self._events += 1
        self._unanchored += sealed.seq > self.anchor.get(sealed.writer, (0, ""))[0]
        if chain.broken is not None:
            if chain.broken.how is Fault.MISSING and sealed.seq == chain.broken.seq:
                chain.broken = Broken(sealed.writer, sealed.seq, Fault.REORDERED)  # it is there, but later
            return
        chain.broken = self._judge(chain, sealed)
        if chain.broken is None:
            chain.seq, chain.digest = sealed.seq, sealed.digest

    def _judge(self, chain: _Chain, sealed: Sealed) -> Broken | None:
        expected = chain.seq + 1
        try:
            body = msgspec.json.decode(sealed.body, type=_Body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Broken(sealed.writer, sealed.seq, Fault.ALTERED)  # fails closed: what cannot be read is altered
        if not hmac.compare_digest(_digest(sealed.previous, sealed.body), _ascii(sealed.digest)):
            return Broken(sealed.writer, sealed.seq, Fault.ALTERED)
        if (body.writer, body.seq) != (sealed.writer, sealed.seq) or sealed.seq < expected:
            return Broken(sealed.writer, sealed.seq, Fault.REORDERED)
        if sealed.seq > expected:
            return Broken(sealed.writer, expected, Fault.MISSING)
        if sealed.previous != chain.digest:
            # This event still tells what stood before it, so the one before is no longer what it was.
            return Broken(sealed.writer, max(1, chain.seq), Fault.ALTERED)
        anchor_seq, anchor_digest = self.anchor.get(sealed.writer, (0, ""))
        older = self.seen.get((sealed.writer, sealed.seq), sealed.digest)
        if (sealed.seq == anchor_seq and sealed.digest != anchor_digest) or sealed.digest != older:
            return Broken(sealed.writer, sealed.seq, Fault.REWRITTEN)
        try:
            personal = _personal(sealed.personal)
            right = all(
                hmac.compare_digest(_salted(bytes.fromhex(salt), name, value), _ascii(body.personal.get(name, "")))
                # By another spelling a filter would be made to miss the entry.
                and found in ([], [folded(value)])
                for name, (salt, value, *found) in personal.items()
            )
        except (ValueError, msgspec.DecodeError):
            right = False  # fails closed
        if not right:
            return Broken(sealed.writer, sealed.seq, Fault.PERSONAL_ALTERED)
        self._erased += bool(set(body.personal) - set(personal))
        return None

    def verdict(self) -> Verdict:
        for writer, (seq, _) in self.anchor.items():
            chain = self._chains.setdefault(writer, _Chain())
            if chain.broken is None and chain.seq < seq:
                chain.broken = Broken(writer, chain.seq + 1, Fault.CUT)
        return Verdict(
            events=self._events,
            heads={writer: (chain.seq, chain.digest) for writer, chain in self._chains.items()},
            erased=self._erased,
            broken=tuple(chain.broken for chain in self._chains.values() if chain.broken is not None),
            anchored=self.anchored,
            unanchored=self._unanchored,
        )


def verify(
    events: Iterable[Sealed],
    *,
    anchor: Mapping[str, tuple[int, str]] | None = None,
    anchored: float | None = None,
) -> Verdict:
    """Verify the chains in `events`. `anchor` holds heads that were seen earlier (a checked checkpoint's `heads`)."""
    verifier = Verifier(anchor or {}, anchored)
    for sealed in events:
        verifier.add(sealed)
    return verifier.verdict()


async def verify_store(
    store: AuditStore,
    *,
    anchor: Mapping[str, tuple[int, str]] | None = None,
    anchored: float | None = None,
    seen: Mapping[tuple[str, int], str] | None = None,
) -> Verdict:
    """Verify everything in a store, in pages. Events appended meanwhile may or may not be included. `seen` are digests
    that older anchors hold."""
    verifier = Verifier(anchor or {}, anchored, seen or {})
    for writer in await store.writers():
        after = 0
        while page := await store.read(Query(writer=writer, after_seq=after, limit=_PAGE)):
            for sealed in page:
                verifier.add(sealed)
            after = page[-1].seq
    return verifier.verdict()


def _digest(previous: str, body: bytes) -> str:
    return hashlib.sha256(b"\n".join((_FORMAT, previous.encode("utf-8", "replace"), body))).hexdigest()


def _salted(salt: bytes, name: str, value: str) -> str:
    return hmac.new(salt, f"{name}\n{value}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _ascii(text: str) -> str:
    # compare_digest takes no other str, and what is no hex is wrong anyway.
    return text if text.isascii() else ""


# Salt and value; of a name the spelling by which it is found, which older versions did not keep.
_Kept = dict[str, Annotated[list[str], msgspec.Meta(min_length=2, max_length=3)]]


def _personal(personal: bytes) -> _Kept:
    return msgspec.json.decode(personal, type=_Kept) if personal else {}
