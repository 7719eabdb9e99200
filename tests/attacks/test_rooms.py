"""The doors of shared documents, tried by viewers and an editor: which rooms open, what may be said in them, when they
close.

The upstream is a real server behind a recorder, so "nothing was sent" is read from the wire.
"""

import json

import pytest

from sharegate.prove import rooms
from tests.attacks.ground import WORKSHOP, rows
from tests.attacks.pages import Owner, Visitor, make, room_of, until
from tests.attacks.rooms import NEW_ID, indexed, injection, said, told, try_room, upgrade_fields
from tests.attacks.wire import Wire
from tests.gatehouse import Gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


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
    await page.send(injection("INJECTED"))
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
