"""What may be said in a shared document's room: a viewer changes nothing, nobody speaks as the server or as another."""

import pytest
from pycrdt import Array, Doc, Map, create_update_message

from sharegate.channels import frames
from sharegate.channels.frames import RawJson, RawSave, SyncStep2
from tests.attacks.conftest import BEYOND
from tests.attacks.pages import Owner, Visitor, make, room_of, until
from tests.attacks.rooms import injection, said
from tests.attacks.wire import GREETING, Line, Wire
from tests.gatehouse import Gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


def _moved_state() -> bytes:
    doc: Doc = Doc()
    doc["state"] = Map({"path": "zqotter.ipynb"})
    return create_update_message(doc.get_update())


def _cells() -> bytes:
    doc: Doc = Doc()
    doc["cells"] = Array(["justastring"])
    return create_update_message(doc.get_update())


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

    step2 = frames.write(SyncStep2(frames.read(_frame(injection("BYSTEPTWO"))).update)).data  # type: ignore[union-attr]
    for frame in (injection("INJECTED"), step2, _moved_state(), _cells(), frames.write(RawSave(7)).data):
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
    await page.send(injection("INJECTED"))
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
