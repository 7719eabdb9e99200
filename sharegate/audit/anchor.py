"""Signed checkpoints: the heads of all chains at one moment, to be kept where the gate's disk is not.

An anchor is a small JSON file with an Ed25519 signature (RFC 8032). Compared later, it shows that nothing up to it was
cut off or written anew. It proves nothing about what came after it, and only as much as the key is out of reach of
whoever could alter the store.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sharegate.audit.interfaces import AuditStore
from sharegate.errors import Invalid

_SIGNED_FOR = b"sharegate checkpoint 1\n"
_MAX_BYTES = 1 << 20


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`heads`: writer → (seq, digest). `key` is the signer's public key and `signature` the Ed25519 signature, hex."""

    at: float
    heads: dict[str, tuple[int, str]]
    key: str
    signature: str

    def __repr__(self) -> str:
        return f"<Checkpoint of {len(self.heads)} chains at {self.at}>"


async def heads(store: AuditStore) -> dict[str, tuple[int, str]]:
    """The end of every chain in a store."""
    return {writer: await store.head(writer) for writer in await store.writers()}


def checkpoint(ends: dict[str, tuple[int, str]], *, at: float, key: Ed25519PrivateKey) -> Checkpoint:
    """Sign the heads. `at` is seconds since the epoch (UTC)."""
    at = round(at, 3)
    return Checkpoint(at=at, heads=ends, key=_hex(key.public_key()), signature=key.sign(_signed(at, ends)).hex())


def check(found: Checkpoint, key: Ed25519PublicKey) -> None:
    """Raises Invalid(`anchor`) unless `key` signed it. `key` is what the caller trusts, never the one in the file."""
    try:
        key.verify(bytes.fromhex(found.signature), _signed(found.at, found.heads))
    except (InvalidSignature, ValueError):  # fails closed
        raise Invalid("anchor", "the anchor was altered, or another gate signed it") from None


def to_json(found: Checkpoint) -> bytes:
    return msgspec.json.format(msgspec.json.encode(found, order="sorted"), indent=2) + b"\n"


def from_json(data: bytes) -> Checkpoint:
    """Raises Invalid(`anchor`). Does not check the signature."""
    try:
        return msgspec.json.decode(data, type=Checkpoint)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("anchor", f"this is not an anchor: {error}") from None


def save(found: Checkpoint, path: Path) -> None:
    """Write the file whole or not at all (0600), replacing an older one. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(to_json(found))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def restore(path: Path, key: Ed25519PublicKey) -> Checkpoint:
    """Read a file and check its signature. Raises Invalid(`anchor`)."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    except OSError as error:
        raise Invalid("anchor", f"{path} cannot be read: {error.strerror}") from None
    found = from_json(data)
    check(found, key)
    return found


@dataclass(slots=True)
class Anchors:
    """What a file of anchors says. `ends`: the farthest end of each chain; `seen`: every digest that any of them saw;
    `faults`: lines that no key of this gate signed; `unreadable`: lines that are none, as a crash leaves one."""

    count: int = 0
    newest: float | None = None
    ends: dict[str, tuple[int, str]] = field(default_factory=dict)
    seen: dict[tuple[str, int], str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    unreadable: int = 0

    def add(self, found: Checkpoint) -> None:
        self.count += 1
        self.newest = max(self.newest or 0.0, found.at)
        for writer, (seq, digest) in found.heads.items():
            self.seen.setdefault((writer, seq), digest)
            if seq >= self.ends.get(writer, (0, ""))[0]:
                self.ends[writer] = (seq, digest)


def append(found: Checkpoint, path: Path) -> None:
    """Add one line to a file of anchors (0600), synced. Raises OSError."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        torn = False
        if size:
            file.seek(size - 1)
            torn = file.read(1) != b"\n"  # a line that a crash cut off must not spoil this one
        file.write((b"\n" if torn else b"") + msgspec.json.encode(found, order="sorted") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_all(path: Path, keys: Sequence[Ed25519PublicKey]) -> Anchors:
    """Read a file of one anchor, or of one on each line. Raises Invalid(`anchors`) when there is none in it."""
    found = Anchors()
    try:
        with path.open("rb") as file:
            if path.stat().st_size <= _MAX_BYTES and (one := _readable(file.read())) is not None:
                _take(found, one, keys, "the anchor")
            else:
                file.seek(0)
                for number, line in enumerate(file, 1):
                    one = _readable(line) if len(line) <= _MAX_BYTES else None
                    if one is not None:
                        _take(found, one, keys, f"line {number}")
                    elif line.strip():
                        found.unreadable += 1
    except OSError as error:
        raise Invalid("anchors", f"{path} cannot be read: {error.strerror}", "Check the file") from None
    if not found.count and not found.faults:
        raise Invalid("anchors", f"there is no anchor in {path}", "Name a file that `audit anchor --to` wrote")
    return found


def _take(found: Anchors, one: Checkpoint, keys: Sequence[Ed25519PublicKey], where: str) -> None:
    key = next((each for each in keys if _hex(each) == one.key), None)
    try:
        if key is None:
            raise Invalid("anchor", "another gate signed it")
        check(one, key)
    except Invalid:  # fails closed: what is not ours proves nothing, and is told
        found.faults.append(f"{where} of the anchors was altered, or another gate signed it")
        return
    found.add(one)


def _readable(data: bytes) -> Checkpoint | None:
    try:
        return from_json(data)
    except Invalid:
        return None


def _signed(at: float, ends: dict[str, tuple[int, str]]) -> bytes:
    return _SIGNED_FOR + msgspec.json.encode({"at": at, "heads": ends}, order="sorted")


def _hex(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
