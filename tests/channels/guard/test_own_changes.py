"""What the gate itself writes: a restore puts back what was there, and nothing that is wrong."""

from __future__ import annotations

import pytest
from pycrdt import Doc, Map

from sharegate.errors import Denied
from tests.channels.editing import (
    IMAGE_XSS,
    SCRIPT,
    Change,
    Room,
    change,
    code,
    fresh,
    insert,
    markdown,
    open_page,
    output,
)
from tests.channels.guard.changes import HONEST, paste, plain


def test_the_gate_writes_what_it_remembers(room: Room) -> None:
    """A restore puts back outputs, metadata and cells; its update makes everybody's document the same."""
    room.guard.remember([SCRIPT], True)

    def restore(doc: Doc) -> None:
        doc["cells"][0]["source"].insert(0, "old ")
        doc["cells"][0]["execution_count"] = 9.0
        doc["cells"][0]["execution_state"] = "running"
        doc["cells"][2]["outputs"].append(output(SCRIPT))
        doc["cells"][2]["metadata"]["trusted"] = True
        doc["meta"]["metadata"]["kernelspec"] = {"name": "old", "display_name": "Old"}

    update = room.guard.write(restore)
    for doc in (room.live, room.upstream, room.page()):
        doc.apply_update(update)
    assert plain(room.live) == plain(room.upstream)
    assert room.guard.state_vector() == room.live.get_state()
    room.edit(HONEST["type"])

    def again(doc: Doc) -> None:
        doc["cells"][2]["outputs"].clear()
        doc["cells"][2]["outputs"].append(output(SCRIPT))

    assert room.edit(again).corrected == ()


def test_the_gate_puts_back_what_the_owner_had(room: Room) -> None:
    """A cell that runs, an attachment that is no picture, an older format: editors may not write them, a restore may;
    also outputs that came a moment ago."""
    page = {"a.html": {"text/html": "PHA+"}}
    room.from_upstream(lambda doc: doc["cells"][1]["outputs"].append(output(SCRIPT)))

    def restore(doc: Doc) -> None:
        plain = doc["cells"][1].to_py()
        del doc["cells"][1]
        cell = fresh(plain)
        doc["cells"].insert(4, cell)
        cell["execution_state"] = "running"
        doc["cells"].append(markdown("new", attachments=page))
        doc["cells"][2]["attachments"] = page
        doc["meta"]["nbformat_minor"] = 4.0

    room.live.apply_update(room.guard.write(restore))
    assert room.cell("plain")["execution_state"] == "running" and len(room.cell("plain")["outputs"]) == 2
    assert room.cell("text")["attachments"] == room.cell("new")["attachments"] == page
    assert room.live["meta"]["nbformat_minor"] == 4


@pytest.mark.parametrize(
    "wrong",
    [
        insert(0, "justastring"),
        lambda doc: doc["cells"].append(code("new", outputs=(SCRIPT,))),
        lambda doc: doc["cells"].append(code("new", outputs=(IMAGE_XSS,))),
        lambda doc: doc.get("evil", type=Map).__setitem__("a", 1),
        lambda doc: doc["state"].__setitem__("path", "secret/private.ipynb"),
        lambda doc: doc["cells"][99],
    ],
)
def test_the_gate_writes_nothing_wrong_either(room: Room, wrong: Change) -> None:
    """The same invariants hold for the gate, and nothing is left of what broke them."""
    before = plain(room.live)
    with pytest.raises(Denied):
        room.guard.write(wrong)
    assert plain(open_page(room.guard.whole(), 3)) == before
    assert room.guard.state_vector() == room.live.get_state()


def test_corrections_and_writes_continue_each_other(room: Room) -> None:
    """The gate's clock has no gap and no second use, over corrections, refusals and writes."""
    for _ in range(3):
        room.edit(paste((SCRIPT,)), client=100)
        room.pages.pop(100)
        with pytest.raises(Denied):
            room.guard.judge(change(open_page(room.live.get_update(), 300), paste((SCRIPT,)), insert(0, "x")))
        update = room.guard.write(lambda doc: doc["cells"][0]["source"].insert(0, "w"))
        room.live.apply_update(update)
        room.upstream.apply_update(update)
        room.from_upstream(lambda doc: doc["cells"].pop(0))
    assert plain(room.live) == plain(room.upstream) == plain(open_page(room.guard.whole(), 3))
