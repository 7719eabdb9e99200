"""The records of a store as of one position, and how each is written down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sharegate.errors import StoreUnavailable
from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.model import DeviceCode, Knock, Link, MailCode, RulesInForce, Share, Visit
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Report
from sharegate.stores.crypt import CredentialBox
from sharegate.stores.mirror import Mirror
from sharegate.stores.writer import Written
from sharegate.upstream.model import Credential, Upstream

_TYPES: dict[str, Any] = {
    "share": Share,
    "link": Link,
    "visit": Visit,
    "knock": Knock,
    "upstream": Upstream,
    "token": ApiToken,
    "asked": AskedOnce,
    "report": Report,
    "time": TimeAsk,
    "code": DeviceCode,
    "mailed": MailCode,
    "rules": RulesInForce,
}
_damaged = (msgspec.DecodeError, TypeError, ValueError, IndexError)


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a record came: position of its first commit and place in it. Equal times stay in this order."""

    position: int
    index: int


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    position: int
    index: int
    body: bytes
    token: bytes = b""


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """One commit, as it stands in the stream: `token` names it, `before` the one before it ("" for the first), and
    `records` are kind, id and stored form."""

    token: str
    before: str
    records: list[tuple[str, str, bytes | None]]


@dataclass(slots=True)
class Records:
    """Everything as of `position`, the number of commits that led there; `token` names the last of them."""

    position: int = 0
    token: str = ""
    mirror: Mirror = field(default_factory=Mirror)
    codes: dict[str, DeviceCode] = field(default_factory=dict)
    mailed: dict[str, MailCode] = field(default_factory=dict)
    rules: RulesInForce | None = None
    arrivals: dict[tuple[str, str], Arrival] = field(default_factory=dict)

    def apply(self, position: int, token: str, written: Iterable[tuple[Written, Arrival | None]]) -> list[Written]:
        """What one commit changed; returns what listeners are told of."""
        told, mirrored = [], []
        for one, arrival in written:
            if one.kind == "rules":
                self.rules = one.record
                told.append(one)
            elif one.kind in ("code", "mailed"):
                held: dict[str, Any] = self.codes if one.kind == "code" else self.mailed
                if one.record is None:
                    held.pop(one.id, None)
                else:
                    held[one.id] = one.record
            else:
                told.append(one)
                mirrored.append(one)
            if arrival is None:
                self.arrivals.pop((one.kind, one.id), None)
            else:
                self.arrivals.setdefault((one.kind, one.id), arrival)
        self.mirror.apply(mirrored)
        self.position, self.token = position, token
        return told

    def kept(self) -> dict[tuple[str, str], Any]:
        """Every record that listeners are told of."""
        mirror = self.mirror
        kinds = (
            *(("share", mirror.shares), ("link", mirror.links), ("visit", mirror.visits), ("knock", mirror.knocks)),
            *(("upstream", mirror.upstreams), ("token", mirror.tokens), ("asked", mirror.asked)),
            *(("report", mirror.reports), ("time", mirror.times)),
        )
        rules = {} if self.rules is None else {("rules", self.rules.id): self.rules}
        return {(kind, id): record for kind, records in kinds for id, record in records.items()} | rules


def stored(record: msgspec.Struct, arrival: Arrival, token: bytes = b"") -> bytes:
    """A record as it is kept; a credential apart from it, sealed."""
    if isinstance(record, Upstream):
        record = msgspec.structs.replace(record, token=Credential(""))
    return msgspec.msgpack.encode(_Stored(arrival.position, arrival.index, msgspec.json.encode(record), token))


def read(kind: str, id: str, value: bytes, box: CredentialBox) -> tuple[Written, Arrival]:
    """Raises StoreUnavailable for one that does not read or a credential that does not open: a gate that had forgotten
    a revocation would be worse than none."""
    try:
        kept = msgspec.msgpack.decode(value, type=_Stored)
        record = msgspec.json.decode(kept.body, type=_TYPES[kind])
    except (*_damaged, KeyError) as error:  # fails closed
        raise StoreUnavailable(f"the stored {kind} {id} is damaged: {type(error).__name__}") from None
    if (record.code_hash if kind == "code" else record.id) != id:
        raise StoreUnavailable(f"the stored {kind} {id} is damaged: it holds another one")
    if isinstance(record, Upstream):
        secret = box.open(kept.token, upstream=record.id, url=record.url)
        record = msgspec.structs.replace(record, token=Credential(secret))
    return Written(kind, id, record), Arrival(kept.position, kept.index)


def entry_of(data: bytes, box: CredentialBox) -> tuple[str, str, list[tuple[Written, Arrival | None]]]:
    """Token, token of the commit before, and changes of a commit. Raises StoreUnavailable."""
    try:
        entry = msgspec.msgpack.decode(data, type=Entry)
    except _damaged:  # fails closed
        raise StoreUnavailable("a change in the store's stream is damaged") from None
    return (
        entry.token,
        entry.before,
        [
            (Written(kind, id, None), None) if value is None else read(kind, id, value, box)
            for kind, id, value in entry.records
        ],
    )


def loaded(position: int, token: str, tables: Iterable[tuple[str, dict[bytes, bytes]]], box: CredentialBox) -> Records:
    """All records, oldest first. Raises StoreUnavailable."""
    found = [read(kind, id.decode(), value, box) for kind, table in tables for id, value in table.items()]
    found.sort(key=lambda one: (one[1].position, one[1].index))
    records = Records()
    records.apply(position, token, found)
    return records


def differing(old: Records, new: Records) -> Iterator[Written]:
    """What listeners have to be told of when `new` takes the place of `old`."""
    before, after = old.kept(), new.kept()
    for (kind, id), record in after.items():
        if before.get((kind, id)) != record:
            yield Written(kind, id, record)
    for kind, id in before.keys() - after.keys():
        yield Written(kind, id, None)
