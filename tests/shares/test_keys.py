"""The key ring on disk."""

import threading
from pathlib import Path

import pytest

from sharegate.errors import Invalid
from sharegate.shares.keys import KeyRing, private_directory, store_key


def test_a_ring_is_made_once_and_read_again(tmp_path: Path) -> None:
    """The same keys come back, private to this account."""
    first = KeyRing.open(tmp_path / "keys", 1.0)
    again = KeyRing.open(tmp_path / "keys", 2.0)

    assert first.active == again.active
    assert first.jwks() == again.jwks()
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "keys").iterdir())


def test_rotation_retires_the_former_key_and_keeps_it_for_verifying(tmp_path: Path) -> None:
    """A retired key stays in the JWK set, a new one signs."""
    ring = KeyRing.open(tmp_path, 1.0)
    old = ring.active
    new = ring.rotate(2.0)
    read = KeyRing.open(tmp_path, 3.0)

    assert new.kid != old
    assert read.active == new.kid
    assert {key.kid: key.state for key in read.listed()} == {old: "retired", new.kid: "active"}
    assert {key["kid"] for key in read.jwks()["keys"]} == {old, new.kid}


def test_no_private_part_is_shown(tmp_path: Path) -> None:
    """Neither the repr nor the JWK set holds a private key."""
    ring = KeyRing.open(tmp_path, 1.0)

    assert "PRIVATE" not in repr(ring)
    assert all(set(key) == {"crv", "kty", "x", "kid", "use", "alg"} for key in ring.jwks()["keys"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "ring.json").write_text("{"),
        lambda folder: (folder / "ring.json").write_text('{"active": "x", "keys": {}}'),
        lambda folder: (folder / "ring.json").write_text(
            '{"active": "../../../etc", "keys": {"../../../etc": {"created": 1}}}'
        ),
        lambda folder: (folder / "ring.json").unlink(),
        lambda folder: next(folder.glob("*.pem")).write_text("not a key"),
        lambda folder: next(folder.glob("*.pem")).unlink(),
    ],
)
def test_a_damaged_ring_is_refused_with_the_file_and_nothing_is_made_anew(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    """Fails closed: a new ring would silently end every link."""
    KeyRing.open(tmp_path, 1.0)
    damage(tmp_path)
    before = sorted(file.name for file in tmp_path.iterdir())
    with pytest.raises(Invalid) as caught:
        KeyRing.open(tmp_path, 2.0)

    assert str(tmp_path) in str(caught.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == before


def test_a_key_under_another_name_is_refused(tmp_path: Path) -> None:
    """A key file that was exchanged does not sign under the old name."""
    ring = KeyRing.open(tmp_path / "a", 1.0)
    other = KeyRing.open(tmp_path / "b", 1.0)
    (tmp_path / "a" / f"{ring.active}.pem").write_bytes((tmp_path / "b" / f"{other.active}.pem").read_bytes())
    with pytest.raises(Invalid):
        KeyRing.open(tmp_path / "a", 2.0)


def test_the_store_key_is_made_once(tmp_path: Path) -> None:
    """32 random bytes; a file of another length is refused."""
    assert store_key(tmp_path) == store_key(tmp_path)
    assert len(store_key(tmp_path)) == 32
    (tmp_path / "store.key").write_bytes(b"short")
    with pytest.raises(Invalid):
        store_key(tmp_path)


def test_a_retired_key_keeps_no_private_half(tmp_path: Path) -> None:
    """What signs nothing any more cannot be stolen; it verifies as before, also after a crash in between."""
    ring = KeyRing.open(tmp_path, 1.0)
    old = ring.active
    pem = (tmp_path / f"{old}.pem").read_bytes()
    ring.rotate(2.0)
    assert b"PRIVATE" not in (tmp_path / f"{old}.pem").read_bytes()
    (tmp_path / f"{old}.pem").write_bytes(pem)
    again = KeyRing.open(tmp_path, 3.0)
    assert b"PRIVATE" not in (tmp_path / f"{old}.pem").read_bytes()
    assert again.public(old) is not None


def test_a_ring_whose_active_key_has_no_private_half_is_refused(tmp_path: Path) -> None:
    """Such a gate could sign nothing."""
    ring = KeyRing.open(tmp_path, 1.0)
    old = ring.active
    new = ring.rotate(2.0)
    index = (tmp_path / "ring.json").read_text()
    (tmp_path / "ring.json").write_text(index.replace(f'"active":"{new.kid}"', f'"active":"{old}"'))
    with pytest.raises(Invalid):
        KeyRing.open(tmp_path, 3.0)


def test_a_refused_key_verifies_nothing(tmp_path: Path) -> None:
    """All that were there before are refused, and stay so when the ring is read again."""
    ring = KeyRing.open(tmp_path, 1.0)
    first = ring.active
    second = ring.rotate(2.0).kid
    third = ring.rotate(3.0, compromised=True).kid
    fourth = ring.rotate(4.0).kid
    for each in (ring, KeyRing.open(tmp_path, 5.0)):
        assert [each.public(kid) is None for kid in (first, second, third, fourth)] == [True, True, False, False]
        assert [key.state for key in each.listed()] == ["refused", "refused", "retired", "active"]
        assert {key["kid"] for key in each.jwks()["keys"]} == {third, fourth}
        assert len(each.every_public()) == 4


def test_another_process_learns_of_a_refused_key(tmp_path: Path) -> None:
    """Two gates on one folder: what one rotated the other sees at its next look, and a ring that it cannot read is
    trusted for nothing."""
    one, other = KeyRing.open(tmp_path, 1.0), KeyRing.open(tmp_path, 1.0)
    old = one.active
    assert other.public(old) is not None
    new = one.rotate(2.0, compromised=True).kid
    assert other.public(old) is None and other.public(new) is not None
    other.signing_key()
    assert other.active == new
    (tmp_path / "ring.json").write_text("{")
    with pytest.raises(Invalid):
        other.public(new)


def test_attack_a_key_is_refused_while_another_process_rotates(tmp_path: Path) -> None:
    """Whatever comes between: every key that was ever made is known, and those refused stay refused."""
    old = KeyRing.open(tmp_path, 1.0).active
    start, faults = threading.Barrier(3), []

    def rotate(compromised: bool) -> None:
        ring = KeyRing.open(tmp_path, 1.0)
        start.wait()
        try:
            for number in range(20):
                ring.rotate(2.0 + number, compromised=compromised)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=rotate, args=(compromised,)) for compromised in (True, False, False)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert faults == []
    found = {key.kid: key.state for key in KeyRing.open(tmp_path, 1.0).listed()}
    assert len(found) == 61 and found[old] == "refused"
    assert list(found.values()).count("active") == 1


def test_two_processes_that_make_the_first_key_have_one(tmp_path: Path) -> None:
    """Neither signs with a key that the other one does not know."""
    start, rings = threading.Barrier(4), []

    def make() -> None:
        start.wait()
        rings.append(KeyRing.open(tmp_path, 1.0))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(rings) == 4 and len({ring.active for ring in rings}) == 1


@pytest.mark.parametrize("place", ["/dev/null", "/dev/null/keys", "/proc/keys", "/" + "x" * 300])
def test_a_folder_that_cannot_be_one(place: str) -> None:
    """Is named, with a remedy."""
    for use in (private_directory, store_key, lambda path: KeyRing.open(path, 1.0)):
        with pytest.raises(Invalid) as told:
            use(Path(place))
        assert told.value.field.startswith(place) and "choose another" in told.value.remedy.lower()
