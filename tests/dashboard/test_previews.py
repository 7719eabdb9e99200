"""Acts that are bound to what was shown before them: what changed meanwhile is refused, and nothing is done."""

from __future__ import annotations

from typing import Any

import pytest

from sharegate.dashboard import previews
from sharegate.errors import Refused
from tests.dashboard.conftest import SERVER, Office
from tests.dashboard.pages.party import party
from tests.dashboard.pages.test_guarding import ruled, write
from tests.dashboard.test_versions import PATH, Desk, append

__all__ = ["ruled"]


@pytest.fixture
async def desk(office: Office) -> Desk:
    return await Desk(office).sit()


def test_the_digest_says_what_was_shown() -> None:
    """The same for the same, in whatever order its names stand; nothing is refused where nothing was seen."""
    one = previews.digest({"a": [1, None], "b": {"x": "ü"}})
    assert one == previews.digest({"b": {"x": "ü"}, "a": [1, None]}) != previews.digest({"a": [1], "b": {"x": "ü"}})
    previews.check("", one)
    previews.check(one, one)
    for seen in ("x", one[:-1], one.upper(), "ü", "\ud800"):
        with pytest.raises(Refused) as refused:
            previews.check(seen, one)
        assert refused.value.code == "changed"


async def refused(office: Office, path: str, body: dict[str, Any]) -> None:
    before = await office.everything(), await office.actions()
    status, answer = await office.ask("POST", path, body)
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (409, "changed", "digest")
    assert (await office.everything(), await office.actions()) == before


async def test_attack_rules_that_changed_after_the_preview(ruled: Office) -> None:
    """Another file, and another share that it would stop; afterwards what is shown is applied."""
    await ruled.share(anyone=True)
    write(ruled, anyone="false")
    seen = await ruled.call("POST", "rules/reload", {"dry_run": True})
    write(ruled, anyone="false", clients="false")
    await refused(ruled, "rules/reload", {"digest": seen["digest"]})
    seen = await ruled.call("POST", "rules/reload", {"dry_run": True})
    await ruled.share("week3", anyone=True)
    await refused(ruled, "rules/reload", {"digest": seen["digest"]})
    seen = await ruled.call("POST", "rules/reload", {"dry_run": True})
    ruled.clock.forward(60)
    done = await ruled.call("POST", "rules/reload", {"digest": seen["digest"]})
    assert done["consequences"] == seen["consequences"] and done["stops"] == 2


async def test_attack_somebody_comes_after_the_preview_of_giving_up_keys(office: Office) -> None:
    """And another link, another moment of the theft, and another key."""
    there = await party(office)
    asked = {"compromised": True, "since": office.clock() - 7200}
    seen = await office.call("POST", "keys/rotate", asked | {"dry_run": True})
    await refused(office, "keys/rotate", asked | {"digest": seen["digest"], "since": office.clock()})
    await there.came("Dee", there.share["links"][1])
    await refused(office, "keys/rotate", asked | {"digest": seen["digest"]})
    seen = await office.call("POST", "keys/rotate", asked | {"dry_run": True})
    await office.call("POST", "keys/rotate")
    await refused(office, "keys/rotate", asked | {"digest": seen["digest"]})
    seen = await office.call("POST", "keys/rotate", asked | {"dry_run": True})
    done = await office.call("POST", "keys/rotate", asked | {"digest": seen["digest"]})
    assert [visit["id"] for visit in done["ends"]] == [visit["id"] for visit in seen["ends"]]


async def test_attack_a_document_changes_after_the_preview_of_undoing(desk: Desk) -> None:
    """All of it, and one document of it."""
    seen = await desk.office.call("POST", "visits/ann/undo", {"preview": True})
    await desk.documents.write(SERVER, PATH, "ann", append(" MORE"))
    path = str(desk.office.folder / PATH)
    (document,) = seen["documents"]
    await refused(desk.office, "visits/ann/undo", {"digest": seen["digest"]})
    await refused(desk.office, "visits/ann/undo", {"digest": document["digest"], "path": path})
    seen = await desk.office.call("POST", "visits/ann/undo", {"preview": True})
    await desk.office.call("POST", "visits/ann/undo", {"digest": seen["documents"][0]["digest"], "path": path})
    assert desk.content.cells[0]["source"] == "one"
