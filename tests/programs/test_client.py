"""sharegate.client against a real gate and a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from pycrdt import Map

from sharegate.client import BadLink, Conflict, EditRefused, Ended, NotAllowed, Notebook, NotFound, ShareError, join
from sharegate.errors import Reason
from tests.gatehouse import Gatehouse, Program
from tests.programs.conftest import sources, until
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


def link(who: Program) -> str:
    return str(who.link["url"])


async def followed(live: Notebook) -> None:
    """Until it raises."""
    while await live.changed(within=30):
        pass


async def test_files_are_listed_read_written_moved_and_deleted(editor: Program, workshop: JupyterServer) -> None:
    """All paths are relative to what is shared."""
    shared = workshop.root / "sub" / "shared"
    async with join(link(editor)) as share:
        assert (share.name, share.role, share.about.link) == ("shared", "edit", "Ann")
        assert "inner" in [entry.path for entry in await share.tree() if entry.kind == "directory"]
        assert [entry.path for entry in await share.tree("inner")] == ["inner/deep.txt"]
        assert await share.read("name with space & ünicode.txt") == b"odd name\n"
        written = await share.write("inner/bytes.bin", b"\x00\xff")
        assert (written.path, (shared / "inner" / "bytes.bin").read_bytes()) == ("inner/bytes.bin", b"\x00\xff")
        assert (await share.rename("inner/bytes.bin", "moved.bin")).path == "moved.bin"
        await share.make_folder("made")
        await share.write("made/text.txt", "ünicode\n")
        assert await share.read_text("made/text.txt") == "ünicode\n"
        for path in ("moved.bin", "made/text.txt", "made"):
            await share.delete(path)
        assert not (shared / "made").exists() and not (shared / "moved.bin").exists()
        with pytest.raises(NotFound):
            await share.tree("data.csv")


@pytest.mark.parametrize("path", ["nothing.txt", ".hidden.txt", "link_secret.txt"])
async def test_what_is_not_there_is_not_found(viewer: Program, path: str) -> None:
    """Whatever the reason is."""
    async with join(link(viewer)) as share:
        with pytest.raises(NotFound) as caught:
            await share.read(path)
        assert caught.value.reason == "not_found" and caught.value.id


@pytest.mark.parametrize("path", ["../shared2/sibling.txt", "..", "inner/../../../secret/secret.txt", "%2e%2e/x"])
async def test_nothing_leads_out(editor: Program, path: str) -> None:
    """The gate refuses it, for reading and writing."""
    async with join(link(editor)) as share:
        with pytest.raises(ShareError):
            await share.read(path)
        with pytest.raises(ShareError):
            await share.write(path, "x")


async def test_a_share_of_one_file_is_that_file(gate: Gatehouse, workshop: JupyterServer) -> None:
    """Named by its own name, or by none."""
    made = await gate.share("sub/shared/data.csv", clients=True)
    async with join(made["links"][0]["url"]) as share:
        assert [entry.path for entry in await share.tree()] == ["data.csv"]
        assert await share.read("data.csv") == b"a,b\n1,2\n"
        with pytest.raises(NotFound):
            await share.read("nb.ipynb")


async def test_a_notebook_is_edited_live_with_others(editor: Program, notebook: Path) -> None:
    """Two programs in one notebook; saved is saved, and nothing was refused or put right."""
    async with join(link(editor)) as one, join(link(editor)) as other:
        mine, theirs = await one.notebook(notebook.name), await other.notebook(notebook.name)
        mine.cells[0].source = "# Shared notebook, checked"
        mine.append("x = 1")
        mine.insert(0, "first", "markdown")
        await until(lambda: [cell.source for cell in theirs.cells][:2] == ["first", "# Shared notebook, checked"])
        theirs.cells[0].source = "# Shared notebook, first"
        theirs.cells[2].delete()
        await theirs.save()
        await until(lambda: len(mine.cells) == 4)
        await mine.save()

    assert sources(notebook) == ["# Shared notebook, first", "# Shared notebook, checked", "x = 'second'", "x = 1"]
    events = await editor.gate.events(share=editor.share["id"])
    assert not {"document.corrected", "document.refused"} & {event["action"] for event in events}


async def test_what_was_written_is_with_the_others_when_it_is_closed(editor: Program, notebook: Path) -> None:
    """Without a save: who comes afterwards sees it at once, however much it was."""
    async with join(link(editor)) as share, join(link(editor)) as other:
        seen = await other.notebook(notebook.name)
        live = await share.notebook(notebook.name)
        for number in range(40):
            live.append(f"x = {number}\n" * 200)
        await live.close()
        async with join(link(editor)) as third:
            sources_now = [cell.source for cell in (await third.notebook(notebook.name)).cells]
        assert sources_now[-1] == "x = 39\n" * 200 and len(sources_now) == 43
        await until(lambda: len(seen.cells) == 43)


async def test_a_viewers_notebook_follows(viewer: Program, editor: Program, notebook: Path) -> None:
    """And says at once that it does not edit."""
    async with join(link(viewer)) as reading, join(link(editor)) as writing:
        seen, written = await reading.notebook(notebook.name), await writing.notebook(notebook.name)
        written.cells[1].source = "live = True"
        await until(lambda: seen.cells[1].source == "live = True")
        with pytest.raises(NotAllowed):
            seen.append("x")
        with pytest.raises(NotAllowed):
            await reading.write("x.csv", "x")


async def test_an_edit_that_no_notebook_page_makes_is_refused_and_the_rest_goes_on(
    editor: Program, notebook: Path
) -> None:
    """Said once, with the document as the others have it."""
    async with join(link(editor)) as share:
        live = await share.notebook(notebook.name)
        live._room.doc.get("state", type=Map)["evil"] = 1.0
        with pytest.raises(EditRefused) as caught:
            await followed(live)
        assert caught.value.reason == "update_refused"
        await live.changed(within=30)
        live.cells[0].source = "# Good"
        await live.save()

    assert sources(notebook)[0] == "# Good"


async def test_a_gate_that_restarts_loses_no_edit(editor: Program, notebook: Path) -> None:
    """Its connections close with 1012; the program comes back by itself."""
    channels = editor.gate.running.gate._answers._channels
    async with join(link(editor)) as share:
        live = await share.notebook(notebook.name)
        assert channels.cut(reason=Reason.DRAINING) > 0
        live.cells[0].source = "# While away"
        await live.save()

    assert sources(notebook)[0] == "# While away"


@pytest.mark.parametrize(
    ("verb", "reason"),
    [("pause", "link_paused"), ("revoke", "link_revoked"), ("replace", "link_replaced"), ("end", "visit_ended")],
)
async def test_what_ends_it_is_said_to_what_is_open_and_to_what_comes(
    gate: Gatehouse, editor: Program, notebook: Path, verb: str, reason: str
) -> None:
    """A replaced link ends its programs too, for the old token is what they have."""
    async with join(link(editor)) as share:
        live = await share.notebook(notebook.name)
        if verb == "end":
            (visit,) = (await gate.call("GET", "visits"))["visits"]
            await gate.call("POST", f"visits/{visit['id']}/end")
        else:
            await gate.call("POST", f"links/{editor.link['id']}/{verb}")
        with pytest.raises(Ended) as caught:
            await followed(live)
        assert caught.value.reason == reason
        if verb != "end":
            with pytest.raises(Ended) as asked:
                await share.tree()
            assert asked.value.reason == reason


async def test_no_clients_any_more(gate: Gatehouse, editor: Program, notebook: Path) -> None:
    """Taken back while a program is in."""
    async with join(link(editor)) as share:
        live = await share.notebook(notebook.name)
        await gate.call("PATCH", f"shares/{editor.share['id']}", {"clients": False})
        with pytest.raises(Ended) as caught:
            await followed(live)
        assert caught.value.reason == "clients_off"


async def test_a_link_for_browsers_is_refused(gate: Gatehouse) -> None:
    """With a word that says so."""
    made = await gate.share(**{"for": ["Bo"]})
    with pytest.raises(Ended, match="browsers only"):
        async with join(made["links"][0]["url"]):
            pass
    with pytest.raises(BadLink):
        async with join(made["links"][0]["url"].partition("#")[0]):
            pass


async def test_a_file_that_is_open_live_is_not_overwritten(editor: Program, notebook: Path) -> None:
    """The same rule as for browsers."""
    async with join(link(editor)) as share:
        live = await share.notebook(notebook.name)
        live.cells[0].source = "# Live"
        await live.save()
        with pytest.raises((Conflict, ShareError)):
            await share.write(notebook.name, "not a notebook")
        assert live.cells[0].source == "# Live"
