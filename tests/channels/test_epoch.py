"""One history of a document: whose CRDT client ids are whose, and how changes come in."""

from __future__ import annotations

import asyncio

import pytest
from pycrdt import Doc

from sharegate.channels import epoch as epochs
from sharegate.channels import places
from sharegate.channels.admission import RoomName
from sharegate.channels.epoch import Epoch
from sharegate.channels.guard import DocumentKind, Judged
from sharegate.channels.scan import FROM_EDITOR, FROM_UPSTREAM, scan_update
from sharegate.errors import Denied, Reason
from tests.channels.crafted import EVIL, SNAKE, string, update
from tests.channels.editing import HTML, RULES, SCRIPT, UPSTREAM, Change, change, code, insert, open_page, tag
from tests.channels.editing import Room as Guarded

NOTEBOOK = RoomName("json", "notebook", "11111111-1111-4111-8111-111111111111")
ANN, BO = "visit-ann", "visit-bo"
TEXT = RoomName("text", "file", "22222222-2222-4222-8222-222222222222")
TYPE: Change = lambda doc: doc["cells"][0]["source"].insert(0, "x")  # noqa: E731


class Scene:
    """An epoch of a notebook, and the server that has the same."""

    def __init__(self, name: RoomName = NOTEBOOK) -> None:
        kind = DocumentKind.NOTEBOOK if name is NOTEBOOK else DocumentKind.TEXT
        whole = Guarded(kind=kind).live.get_update()
        self.server = open_page(whole, UPSTREAM, kind)
        self.epoch = Epoch(name, open_page(whole, 2, kind), RULES)

    def page(self, client: int) -> Doc:
        return open_page(self.epoch.whole, client)

    def take(self, visit: str, update: bytes) -> Judged:
        return self.epoch.take(visit, update, scan_update(update, FROM_EDITOR, structs=True))

    def follow(self, *what: Change) -> None:
        update = change(self.server, *what)
        self.epoch.follow(update, scan_update(update, FROM_UPSTREAM))


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
async def ready(scene: Scene) -> Scene:
    await scene.epoch.prepare()
    return scene


def test_nothing_is_changed_before_it_can_be_judged(scene: Scene) -> None:
    """Neither by visitors nor by the gate; nothing is known to be a repetition."""
    update = change(scene.page(100), TYPE)
    before = scene.epoch.whole
    with pytest.raises(Denied, match="read only"):
        scene.take(ANN, update)
    with pytest.raises(Denied, match="read only"):
        scene.epoch.write(TYPE)
    scene.epoch.remember([[SCRIPT]])
    scene.epoch.claim(ANN, 100)
    assert not scene.epoch.repeats(scan_update(scene.epoch.whole, FROM_UPSTREAM, structs=True))
    assert scene.epoch.whole == before


async def test_a_document_of_an_unknown_kind_is_read_only() -> None:
    """However often it is prepared."""
    scene = Scene(RoomName("text", "notebook", NOTEBOOK.file_id))
    await scene.epoch.prepare()
    assert scene.epoch.read_only and scene.epoch.sources is None
    with pytest.raises(Denied, match="read only"):
        scene.take(ANN, change(open_page(scene.epoch.whole, 100, DocumentKind.TEXT), insert_text))


async def test_attack_two_cells_of_one_id(ready: Scene) -> None:
    """Who is asked to run that cell would read one and run the other: it names neither."""
    before = ready.epoch.sources
    assert before is not None and len(before) > 1
    twice = next(iter(before))
    ready.follow(insert(0, code(twice, "steal()")))
    after = ready.epoch.sources
    assert after is not None and after == {id: source for id, source in before.items() if id != twice}


def insert_text(doc: Doc) -> None:
    doc["source"].insert(0, "x")


async def test_preparing_twice_keeps_what_is_known(ready: Scene) -> None:
    """Whose ids are whose is not forgotten when the next editor comes."""
    ready.epoch.claim(ANN, 100)
    await asyncio.gather(ready.epoch.prepare(), ready.epoch.prepare())
    assert ready.epoch.others(BO, 100)


# -- whose ids are whose ---------------------------------------------------------------------------------------


def test_before_anybody_may_write_all_ids_of_the_document_are_others(scene: Scene) -> None:
    """A viewer's page does not wear the name of what somebody wrote."""
    assert scene.epoch.others(ANN, UPSTREAM) and not scene.epoch.others(ANN, 100)


async def test_ids_are_the_servers_the_visits_or_nobodys(ready: Scene) -> None:
    """By what is in the document, by what was claimed, and by what was written."""
    assert ready.epoch.others(ANN, UPSTREAM) and not ready.epoch.others(ANN, 100)
    ready.epoch.claim(ANN, 100)
    ready.take(BO, change(ready.page(200), TYPE))
    assert (ready.epoch.others(ANN, 100), ready.epoch.others(BO, 100)) == (False, True)
    assert (ready.epoch.others(ANN, 200), ready.epoch.others(BO, 200)) == (True, False)


async def test_attack_writing_under_an_id_that_somebody_claimed(ready: Scene) -> None:
    """A page that shows a cursor has its id before it types; another visit neither claims it nor writes under it."""
    ready.epoch.claim(ANN, 100)
    with pytest.raises(Denied, match="somebody else"):
        ready.epoch.claim(BO, 100)
    with pytest.raises(Denied, match="somebody else"):
        ready.take(BO, change(ready.page(100), TYPE))
    ready.take(ANN, change(ready.page(100), TYPE))


@pytest.mark.parametrize("early", [True, False], ids=["heard before", "heard after"])
async def test_attack_writing_under_the_id_of_an_owner_who_only_looks(scene: Scene, early: bool) -> None:
    """The owner's page has said where its cursor is and typed nothing yet."""
    if early:
        scene.epoch.heard_of([300])
    await scene.epoch.prepare()
    if not early:
        scene.epoch.heard_of([300])
    assert scene.epoch.others(ANN, 300)
    with pytest.raises(Denied, match="somebody else"):
        scene.epoch.claim(ANN, 300)
    with pytest.raises(Denied, match="somebody else"):
        scene.take(ANN, change(scene.page(300), TYPE))


def test_only_so_many_ids_are_heard_of(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What names ids without end does not fill the memory."""
    monkeypatch.setattr("sharegate.channels.epoch._MOST_HEARD_OF", 10)
    for number in range(100):
        scene.epoch.heard_of([1000 + number])
    assert len(scene.epoch._heard_of) == 10


async def test_a_page_that_was_refused_writes_no_more(ready: Scene) -> None:
    """It holds what nobody else has: its id is barred, a new page of the same visit is not."""
    page = ready.page(100)
    before = ready.epoch.whole
    with pytest.raises(Denied, match="state"):
        ready.take(ANN, change(page, lambda doc: doc["state"].__setitem__("path", "secret/x.ipynb")))
    assert ready.epoch.whole == before
    with pytest.raises(Denied, match="barred"):
        ready.take(ANN, change(ready.page(100), TYPE))
    ready.take(ANN, change(ready.page(101), TYPE))


@pytest.mark.parametrize("stolen", [UPSTREAM, 200])
async def test_attack_a_refusal_bars_nobody_elses_id(ready: Scene, stolen: int) -> None:
    """Who is refused for writing under another's id does not silence that one."""
    other = ready.page(200)
    ready.take(BO, change(other, TYPE))
    with pytest.raises(Denied, match="somebody else"):
        ready.take(ANN, change(ready.page(stolen), TYPE))
    ready.take(BO, change(other, TYPE))
    ready.follow(TYPE)
    assert str(ready.epoch.doc["cells"][0]["source"]).startswith("xxx")


# -- changes ---------------------------------------------------------------------------------------------------


async def test_what_the_server_says_meanwhile_is_known(scene: Scene) -> None:
    """Changes that come while the document is read are in nobody's way and are not forgotten: visitors write beside
    them, and not under their ids."""
    preparing = asyncio.create_task(scene.epoch.prepare())
    await asyncio.sleep(0)
    assert scene.epoch._missed is not None, "the document is being read"
    scene.server = open_page(scene.epoch.whole, 77)
    scene.follow(insert(0, lambda: code("meanwhile", "words")))
    await preparing
    scene.follow(lambda doc: doc["cells"][0]["source"].insert(5, "!"))
    judged = scene.take(ANN, change(scene.page(100), lambda doc: doc["cells"][0]["source"].insert(2, "new ")))
    assert judged.cells == ("meanwhile",)
    assert str(scene.epoch.doc["cells"][0]["source"]) == "wonew rds!"
    assert scene.epoch.others(ANN, 77)


async def test_a_change_is_in_the_document_at_once(ready: Scene) -> None:
    """In all that is told of it; the same change again is a repetition."""
    held, vector = dict(ready.epoch.held), ready.epoch.vector
    update = change(ready.page(100), TYPE)
    summary = scan_update(update, FROM_EDITOR, structs=True)
    assert not ready.epoch.repeats(summary)
    ready.take(ANN, update)
    assert ready.epoch.repeats(summary)
    assert ready.epoch.held == held | {100: 1}
    peer: Doc = Doc()
    peer.apply_update(ready.epoch.whole)
    assert peer.get_state() == ready.epoch.vector != vector
    late = open_page(ready.server.get_update(), 9)
    late.apply_update(ready.epoch.since(vector))
    assert late.get_state() == ready.epoch.vector
    assert ready.epoch.sources is not None and ready.epoch.sources["trusted"].startswith("x")


async def test_a_page_writes_on_behind_a_correction(ready: Scene) -> None:
    """Where the gate wrote something itself, later changes find their place."""
    page = ready.page(100)
    judged = ready.take(ANN, change(page, insert(0, lambda: code("new", outputs=(SCRIPT,)))))
    assert judged.corrected
    page.apply_update(judged.correction)
    again = change(page, tag(0, "trusted", True), tag(0, "tags", ["a"]))
    assert ready.take(ANN, again).corrected == ()
    assert ready.epoch.doc["cells"][0]["metadata"].to_py() == {"trusted": True, "tags": ["a"]}


async def test_attack_writing_under_the_gates_own_id(ready: Scene) -> None:
    """Everybody learns it from a correction; who took its next clocks would make later corrections vanish."""
    judged = ready.take(ANN, change(ready.page(100), insert(0, lambda: code("new", outputs=(SCRIPT,)))))
    assert judged.corrected
    [gate] = [client for client in ready.epoch.held if client >= 2**32]
    with pytest.raises(Denied, match="somebody else"):
        ready.take(BO, change(ready.page(gate), TYPE))
    assert ready.epoch.others(BO, gate)


def test_each_history_has_a_name_of_its_own() -> None:
    """Logs of changes of two histories of one file are not mixed."""
    assert Scene().epoch.id != Scene().epoch.id


async def test_attack_half_a_character_is_not_cut_off(ready: Scene) -> None:
    """Where everything lies is asked of the gate's own reading, also for what visitors wrote a moment ago."""
    page = ready.page(100)
    ready.take(ANN, change(page, lambda doc: doc["cells"][0]["source"].insert(0, "\N{SNAKE}")))
    cut = b"\x00\x01" + b"\x64" + b"\x01\x01\x01"  # deletes clock 1 of client 100
    with pytest.raises(Denied, match="half a character"):
        ready.take(BO, cut)


async def test_a_change_of_the_servers_that_cannot_be_is_a_bad_answer(ready: Scene) -> None:
    """Bytes that the library does not read, and what refers to what was not sent."""
    change(ready.server, TYPE)  # is not sent
    empty = scan_update(b"\0\0", FROM_UPSTREAM)
    with pytest.raises(Denied) as raised:
        ready.epoch.follow(b"\xff\xff", empty)
    assert raised.value.reason is Reason.UPSTREAM_BAD_ANSWER
    with pytest.raises(Denied) as raised:
        ready.follow(TYPE)
    assert raised.value.reason is Reason.UPSTREAM_BAD_ANSWER


# -- what the gate writes --------------------------------------------------------------------------------------


async def test_the_gate_writes_under_ids_of_its_own(ready: Scene) -> None:
    """What it made elsewhere comes under a new id, which is nobody's afterwards; one that somebody has is not taken."""
    elsewhere = ready.page(500)
    update = change(elsewhere, TYPE)
    written = ready.epoch.write(lambda doc: doc.apply_update(update), client=500)
    assert ready.epoch.held[500] == 1
    assert scan_update(written, FROM_UPSTREAM).structs
    with pytest.raises(Denied, match="somebody else"):
        ready.take(ANN, change(ready.page(500), TYPE))
    for taken in (UPSTREAM, 0):
        with pytest.raises(Denied, match="client id that somebody has"):
            ready.epoch.write(TYPE, client=taken)
    page = ready.page(100)
    ready.take(ANN, change(page, lambda doc: doc["cells"][0]["source"].insert(1, "behind what the gate wrote")))


async def test_attack_outputs_of_a_version_are_never_trusted(ready: Scene) -> None:
    """What a kept version held may come back, without trust: not by the gate's own hand, and not by an editor's."""
    ready.epoch.remember([[SCRIPT]])
    with pytest.raises(Denied, match="trusted"):
        ready.epoch.write(insert(0, lambda: code("new", outputs=(SCRIPT,))))
    ready.epoch.write(insert(0, lambda: code("new", trusted=False, outputs=(SCRIPT,))))
    judged = ready.take(ANN, change(ready.page(100), tag(0, "trusted", True)))
    assert judged.corrected == ("trusted",)
    with pytest.raises(Denied, match="outputs"):
        ready.epoch.write(insert(0, lambda: code("other", trusted=False, outputs=(HTML,))))


def test_a_change_made_elsewhere_that_refers_to_what_is_not_here(scene: Scene) -> None:
    """The first words came before it; without them it, and a deletion of them, would wait for ever."""
    page = scene.page(100)
    first, second = change(page, TYPE), change(page, TYPE)
    deletion = change(page, lambda doc: doc["cells"][0]["source"].__delitem__(slice(0, 2)))
    assert not scene.epoch.lacks(first)
    assert scene.epoch.lacks(second) and scene.epoch.lacks(deletion)


async def written(letters: str) -> Scene:
    """A text document with these at its beginning, by somebody hostile."""
    scene = Scene(TEXT)
    await scene.epoch.prepare()
    scene.take(ANN, update({EVIL: (0, [string(letters, parent="source")])}))
    return scene


def every_second(count: int) -> bytes:
    return update(deletes={EVIL: [(2 * place, 1) for place in range(count)]})


@pytest.mark.parametrize(
    "attack",
    [
        every_second(20_000),
        update({10: (0, [string("y", left=(EVIL, at), right=(EVIL, at + 1)) for at in range(6_000)])}),
    ],
)
async def test_attack_a_text_cut_into_thousands_of_pieces(attack: bytes) -> None:
    """Each cut moves all that lies behind it, in every copy of the document: refused before a library has seen it."""
    scene = await written("x" * 50_000)
    before = scene.epoch.whole
    with pytest.raises(Denied, match="too many cuts") as caught:
        scene.take(ANN, attack)
    assert caught.value.reason is Reason.UPDATE_TOO_LARGE
    assert scene.epoch.whole == before
    # It is told so, and does not have to wait until it may be told.
    assert scene.epoch.cost(scan_update(attack, FROM_EDITOR, structs=True)) == len(attack)
    scene.take(ANN, every_second(1_000))  # nobody is barred


async def test_attack_cuts_in_a_document_of_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The more blocks there are, the fewer cuts are taken at once."""
    scene = await written("x" * 5_000)
    scene.take(ANN, every_second(1_000))
    monkeypatch.setattr(epochs, "MOST_MOVED", 20_000)
    cuts = update(deletes={EVIL: [(4_000 + 3 * place, 1) for place in range(10)]})
    with pytest.raises(Denied, match="too many cuts"):
        scene.take(ANN, cuts)
    scene.take(ANN, update(deletes={EVIL: [(4_000, 1)]}))


async def test_cuts_cost_more_than_their_bytes_and_repetitions_nothing() -> None:
    """A page says all that was ever deleted whenever it connects."""
    scene = await written("x" * 5_000)
    again = scan_update(every_second(1_000), FROM_EDITOR, structs=True)
    assert scene.epoch.cost(again) > 1_000_000
    scene.take(ANN, every_second(1_000))
    assert scene.epoch.cost(again) == again.bytes


async def test_everything_is_selected_and_deleted_in_a_document_of_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many ranges, but nothing is cut."""
    scene = await written("x" * 9_000)
    for start in (0, 3_000, 6_000):
        scene.take(ANN, update(deletes={EVIL: [(start + 2 * place, 1) for place in range(1_500)]}))
    monkeypatch.setattr(epochs, "MOST_CUTS", 0)
    page = open_page(scene.epoch.whole, 100, DocumentKind.TEXT)
    scene.take(BO, change(page, lambda doc: doc["source"].clear()))
    assert str(scene.epoch.doc["source"]) == ""


async def test_attack_a_document_in_more_pieces_than_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the document has as many as visitors may make, they add none; they may still delete."""
    scene = await written("x" * 1_000)
    monkeypatch.setattr(epochs, "MOST_BLOCKS", 200)
    with pytest.raises(Denied, match="too many pieces") as caught:
        scene.take(ANN, every_second(300))
    assert caught.value.reason is Reason.UPDATE_TOO_LARGE
    apart = [string("y", right=(EVIL, 0)), *(string("y", right=(10, clock)) for clock in range(300))]
    with pytest.raises(Denied, match="too many pieces"):
        scene.take(ANN, update({10: (0, apart)}))
    scene.take(ANN, every_second(50))
    scene.take(ANN, update(deletes={EVIL: [(0, 1_000)]}))


async def test_attack_text_that_comes_and_goes_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where characters may not be cut is forgotten with the text; what comes while that is read anew is known."""
    monkeypatch.setattr(places, "_LITTER", 100)
    scene = await written("x")
    clock = 1
    for _ in range(20):
        await scene.epoch.prepare()
        scene.take(ANN, update({EVIL: (clock, [string(SNAKE * 1_000, left=(EVIL, clock - 1))])}))
        scene.take(ANN, update(deletes={EVIL: [(clock, 2_000)]}))
        clock += 2_000
    pen = scene.epoch._pen
    assert pen is not None
    assert sum(len(run.halves) for run in pen.places._runs.values()) < 5_000
    scene.take(ANN, update({EVIL: (clock, [string(SNAKE * 5_000, left=(EVIL, 0))])}))
    old = pen.places
    assert old.littered
    reading = asyncio.create_task(scene.epoch.prepare())
    await asyncio.sleep(0)
    meanwhile = update({10: (0, [string(f"a{SNAKE}b", left=(EVIL, 0))])})
    scene.take(BO, meanwhile)
    await reading
    assert pen.places is not old
    assert not pen.places.littered
    assert scene.epoch.repeats(scan_update(meanwhile, FROM_EDITOR, structs=True))
    with pytest.raises(Denied, match="deletes half a character"):
        scene.take(BO, update(deletes={10: [(0, 2)]}))


async def test_what_cannot_be_read_anew_is_known_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not tried again for each key."""

    def unreadable(*_: object) -> None:
        raise Denied(Reason.UPDATE_TOO_LARGE)

    monkeypatch.setattr(places, "_LITTER", 100)
    monkeypatch.setattr(epochs, "_placed", unreadable)
    scene = await written(SNAKE * 1_000)
    pen = scene.epoch._pen
    assert pen is not None
    assert pen.places.littered
    await scene.epoch.prepare()
    assert not pen.places.littered
    with pytest.raises(Denied, match="deletes half a character"):
        scene.take(ANN, update(deletes={EVIL: [(0, 1)]}))
