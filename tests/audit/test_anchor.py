from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sharegate.audit.anchor import check, checkpoint, from_json, restore, save, to_json
from sharegate.audit.chain import Fault, verify
from sharegate.errors import Invalid
from tests.audit.test_chain import some

HEADS = {"gate": (7, "ab" * 32), "other": (2, "cd" * 32)}


def test_an_anchor_survives_its_file_and_checks(tmp_path: Path) -> None:
    """What was signed is read back from a private file and accepted with the public key."""
    key = Ed25519PrivateKey.generate()
    file = tmp_path / "anchor.json"
    save(checkpoint(HEADS, at=1_800_000_000.1234, key=key), file)
    found = restore(file, key.public_key())
    assert (found.heads, found.at) == (HEADS, 1_800_000_000.123)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "change",
    [
        {"at": 1.0},
        {"heads": {"gate": (6, "ab" * 32), "other": (2, "cd" * 32)}},
        {"heads": {"gate": (7, "ab" * 32)}},
        {"signature": "00" * 64},
        {"signature": "no hex"},
    ],
)
def test_attack_an_altered_anchor_is_refused(change: dict[str, object]) -> None:
    """Moment, heads, a left out chain and the signature are all covered."""
    key = Ed25519PrivateKey.generate()
    forged = msgspec.structs.replace(checkpoint(HEADS, at=2.0, key=key), **change)
    with pytest.raises(Invalid, match="altered"):
        check(forged, key.public_key())


def test_attack_an_anchor_signed_with_the_forgers_own_key() -> None:
    """The key inside the file is not what is trusted."""
    forged = checkpoint(HEADS, at=2.0, key=Ed25519PrivateKey.generate())
    with pytest.raises(Invalid, match="another gate"):
        check(forged, Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[1]", b'{"at":1,"heads":{},"key":"","signature":"","x":1}'])
def test_junk_is_no_anchor(data: bytes) -> None:
    """A file that is none is refused with the field, not with a traceback."""
    with pytest.raises(Invalid, match="not an anchor"):
        from_json(data)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The remedy-less case still names the file."""
    with pytest.raises(Invalid, match=r"nowhere\.json cannot be read"):
        restore(tmp_path / "nowhere.json", Ed25519PrivateKey.generate().public_key())


def test_a_cut_before_the_anchor_is_found() -> None:
    """Signing the heads of a chain and cutting it afterwards is seen."""
    key = Ed25519PrivateKey.generate()
    sealed = some(5)
    anchor = from_json(to_json(checkpoint({"gate": (5, sealed[4].digest)}, at=3.0, key=key)))
    check(anchor, key.public_key())
    assert verify(sealed, anchor=anchor.heads, anchored=anchor.at).intact
    broken = verify(sealed[:4], anchor=anchor.heads, anchored=anchor.at).first
    assert broken is not None and (broken.seq, broken.how) == (5, Fault.CUT)
