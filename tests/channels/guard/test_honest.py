"""What pages do is accepted as it is: recorded pages, single changes, and any number of them at random."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycrdt import Doc

from sharegate.channels.guard import KINDS, DocumentGuard, DocumentKind
from tests.channels.editing import (
    GATE,
    IMAGE_XSS,
    RULES,
    SCRIPT,
    Change,
    Room,
    change,
    clear,
    code,
    fresh,
    insert,
    move,
    note,
    open_page,
    output,
    put,
    retype,
    tag,
)
from tests.channels.guard.changes import HONEST, assert_nothing_invented, paste, plain

HERE = Path(__file__).parents[1] / "recorded"
RECORDED = json.loads((HERE / "notebook.json").read_text())
JUPYTERLAB = json.loads((HERE / "jupyterlab.json").read_text())["rooms"]


@pytest.mark.parametrize("page", RECORDED["pages"])
def test_what_a_real_page_did_is_accepted_as_it_is(page: str) -> None:
    """Insert, type, attach, tag, collapse, move, cut, paste, split, merge, change type, clear, replace, undo, redo."""
    live: Doc = Doc()
    live.apply_update(base64.b64decode(RECORDED["initial"]))
    guard = DocumentGuard(DocumentKind.NOTEBOOK, RECORDED["room"], RULES, client_id=GATE, live=live.get_update)
    for name, update in RECORDED["pages"][page]["updates"]:
        judged = guard.judge(base64.b64decode(update))
        assert (judged.corrected, judged.correction) == ((), b""), name
        assert judged.update == base64.b64decode(update)
        live.apply_update(judged.update)
    final = RECORDED["pages"][page]["final"]
    for cell in final["cells"]:
        if not cell.get("attachments", True):
            del cell["attachments"]
    assert guard.content() == final


@pytest.mark.parametrize("name", JUPYTERLAB)
def test_what_jupyterlab_did_is_accepted(name: str) -> None:
    """Its commands in a real browser; only after "Trust this notebook" is anything put right, and then the trust."""
    live: Doc = Doc()
    guard = DocumentGuard(KINDS[*name.split(":")[:2]], name, RULES, client_id=GATE, live=live.get_update)
    trusting = False
    for done, who, update in JUPYTERLAB[name]:
        if who == "from upstream":
            live.apply_update(base64.b64decode(update))
            guard.follow(base64.b64decode(update))
            continue
        trusting = trusting or done == "trust dialog"
        judged = guard.judge(base64.b64decode(update))
        assert judged.corrected == () or (trusting and judged.corrected == ("trusted",)), done
        live.apply_update(judged.update)
    copy: Doc = Doc()
    copy.apply_update(guard.whole())
    assert copy.get_state() == live.get_state()


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_change_is_neither_refused_nor_corrected(room: Room, name: str) -> None:
    """What pages do arrives everywhere as it was sent."""
    update = change(room.page(), HONEST[name])
    judged = room.send(update)
    assert (judged.update, judged.correction, judged.corrected) == (update, b"", ())
    assert plain(room.live) == plain(room.page()) == plain(room.upstream)


def test_a_change_says_which_cells_it_touched(room: Room) -> None:
    """Typing names its cell; inserting, moving and deleting name the cells put in and taken out, and structure."""
    judged = room.edit(HONEST["type"])
    assert (judged.cells, judged.structure) == (("trusted",), False)
    judged = room.edit(move(0, 3))
    assert (judged.cells, judged.structure) == (("trusted",), True)
    judged = room.edit(lambda doc: doc["cells"].pop(0), insert(1, code("new")))
    assert (judged.cells, judged.structure) == (("new", "plain"), True)
    judged = room.edit(lambda doc: doc["cells"][0]["source"].insert(0, "?"))
    assert judged.cells == ("empty",)
    assert room.edit(note("title", "x")).cells == ()


def test_a_cell_that_upstream_renamed_has_its_new_name(room: Room) -> None:
    """jupyter_ydoc gives a cell another id where two have the same."""
    room.from_upstream(put(0, "id", "renamed"))
    assert room.edit(HONEST["type"]).cells == ("renamed",)


def test_what_comes_too_late_is_accepted_and_changes_nothing(room: Room) -> None:
    """Typing in a cell that is gone and a value that another one beat are what honest pages send."""
    page, other = room.page(100), open_page(room.live.get_update(), 50)
    late = [change(page, HONEST["type"]), change(page, clear(0)), change(other, HONEST["dirty"])]
    room.send(change(open_page(room.live.get_update(), 300), HONEST["dirty"]), 300)
    room.from_upstream(lambda doc: doc["cells"].pop(0))
    before = plain(room.live)
    for update in late:
        assert room.guard.judge(update).corrected == ()
        room.live.apply_update(update)
    assert plain(room.live) == before


# at random


def edits_of(choose: Any, doc: Doc, wild: bool) -> Change:
    """Something that a page may do to the document as it sees it; with `wild` also what will be put right."""
    count = len(doc["cells"])
    kinds: list[Callable[[], Change]] = [lambda: insert(choose.randint(0, count), lambda: code(_name(choose), "new"))]
    if count:
        at = choose.randrange(count)
        cell = doc["cells"][at]
        kind = cell["cell_type"]
        size = len(cell["source"])
        kinds += [
            lambda: lambda doc: doc["cells"][at]["source"].insert(0, choose.choice(["a", "é", "\n", "🐍"])),
            lambda: lambda doc: doc["cells"][at]["source"].clear() if size else doc["cells"].pop(at),
            lambda: lambda doc: doc["cells"].pop(at),
            lambda: move(at, choose.randrange(count)),
            lambda: lambda doc: doc["cells"].insert(0, fresh(doc["cells"][at].to_py(), _name(choose))),
            lambda: retype(at, choose.choice(["code", "markdown", "raw"])),
            lambda: tag(at, "tags", [choose.choice("abc")]),
            lambda: note("title", choose.choice("abc")),
        ]
        if kind == "code":
            kinds.append(lambda: clear(at))
        if kind == "code" and wild:
            kinds += [
                lambda: tag(at, "trusted", True),
                lambda: lambda doc: doc["cells"][at]["outputs"].append(output(SCRIPT)),
                lambda: paste((SCRIPT,)),
                lambda: paste((IMAGE_XSS,)),
                lambda: note("kernelspec", {"name": choose.choice("ab")}),
            ]
    return choose.choice(kinds)()


def _name(choose: Any) -> str:
    return f"n{choose.randrange(10**9)}"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_honest_edits_are_never_refused_nor_corrected(choose: Any) -> None:
    """Whatever one page does after another, and the owner between, it stays as it was sent."""
    room = Room()
    for _ in range(15):
        if choose.random() < 0.2:
            room.from_upstream(edits_of(choose, room.upstream, wild=False))
            room.clock.now += choose.choice([0, 1])
            continue
        client = choose.choice([100, 200])
        judged = room.edit(edits_of(choose, room.page(client), wild=False), client=client)
        assert (judged.corrected, judged.correction) == ((), b"")
    assert plain(room.live) == plain(room.upstream)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_everybody_converges_on_what_was_judged(choose: Any) -> None:
    """Pages edit before they heard of each other and of corrections; in the end all hold the same, nothing invented.

    What upstream shows beside SCRIPT is what the room began with, so SCRIPT and trust in IMAGE_XSS must be nowhere.
    """
    room = Room()
    docs = {1: room.upstream} | {client: room.page(client) for client in (100, 200, 300)}
    sent: dict[int, list[bytes]] = {client: [] for client in docs}
    coming: dict[int, list[bytes]] = {client: [] for client in docs}

    def gate(client: int) -> None:
        update = sent[client].pop(0)
        correction = b""
        if client == 1:
            room.live.apply_update(update)
            room.guard.follow(update)
        else:
            judged = room.guard.judge(update)
            update, correction = judged.update, judged.correction
            room.live.apply_update(update)
        for other in docs:
            news = correction if other == client else update
            if news:
                coming[other].append(news)
        assert plain(open_page(room.guard.whole(), 3)) == plain(room.live)
        assert_nothing_invented(room)

    for _ in range(40):
        client = choose.choice(list(docs))
        room.clock.now += choose.choice([0, 0.06])
        match choose.randrange(3):
            case 0:
                sent[client].append(change(docs[client], edits_of(choose, docs[client], wild=client != 1)))
            case 1 if sent[client]:
                gate(client)
            case 2 if coming[client]:
                docs[client].apply_update(coming[client].pop(0))
    for client in docs:
        while sent[client]:
            gate(client)
    for client, doc in docs.items():
        for update in coming[client]:
            doc.apply_update(update)
        assert plain(doc) == plain(room.live)
