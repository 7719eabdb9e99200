"""Undoing a person: all of theirs goes, everybody else's stays, and where that is not possible it is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Text

from sharegate.errors import StoreUnavailable
from sharegate.versions.document import cells_of, new_cell, read
from sharegate.versions.model import Content, Edit, EditKind, Kind
from sharegate.versions.undo import Became, Undone, take_back
from tests.versions.notebooks import code, html, live, live_text, notebook

Act = Callable[[Doc[Any]], None]
# Each writes with letters of their own, so that it shows whose a character is.
PEOPLE = {"ann": "A", "bo": "B", "": "O"}


class Table:
    """Several people at one document; the gate's copy is `live` and its log is `edits`."""

    def __init__(self, doc: Doc[Any], kind: Kind = Kind.NOTEBOOK) -> None:
        self.live = doc
        self.kind = kind
        self.edits = [Edit(kind=EditKind.STATE, at=1.0, data=doc.get_update())]
        self.pages = {name: self._page(at) for at, name in enumerate(PEOPLE, 10)}
        self.waiting: dict[str, list[bytes]] = {name: [] for name in PEOPLE}

    def _page(self, client: int) -> Doc[Any]:
        page: Doc[Any] = Doc(client_id=client)
        page.apply_update(self.live.get_update())
        return page

    def does(self, who: str, act: Act, *, sent: bool = True) -> None:
        """An act on the person's own copy. What is not sent at once goes with the next act that is."""
        page, updates = self.pages[who], self.waiting[who]
        listening = page.observe(lambda event: updates.append(event.update))
        with page.transaction():
            act(page)
        page.unobserve(listening)
        if not sent:
            return
        for update in updates:
            self.edits.append(Edit(kind=EditKind.UPDATE, at=2.0, origin=who, data=update))
            self.live.apply_update(update)
            for name, other in self.pages.items():
                if name != who:
                    other.apply_update(update)
        updates.clear()

    def undo(self, who: str) -> Undone:
        """Undone on the live document too, which then is what was promised."""
        before = read(self.live, self.kind)
        undone = take_back(self.edits, who, self.kind)
        assert undone.before == before
        if undone.update:
            for doc in (self.live, *self.pages.values()):
                doc.apply_update(undone.update)
            self.edits.append(Edit(kind=EditKind.UPDATE, at=3.0, data=undone.update))
        self.edits.append(Edit(kind=EditKind.UNDONE, at=3.0, origin=who))
        assert read(self.live, self.kind) == undone.after
        return undone

    @property
    def sources(self) -> dict[str, str]:
        return {cell["id"]: cell["source"] for cell in read(self.live, self.kind).cells}


def cells(doc: Doc[Any]) -> Array[Any]:
    return doc.get("cells", type=Array)


def source(doc: Doc[Any], id: str) -> Text:
    found: Text = next(cell for cell in cells(doc) if cell["id"] == id)["source"]
    return found


def type_in(id: str, text: str, at: int = 0) -> Act:
    def act(doc: Doc[Any]) -> None:
        source(doc, id).insert(at, text)

    return act


def erase(id: str, start: int, end: int) -> Act:
    def act(doc: Doc[Any]) -> None:
        del source(doc, id)[start:end]

    return act


def insert(id: str, text: str = "", at: int = 0) -> Act:
    return lambda doc: cells(doc).insert(at, new_cell(code(id, text)))


def position(doc: Doc[Any], id: str) -> int:
    return [cell["id"] for cell in cells(doc)].index(id)


def delete(id: str) -> Act:
    def act(doc: Doc[Any]) -> None:
        del cells(doc)[position(doc, id)]

    return act


def move(id: str, to: int) -> Act:
    """As JupyterLab does it: taken out, and put in anew."""

    def act(doc: Doc[Any]) -> None:
        at = position(doc, id)
        plain = cells(doc)[at].to_py()
        trusted = bool(plain["metadata"].get("trusted"))
        del cells(doc)[at]
        cells(doc).insert(to, new_cell(plain, trusted=trusted))

    return act


def a_table(*ids: str, trusted: tuple[str, ...] = (), outputs: tuple[dict[str, Any], ...] = ()) -> Table:
    return Table(live(notebook([code(id, f"text of {id}", outputs) for id in ids]), client=1, trusted=trusted))


# -- what is taken back -----------------------------------------------------------------------------------------------


def test_text_of_one_goes_and_of_the_others_stays() -> None:
    """In one and the same cell."""
    table = a_table("a")
    table.does("ann", type_in("a", "AAA "))
    table.does("bo", type_in("a", "B", 1))
    table.does("ann", erase("a", 5, 9))
    undone = table.undo("ann")
    assert table.sources == {"a": "Btext of a"}
    assert [(cell.id, cell.became, cell.others) for cell in undone.cells] == [("a", Became.CHANGED, ("bo",))]


def test_a_wiped_notebook_comes_back_with_the_work_of_the_others() -> None:
    """Every cell, with what others had written, and what they wrote afterwards stays."""
    table = a_table("a", "b", "c")
    table.does("bo", type_in("b", "BBB "))
    table.does("ann", lambda doc: cells(doc).clear())
    table.does("bo", insert("new", "B"))
    undone = table.undo("ann")
    assert table.sources == {"a": "text of a", "b": "BBB text of b", "c": "text of c", "new": "B"}
    assert [cell["id"] for cell in undone.after.cells if cell["id"] != "new"] == ["a", "b", "c"]
    assert {cell.id: cell.became for cell in undone.cells} == dict.fromkeys("abc", Became.RESTORED)


def test_cells_that_were_made_and_moved() -> None:
    """A new cell goes, a moved one returns to its place."""
    table = a_table("a", "b", "c")
    table.does("ann", insert("new", "A"))
    table.does("ann", move("c", 0))
    undone = table.undo("ann")
    assert [cell["id"] for cell in undone.after.cells] == ["a", "b", "c"]
    assert {(cell.id, cell.became) for cell in undone.cells} >= {("new", Became.REMOVED)}


def test_others_wrote_in_a_cell_that_the_visit_made() -> None:
    """The cell stays as it is, and the report says so and who wrote."""
    table = a_table("a")
    table.does("ann", insert("new", "A", 1))
    table.does("bo", type_in("new", "B"))
    table.does("", type_in("new", "O"))
    undone = table.undo("ann")
    assert table.sources == {"a": "text of a", "new": "OBA"}
    assert [(cell.id, cell.became, cell.others) for cell in undone.cells] == [("new", Became.KEPT, ("", "bo"))]


def test_others_wrote_in_a_cell_that_the_visit_moved() -> None:
    """It returns to its place with what it holds now, once."""
    table = a_table("a", "b", "c")
    table.does("ann", move("c", 0))
    table.does("bo", type_in("c", "B"))
    undone = table.undo("ann")
    assert sorted(cell["id"] for cell in undone.after.cells) == ["a", "b", "c"]
    assert table.sources["c"] == "Btext of c"
    assert ("c", Became.KEPT, ("bo",)) in [(cell.id, cell.became, cell.others) for cell in undone.cells]


def test_others_put_back_what_the_visit_removed() -> None:
    """Their cell stays; there is no second one of that id."""
    table = a_table("a", "b")
    table.does("ann", delete("b"))
    table.does("bo", insert("b", "B", 1))
    undone = table.undo("ann")
    assert [(cell["id"], cell["source"]) for cell in undone.after.cells] == [("a", "text of a"), ("b", "B")]


def test_a_cell_that_was_moved_by_another_and_then_removed_comes_back_once() -> None:
    """Both its places were emptied by the visit; the fuller one returns."""
    table = a_table("a", "b")
    table.does("ann", move("a", 1))
    table.does("bo", move("a", 0))
    table.does("bo", type_in("a", "BBB"))
    table.does("ann", delete("a"))
    table.undo("ann")
    assert table.sources == {"a": "BBBtext of a", "b": "text of b"}
    assert len(read(table.live, Kind.NOTEBOOK).cells) == 2


def test_metadata_that_others_changed_later_stays() -> None:
    """A key that nobody else touched returns, one that was set again does not."""
    table = a_table("a")

    def say(key: str, value: str) -> Act:
        def act(doc: Doc[Any]) -> None:
            cells(doc)[0]["metadata"][key] = value

        return act

    table.does("", say("one", "old"))
    table.does("", say("two", "old"))
    table.edits = [Edit(kind=EditKind.STATE, at=1.0, data=table.live.get_update())]
    table.does("ann", say("one", "A"))
    table.does("ann", say("two", "A"))
    table.does("ann", say("three", "A"))
    table.does("bo", say("two", "B"))
    table.undo("ann")
    assert cells(table.live)[0]["metadata"].to_py() == {"one": "old", "two": "B"}


def test_a_text_file() -> None:
    """One person's lines go, the other's stay."""
    table = Table(live_text("line\n", client=1), Kind.TEXT)

    def add(text: str) -> Act:
        def act(doc: Doc[Any]) -> None:
            doc.get("source", type=Text).insert(0, text)

        return act

    table.does("ann", add("A\n"))
    table.does("bo", add("B\n"))
    undone = table.undo("ann")
    assert undone.after.text == "B\nline\n"
    assert [(cell.id, cell.others) for cell in undone.cells] == [("", ("bo",))]


def test_undone_once_is_undone() -> None:
    """A second time nothing happens; what the visit does afterwards can be taken back again."""
    table = a_table("a", "b")
    table.does("ann", delete("b"))
    table.does("ann", erase("a", 0, 4))
    table.undo("ann")
    again = table.undo("ann")
    assert again.update == b"" and again.cells == () and not again.difference
    table.does("ann", type_in("a", "A"))
    table.undo("ann")
    assert table.sources == {"a": "text of a", "b": "text of b"}


def test_whoever_changed_nothing() -> None:
    """There is no update and nothing to tell."""
    table = a_table("a")
    table.does("bo", type_in("a", "B"))
    undone = table.undo("ann")
    assert (undone.update, undone.cells) == (b"", ())


def test_a_log_that_begins_later_takes_back_what_it_holds() -> None:
    """Since the last whole document; the report says since when."""
    table = a_table("a")
    table.does("ann", type_in("a", "1 "))
    table.edits = [Edit(kind=EditKind.STATE, at=7.0, data=table.live.get_update())]
    table.does("ann", type_in("a", "2 "))
    undone = table.undo("ann")
    assert undone.since == 7.0 and table.sources == {"a": "1 text of a"}


def test_a_state_in_the_middle_brings_what_the_log_missed() -> None:
    """After a connection was lost the log goes on from a whole document; what came in between is nobody's."""
    table = a_table("a", "b")
    table.does("ann", type_in("a", "A"))
    lost = len(table.edits)
    table.does("bo", type_in("b", "B"))
    del table.edits[lost:]
    table.edits.append(Edit(kind=EditKind.STATE, at=5.0, data=table.live.get_update()))
    table.does("ann", erase("b", 0, 1))
    table.undo("ann")
    assert table.sources == {"a": "text of a", "b": "Btext of b"}


def test_changes_of_the_visit_that_the_log_missed() -> None:
    """Undoing begins behind them, exactly, and says since when: yrs cannot tell them apart from those it followed."""
    table = a_table("a")
    table.does("ann", type_in("a", "1"))
    kept = len(table.edits)
    table.does("ann", type_in("a", "2", 1))
    del table.edits[kept:]
    table.edits.append(Edit(kind=EditKind.STATE, at=5.0, data=table.live.get_update()))
    table.does("ann", type_in("a", "3", 2))
    table.does("ann", type_in("a", "4", 3))
    undone = table.undo("ann")
    assert undone.since == 5.0 and table.sources == {"a": "12text of a"}


@pytest.mark.parametrize(
    "edits", [[], [Edit(kind=EditKind.UPDATE, at=1.0)], [Edit(kind=EditKind.STATE, at=1.0, data=b"\xff" * 9)]]
)
def test_a_log_that_cannot_be_played(edits: list[Edit]) -> None:
    """An empty, headless or damaged log fails closed."""
    with pytest.raises(StoreUnavailable):
        take_back(edits, "ann", Kind.NOTEBOOK)


# -- trust ------------------------------------------------------------------------------------------------------------


def trusted(doc: Doc[Any]) -> list[str]:
    return [cell["id"] for cell in cells(doc) if cell["metadata"].get("trusted")]


def test_attack_trust_by_undoing() -> None:
    """A trusted cell with outputs that a visit removed comes back with its outputs, and untrusted."""
    table = a_table("a", "b", trusted=("a", "b"), outputs=(html("<script>"),))
    table.does("ann", delete("a"))
    table.undo("ann")
    assert table.sources == {"a": "text of a", "b": "text of b"}
    assert len(cells(table.live)[0]["outputs"]) == 1
    assert trusted(table.live) == ["b"]


def test_attack_outputs_into_a_trusted_cell_by_undoing() -> None:
    """A cell whose outputs were cleared, and which became trusted since, loses that trust when they return."""
    table = a_table("a", outputs=(html("<script>"),))
    table.does("ann", lambda doc: cells(doc)[0]["outputs"].clear())

    def trust(doc: Doc[Any]) -> None:
        cells(doc)[0]["metadata"]["trusted"] = True

    table.does("", trust)
    table.undo("ann")
    assert len(cells(table.live)[0]["outputs"]) == 1 and trusted(table.live) == []


def test_attack_trust_that_a_visit_took_away() -> None:
    """Undoing the taking of trust does not give it."""
    table = a_table("a", trusted=("a",), outputs=(html("x"),))

    def distrust(doc: Doc[Any]) -> None:
        cells(doc)[0]["metadata"]["trusted"] = False

    table.does("ann", distrust)
    table.undo("ann")
    assert trusted(table.live) == []


# -- properties -------------------------------------------------------------------------------------------------------


@st.composite
def acts(draw: st.DrawFn) -> tuple[str, str, int, int, bool]:
    return (
        draw(st.sampled_from(sorted(PEOPLE))),
        draw(st.sampled_from(["type", "type", "type", "erase", "insert", "delete", "move"])),
        draw(st.integers(0, 5)),
        draw(st.integers(0, 20)),
        draw(st.booleans()),
    )


def act_of(table: Table, who: str, what: str, which: int, where: int, number: int) -> Act | None:
    page = table.pages[who]
    ids = [cell["id"] for cell in cells(page)]
    if what == "insert":
        return insert(f"{PEOPLE[who]}{number}", PEOPLE[who] * 3, where % (len(ids) + 1))
    if not ids:
        return None
    id = ids[which % len(ids)]
    length = len(str(source(page, id)))
    if what == "type":
        return type_in(id, PEOPLE[who] * (1 + where % 3), where % (length + 1))
    if what == "erase":
        start = where % (length + 1)
        return erase(id, start, min(length, start + 3))
    return delete(id) if what == "delete" else move(id, where % len(ids))


def played(steps: list[tuple[str, str, int, int, bool]]) -> Table:
    table = Table(live(notebook([code(id, "xyz" * 3) for id in "abc"]), client=1))
    for number, (who, what, which, where, sent) in enumerate(steps):
        act = act_of(table, who, what, which, where, number)
        if act is not None:
            table.does(who, act, sent=sent)
    for who in PEOPLE:
        table.does(who, lambda doc: None)
    return table


@settings(max_examples=100, deadline=None)
@given(st.lists(acts(), max_size=14))
def test_nothing_of_the_others_is_lost(steps: list[tuple[str, str, int, int, bool]]) -> None:
    """Whatever three people do at once, in any order of arrival: undoing one leaves every character of the others that
    was there, no id twice, and nothing of the undone one but in cells that the report names as kept."""
    table = played(steps)
    ids = [cell["id"] for cell in read(table.live, Kind.NOTEBOOK).cells]
    before = "".join(table.sources.values())
    undone = table.undo("ann")
    after_ids = [cell["id"] for cell in undone.after.cells]
    text = "".join(cell["source"] for cell in undone.after.cells)
    if len(set(ids)) == len(ids):
        assert len(set(after_ids)) == len(after_ids)
        # A copy that ann made by moving a cell may hold what others erased meanwhile: with it gone, that is erased.
        erased = any(what in ("erase", "delete") and who != "ann" for who, what, *_ in steps)
        moved = any(what == "move" and who == "ann" for who, what, *_ in steps)
        for letter in "BO":
            assert text.count(letter) >= before.count(letter) or (erased and moved)
        assert all(cell.others for cell in undone.cells if cell.became is Became.KEPT)


@settings(max_examples=50, deadline=None)
@given(st.lists(acts(), max_size=14))
def test_alone_it_is_as_if_nothing_had_happened(steps: list[tuple[str, str, int, int, bool]]) -> None:
    """Where only one person wrote, undoing gives exactly what was there before."""
    table = played([("ann", *rest) for _, *rest in steps])  # type: ignore[misc]
    undone = table.undo("ann")
    assert undone.after == Content.of_notebook(notebook([code(id, "xyz" * 3) for id in "abc"]))


def test_what_came_unseen_into_a_cell_that_the_visit_made_keeps_it() -> None:
    """While no gate ran, somebody wrote in it: the log has it only in the whole document with which it goes on."""
    table = Table(live(notebook([code("a", "a")])))
    table.does("ann", lambda doc: cells_of(doc).append(new_cell(code("n", "N"))))
    table.does("ann", lambda doc: cells_of(doc).append(new_cell(code("m", "M"))))
    seen = len(table.edits)
    table.does("", lambda doc: cells_of(doc)[1]["source"].insert(0, "O"))
    del table.edits[seen:]
    table.edits.append(Edit(kind=EditKind.STATE, at=3.0, data=table.live.get_update()))
    undone = table.undo("ann")
    assert [cell["source"] for cell in undone.after.cells] == ["a", "ON"]
    kept = next(cell for cell in undone.cells if cell.id == "n")
    assert (kept.became, kept.others) == (Became.KEPT, ("",))
