"""What every store of versions promises: snapshots, authors of cells, logs of changes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sharegate.errors import AccountFull, NotFound, StoreUnavailable
from sharegate.versions.interfaces import KeptVersions
from sharegate.versions.model import Authorship, Cause, Edit, EditKind, Kind, Limits, Place, Snapshot
from tests.stores.records import START

PLENTY = Limits(bytes=1 << 30, per_document=1000, days=10_000, undo_bytes=1 << 30)
DAY = 86400.0


def a_snapshot(id: str = "n1", **fields: Any) -> Snapshot:
    values: dict[str, Any] = {
        "id": id, "upstream": "u1", "path": "week3/a.ipynb", "room": "json:notebook", "kind": Kind.NOTEBOOK,
        "taken": START, "cause": Cause.FIRST_WRITE,
    }  # fmt: skip
    return Snapshot(**values | fields)


def noise(seed: int, size: int = 2000) -> bytes:
    """Bytes that hardly get smaller by compression."""
    import random

    return random.Random(seed).randbytes(size)


PLACE = Place("u1", "f1", "e1", "week3/a.ipynb")


def edit(kind: EditKind = EditKind.UPDATE, data: bytes = b"data", **fields: Any) -> Edit:
    return Edit(kind=kind, at=START, data=data, **fields)


class VersionContract:
    """Snapshots, authors of cells, logs of changes."""

    # -- snapshots

    async def test_a_snapshot_is_read_back(self, store: KeptVersions, reopened: Any) -> None:
        """Record and content, by id and by the beginning of the id, after a restart too."""
        content = b'{"cells":[]}' * 100
        kept = await store.keep_version(a_snapshot("n1abc", visit="v1", link="l1", share="s1"), content, limits=PLENTY)
        assert (kept.size, kept.visit, kept.cause) == (1200, "v1", Cause.FIRST_WRITE)
        assert 0 < kept.stored < 200 and kept.digest
        for reopen in (False, True):
            store = await reopened() if reopen else store
            assert await store.version("n1abc") == await store.version("n1") == kept
            assert await store.version_content("n1abc") == content
            assert await store.versions() == [kept]
            assert await store.version("x") is None and await store.version("") is None
        with pytest.raises(NotFound):
            await store.version_content("x")

    async def test_a_beginning_that_fits_several_names_none(self, store: KeptVersions) -> None:
        """But a whole id names its own, though another begins with it."""
        for id in ("n1", "n1a", "n2"):
            await store.keep_version(a_snapshot(id), b"x", limits=PLENTY)
        assert await store.version("n") is None
        assert (await store.version("n1")).id == "n1"  # type: ignore[union-attr]

    async def test_lists_are_newest_first(self, store: KeptVersions) -> None:
        """Of one server, one file, so many."""
        for at, path in enumerate(["a", "b", "a", "ab"]):
            await store.keep_version(a_snapshot(f"n{at}", path=path, taken=START + at), b"x", limits=PLENTY)
        await store.keep_version(a_snapshot("m0", upstream="u2", path="a", taken=START + 9), b"x", limits=PLENTY)
        assert [one.id for one in await store.versions()] == ["m0", "n3", "n2", "n1", "n0"]
        assert [one.id for one in await store.versions(upstream="u1", path="a")] == ["n2", "n0"]
        assert [one.id for one in await store.versions(path="a", limit=2)] == ["m0", "n2"]

    async def test_a_renamed_file_is_listed_by_its_id(self, store: KeptVersions) -> None:
        """With what else lay at the path; an empty id is nobody's, and ids are of one server."""
        for at, (path, file) in enumerate([("a", "f1"), ("b", "f1"), ("b", "f2"), ("c", ""), ("d", "")]):
            one = a_snapshot(f"n{at}", path=path, file=file, taken=START + at)
            await store.keep_version(one, b"x", limits=PLENTY)
        await store.keep_version(a_snapshot("m0", upstream="u2", path="x", file="f1"), b"x", limits=PLENTY)
        assert [one.id for one in await store.versions(upstream="u1", path="b", file="f1")] == ["n2", "n1", "n0"]
        assert [one.id for one in await store.versions(upstream="u1", path="new", file="f1")] == ["n1", "n0"]
        assert [one.id for one in await store.versions(upstream="u1", path="c", file="")] == ["n3"]
        assert (await store.version("n0")).file == "f1"  # type: ignore[union-attr]

    async def test_equal_content_is_stored_once(self, store: KeptVersions) -> None:
        """And stays until the last snapshot of it is forgotten. Another server's is its own."""
        limits = Limits(bytes=5000, per_document=1000, days=10_000)
        for at in range(20):
            await store.keep_version(a_snapshot(f"n{at}", taken=START + at), noise(1), limits=limits)
        assert len(await store.versions()) == 20
        digests = {one.digest for one in await store.versions()}
        assert len(digests) == 1
        other = await store.keep_version(a_snapshot("m1", upstream="u2"), noise(1), limits=limits)
        assert other.digest not in digests
        two = Limits(bytes=1 << 30, per_document=2, days=10_000)
        assert await store.thin_versions(START + 20, limits=two) == 18
        assert await store.version_content("n19") == noise(1)

    async def test_a_taken_id_changes_nothing(self, store: KeptVersions) -> None:
        """The content of the refused one is not kept either."""
        await store.keep_version(a_snapshot("n1"), b"one", limits=PLENTY)
        with pytest.raises(ValueError):
            await store.keep_version(a_snapshot("n1", path="other"), b"two", limits=PLENTY)
        assert await store.version_content("n1") == b"one" and len(await store.versions()) == 1

    async def test_past_the_bytes_the_oldest_goes(self, store: KeptVersions) -> None:
        """In the same step in which the new one comes."""
        limits = Limits(bytes=7000, per_document=1000, days=10_000)
        for at in range(6):
            await store.keep_version(a_snapshot(f"n{at}", taken=START + at), noise(at), limits=limits)
        assert [one.id for one in await store.versions()] == ["n5", "n4", "n3"]

    async def test_past_the_number_the_oldest_of_the_document_goes(self, store: KeptVersions) -> None:
        """In the same step too, and only that document's."""
        limits = Limits(bytes=1 << 30, per_document=2, days=10_000)
        await store.keep_version(a_snapshot("m1", path="other"), noise(9), limits=limits)
        for at in range(4):
            await store.keep_version(a_snapshot(f"n{at}", taken=START + at), noise(at), limits=limits)
        assert sorted(one.id for one in await store.versions()) == ["m1", "n2", "n3"]
        with pytest.raises(NotFound):
            await store.version_content("n0")

    async def test_the_newest_of_a_document_is_never_forgotten(self, store: KeptVersions) -> None:
        """Neither for another document's sake nor for its age: then nothing is kept, and that is said."""
        limits = Limits(bytes=5000, per_document=1, days=1)
        await store.keep_version(a_snapshot("n1", path="a"), noise(1), limits=limits)
        await store.keep_version(a_snapshot("n2", path="b", taken=START + 1), noise(2), limits=limits)
        with pytest.raises(StoreUnavailable):
            await store.keep_version(a_snapshot("n3", path="c", taken=START + 2), noise(3), limits=limits)
        assert await store.thin_versions(START + 400 * DAY, limits=limits) == 0
        assert [one.id for one in await store.versions()] == ["n2", "n1"]
        assert await store.version_content("n1") == noise(1)

    async def test_the_newest_stays_whatever_is_asked(self, store: KeptVersions) -> None:
        """Even with no room, no number and no time allowed."""
        await store.keep_version(a_snapshot("n1"), noise(1), limits=PLENTY)
        await store.keep_version(a_snapshot("n2", taken=START + 1), noise(2), limits=PLENTY)
        assert await store.thin_versions(START + 9 * DAY, limits=Limits(bytes=0, per_document=0, days=0)) == 1
        assert [one.id for one in await store.versions()] == ["n2"]

    async def test_attack_making_room_at_the_cost_of_what_stood_there(self, store: KeptVersions) -> None:
        """What was kept before a visit wrote, and what an alarm names, is not forgotten for another file's sake; nor is
        anything for the sake of an account that is full: then nothing is kept, and that is said."""
        limits = Limits(bytes=16_000, per_document=1000, days=30)
        fields: dict[str, Any] = {"visit": "eve", "link": "l1", "cause": Cause.BEFORE_OVERWRITE}
        await store.keep_version(a_snapshot("owned", path="c"), noise(5), limits=limits)
        await store.keep_version(a_snapshot("newest", path="c", taken=START + 1), noise(6), limits=limits)
        await store.name_version("owned")
        await store.name_version("missing")
        assert (await store.version("owned")).named  # type: ignore[union-attr]
        await store.keep_version(a_snapshot("good", path="a", **fields), noise(0, 500), limits=limits)
        refused = 0
        for at in range(25):
            one = a_snapshot(f"n{at:02}", path="pad.bin", taken=START + 2 + at, **fields)
            try:
                await store.keep_version(one, noise(at + 10, 1000), limits=limits)
            except AccountFull:
                refused += 1
        left = [one.id for one in await store.versions()]
        assert refused == 22 and sorted(left) == ["good", "n00", "n01", "n02", "newest", "owned"]
        # Leaving and coming again helps once.
        fields |= {"visit": "eve2"}
        for at in range(9):
            one = a_snapshot(f"m{at:02}", path="pad.bin", taken=START + 50 + at, **fields)
            try:
                await store.keep_version(one, noise(at + 50, 1000), limits=limits)
            except AccountFull:
                refused += 1
        assert refused > 22 and {"good", "owned", "newest"} <= {one.id for one in await store.versions()}
        fields |= {"visit": "bo", "link": "l2"}
        await store.keep_version(a_snapshot("large", path="b", **fields), noise(9, 7000), limits=limits)
        assert {"good", "owned", "newest", "large"} <= {one.id for one in await store.versions()}
        assert await store.version("n01") is None
        # The days end it.
        await store.keep_version(a_snapshot("later", path="a", taken=START + 31 * DAY), b"", limits=limits)
        assert await store.version("good") is None

    # -- authors

    async def test_amounts_of_one_cell_add_up(self, store: KeptVersions, reopened: Any) -> None:
        """Per visit, with the first and the last time."""
        one = Authorship(upstream="u1", file="f1", cell="a", visit="v1", first=5, last=6, inserted=3, deleted=1)
        await store.add_authorship([one, Authorship(upstream="u1", file="f1", cell="a", visit="v2", first=1, last=1)])
        await store.add_authorship(
            [Authorship(upstream="u1", file="f1", cell="a", visit="v1", first=2, last=9, inserted=4, deleted=5)]
        )
        found = await (await reopened()).authorship("u1", "f1")
        assert [(a.visit, a.first, a.last, a.inserted, a.deleted) for a in found] == [
            ("v2", 1, 1, 0, 0),
            ("v1", 2, 9, 7, 6),
        ]

    # -- logs

    async def test_a_log_is_read_back(self, store: KeptVersions, reopened: Any) -> None:
        """In order, each with its origin, after a restart too; epochs are apart."""
        edits = [edit(EditKind.STATE), edit(origin="v1"), edit(EditKind.UNDONE, b"", origin="v1")]
        await store.append_edits(PLACE, edits[:2], limit=1 << 20)
        await store.append_edits(PLACE, edits[2:], limit=1 << 20)
        later = Place("u1", "f1", "e2")
        await store.append_edits(later, [edit(EditKind.STATE)], limit=1 << 20)
        again = await reopened()
        assert await again.edits(PLACE) == edits
        assert await again.edits(later) == edits[:1]
        assert await again.edits(Place("u2", "f1", "e1")) == []

    async def test_a_log_begins_with_a_whole_document(self, store: KeptVersions) -> None:
        """What follows could not be played without it."""
        for edits in ([], [edit()]):
            with pytest.raises(ValueError):
                await store.append_edits(PLACE, edits, limit=1 << 20)
        assert await store.edits(PLACE) == []

    async def test_a_log_is_cut_at_whole_documents(self, store: KeptVersions) -> None:
        """Past its limit the oldest part goes; the last part stays, whatever its size."""
        for at in range(5):
            part = [edit(EditKind.STATE, noise(at)), edit(data=noise(at + 100), origin=f"v{at}")]
            await store.append_edits(PLACE, part, limit=10_000)
        kept = await store.edits(PLACE)
        assert kept[0].kind is EditKind.STATE and [one.origin for one in kept if one.origin] == ["v3", "v4"]
        await store.append_edits(PLACE, [edit(data=noise(9, 50_000), origin="v9")], limit=10_000)
        assert [one.origin for one in await store.edits(PLACE) if one.origin] == ["v4", "v9"]

    async def test_which_documents_a_visit_changed(self, store: KeptVersions) -> None:
        """The log written in last comes first; the owner's side is nobody's visit."""
        for at, file in enumerate(["f1", "f2"]):
            place = Place("u1", file, "e1", f"{file}.ipynb")
            edits = [edit(EditKind.STATE), Edit(kind=EditKind.UPDATE, at=START + at, origin="v1", data=b"x"), edit()]
            await store.append_edits(place, edits, limit=1 << 20)
        assert [place.path for place in await store.edited_by("v1")] == ["f2.ipynb", "f1.ipynb"]
        assert await store.edited_by("v2") == [] and await store.edited_by("") == []

    async def test_the_logs_of_a_document(self, store: KeptVersions) -> None:
        """In the order in which they begin, whoever wrote in them."""
        for at, epoch in ((2, "a"), (0, "b"), (1, "c")):
            states = [Edit(kind=EditKind.STATE, at=START + at, data=b"x"), Edit(kind=EditKind.UPDATE, at=START + 9)]
            await store.append_edits(Place("u1", "f1", epoch, f"{epoch}.ipynb"), states, limit=1 << 20)
        await store.append_edits(Place("u1", "f2", "d"), [edit(EditKind.STATE)], limit=1 << 20)
        await store.append_edits(Place("u2", "f1", "e"), [edit(EditKind.STATE)], limit=1 << 20)
        assert [(one.epoch, one.path) for one in await store.logs_of("u1", "f1")] == [
            *(("b", "b.ipynb"), ("c", "c.ipynb"), ("a", "a.ipynb"))
        ]

    async def test_old_logs_and_authors_are_forgotten(self, store: KeptVersions) -> None:
        """After as many days as versions are kept, and the oldest where a server's take too much."""
        limits = Limits(bytes=10_000, per_document=9, days=2)
        for at in range(3):
            place = Place("u1", f"f{at}", "e1")
            whole = Edit(kind=EditKind.STATE, at=START + at * DAY, data=noise(at, 4000))
            await store.append_edits(place, [whole], limit=1 << 20)
        await store.add_authorship(
            [Authorship(upstream="u1", file="f0", cell="a", visit="v1", first=START, last=START)]
        )
        assert await store.thin_versions(START + 2 * DAY, limits=limits) == 0
        assert [len(await store.edits(Place("u1", f"f{at}", "e1"))) for at in range(3)] == [0, 1, 1]
        assert len(await store.authorship("u1", "f0")) == 1
        await store.thin_versions(START + 3.5 * DAY, limits=limits)
        assert [len(await store.edits(Place("u1", f"f{at}", "e1"))) for at in range(3)] == [0, 0, 1]
        assert await store.authorship("u1", "f0") == []

    async def test_concurrent_snapshots(self, store: KeptVersions) -> None:
        """Many at once are all kept."""
        await asyncio.gather(
            *(store.keep_version(a_snapshot(f"n{at:02}"), noise(at), limits=PLENTY) for at in range(30))
        )
        assert len(await store.versions()) == 30
