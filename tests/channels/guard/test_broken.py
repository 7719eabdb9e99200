"""When judging breaks, the update is refused and the trial copy is made anew; no copy is left behind."""

from __future__ import annotations

import gc
import weakref

import pytest
from pycrdt import Doc, Map

from sharegate.channels.guard import DocumentGuard, DocumentKind
from sharegate.errors import Denied
from tests.channels.editing import GATE, HTML, NAME, RULES, Room, change, code, insert, move, open_page
from tests.channels.guard.changes import HONEST, assert_refused, plain


class Panic(BaseException):
    """As the library's own: no Exception."""


def test_a_panic_refuses_the_update(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes out of the library, the update is refused and the copy is made anew."""
    update = change(room.page(), HONEST["type"])

    def panic(self: DocumentGuard, trial: Doc, update: bytes) -> None:
        raise Panic

    with monkeypatch.context() as broken:
        broken.setattr("sharegate.channels.guard.DocumentGuard._apply", panic)
        with pytest.raises(Denied, match=r"could not be judged \(Panic\)"):
            room.guard.judge(update)
        room.guard.follow(change(room.upstream, HONEST["dirty"]))
    room.live.apply_update(change(room.upstream, HONEST["document_id"]))
    room.send(update)
    assert plain(open_page(room.guard.whole(), 3)) == plain(room.live)


def test_a_panic_behind_the_change_leaves_nothing_of_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was applied already when the judge breaks is not in the copy that the next change is judged on."""
    update = change(room.page(), HONEST["insert"])

    def panic(*_: object) -> None:
        raise Panic

    with monkeypatch.context() as broken:
        broken.setattr("sharegate.channels.judgement.Judgement.judge", panic)
        assert_refused(room, update, "Panic")
    assert room.send(update).cells == ("new",)


def test_without_the_live_document_nothing_is_judged(room: Room) -> None:
    """A copy that cannot be made refuses everything until it can."""
    live, whole = room.live, room.live.get_update()
    page = open_page(whole, 101)
    room.live = None  # type: ignore[assignment]
    with pytest.raises(Denied):
        room.guard.judge(change(open_page(whole, 103), insert(0, "x")))
    for _ in range(2):
        with pytest.raises(Denied, match="no copy"):
            room.guard.judge(change(page, HONEST["type"]))
        room.guard.follow(b"\0\0")
    room.live = live
    room.guard.judge(change(open_page(whole, 102), HONEST["type"]))


def test_what_came_while_the_copy_was_broken_is_known(room: Room) -> None:
    """The copy is made from the live document, and its outputs count as shown."""
    room.guard.follow(b"\xff\xff")
    room.from_upstream(insert(0, lambda: code("new", outputs=(HTML,))))
    assert room.edit(move(0, 2)).corrected == ()


def test_the_process_being_ended_is_no_fault_of_an_update(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """KeyboardInterrupt and SystemExit pass, whatever the guard is at."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    update = change(room.page(), HONEST["type"])
    monkeypatch.setattr("sharegate.channels.guard.DocumentGuard._apply", stop)
    with pytest.raises(KeyboardInterrupt):
        room.guard.judge(update)
    with pytest.raises(KeyboardInterrupt):
        room.guard.follow(update)
    with pytest.raises(KeyboardInterrupt):
        room.guard.write(stop)
    with pytest.raises(KeyboardInterrupt):
        DocumentGuard(DocumentKind.NOTEBOOK, NAME, RULES, client_id=GATE, live=stop)  # type: ignore[arg-type]


def test_copies_that_were_replaced_are_gone(room: Room) -> None:
    """After each refusal the trial copy is made anew; an editor who is refused all day fills no memory."""
    copies = []
    for _ in range(3):
        copies.append(weakref.ref(room.guard._ready()))
        with pytest.raises(Denied):
            room.guard.judge(change(room.page(), lambda doc: doc.get("other", type=Map).update({"a": 1})))
    gc.collect()
    assert [each() for each in copies] == [None] * 3
