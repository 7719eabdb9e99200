"""The receipt of a proof: what was tried at one moment and what got out, signed by the gate's key ring.

A small JSON file with an Ed25519 signature (RFC 8032) by the key that signs the gate's links, so that it can be checked
with the gate's JWKS (RFC 7517). It says what was tried and not that nothing else is possible.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sharegate.errors import Invalid
from sharegate.prove.model import SENTENCES
from sharegate.prove.run import Outcome, Wanted

_SIGNED_FOR = b"sharegate proof 1\n"
MAX_BYTES = 1 << 20


class Got(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that got out: which check, which probe, and in words what."""

    check: str
    probe: str
    what: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`at` is seconds since the epoch (UTC), when the proof was over. `root` is a digest of what is shared and where,
    not of its contents. `checks`: check → number of probes. `kid` and `key` name the signer; key and signature are
    hex."""

    at: float
    seconds: float
    gate: str
    address: str
    share: str
    root: str
    role: str
    server: dict[str, str]
    quick: bool
    wrote: bool
    files: int
    more_files: bool
    probes: int
    got_out: tuple[Got, ...]
    checks: dict[str, int]
    not_covered: tuple[str, ...]
    kid: str
    key: str
    signature: str = ""

    def __repr__(self) -> str:
        return f"<Receipt of {self.share} at {self.at}: {len(self.got_out)} got out>"


def receipt(
    outcome: Outcome,
    wanted: Wanted,
    *,
    at: float,
    version: str,
    share: str,
    upstream: str,
    root: str,
    role: str,
    server: dict[str, str],
    kid: str,
    key: Ed25519PrivateKey,
) -> Receipt:
    """Made and signed."""
    unsigned = Receipt(
        at=round(at, 3),
        seconds=outcome.seconds,
        gate=version,
        address=outcome.address,
        share=share,
        root=hashlib.sha256(f"{upstream}\n{root}".encode()).hexdigest(),
        role=role,
        server=server,
        quick=wanted.quick,
        wrote=wanted.write and wanted.edits,
        files=outcome.files,
        more_files=outcome.more,
        probes=sum(outcome.probes.values()),
        got_out=tuple(
            Got(check=found.check.value, probe=found.probe[:200], what=found.what[:200]) for found in outcome.findings
        ),
        checks={check.value: count for check, count in sorted(outcome.probes.items())},
        not_covered=outcome.not_covered,
        kid=kid,
        key=_hex(key.public_key()),
    )
    return msgspec.structs.replace(unsigned, signature=key.sign(_signed(unsigned)).hex())


def check(found: Receipt, key: Ed25519PublicKey) -> None:
    """Raises Invalid(`receipt`) unless `key` signed it. `key` is what the caller trusts, never the one in the file."""
    try:
        key.verify(bytes.fromhex(found.signature), _signed(found))
    except (InvalidSignature, ValueError):  # fails closed
        raise Invalid("receipt", "the receipt was altered, or another gate signed it") from None


def key_from(jwks: bytes, kid: str) -> Ed25519PublicKey:
    """The key `kid` of a JWK set. Raises Invalid(`jwks`)."""
    try:
        keys = msgspec.json.decode(jwks, type=_Jwks).keys
        found = next(key for key in keys if key.kid == kid and (key.kty, key.crv) == ("OKP", "Ed25519"))
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(found.x + "=" * (-len(found.x) % 4)))
    except StopIteration:
        raise Invalid("jwks", f"has no key {kid[:40]!r}", "Fetch the key set of the gate that signed") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):  # fails closed
        raise Invalid("jwks", "is not a JWK set with Ed25519 keys", "Fetch /.well-known/jwks.json") from None


class _Jwk(msgspec.Struct):
    kty: str
    kid: str = ""
    crv: str = ""
    x: str = ""


class _Jwks(msgspec.Struct):
    keys: list[_Jwk]


def to_json(found: Receipt) -> bytes:
    return msgspec.json.format(msgspec.json.encode(found, order="sorted"), indent=2) + b"\n"


def from_json(data: bytes) -> Receipt:
    """Raises Invalid(`receipt`). Does not check the signature."""
    if len(data) > MAX_BYTES:
        raise Invalid("receipt", "this is too large for a receipt")
    try:
        return msgspec.json.decode(data, type=Receipt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("receipt", f"this is not a receipt: {error}") from None


def plain(found: Receipt) -> dict[str, Any]:
    """As the owner's API tells it."""
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return told


def words(found: Receipt) -> list[str]:
    """For people: what was tried and what got out, then what was not tried."""
    count = len(found.got_out)
    files = f"{'more than ' if found.more_files else ''}{found.files} file{'' if found.files == 1 else 's'} reachable"
    moment = datetime.fromtimestamp(found.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"{moment}: {files}, {found.probes} probes, {count} got out."]
    for got in found.got_out[:20]:
        lines.append(f"GOT OUT ({got.check}): {got.probe}: {got.what}")
    broken = sorted({got.check for got in found.got_out})
    lines += [f"Does not hold: {SENTENCES[one].lower()}" for one in SENTENCES if one.value in broken]
    lines += [f"Not covered: {reason}" for reason in found.not_covered]
    return lines


def _signed(found: Receipt) -> bytes:
    unsigned = msgspec.structs.replace(found, signature="")
    return _SIGNED_FOR + msgspec.json.encode(unsigned, order="sorted")


def _hex(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
