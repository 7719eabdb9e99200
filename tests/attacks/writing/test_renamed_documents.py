"""Documents that are renamed while they are open: the rooms hear of it late, and what is judged is the file that lies
there now, not the name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from sharegate.channels.admission import Admission, RoomName
from sharegate.documents import Documents
from sharegate.paths import CanonicalPath
from tests.attacks.pages import Visitor, owning, until, visiting
from tests.attacks.writing.editor import ROOT, cell, check_refused, contents, notebook, text
from tests.gatehouse import Gatehouse, Inside
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

EVIL = json.dumps(notebook(cell(trusted=True), language_info={"name": "python", "nbconvert_exporter": "os.system"}))
WORDS = "the owner's words\n" * 20


@pytest_asyncio.fixture(loop_scope="module")
async def page(ed: Inside) -> AsyncIterator[Visitor]:
    """Ed's browser."""
    async with visiting(ed) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def bo(gate: Gatehouse) -> Inside:
    return await gate.visit(await gate.share(role="edit", **{"for": ["Bo"]}), name="Bo")


class Rooms:
    """The gate's rooms. Those that are deaf hear of no rename."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._recheck = documents._admissions.recheck
        self._heard: dict[RoomName, CanonicalPath] = {}
        self.deaf = False

    async def recheck(self, admission: Admission, *where: Any, **how: Any) -> CanonicalPath:
        found = await self._recheck(admission, *where, **how)
        if not self.deaf:
            self._heard[admission.room] = found
        return self._heard.get(admission.room, admission.path)

    async def heard(self, name: str) -> None:
        """Wait until what is open is known to lie there."""
        self.deaf = False
        path = CanonicalPath.from_body(f"{ROOT}/{name}")
        await until(lambda: any(room.path == path and not room.empty for room in self._documents.rooms._rooms.values()))


@pytest.fixture
def rooms(gate: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> Rooms:
    documents = gate.running.gate._answers._documents
    made = Rooms(documents)
    monkeypatch.setattr(documents._admissions, "recheck", made.recheck)
    return made


async def rename(who: Inside, *ways: tuple[str, str]) -> None:
    for name, to in ways:
        reply = await contents(who, "PATCH", name, {"path": f"{ROOT}/{to}"})
        assert reply.status == 200, (name, to, reply.body[:300])


async def test_attack_another_file_under_the_name_of_an_open_notebook(
    ed: Inside, page: Visitor, server: JupyterServer, shared: Path, rooms: Rooms
) -> None:
    """It is not the notebook that was judged: refused, and judged as a whole when the rooms have heard."""
    (shared / "a.ipynb").write_text(json.dumps(notebook(cell("1"))))
    await page.open(f"{ROOT}/a.ipynb", "json", "notebook")
    assert (await contents(ed, "PUT", "evil.txt", text(EVIL))).status == 201
    await rename(ed, ("a.ipynb", "x.txt"))
    await rooms.heard("x.txt")
    rooms.deaf = True
    await rename(ed, ("x.txt", "y.txt"), ("evil.txt", "x.txt"))
    check_refused(await contents(ed, "PATCH", "x.txt", {"path": f"{ROOT}/z.ipynb"}), server, "document_open")
    assert not (shared / "z.ipynb").exists()
    await rename(ed, ("y.txt", "open_still.ipynb"))
    await rooms.heard("open_still.ipynb")
    await rename(ed, ("x.txt", "z.ipynb"))
    assert json.loads((shared / "z.ipynb").read_text())["metadata"] == {"language_info": {"name": "python"}}
    assert "trusted" not in (shared / "z.ipynb").read_text()


async def test_attack_another_file_under_the_id_of_an_open_notebook(
    ed: Inside, page: Visitor, server: JupyterServer, shared: Path, rooms: Rooms
) -> None:
    """A server's ids do not go with a folder that has none itself, as when the owner renames it: what comes to its old
    place gets them."""
    (shared / "held").mkdir()
    (shared / "held" / "b.ipynb").write_text(json.dumps(notebook(cell("1"))))
    await page.open(f"{ROOT}/held/b.ipynb", "json", "notebook")
    assert (await contents(ed, "PUT", "evil2.txt", text(EVIL))).status == 201
    await rename(ed, ("held/b.ipynb", "held/b.txt"))
    await rooms.heard("held/b.txt")
    async with owning(server) as owner:
        await owner.move(f"{ROOT}/held", f"{ROOT}/held2")
    assert (await contents(ed, "PUT", "held", {"type": "directory"})).status == 201
    await rename(ed, ("evil2.txt", "held/b.txt"))
    check_refused(await contents(ed, "PATCH", "held/b.txt", {"path": f"{ROOT}/z2.ipynb"}), server, "document_open")
    assert not (shared / "z2.ipynb").exists()


@pytest.mark.parametrize("whose", ["visitor", "owner"])
async def test_a_document_goes_with_its_folder(
    bo: Inside, page: Visitor, server: JupyterServer, shared: Path, whose: str
) -> None:
    """It is open at its new place, is left to its room there, and what is typed is saved there, by the owner too."""
    (shared / f"around_{whose}" / "it").mkdir(parents=True)
    (shared / f"around_{whose}" / "it" / "live.txt").write_text(WORDS)
    async with owning(server) as owner:
        typing = await (page if whose == "visitor" else owner).open(f"{ROOT}/around_{whose}/it/live.txt")
        await rename(bo, (f"around_{whose}", f"moved_{whose}"))
        if whose == "visitor":
            reply = await contents(bo, "PUT", f"moved_{whose}/it/live.txt", text("over"))
            check_refused(reply, server, "document_open")
        typing.type("typed after")
        await until(lambda: (shared / f"moved_{whose}" / "it" / "live.txt").read_text() == f"{WORDS}typed after")


@pytest.mark.parametrize(
    ("method", "pattern", "folder"),
    [("PATCH", "*", "every"), ("PATCH", "w[i]d?", "wide"), ("DELETE", "*", "each"), ("DELETE", "m[o]r?", "more")],
)
async def test_attack_a_folder_whose_name_is_a_pattern(
    bo: Inside, page: Visitor, server: JupyterServer, shared: Path, method: str, pattern: str, folder: str
) -> None:
    """The server would move or forget the ids of what lies in others."""
    (shared / folder).mkdir()
    (shared / folder / "live.txt").write_text(WORDS)
    typing = await page.open(f"{ROOT}/{folder}/live.txt")
    asked, body = quote(pattern, safe=""), {"path": f"{ROOT}/plain_{folder}"} if method == "PATCH" else None
    assert (await contents(bo, "PUT", asked, {"type": "directory"})).status in (200, 201)
    check_refused(await contents(bo, method, asked, body), server, "document_open")
    async with owning(server) as owner:
        assert (await owner.ask("GET", f"api/fileid/id?path={ROOT}/{folder}/live.txt"))["id"]
    typing.type("typed after")
    await until(lambda: (shared / folder / "live.txt").read_text() == f"{WORDS}typed after")


async def test_an_open_document_stays_where_the_name_is_another_files_still(
    bo: Inside, page: Visitor, server: JupyterServer, shared: Path
) -> None:
    """Of one that was open once and was deleted on the disk: the server would go on saving at the old place."""
    for name in ("gone.txt", "stays.txt"):
        (shared / name).write_text(WORDS)
        typing = await page.open(f"{ROOT}/{name}")
    await page.pages[0].leave()
    (shared / "gone.txt").unlink()
    check_refused(await contents(bo, "PATCH", "stays.txt", {"path": f"{ROOT}/gone.txt"}), server, "conflict")
    typing.type("typed after")
    await until(lambda: (shared / "stays.txt").read_text() == f"{WORDS}typed after")
    assert not (shared / "gone.txt").exists()
    await rename(bo, ("stays.txt", "free.txt"))


async def test_an_open_document_of_any_name_is_renamed(bo: Inside, page: Visitor, shared: Path) -> None:
    """A file has nothing below it."""
    (shared / "figure [1].txt").write_text(WORDS)
    await page.open(f"{ROOT}/{quote('figure [1].txt')}")
    await rename(bo, (quote("figure [1].txt"), "figure.txt"))


@pytest.mark.parametrize("who", ["a visitor", "the owner"])
async def test_attack_writing_over_a_document_right_after_it_was_renamed(
    bo: Inside, page: Visitor, server: JupyterServer, shared: Path, rooms: Rooms, who: str
) -> None:
    """By whomever: it is open still, and left to its room."""
    name, new = ("live.txt", "live2.txt") if who == "a visitor" else ("live3.txt", "live4.txt")
    (shared / name).write_text(WORDS)
    await page.open(f"{ROOT}/{name}")
    rooms.deaf = True
    if who == "a visitor":
        await rename(bo, (name, new))
    else:
        async with owning(server) as owner:
            await owner.move(f"{ROOT}/{name}", f"{ROOT}/{new}")
    (shared / f"to_{new}").symlink_to(shared / new)
    for asked, body in ((new, text("over")), (new, {**text("over"), "chunk": 1}), (f"to_{new}", text("over"))):
        check_refused(await contents(bo, "PUT", asked, body), server, "document_open")
    check_refused(await contents(bo, "PATCH", new, {"path": f"{ROOT}/n.ipynb"}), server, "document_open")
    assert (shared / new).read_text() == WORDS


async def test_attack_deleting_a_document_right_after_it_was_renamed(
    bo: Inside, page: Visitor, gate: Gatehouse, shared: Path, rooms: Rooms
) -> None:
    """What its room holds is kept, not what the disk has so far."""
    (shared / "typed.txt").write_text(WORDS)
    typing = await page.open(f"{ROOT}/typed.txt")
    rooms.deaf = True
    typing.type("typed a moment ago")
    await page.open(f"{ROOT}/typed.txt")  # its step 2 says that the words before have arrived
    await rename(bo, ("typed.txt", "typed2.txt"))
    assert (await contents(bo, "DELETE", "typed2.txt")).status == 204
    _, listed = await gate.running.api.call("GET", "/api/v1/snapshots", {"path": str(shared / "typed2.txt")}, None)
    [kept] = [each for each in listed["snapshots"] if each["cause"] == "before_delete"]
    assert (await gate.call("GET", f"snapshots/{kept['id']}"))["text"] == f"{WORDS}typed a moment ago"


@pytest.mark.parametrize("name", ["é.txt", "日本 語.txt", "a<b>.txt", "100% of it.txt", "a&id=b+c#d.txt", "😀;.txt"])
async def test_a_file_of_any_name_is_written_while_another_is_open(
    bo: Inside, page: Visitor, shared: Path, name: str
) -> None:
    """The server is asked for its id, and says what it does not know in many ways."""
    (shared / "beside.txt").write_text(WORDS)
    await page.open(f"{ROOT}/beside.txt")
    assert (await contents(bo, "PUT", quote(name), text("one"))).status == 201
    assert (await contents(bo, "PUT", quote(name), text("two"))).status == 200
    assert (shared / name).read_text() == "two"
