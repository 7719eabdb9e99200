"""Whether a document that came back is the one that was there."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from sharegate.channels import history
from sharegate.channels.admission import RoomName
from sharegate.channels.history import contained, content, held, same_history

NOTEBOOK = RoomName("json", "notebook", "5f0c7c3e-0000-4000-8000-000000000000")
TEXT = RoomName("text", "file", NOTEBOOK.file_id)


def from_disk(words: str) -> Doc:
    """As a server builds a text document from its file: under the CRDT client id 0."""
    doc: Doc = Doc(client_id=0)
    doc["source"], doc["state"] = Text(words), Map({"path": "notes.md"})
    return doc


def copy(doc: Doc, client: int) -> Doc:
    made: Doc = Doc(client_id=client)
    made.get("source", type=Text), made.get("state", type=Map)
    made.apply_update(doc.get_update())
    return made


def same(known: Doc, fresh: Doc, saved: dict[int, int] | None = None) -> bool:
    return same_history(TEXT, known.get_update(), fresh.get_update(), saved or {})


def test_a_server_that_kept_the_history_goes_on() -> None:
    """Also when one side has more: what the gate had not sent, what the server heard meanwhile."""
    known = copy(from_disk("words\n"), 7)
    fresh = copy(known, 8)
    assert same(known, fresh, held(known))
    known["source"] += "not sent yet"
    fresh["source"].insert(0, "typed by the owner meanwhile ")
    assert same(known, fresh, held(from_disk("words\n")))


def test_the_same_file_rebuilt_is_the_same_history() -> None:
    """A rebuild of an unchanged file has the same ids for the same contents."""
    assert same(copy(from_disk("words\n"), 7), from_disk("words\n"))


def test_attack_a_rebuilt_document_with_other_contents_under_the_same_ids() -> None:
    """Merging would keep the old words on one side and the new ones on the other, for good."""
    known, fresh = copy(from_disk("words\n"), 7), from_disk("other words\n")
    assert not same(known, fresh)
    garbled = copy(known, 9)
    garbled.apply_update(fresh.get_update())
    assert str(garbled["source"]) != "other words\n", "which is why it must not be merged"


def test_a_rebuilt_document_that_holds_a_visitors_words_as_its_own() -> None:
    """Saved, then rebuilt from disk: the words are there, under other ids, and would stand there twice."""
    known = copy(from_disk("ab\n"), 7)
    known["source"].insert(1, "X")
    fresh = from_disk("aXb\n")
    assert not same(known, fresh, held(known))
    assert not same(known, fresh), "found by content alone, too"


def test_what_was_saved_and_is_gone_ends_the_epoch() -> None:
    """The server went back to an older state: what it reported saved is not in it."""
    older = copy(from_disk("ab\n"), 7)
    known = copy(older, 8)
    known["source"] += "saved"
    assert same(known, older), "unsaved words may be missing: they are sent again"
    assert not same(known, older, held(known))


def test_a_document_that_cannot_be_read_is_no_continuation() -> None:
    """Fails closed."""
    assert not same_history(TEXT, from_disk("a").get_update(), b"\xff\xff\xff", {})


def test_notebooks_are_compared_with_cells_and_metadata() -> None:
    """A cell that differs in one value is another history."""

    def build(count: int) -> Doc:
        doc: Doc = Doc(client_id=0)
        doc["state"], doc["meta"] = Map(), Map({"nbformat": 4})
        doc["cells"] = Array([Map({"id": "a", "source": Text("x"), "execution_count": count})])
        return doc

    assert same_history(NOTEBOOK, build(1).get_update(), build(1).get_update(), {})
    assert not same_history(NOTEBOOK, build(1).get_update(), build(2).get_update(), {})
    assert content(build(1), NOTEBOOK)["cells"] == [{"id": "a", "source": "x", "execution_count": 1}]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.text(max_size=30), st.text(max_size=30))
def test_two_rebuilds_are_one_history_only_with_one_content(seed: int, one: str, other: str) -> None:
    """And any two copies of one history, edited apart, are one."""
    assert same(from_disk(one), from_disk(other)) == (one == other)
    choose = random.Random(seed)
    base = from_disk(one)
    left, right = copy(base, 11), copy(base, 12)
    for doc in (left, right):
        for _ in range(choose.randrange(4)):
            doc["source"].insert(0, choose.choice(["p", "qq", ""]))
    assert same(left, right, held(base))


@pytest.mark.parametrize("words", ["a", "ab\n"])
def test_a_file_that_grew_at_its_end_is_rebuilt(words: str) -> None:
    """Its end may be what an editor wrote and the server saved before it went, unheard: merged it would stand there
    twice, in whichever order."""

    def text(words: str) -> Doc:
        doc: Doc = Doc(client_id=0)
        doc["source"] = Text(words)
        return doc

    known = copy(text(words), 7)
    known["source"] += "more"
    fresh = text(words + "more")
    assert not same(known, fresh) and not same(text(words), fresh)
    garbled = copy(known, 9)
    garbled.apply_update(fresh.get_update())
    assert str(garbled["source"]) == words + "moremore", "which is why it must not be merged"


def test_a_panic_of_the_library_is_no_continuation(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no Exception, and means that the two cannot be merged."""

    class Panic(BaseException):
        pass

    def panics(*_: object) -> object:
        raise Panic

    monkeypatch.setattr(history, "content", panics)
    whole = Doc().get_update()
    assert not history.same_history(RoomName("text", "file", "x"), whole, whole, {})


def lies_in(log: list[bytes], whole: Doc, reach: dict[int, int] | None = None) -> bool:
    return contained(TEXT, log, whole.get_update(), reach if reach is not None else held(whole))


def test_a_log_lies_in_the_document_that_went_on() -> None:
    """Also when others wrote, and deleted, after it ended."""
    base = from_disk("some words\n")
    page = copy(base, 7)
    page.get("source", type=Text).insert(0, "ann ")
    del page.get("source", type=Text)[4:9]
    log = [base.get_update(), page.get_update(base.get_state())]
    assert lies_in(log, page)
    later = copy(page, 8)
    later.get("source", type=Text).insert(2, "bo")
    del later.get("source", type=Text)[0:2]
    assert lies_in(log, later)
    assert not lies_in(log, base), "what the log holds must be there"


def test_attack_a_log_of_deletions_alone_and_a_rebuilt_document_with_the_same_state_vector() -> None:
    """What was rebuilt from the file has the same ids, and other contents under them: no deletion may be taken back."""
    base = from_disk("some words\n")
    page = copy(base, 7)
    del page.get("source", type=Text)[0:5]
    log = [base.get_update(), page.get_update(base.get_state())]
    assert lies_in(log, page) and held(page) == held(base)
    for words in ("other word\n", "some words\n"):
        rebuilt = from_disk(words)
        assert held(rebuilt) == held(base) and not lies_in(log, rebuilt)


def test_attack_a_log_whose_words_a_rebuilt_document_was_given() -> None:
    """A page that had them open may have sent them again."""
    base = from_disk("some words\n")
    page = copy(base, 7)
    page.get("source", type=Text).insert(0, "ann ")
    change = page.get_update(base.get_state())
    rebuilt = from_disk("other word\n")
    rebuilt.apply_update(change)
    assert held(rebuilt) == held(page) and not lies_in([base.get_update(), change], rebuilt)


def test_a_log_that_cannot_be_read_lies_nowhere() -> None:
    """Fails closed."""
    assert not lies_in([b"\xff\xff\xff"], from_disk("a"))
    assert not lies_in([], from_disk("a"), {}), "nothing is no history of a document"
