"""The doors of shared documents, tried by viewers and an editor: which rooms open, what may be said in them, when they
close.

The upstream is a real server behind a recorder, so "nothing was sent" is read from the wire.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from pycrdt import Array, Doc, Map, Text, create_update_message

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep2
from sharegate.prove import rooms
from tests.attacks.conftest import BEYOND
from tests.attacks.ground import WORKSHOP, rows
from tests.attacks.pages import Owner, Visitor, editor, make, room_of, until, visiting
from tests.attacks.wire import GREETING, Line, Wire
from tests.gatehouse import Gatehouse, Inside, Reply
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

NEW_ID = "00000000-0000-4000-8000-000000000000"
OTHER_ID = "00000000-0000-4000-8000-00000000abcd"


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(gate: Gatehouse) -> tuple[Inside, Inside]:
    """Two viewers, each by a share of her own: the door lets nobody in more often than once a second for long."""
    return await gate.visit(), await gate.visit(name="Bea")


@pytest_asyncio.fixture(loop_scope="module")
async def viewer(people: tuple[Inside, Inside]) -> AsyncIterator[Visitor]:
    async with visiting(people[0]) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def other(people: tuple[Inside, Inside]) -> AsyncIterator[Visitor]:
    async with visiting(people[1]) as one:
        yield one


def indexed(jupyter: JupyterServer) -> dict[str, str]:
    """Path by id, as the server's file id manager has them on its disk."""
    database = sqlite3.connect(f"file:{jupyter.root.parent / 'data' / 'file_id_manager.db'}?mode=ro", uri=True)
    try:
        return dict(database.execute("SELECT id, path FROM Files"))
    finally:
        database.close()


def told(reply: Reply) -> str:
    """A refusal without its random id and the date."""
    error = dict(reply.json["error"])
    assert len(error.pop("id")) == 8
    kept = sorted((key, value) for key, value in reply.headers if key.lower() != "date")
    return f"{reply.status} {kept} {error}"


def upgrade_fields(inside: Inside, **changed: str) -> dict[str, str]:
    fields = {
        **inside.manners("GET"),
        "Origin": inside.gate.origin,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return {**fields, **changed}


async def try_room(inside: Inside, room: str) -> Reply:
    return await inside.gate.raw("GET", f"{inside.base}api/collaboration/room/{room}", upgrade_fields(inside))


# -- sessions -------------------------------------------------------------------------------------------

NOWHERE = {
    **rows(rooms.NOWHERE, WORKSHOP),
    "file above": "zqotter.ipynb",
    "folder": "sub/shared/inner",
    "folder on the way": "sub",
    "link beyond the server's root": "sub/shared/link_beyond.txt",
}


async def test_attack_a_session_for_what_is_not_there_leaves_no_row(
    gate: Gatehouse, viewer: Visitor, workshop: JupyterServer, wire: Wire
) -> None:
    """Upstream indexes anything for ever; through the gate all of it is one answer, and the index does not grow."""
    before = indexed(workshop)
    answers: dict[str, str] = {}
    for name, path in NOWHERE.items():
        for form, kind in rooms.KINDS:
            body = json.dumps({"format": form, "type": kind}).encode()
            reply = await viewer.inside.ask("PUT", f"api/collaboration/session/{path}", body=body)
            answers[f"{name} as {kind}"] = told(reply)

    assert len(set(answers.values())) == 1, answers
    assert next(iter(answers.values())).startswith("404")
    assert indexed(workshop) == before
    assert b"PUT /api/collaboration/session" not in wire.everything


@pytest.mark.parametrize("path", rows(rooms.TWO_READINGS, WORKSHOP).values(), ids=rooms.TWO_READINGS.keys())
async def test_attack_a_session_by_a_path_with_two_readings(
    viewer: Visitor, workshop: JupyterServer, path: str
) -> None:
    """Refused before the server hears of it."""
    before = indexed(workshop)
    reply = await viewer.inside.ask(
        "PUT", f"api/collaboration/session/{path}", body=b'{"format":"json","type":"notebook"}'
    )

    assert reply.status in (400, 404)
    assert indexed(workshop) == before


@pytest.mark.parametrize("body", rooms.BODIES.values(), ids=rooms.BODIES.keys())
async def test_attack_session_bodies(viewer: Visitor, workshop: JupyterServer, body: bytes) -> None:
    """Only the two named fields with their named values; the server (500 to some of these) is not asked."""
    before = indexed(workshop)
    reply = await viewer.inside.ask("PUT", "api/collaboration/session/sub/shared/data.csv", body=body)

    assert (reply.status, reply.public) == (400, "bad_request")
    assert indexed(workshop) == before


async def test_one_format_and_type_per_file(viewer: Visitor, workshop: JupyterServer) -> None:
    """A notebook is no text file: a second room of one file would overwrite the first."""
    for form, kind in (("text", "file"), ("base64", "file"), ("text", "notebook"), ("json", "file"), ("json", "bogus")):
        body = json.dumps({"format": form, "type": kind}).encode()
        reply = await viewer.inside.ask("PUT", "api/collaboration/session/sub/shared/nb.ipynb", body=body)
        assert (reply.status, reply.public) == (404, "not_found"), (form, kind)


# -- rooms ----------------------------------------------------------------------------------------------


async def test_attack_rooms_by_every_other_name(
    gate: Gatehouse, viewer: Visitor, owner: Owner, wire: Wire, workshop: JupyterServer
) -> None:
    """None opens, none reaches the server, and those that are not found cannot be told apart."""
    mine = (await viewer.session("sub/shared/nb.ipynb", "json", "notebook"))["fileId"]
    text = (await viewer.session("sub/shared/notes.md"))["fileId"]
    away = {
        "outside": (await owner.index("zqotter.ipynb", "json", "notebook"))["fileId"],
        "text outside": (await owner.index("zqbeaver-folder/zqotter.txt"))["fileId"],
        "hidden": (await owner.index("sub/shared/.hidden.txt"))["fileId"],
        "linked out": (await owner.index("sub/shared/link_there.txt"))["fileId"],
        "beyond the root": (await owner.index("..%2Fbeyond%2Fbeyond.txt"))["fileId"],
        "absolute": (await owner.index("%2Fetc%2Fpasswd"))["fileId"],
        "folder": (await owner.index("sub/shared/inner"))["fileId"],
        "dots": (await owner.index("sub/shared/..%2F..%2Fzqotter.ipynb", "json", "notebook"))["fileId"],
    }
    await owner.open("sub/shared/nb.ipynb", "json", "notebook")
    fork = (await owner.ask("PUT", f"api/collaboration/fork/json:notebook:{mine}", {}))["fork_roomid"]
    own = {"mark": WORKSHOP.mark, "id": text, "ID": text.upper(), "away": away["text outside"]}
    not_found = {
        **{name: room.format_map(own) for name, room in rooms.NAMES_NOT_FOUND.items()},
        "other pair": f"text:file:{mine}",
        "base64": f"base64:file:{mine}",
        "other format": f"text:notebook:{mine}",
        "folder as a room, by its id": f"text:directory:{away['folder']}",
        "text as a notebook": f"json:notebook:{text}",
        "pair in capitals": f"JSON:notebook:{mine}",
        "fork": fork,
        "everything else is a path of an id": "json:notebook:sub/shared/nb.ipynb".replace("/", ":"),
        **{f"{name} as text": f"text:file:{id}" for name, id in away.items()},
        **{f"{name} as a notebook": f"json:notebook:{id}" for name, id in away.items()},
    }
    refused = {
        **{name: room.format_map(own) for name, room in rooms.NAMES_REFUSED.items()},
        "no room": "",
        "dots before one's own": f"x/../json:notebook:{mine}",
    }
    before, index = len(wire.sockets), indexed(workshop)
    answers = {}
    for name, room in not_found.items():
        reply = await try_room(viewer.inside, room)
        answers[name] = told(reply) if reply.status != 101 else "101"
    statuses = {name: (await try_room(viewer.inside, room)).status for name, room in refused.items()}

    assert not [name for name, answer in answers.items() if not answer.startswith("404")]
    assert len(set(answers.values())) == 1, answers
    assert set(statuses.values()) <= {400, 403, 404}, statuses
    assert len(wire.sockets) == before
    assert indexed(workshop) == index


async def test_an_encoded_colon_is_the_same_room(viewer: Visitor, wire: Wire) -> None:
    """The server would read `%3A` as another room; the gate decides on the decoded name and sends exactly that."""
    session = await viewer.session("sub/shared/nb.ipynb", "json", "notebook")
    await viewer.connect(room_of(session).replace(":", "%3A"))

    assert wire.sockets[-1].target.partition("?")[0] == "/" + room_of(session).partition("?")[0]


async def test_attack_a_plain_request_on_a_room_address(viewer: Visitor, wire: Wire) -> None:
    """Upstream a GET without an upgrade already makes the room: it is refused by name, the server not asked."""
    session = await viewer.session("sub/shared/nb.ipynb", "json", "notebook")
    before = bytes(wire.everything)
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        for room in (room_of(session), "api/collaboration/room/JupyterLab:globalAwareness", "api/events/subscribe"):
            reply = await viewer.inside.ask(method, room)
            assert reply.status == 403, (method, room, reply.body)

    assert b"/room/" not in wire.everything[len(before) :]


SOCKETS = {
    "room": "api/collaboration/room/{room}",
    "everybody": "api/collaboration/room/JupyterLab:globalAwareness",
    "events": "api/events/subscribe",
    "live": "-/live",
    "kernel": f"api/kernels/{NEW_ID}/channels",
    "terminal": "terminals/websocket/1",
    "language server": "lsp/ws/python",
}


@pytest.mark.parametrize("address", SOCKETS.values(), ids=SOCKETS.keys())
async def test_attack_a_websocket_from_another_origin(
    gate: Gatehouse, viewer: Visitor, wire: Wire, address: str
) -> None:
    """Upstream a room opens from anywhere; here only from the gate's own pages, exactly as browsers spell it."""
    session = await viewer.session("sub/shared/notes.md")
    target = viewer.inside.base + address.format(room=f"text:file:{session['fileId']}")
    port = gate.running.config.gate_port
    before = len(wire.sockets)
    for origin in (
        "http://evil.example",
        "null",
        "",
        None,
        f"HTTP://127.0.0.1:{port}",
        f"https://127.0.0.1:{port}",
        f"http://127.0.0.1:{port + 1}",
        "http://127.0.0.1",
        f"http://localhost:{port}",
        f"http://127.0.0.1:{port}/",
        f"http://127.0.0.1:{port}.evil.example",
        f"http://evil.example@127.0.0.1:{port}",
        f"{gate.origin}, {gate.origin}",
        f"{gate.origin} http://evil.example",
        f"{gate.running.dashboard_url}",
    ):
        fields = upgrade_fields(viewer.inside)
        del fields["Origin"]
        if origin is not None:
            fields["Origin"] = origin
        reply = await gate.raw("GET", target, fields)
        assert (reply.status, reply.public) == (403, "cross_site"), origin
    reply = await gate.raw("GET", target, {**upgrade_fields(viewer.inside), "origin": "http://evil.example"})
    assert (reply.status, reply.public) == (403, "cross_site"), "two fields"

    assert len(wire.sockets) == before


async def test_an_unknown_session_ends_the_room(viewer: Visitor, wire: Wire, workshop: JupyterServer) -> None:
    """Upstream a wrong session is no barrier to what is sent at once; here it closes before anything is heard."""
    path = make(workshop, "bogus_session.md")
    session = await viewer.session(path)
    before = len(wire.sockets)
    page = await viewer.connect(room_of({**session, "sessionId": "bogus"}))
    await page.send(_injection("INJECTED"))
    await until(lambda: page.closed is not None)

    assert page.closed is not None and page.closed[0] == 1003
    assert (workshop.root / path).read_text() == "first line\n"
    assert json.loads(page.closed[1]) == {"reason": "unknown_session", "reloadable": True}
    assert len(wire.sockets) == before


async def test_attack_a_document_that_cannot_be_opened(viewer: Visitor, owner: Owner, workshop: JupyterServer) -> None:
    """The server says in its close why, with the path and the beginning of the file; a visitor gets its code alone."""
    path = make(workshop, "zqbroken.ipynb", "zqcontent is no notebook\n")
    session = await owner.index(path, "json", "notebook")
    told = await owner.connect(room_of(session))
    page = await viewer.connect(room_of(await viewer.session(path, "json", "notebook")))
    for each in (told, page):
        await each.send(b"\0\0\1\0")
        await each.until(lambda each=each: each.closed is not None)
    (workshop.root / path).unlink()

    assert told.closed is not None and "zqbroken" in told.closed[1]
    assert page.closed is not None and page.closed[0] == told.closed[0]
    assert not any(word in page.words + page.closed[1].encode() for word in (b"zqbroken", b"zqcontent", b"NotJSON"))


async def test_attack_listening_to_what_others_do(viewer: Visitor, owner: Owner) -> None:
    """Upstream the stream of events names every file that anybody touches, and a room for everybody every document that
    anybody has open; a viewer's stream is silent and her room for everybody empty."""
    everybody, events = "api/collaboration/room/JupyterLab:globalAwareness", "api/events/subscribe"
    told = [await owner.connect(everybody), await owner.connect(events)]
    heard = [await viewer.connect(everybody), await viewer.connect(events)]
    state = {"user": {"name": "Olga"}, "current": "notebook:zqotter.ipynb", "documents": ["zqotter.ipynb"]}
    await told[0].send(said(told[0].doc.client_id, state))
    await owner.ask("GET", "api/contents/zqotter.ipynb?content=0")
    for each in told:
        await each.until(lambda each=each: b"zqotter.ipynb" in each.words)
    # What was for her would have come before the answer to what she says now.
    await heard[0].send(said(heard[0].doc.client_id, {"user": {"name": "Ann"}}))
    await heard[0].until(lambda: heard[0].heard)

    assert [len(each.heard) for each in heard] == [1, 0] and heard[1].closed is None
    assert b"zqotter" not in heard[0].words and b"Olga" not in heard[0].words


# -- frames ----------------------------------------------------------------------------------------


def _injection(words: str) -> bytes:
    doc: Doc = Doc()
    doc["source"] = Text(words)
    return create_update_message(doc.get_update())


def _moved_state() -> bytes:
    doc: Doc = Doc()
    doc["state"] = Map({"path": "zqotter.ipynb"})
    return create_update_message(doc.get_update())


def _cells() -> bytes:
    doc: Doc = Doc()
    doc["cells"] = Array(["justastring"])
    return create_update_message(doc.get_update())


def said(client: int, state: object) -> bytes:
    return frames.write(Awareness((AwarenessState(client, 2**31, state),))).data


async def test_attack_a_viewer_changes_nothing(
    gate: Gatehouse, viewer: Visitor, other: Visitor, owner: Owner, wire: Wire, workshop: JupyterServer
) -> None:
    """Updates, a filled step 2, saves and awareness change neither document nor file, and nobody else hears of them."""
    path = make(workshop, "changes_nothing.md")
    mine = await owner.open(path)
    page = await viewer.open(path)
    hers = await other.open(path)
    line = wire.sockets[-1]
    assert str(page.source) == str(hers.source) == "first line\n"

    step2 = frames.write(SyncStep2(frames.read(_frame(_injection("BYSTEPTWO"))).update)).data  # type: ignore[union-attr]
    for frame in (_injection("INJECTED"), step2, _moved_state(), _cells(), frames.write(RawSave(7)).data):
        await page.send(frame)
    for state in ({"user": {"name": "Olga"}, "autosave": True}, {"autosave": False}, None, {"x": "SPOOFED" * 999}):
        await page.send(said(mine.doc.client_id, state))
    await page.until(
        lambda: frames.write(RawJson({"type": "save", "responseTo": 7, "status": "skipped"})).data in page.heard
    )

    mine.type("typed by the owner\n")
    for each in (page, hers):
        await each.until(lambda each=each: str(each.source).endswith("typed by the owner\n"))
    await until(lambda: "typed by the owner" in (workshop.root / path).read_text())

    assert page.closed is None and hers.closed is None
    assert str(mine.source) == str(hers.source) == "first line\ntyped by the owner\n"
    assert (workshop.root / path).read_text() == "first line\ntyped by the owner\n"
    assert "path" not in mine.doc.get("state", type=Map) or mine.doc["state"]["path"] == path
    for each in (mine, hers):
        assert not any(
            word in each.words for word in (b"INJECTED", b"BYSTEPTWO", b"SPOOFED", b"zqotter", b"justastring")
        )
    assert wire.sockets[-1] is line, "one connection for both viewers"
    assert line.messages == GREETING


def _frame(data: bytes) -> frames.Frame:
    return frames.Frame.binary(data)


@pytest.mark.parametrize(
    ("number", "value"),
    list(enumerate([{"type": "conflict"}, {"type": "save", "responseTo": 1}, "save", [], None, 7])),
)
async def test_attack_speaking_as_the_server(
    viewer: Visitor, wire: Wire, workshop: JupyterServer, number: int, value: object
) -> None:
    """Raw messages that only a server sends end the channel of the page that sends them, and go nowhere."""
    # A file for each: one that is written anew while its room is open is read anew, whenever the server looks.
    session = await viewer.session(make(workshop, f"as_server_{number}.md"))
    page = await viewer.connect(room_of(session))

    def of_this_room() -> list[Line]:
        return [line for line in wire.sockets if session["fileId"] in line.target]

    await until(lambda: [line.messages for line in of_this_room()] == [GREETING])
    (line,) = of_this_room()
    await page.send(frames.write(RawJson(value)).data)
    await page.until(lambda: page.closed is not None)

    assert page.closed is not None and page.closed[0] == 1008
    assert line.messages == GREETING and of_this_room() == [line]


@pytest.mark.parametrize("viewer_first", [True, False], ids=["viewer first", "owner first"])
async def test_who_comes_first_does_not_decide_who_may_write(
    viewer: Visitor, owner: Owner, workshop: JupyterServer, viewer_first: bool
) -> None:
    """The right to write belongs to a connection, not to its room: in both orders of coming."""
    path = make(workshop, f"order_{viewer_first}.md")
    if viewer_first:
        page, mine = await viewer.open(path), await owner.open(path)
    else:
        mine, page = await owner.open(path), await viewer.open(path)
    await page.send(_injection("INJECTED"))
    mine.type("mine\n")
    await page.until(lambda: "mine" in str(page.source))

    assert "INJECTED" not in str(mine.source)


async def test_attack_names_of_other_people_are_not_borrowed(
    viewer: Visitor, owner: Owner, workshop: JupyterServer
) -> None:
    """Account names of the owner's server, file names and unknown fields of an awareness state reach no viewer."""
    path = make(workshop, "names.md")
    mine = await owner.open(path)
    page = await viewer.open(path)
    user = {"username": "zqbadger-account", "name": "Olga", "avatar_url": "http://zqbadger.example/x.png"}
    state = {"user": user, "cursors": [], "current": "notebook:zqotter.ipynb", "documents": ["zqotter.ipynb"]}
    await mine.send(said(mine.doc.client_id, state))
    await page.until(lambda: b"Olga" in page.words)

    assert not any(name.encode() in page.words for name in BEYOND)


# -- where the file lies --------------------------------------------------------------------------------


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
