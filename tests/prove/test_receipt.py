"""The signed receipt: what it says, and who can check it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from sharegate.errors import Invalid
from sharegate.prove import receipt as receipts
from sharegate.prove.model import Check, Finding
from sharegate.prove.run import Outcome, Wanted
from sharegate.shares.keys import KeyRing

PROBES = {Check.PLACES: 400, Check.ROOMS: 12}
OUTCOME = Outcome(17, False, PROBES, (), ("symbolic links: no companion",), "http://g", 9.5)
LEAK = Finding(Check.ROOMS, "document outside 1", "opened")


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.open(tmp_path / "keys", 1.0)


def made(ring: KeyRing, outcome: Outcome = OUTCOME) -> receipts.Receipt:
    return receipts.receipt(
        outcome,
        Wanted(edits=False, write=True),
        at=1_800_000_000.1234,
        version="0.1.0",
        share="k7f2xxxxxx",
        upstream="srv",
        root="lectures/week3",
        role="view",
        server={"jupyter_server": "2.21.1"},
        kid=ring.active,
        key=ring.signing_key(),
    )


def test_it_is_checked_with_the_key_set(ring: KeyRing) -> None:
    """The gate's public key set is enough, also after the key was retired; another gate's is not."""
    receipt = receipts.from_json(receipts.to_json(made(ring)))
    ring.rotate(2.0)
    receipts.check(receipt, receipts.key_from(json.dumps(ring.jwks()).encode(), receipt.kid))
    ring.rotate(3.0)
    with pytest.raises(Invalid, match="altered"):
        receipts.check(receipt, ring.signing_key().public_key())
    with pytest.raises(Invalid, match="has no key"):
        receipts.key_from(b'{"keys": []}', receipt.kid)


@pytest.mark.parametrize("field", [name for name in receipts.Receipt.__struct_fields__ if name != "signature"])
def test_no_field_can_be_altered(ring: KeyRing, field: str) -> None:
    """Not one of them without the signature telling."""
    receipt = made(ring)
    other = made(KeyRing.open(ring._folder / "other", 1.0), OUTCOME)
    changed = {
        "key": other.key, "kid": other.kid, "server": {}, "checks": {}, "not_covered": (), "quick": True, "wrote": True,
        "more_files": True, "got_out": (receipts.Got(check="rooms", probe="x", what="y"),),
    }.get(field, 7 if isinstance(getattr(receipt, field), (int, float)) else "x")  # fmt: skip
    with pytest.raises(Invalid, match="altered"):
        receipts.check(msgspec.structs.replace(receipt, **{field: changed}), ring.signing_key().public_key())


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"at": "x"}', b"\xff", b"x" * (receipts.MAX_BYTES + 1)])
def test_what_is_no_receipt_is_said(data: bytes) -> None:
    """Without a traceback."""
    with pytest.raises(Invalid, match="receipt"):
        receipts.from_json(data)


@pytest.mark.parametrize("jwks", [b"", b"{}", b'{"keys": [{"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": "?"}]}'])
def test_what_is_no_key_set_is_said(jwks: bytes) -> None:
    """Without a traceback."""
    with pytest.raises(Invalid, match="JWK set"):
        receipts.key_from(jwks, "k")


def test_it_tells_people_what_was_tried(ring: KeyRing) -> None:
    """Short, with what was not covered; and what got out in words, without repeating it."""
    assert receipts.words(made(ring)) == [
        "2027-01-15 08:00 UTC: 17 files reachable, 412 probes, 0 got out.",
        "Not covered: symbolic links: no companion",
    ]
    leaked = made(ring, _with(LEAK))
    assert receipts.words(leaked)[:3] == [
        "2027-01-15 08:00 UTC: 17 files reachable, 412 probes, 1 got out.",
        "GOT OUT (rooms): document outside 1: opened",
        "Does not hold: no live document outside opens by its id or by another name",
    ]


def test_it_holds_a_digest_of_the_root_and_not_its_path(ring: KeyRing) -> None:
    """Two shares of one folder have one digest, and nobody reads the folder's name."""
    receipt = made(ring)
    assert len(receipt.root) == 64 and receipt.root == made(ring).root
    assert "week3" not in receipts.to_json(receipt).decode()
    assert receipt.wrote is False, "nothing is written inside for who only views"


def _with(finding: Finding) -> Outcome:
    return Outcome(17, False, OUTCOME.probes, (finding,), OUTCOME.not_covered, OUTCOME.address, OUTCOME.seconds)
