"""Passwords of other servers: from one place, and told by nobody."""

from __future__ import annotations

from pathlib import Path

from sharegate.errors import Invalid
from sharegate.passwords import Place, password

PLACE = Place("a_file", "A_VARIABLE", "the server", "a_server")


def found(path: Path | None = None, environment: str = "", needed: bool = True, **more: str) -> tuple[str, list[str]]:
    faults: list[Invalid] = []
    value = password(PLACE, path, environment, needed, faults, **more)
    assert all("s3cret" not in str(fault) for fault in faults)
    return value, [fault.field for fault in faults]


def test_each_place_is_as_good(tmp_path: Path) -> None:
    """A file without its last line break, a variable, another setting, or none at all."""
    file = tmp_path / "p"
    file.write_text("s3cret\n\n")
    file.chmod(0o600)
    assert found(file) == ("s3cret\n", [])
    assert found(None, "s3cret") == ("s3cret", [])
    assert found(None, url="s3cret") == ("s3cret", [])
    assert found() == ("", [])


def test_what_is_wrong_with_it_is_told_by_place(tmp_path: Path) -> None:
    """Two of them, one for nothing, one that does not read, one that everybody may read."""
    assert found(None, "s3cret", url="s3cret2")[1] == ["A_VARIABLE and url"]
    assert found(None, "s3cret", needed=False)[1] == ["A_VARIABLE"]
    assert found(tmp_path / "none")[1] == ["a_file"]
    assert found(Path("\0"))[1] == ["a_file"]
    file = tmp_path / "p"
    file.write_text("s3cret")
    file.chmod(0o604)
    assert found(file)[1] == ["a_file"]


def test_a_part_of_one_is_none(tmp_path: Path) -> None:
    """What is too long is refused, not cut; a device without end is read no further than that."""
    file = tmp_path / "p"
    file.write_text("s3cret" * 20_000)
    file.chmod(0o600)
    assert found(file) == ("", ["a_file"])
    assert found(Path("/dev/zero"))[0] == ""
