"""When the room of a shared document closes: a file that moves, hides or is exchanged, and a share, link or visit that
ends."""

import asyncio
import sqlite3
from dataclasses import replace

import pytest

from tests.attacks.conftest import BEYOND
from tests.attacks.pages import Owner, Visitor, editor, make, room_of, until, visiting
from tests.attacks.rooms import NEW_ID, OTHER_ID, try_room
from tests.attacks.wire import Wire
from tests.gatehouse import Gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


async def test_attack_following_a_file_out_of_the_root(
    viewer: Visitor, owner: Owner, wire: Wire, workshop: JupyterServer
) -> None:
    """A room ends when the owner moves its file out; neither the new name nor what is typed there arrives."""
    path = make(workshop, "moves_out.md")
    mine = await owner.open(path)
    page = await viewer.open(path)
    mine.type("before\n")
    await page.until(lambda: "before" in str(page.source))

    await owner.move(path, "zqbeaver-folder/zqotter_moved.md")
    await page.until(lambda: page.closed is not None)
    mine.type("after\n")
    await until(lambda: "after" in (workshop.root / "zqbeaver-folder/zqotter_moved.md").read_text())

    assert page.closed is not None and page.closed[0] == 1003
    assert b"after" not in page.words
    assert not any(name.encode() in page.words + page.closed[1].encode() for name in BEYOND)
    before = len(wire.sockets)
    room = await owner.index("zqbeaver-folder/zqotter_moved.md")
    assert (await try_room(viewer.inside, f"text:file:{room['fileId']}")).status == 404
    assert len(wire.sockets) == before


async def test_attack_an_old_room_beside_a_new_file(viewer: Visitor, owner: Owner, workshop: JupyterServer) -> None:
    """A file that takes the place of one that was moved out has a room of its own; the old room opens no more."""
    path = make(workshop, "replaced.md")
    before = await viewer.session(path)
    await owner.move(path, "zqbeaver-folder/zqotter_replaced.md")
    make(workshop, "replaced.md", "another file\n")
    page = await viewer.open(path)
    after = await viewer.session(path)

    assert after["fileId"] != before["fileId"] and str(page.source) == "another file\n"
    assert (await try_room(viewer.inside, f"text:file:{before['fileId']}")).status == 404


async def test_attack_following_a_file_that_was_moved_on_the_disk(viewer: Visitor, workshop: JupyterServer) -> None:
    """A move that the server does not notice leaves the old path in its index: what is written to the file where it is
    now arrives nowhere, and its room does not open again until a file is there."""
    path = make(workshop, "moved_on_disk.md")
    page = await viewer.open(path)
    room = f"text:file:{(await viewer.session(path))['fileId']}"
    moved = (workshop.root / path).rename(workshop.root / "zqbeaver-folder" / "zqotter_on_disk.md")
    moved.write_text("zqbadger says\n")
    missing = await try_room(viewer.inside, room)
    make(workshop, "moved_on_disk.md", "another file\n")
    await page.until(lambda: str(page.source) == "another file\n")

    assert missing.status == 404
    assert b"zqbadger" not in page.words


async def test_attack_an_id_of_another_server(viewer: Visitor, workshop: JupyterServer, wire: Wire) -> None:
    """Servers of one data directory share their index: an id of a file of another server is none of this one's."""
    elsewhere = workshop.root.parent / "other-root" / "sub" / "shared" / "data.csv"
    database = sqlite3.connect(workshop.root.parent / "data" / "file_id_manager.db")
    with database:
        database.execute("INSERT INTO Files (id, path) VALUES (?, ?)", (OTHER_ID, str(elsewhere)))
    database.close()
    before = len(wire.sockets)

    assert (await try_room(viewer.inside, f"text:file:{OTHER_ID}")).status == 404
    assert len(wire.sockets) == before


async def test_attack_following_a_file_that_is_hidden(viewer: Visitor, owner: Owner, workshop: JupyterServer) -> None:
    """A room ends when a folder on the way to its file gets a hidden name."""
    (workshop.root / "sub/shared/soon").mkdir(exist_ok=True)
    path = make(workshop, "soon/will_hide.md")
    page = await viewer.open(path)
    (workshop.root / "sub/shared/.zqhidden-folder").mkdir(exist_ok=True)
    # The server refuses to move into a hidden folder; its index is told what a move on the disk would tell it.
    database = sqlite3.connect(workshop.root.parent / "data" / "file_id_manager.db")
    with database:
        found = database.execute(
            "UPDATE Files SET path = replace(path, 'soon/', '.zqhidden-folder/') WHERE path LIKE '%will_hide.md'"
        )
        assert found.rowcount == 1
    database.close()
    await page.until(lambda: page.closed is not None)

    assert page.closed is not None and page.closed[0] == 1003


async def test_attack_a_file_exchanged_for_a_link_while_its_room_is_open(
    viewer: Visitor, workshop: JupyterServer
) -> None:
    """The disk is looked at anew while a room is open: a link to a file outside ends it."""
    path = make(workshop, "exchanged.md")
    page = await viewer.open(path)
    (workshop.root / path).unlink()
    (workshop.root / path).symlink_to(workshop.root / "zqbeaver-folder" / "zqotter.txt")
    await page.until(lambda: page.closed is not None)

    assert page.closed is not None and page.closed[0] == 1003
    assert b"zqbadger" not in page.words


async def test_a_file_moved_within_the_root_stays_open(viewer: Visitor, owner: Owner, workshop: JupyterServer) -> None:
    """A rename inside the share is none of the gate's business: the room goes on."""
    path = make(workshop, "moves_within.md")
    mine = await owner.open(path)
    page = await viewer.open(path)
    await owner.move(path, "sub/shared/inner/moved_within.md")
    # Longer than the room's check: what would cut it has had its chance.
    for number in range(4):
        mine.type(f"line {number}\n")
        await page.until(lambda number=number: f"line {number}" in str(page.source))
        await asyncio.sleep(0.5)

    assert page.closed is None


@pytest.mark.parametrize("end", ["share", "link", "visit"])
async def test_ending_closes_the_room_at_both_ends(
    gate: Gatehouse, owner: Owner, wire: Wire, workshop: JupyterServer, end: str
) -> None:
    """After revoking a share or link, or ending a visit, nothing more arrives, and the server's side is closed too."""
    async with visiting(await gate.visit()) as viewer:
        path = make(workshop, f"ends_{end}.md")
        mine = await owner.open(path)
        page = await viewer.open(path)
        visit = viewer.inside.base.split("~")[1].strip("/")
        address = {
            "share": f"shares/{viewer.inside.share['id']}/revoke",
            "link": f"links/{viewer.inside.link['id']}/revoke",
            "visit": f"visits/{visit}/end",
        }[end]
        ended = await gate.call("POST", address, {})
        heard = len(page.heard)
        mine.type("after\n")
        await page.until(lambda: page.closed is not None)

        assert ended["ended"]["channels"] >= 1
        assert b"after" not in b"".join(page.heard[heard:])
        reply = await viewer.inside.ask("GET", f"api/contents/{path}?content=1")
        assert reply.status in (401, 403)
        assert (await try_room(viewer.inside, f"text:file:{NEW_ID}")).status in (401, 403)


ann = editor("Ann")


async def test_attack_the_room_of_others(ann: Visitor, owner: Owner, gate: Gatehouse, workshop: JupyterServer) -> None:
    """An open document's own address, with its session, opens for nobody but the editor's visit, and for that no more
    when it is over; what an editor types after that reaches nobody."""
    path = make(workshop, "others.md")
    address = room_of(await ann.session(path))
    mine, hers = await owner.open(path), await ann.connect(address)
    await hers.greet()
    inside = ann.inside
    made = await gate.share("zqbeaver-folder", role="edit", **{"for": ["Eve"]})
    async with visiting(await gate.visit(made, name="Eve")) as eve:
        cookies = (replace(inside, cookie=cookie) for cookie in ("", "x" * 43, eve.inside.cookie))
        asked = [await who.upgrade(address) for who in (*cookies, eve.inside)]
    assert asked == [401, 401, 401, 404]
    hers.type("zqbefore ")
    await until(lambda: "zqbefore" in str(mine.source))
    await gate.call("POST", f"shares/{inside.share['id']}/revoke")
    hers.type("zqafter ")
    await hers.until(lambda: hers.closed is not None)
    assert await inside.upgrade(address) == 403
    mine.type("end")
    await until(lambda: (workshop.root / path).read_text().endswith("end"))
    assert "zqafter" not in (workshop.root / path).read_text()
