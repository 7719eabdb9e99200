"""Who may write under which client id: honest pages always, an attacker never as somebody else."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map

from sharegate.channels.scan import FROM_EDITOR, FROM_UPSTREAM, scan_update
from sharegate.channels.writers import GATE, NOBODY, UPSTREAM, Writers, settled
from sharegate.errors import Denied, Reason
from tests.channels.crafted import (
    CHARACTERS,
    END,
    EVIL,
    OWNER,
    PATH,
    Peer,
    clocks,
    document,
    evil,
    read,
    shared,
    string,
    type_somewhere,
    update,
    word,
)

choosers = st.integers(0, 2**64).map(random.Random)

GOOD = word("a")


def writers() -> Writers:
    """Of a room whose document upstream wrote as `OWNER`."""
    made = Writers()
    made.upstream(scan_update(document().get_update(), FROM_UPSTREAM))
    return made


def refusal(made: Writers, data: bytes, *, visit: str = "bo", held: dict[int, int] | None = None) -> str:
    before = (dict(made._owners), +made._held_by, made.barred)
    with pytest.raises(Denied) as caught:
        made.check(visit, read(data), {OWNER: END} if held is None else held)
    assert caught.value.reason is Reason.UPDATE_REFUSED
    assert (dict(made._owners), +made._held_by, made.barred) == before
    return caught.value.detail


@settings(max_examples=150, deadline=None)
@given(choosers)
def test_honest_pages_are_never_refused_and_always_settle(choose: random.Random) -> None:
    """Several pages edit on and off line, exchange states in any order and load again: everything arrives."""
    gate = Peer(document().get_update())
    pages: dict[str, Doc] = {}

    def join(visit: str) -> None:
        pages[visit] = Doc(client_id=choose.getrandbits(32) + 100)
        pages[visit].apply_update(gate.doc.get_update())

    for visit in ("ann", "bo", "cy"):
        join(visit)
    for _ in range(choose.randrange(30)):
        visit = choose.choice(list(pages))
        page = pages[visit]
        if choose.random() < 0.05:
            gate.take(visit, page.get_update(gate.doc.get_state()))
            join(visit)
            continue
        for _ in range(choose.randrange(1, 4)):
            if choose.random() < 0.5:
                with page.transaction():
                    type_somewhere(page, choose)
                    type_somewhere(page, choose)
            else:
                type_somewhere(page, choose)
        if choose.random() < 0.6:
            # Its answer to a state vector, or all that it has.
            gate.take(visit, page.get_update(gate.doc.get_state()) if choose.random() < 0.7 else page.get_update())
        if choose.random() < 0.6:
            page.apply_update(gate.doc.get_update(page.get_state()))
    for visit, page in pages.items():
        gate.take(visit, page.get_update(gate.doc.get_state()))
        assert not gate.take(visit, page.get_update())
    for page in pages.values():
        page.apply_update(gate.doc.get_update(page.get_state()))
        assert page.get("cells", type=Array).to_py() == gate.doc.get("cells", type=Array).to_py()


@settings(max_examples=150, deadline=None)
@given(choosers)
def test_every_single_keystroke_is_taken(choose: random.Random) -> None:
    """What a page sends while it is connected: one update after another."""
    gate = Peer(document().get_update())
    page: Doc = Doc(client_id=77)
    page.apply_update(gate.doc.get_update())
    sent: list[bytes] = []
    subscription = page.observe(lambda event: sent.append(event.update))
    for _ in range(choose.randrange(20)):
        type_somewhere(page, choose)
    page.unobserve(subscription)
    for each in sent:
        gate.take("bo", each)
    assert page.get("cells", type=Array).to_py() == gate.doc.get("cells", type=Array).to_py()


@settings(max_examples=300, deadline=None)
@given(choosers)
def test_attack_mutated_updates_raise_nothing_but_denied(choose: random.Random) -> None:
    """Bytes of real updates changed: taken and settled, or Denied; the owner's clocks never move."""
    gate = Peer(document().get_update())
    page: Doc = Doc(client_id=77)
    page.apply_update(gate.doc.get_update())
    before = page.get_state()
    for _ in range(5):
        type_somewhere(page, choose)
    data = bytearray(page.get_update(choose.choice([before, b"\x00"])))
    for _ in range(choose.randrange(1, 5)):
        data[choose.randrange(len(data))] = choose.choice([0, 1, 5, 9, 77, choose.randrange(256)])
    with contextlib.suppress(Denied):
        gate.take("bo", bytes(data))
    assert clocks(gate.doc)[OWNER] == END
    assert gate.writers.owner_of(OWNER) == UPSTREAM


def test_attack_writing_as_the_owner_makes_the_owners_next_keystrokes_vanish() -> None:
    """Measured without the check: every peer drops the owner's words for good. With it the update is refused."""
    owner = document()
    attack = update({OWNER: (END, [string("zzzzz", left=(OWNER, CHARACTERS))])})

    other: Doc = Doc()
    other.apply_update(owner.get_update())
    other.apply_update(attack)
    owner.get("cells", type=Array)[0]["source"].insert(0, "mine ")
    other.apply_update(owner.get_update())
    owner.apply_update(other.get_update())
    assert str(owner.get("cells", type=Array)[0]["source"]).startswith("mine ")
    assert "mine" not in str(other.get("cells", type=Array)[0]["source"])

    assert refusal(writers(), attack) == "client id of somebody else"


def test_attack_writing_as_an_owner_who_has_not_written_yet() -> None:
    """Ids in upstream's awareness are upstream's before their page writes its first character."""
    made = writers()
    made.upstream_ids([EVIL])
    assert refusal(made, evil(GOOD)) == "client id of somebody else"


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (update({OWNER: (END, [GOOD])}), "client id of somebody else"),
        (update({OWNER: (END - 1, [word("a", "b")])}), "client id of somebody else"),
        (update({0: (0, [GOOD])}), "client id of somebody else"),
        (update({EVIL: (0, [GOOD]), OWNER: (END, [GOOD])}), "client id of somebody else"),
        (evil(GOOD, start=1), "clocks with a gap"),
        (update({OWNER: (END + 5, [GOOD])}), "clocks with a gap"),
        (evil(b"\x0a\x05"), "contents that no page writes"),
        (evil(b"\x0a\x05", GOOD), "contents that no page writes"),
        (evil(string("a"), b"\x06\x01\x05cells\x01b\x04true"), "contents that no page writes"),
        (evil(b"\x05\x01\x05cells\x02{}"), "contents that no page writes"),
        (evil(b"\x03\x01\x05cells\x01\xff"), "contents that no page writes"),
        (evil(b"\x02\x01\x05cells\x01\x011"), "contents that no page writes"),
        (evil(b"\x09\x01\x05cells\x01g\x76\x00", GOOD), "contents that no page writes"),
        *[(evil(shared(kind), GOOD), "contents that no page writes") for kind in (3, 4, 5, 6)],
        (update(deletes={OWNER: [(END, 1)]}), "deletes what nobody wrote"),
        (update(deletes={OWNER: [(0, 1), (END - 1, 2)]}), "deletes what nobody wrote"),
        (update(deletes={EVIL: [(0, 1)]}), "deletes what nobody wrote"),
        (evil(GOOD, deletes={EVIL: [(0, 2)]}), "deletes what nobody wrote"),
        (update(deletes={OWNER: [(END + 5, 0)]}), "deletes what nobody wrote"),
    ],
)
def test_attack_each_is_refused_and_claims_nothing(data: bytes, detail: str) -> None:
    """Foreign ids, gaps, kinds that no page writes, deletions of the future; alone or beside what would be fine."""
    made = writers()
    assert refusal(made, data) == detail
    assert made.owner_of(EVIL) == NOBODY


def test_what_a_page_wrote_and_deleted_before_it_was_sent_is_taken() -> None:
    """Emptied structs of own ids, and deletions up to the update's own end."""
    made = writers()
    data = evil(b"\x00\x03", b"\x01\x01\x05cells\x02", GOOD, deletes={EVIL: [(0, 6)], OWNER: [(0, END)]})
    assert made.check("bo", read(data), {OWNER: END}) == {EVIL}
    assert made.owner_of(EVIL) == "bo"


def test_unusual_contents_that_are_held_already_may_be_repeated() -> None:
    """A page answers with all it has, other programs' subdocuments included."""
    data = update({OWNER: (0, [b"\x05\x01\x05cells\x02{}"])})
    assert writers().check("bo", read(data), {OWNER: 1}) == frozenset()


def test_ids_belong_to_the_visit_that_used_them_first() -> None:
    """Another visit is refused, whether the first was known by an update or by its awareness; repeating is fine."""
    made = writers()
    assert made.check("ann", read(evil(GOOD)), {OWNER: END}) == {EVIL}
    held = {OWNER: END, EVIL: 1}
    assert refusal(made, evil(GOOD, start=1), visit="bo", held=held) == "client id of somebody else"
    assert made.check("bo", read(evil(GOOD)), held) == frozenset()
    assert made.check("ann", read(evil(GOOD, start=1)), held) == {EVIL}
    made.claim("ann", [20, EVIL])
    assert refusal(made, update({20: (0, [GOOD])})) == "client id of somebody else"
    with pytest.raises(Denied):
        made.claim("bo", [21, 20])
    assert made.owner_of(21) == NOBODY


def test_what_upstream_repeats_stays_the_visits() -> None:
    """Upstream sends visits' own updates back; only ids that nobody used before are its own."""
    made = writers()
    made.check("ann", read(evil(GOOD)), {OWNER: END})
    made.upstream(read(update({EVIL: (0, [GOOD]), 30: (0, [GOOD])})))
    assert (made.owner_of(EVIL), made.owner_of(30), made.owner_of(31)) == ("ann", UPSTREAM, NOBODY)


def test_the_gates_ids_are_nobody_elses() -> None:
    """A visit cannot write under them, and the gate cannot take an id that is in use."""
    made = writers()
    made.reserve(EVIL)
    made.reserve(EVIL)
    assert made.owner_of(EVIL) == GATE
    assert refusal(made, evil(GOOD)) == "client id of somebody else"
    for taken in (0, OWNER):
        with pytest.raises(ValueError, match=str(taken)):
            made.reserve(taken)


@pytest.mark.parametrize("name", [UPSTREAM, GATE, NOBODY])
def test_no_visit_is_called_like_the_others(name: str) -> None:
    """A fault of ours, not of a visitor: whoever passes it would own the document."""
    with pytest.raises(ValueError, match="not a visit"):
        writers().check(name, read(evil(GOOD)), {OWNER: END})


def test_barred_ids_add_nothing_more() -> None:
    """Also ids that the visit never owned; what is held may still be repeated."""
    made = writers()
    made.bar(made.check("bo", read(evil(GOOD)), {OWNER: END}))
    made.bar([40])
    assert made.barred == {EVIL, 40}
    assert refusal(made, evil(GOOD)) == "client id barred"
    assert refusal(made, update({40: (0, [GOOD])})) == "client id barred"
    assert made.check("bo", read(evil(GOOD)), {OWNER: END, EVIL: 1}) == frozenset()
    with pytest.raises(Denied):
        made.claim("bo", [40])


def test_ids_are_limited_for_each_visit_and_for_the_room() -> None:
    """Loading again needs a new id; making them up in masses does not go on."""
    made = Writers(per_visit=2, per_room=3)
    made.check("ann", read(update({1: (0, [GOOD]), 2: (0, [GOOD])})), {})
    assert refusal(made, update({3: (0, [GOOD])}), visit="ann", held={}) == "too many client ids"
    assert refusal(made, update({3: (0, [GOOD]), 4: (0, [GOOD])}), held={}) == "too many client ids"
    made.check("bo", read(update({3: (0, [GOOD])})), {})
    assert refusal(made, update({4: (0, [GOOD])}), visit="cy", held={}) == "too many client ids"


@pytest.mark.parametrize(
    "data",
    [
        evil(GOOD, start=3),
        evil(word("a", left=(77, 0))),
        evil(word("a", left=(OWNER, 40))),
        evil(word("a", right=(OWNER, 40))),
        evil(word("a", parent=(77, 0))),
        evil(word("a", parent=(OWNER, 40), key="k")),
        evil(GOOD, word("a", left=(77, 0)), word("b")),
        update({10: (0, [word("a", left=(EVIL, 0))]), EVIL: (0, [word("a", left=(10, 0))])}),
        update({10: (0, [GOOD, word("a", left=(EVIL, 0))]), EVIL: (0, [word("a", left=(10, 1))])}),
        update(deletes={EVIL: [(0, 3)]}),
        update(deletes={OWNER: [(END - 2, 10)]}),
        evil(GOOD, deletes={OWNER: [(PATH, 1), (END, 1)]}),
        evil(GOOD, deletes={EVIL: [(0, 2)]}),
    ],
)
def test_attack_what_stays_pending_is_seen_after_it_was_applied(data: bytes) -> None:
    """Structs and deletions that wait for what does not exist, in a real document: parents, neighbours, circles."""
    doc: Doc = Doc()
    doc.apply_update(document().get_update())
    doc.apply_update(data)
    with pytest.raises(Denied) as caught:
        settled(scan_update(data, FROM_EDITOR), clocks(doc))
    assert caught.value.reason is Reason.UPDATE_REFUSED


def test_what_arrives_settles() -> None:
    """The same document takes an honest change with its deletions."""
    doc: Doc = Doc()
    doc.apply_update(document().get_update())
    data = evil(GOOD, deletes={OWNER: [(PATH, 1)], EVIL: [(0, 1)]})
    doc.apply_update(data)
    settled(scan_update(data, FROM_EDITOR), clocks(doc))
    assert "path" not in doc.get("state", type=Map).to_py()
