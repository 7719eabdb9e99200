"""Uploads in parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sharegate.errors import Denied, Reason
from sharegate.writing import uploads as module
from sharegate.writing.uploads import ALL, LAST, PER_VISIT, Upload, Uploads


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Uploads]:
    made = Uploads(tmp_path / "uploads")
    yield made
    made.close()


def begin(uploads: Uploads, visit: str = "v", target: str = "a") -> Upload:
    upload = uploads.take(visit, target, 1)
    uploads.keep(visit, target, 1, upload)
    return upload


def refused(uploads: Uploads, visit: str, target: str, part: int) -> None:
    with pytest.raises(Denied) as denied:
        uploads.take(visit, target, part)
    assert denied.value.reason is Reason.BAD_BODY


def test_parts_come_in_turn(uploads: Uploads) -> None:
    """1, 2, 3 and the last; after it there is no upload."""
    upload = begin(uploads)
    for part in (2, 3, LAST):
        assert uploads.take("v", "a", part) is upload
        uploads.keep("v", "a", part, upload)
    refused(uploads, "v", "a", 4)
    refused(uploads, "v", "a", LAST)


@pytest.mark.parametrize("part", [LAST, 0, 2])
async def test_attack_a_part_behind_the_last(uploads: Uploads, part: int) -> None:
    """It would be appended to a file that is whole; what was collected of it is let go of."""
    upload = begin(uploads)
    await uploads.collect(upload, b"{}")
    uploads.keep("v", "a", LAST, uploads.take("v", "a", LAST))
    assert upload.spool is not None and upload.spool.closed
    refused(uploads, "v", "a", part)


@pytest.mark.parametrize(("visit", "target", "part"), [("v", "a", 3), ("v", "b", 2), ("w", "a", 2), ("v", "b", LAST)])
def test_attack_a_part_of_somebody_or_something_else(uploads: Uploads, visit: str, target: str, part: int) -> None:
    """A part out of turn, for another file or from another visit is refused."""
    begin(uploads)
    refused(uploads, visit, target, part)


async def test_a_part_out_of_turn_ends_the_upload(uploads: Uploads) -> None:
    """What was there of it cannot be continued, and is let go of."""
    upload = begin(uploads)
    await uploads.collect(upload, b"{}")
    refused(uploads, "v", "a", 3)
    assert upload.spool is not None and upload.spool.closed
    refused(uploads, "v", "a", 2)


def test_attack_one_part_at_once(uploads: Uploads) -> None:
    """While a part is on its way no other is taken: the same part twice would be appended twice."""
    begin(uploads)
    uploads.take("v", "a", 2)
    refused(uploads, "v", "a", 2)


async def test_beginning_again_lets_go_of_what_was_collected(uploads: Uploads) -> None:
    """Part 1 is a new upload."""
    upload = begin(uploads)
    await uploads.collect(upload, b"old")
    again = uploads.take("v", "a", 1)
    assert upload.spool is not None and upload.spool.closed
    assert again is not upload


async def test_what_is_collected_is_read_back_and_has_no_name(uploads: Uploads, tmp_path: Path) -> None:
    """In the order in which it came, in a folder that nobody else may enter."""
    upload = begin(uploads)
    await uploads.collect(upload, b"one ")
    await uploads.collect(upload, b"two")
    assert await uploads.collected(upload) == b"one two"
    assert list((tmp_path / "uploads").iterdir()) == []
    assert (tmp_path / "uploads").stat().st_mode & 0o777 == 0o700
    upload.drop()


async def test_attack_collecting_without_end(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit it is refused and let go of."""
    monkeypatch.setattr(module, "MAX_NOTEBOOK", 10)
    upload = begin(uploads)
    await uploads.collect(upload, b"x" * 10)
    with pytest.raises(Denied) as denied:
        await uploads.collect(upload, b"x")
    assert denied.value.reason is Reason.BODY_TOO_LARGE
    assert upload.spool is not None and upload.spool.closed


async def test_attack_uploads_that_are_never_finished(uploads: Uploads) -> None:
    """Of one visit, and of all, the oldest gives way; other visits keep theirs."""
    other = begin(uploads, "w")
    first = begin(uploads, "v", "0")
    await uploads.collect(first, b"x")
    for number in range(1, PER_VISIT + 1):
        begin(uploads, "v", str(number))
    refused(uploads, "v", "0", 2)
    assert first.spool is not None and first.spool.closed
    assert uploads.take("v", str(PER_VISIT), 2)
    assert uploads.take("w", "a", 2) is other
    for number in range(ALL + 1):
        begin(uploads, f"x{number}")
    refused(uploads, "v", "1", 2)
    assert uploads.take(f"x{ALL}", "a", 2)


async def test_attack_filling_the_disk_with_parts(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """All visits together have so many bytes collected and no more: the oldest upload gives way."""
    monkeypatch.setattr(module, "COLLECTED", 25)
    made = []
    for visit in ("a", "b", "c"):
        upload = uploads.take(visit, "x", 1)
        await uploads.collect(upload, b"x" * 10)
        uploads.keep(visit, "x", 1, upload)
        made.append(upload)
    refused(uploads, "a", "x", 2)
    assert [upload.spool is not None and upload.spool.closed for upload in made] == [True, False, False]
    assert uploads.take("b", "x", 2) is made[1]
    made[1].drop()


async def test_attack_parts_behind_somebody_elses_write(uploads: Uploads) -> None:
    """What was written, renamed or deleted since, or a folder above it, ends the upload; a neighbour's goes on."""
    for target in ("u/a", "u/a/b", "u/ab"):
        await uploads.collect(begin(uploads, target=target), b"{}")
    begin(uploads, "w", "u/a")
    uploads.forget("u/a", but="w")
    refused(uploads, "v", "u/a", 2)
    refused(uploads, "v", "u/a/b", LAST)
    neighbour = uploads.take("v", "u/ab", 2)
    assert neighbour.next == 2 and neighbour.spool is not None
    neighbour.drop()
    assert uploads.take("w", "u/a", 2).next == 2
