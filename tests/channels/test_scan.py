"""Our reading of Yjs updates, against what pycrdt writes and against what an attacker writes."""

from __future__ import annotations

import contextlib
import random
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment

from sharegate.channels.lib0 import sized, uint
from sharegate.channels.scan import (
    FROM_EDITOR,
    FROM_UPSTREAM,
    FROM_VISITOR,
    Clocks,
    Content,
    Struct,
    UpdateSummary,
    scan_state_vector,
    scan_update,
)
from sharegate.errors import Denied, Reason
from tests.channels import crafted
from tests.channels.crafted import string
from tests.channels.documents import WORDS, deep_any, deep_json, deep_types, edit, edited, notebook

choosers = st.integers(0, 2**64).map(random.Random)


def denied(update: bytes) -> str:
    with pytest.raises(Denied) as caught:
        scan_update(update, replace(FROM_UPSTREAM, empty_structs=False))
    assert caught.value.reason is Reason.BAD_FRAME
    return caught.value.detail


def item(info: int, content: bytes) -> bytes:
    """An update with one item in the root `r`."""
    return b"\x01\x01\x01\x00" + bytes([info]) + b"\x01\x01r" + content + b"\x00"


@settings(max_examples=300, deadline=None)
@given(choosers)
def test_every_update_that_pycrdt_makes_is_accepted(choose: random.Random) -> None:
    """Random edits of texts, lists, maps, XML and subdocuments: whole states, differences and each single update."""
    doc = edited(choose, 0)
    single: list[bytes] = []
    subscription = doc.observe(lambda event: single.append(event.update))
    before = doc.get_state()
    for _ in range(choose.randrange(40)):
        edit(doc, choose)
    doc.unobserve(subscription)
    vector = scan_state_vector(doc.get_state(), FROM_UPSTREAM)
    whole = scan_update(doc.get_update(), FROM_UPSTREAM)
    assert {each.client: each.end for each in whole.clocks} == {c: n for c, n in vector.items() if n}
    assert all(each.start == 0 for each in whole.clocks)
    scan_update(doc.get_update(before), FROM_UPSTREAM)
    for update in single:
        scan_update(update, FROM_UPSTREAM)


@settings(max_examples=60, deadline=None)
@given(choosers)
def test_what_two_clients_wrote_apart_is_accepted_when_merged(choose: random.Random) -> None:
    """Merged histories hold origins on both sides, gaps and deletions by others."""
    one, other = edited(choose, 10), Doc()
    other.apply_update(one.get_update())
    other["text"], other["list"], other["map"] = Text(), Array(), Map()
    other["xml"] = XmlFragment()
    for _ in range(10):
        edit(one, choose)
        edit(other, choose)
    one.apply_update(other.get_update())
    vector = scan_state_vector(one.get_state(), FROM_UPSTREAM)
    whole = scan_update(one.get_update(), FROM_UPSTREAM)
    assert {each.client: each.end for each in whole.clocks} == {c: n for c, n in vector.items() if n}


@settings(max_examples=300, deadline=None)
@given(choosers)
def test_attack_a_mutated_update_raises_nothing_but_denied(choose: random.Random) -> None:
    """Bytes changed, inserted, removed or cut off: accepted as another update, or Denied."""
    data = bytearray(edited(choose, 15).get_update())
    for _ in range(choose.randrange(1, 6)):
        at = choose.randrange(len(data))
        match choose.randrange(4):
            case 0:
                data[at] = choose.randrange(256)
            case 1:
                data.insert(at, choose.choice([0, 0x7F, 0x80, 0xFF]))
            case 2 if len(data) > 1:
                del data[at]
            case _:
                data[at] ^= 1 << choose.randrange(8)
    with contextlib.suppress(Denied):
        assert isinstance(scan_update(bytes(data), FROM_UPSTREAM), UpdateSummary)


@settings(max_examples=50, deadline=None)
@given(choosers)
def test_an_update_ends_exactly_at_its_last_byte(choose: random.Random) -> None:
    """Every proper beginning of an update is refused, and so is every continuation."""
    data = edited(choose, 8).get_update()
    for wrong in (*(data[:end] for end in range(len(data))), data + b"\x00"):
        with pytest.raises(Denied):
            scan_update(wrong, FROM_UPSTREAM)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_attack_random_bytes_raise_nothing_but_denied(data: bytes) -> None:
    """Noise is refused as an update and as a state vector."""
    for read in (scan_update, scan_state_vector):
        with contextlib.suppress(Denied):
            read(data, FROM_VISITOR)


@pytest.mark.parametrize("word", [word for word in WORDS if word])
def test_clocks_of_text_count_utf16_units(word: str) -> None:
    """An emoji takes two clocks although Python counts one character and UTF-8 four bytes."""
    doc: Doc = Doc(client_id=7)
    doc["text"] = Text(word)
    length = len(word.encode("utf-16-le")) // 2
    assert scan_update(doc.get_update(), FROM_VISITOR).clocks == (Clocks(7, 0, length),)


def test_the_summary_names_what_an_update_holds() -> None:
    """Clients, clocks, contents, deleted ranges, bytes and depth of a small document."""
    doc: Doc = Doc(client_id=9)
    doc["text"] = Text("abcdef")
    doc["map"] = Map({"k": 1, "m": Map({"t": Text("x")})})
    del doc["text"][1:3]
    update = doc.get_update()
    summary = scan_update(update, FROM_VISITOR)
    assert summary.bytes == len(update) and not summary.empty
    assert summary.deleted == (Clocks(9, 1, 3),)
    assert {Content.STRING, Content.ANY, Content.TYPE} <= summary.contents
    assert summary.depth == 2
    assert [each.client for each in summary.clocks] == [9]


def test_the_empty_update_and_vector_are_accepted() -> None:
    """What a page answers first: nothing."""
    assert scan_update(b"\x00\x00", FROM_VISITOR).empty
    assert scan_state_vector(b"\x00", FROM_VISITOR) == {}
    assert denied(b"") and denied(b"\x00")


def test_a_notebook_is_three_deep() -> None:
    """Cells are maps in a list of maps: what honest documents need is far below the limit."""
    assert scan_update(notebook(200).get_update(), FROM_UPSTREAM).depth <= 3


@pytest.mark.parametrize(
    ("info", "content"),
    [
        (1, b"\x03"),  # deleted
        (2, b"\x02" + sized(b'{"a":1}') + sized(b"undefined")),  # json
        (3, sized(b"\xff\xfe")),  # binary
        (4, sized("\N{PARTY POPPER}".encode())),  # string
        (5, sized(b'{"image":"x"}')),  # embed
        (6, sized(b"bold") + sized(b"null")),  # format
        *[(7, bytes([kind])) for kind in (0, 1, 2, 4, 6)],
        (7, b"\x03" + sized(b"p")),
        (7, b"\x05" + sized(b"hook")),
        (8, b"\x04\x7f\x7e\x79\x78"),  # undefined, null, false, true
        (8, b"\x03\x7d\x00\x7d\x40\x7d\xff\x01"),  # integers: 0, minus 0, -127
        (8, b"\x01\x7c\x3f\x80\x00\x00"),  # float32
        (8, b"\x01\x7b" + bytes(8)),  # float64
        (8, b"\x01\x7a" + bytes(8)),  # bigint
        (8, b"\x01\x76\x01" + sized(b"k") + b"\x75\x02\x78\x77" + sized("é".encode())),  # {k: [true, "é"]}
        (8, b"\x01\x74" + sized(b"\x00\xff")),  # bytes
        (9, sized(b"guid") + b"\x76\x00"),  # subdocument
    ],
)
def test_every_kind_of_content_is_read_to_its_end(info: int, content: bytes) -> None:
    """Each content as yjs writes it; one byte less or more is refused."""
    update = item(info, content)
    assert scan_update(update, FROM_VISITOR).structs == 1
    denied(update[:-1])
    denied(update + b"\x00")


@pytest.mark.parametrize(
    ("update", "detail"),
    [
        (item(11, b"\x00"), "unknown content"),  # yrs "move"
        (item(7, b"\x07"), "unknown shared type"),  # yrs "weak link"
        (item(7, b"\x0f"), "unknown shared type"),
        (item(8, b"\x01\x73"), "unknown kind of value"),
        (item(4, sized(b"\xff")), "text is not UTF-8"),
        (item(4, sized(b"\xed\xa0\x80")), "text is not UTF-8"),  # a lone surrogate
        (item(4, b"\x00"), "struct without a length"),
        (item(8, b"\x00"), "struct without a length"),
        (item(5, sized(b"{")), "not JSON"),
        (item(5, sized(b"NaN")), "not JSON"),
        (item(5, sized(b"9" * 5000)), "not JSON"),
        (item(8, b"\x01\x7d\x80\x00"), "number not in its shortest form"),
        (b"\x01\x01\x01\x00\x04\x02\x01r\x01a\x00", "unknown kind of parent"),
        (b"\x01\x01\x01\x00\x20\x01\x01r\x01k\x01\x00", "unknown content"),  # GC with other bits set
        (b"\x01\x01\x01\x00\x8a\x01\x01\x01\x00", "unknown content"),  # skip with other bits set
        (b"\x02" + b"\x01\x01\x00\x00\x01" * 2 + b"\x00", "client named twice"),
        (b"\x00\x02\x05\x00\x05\x00", "client named twice"),
        (b"\x81\x00\x00", "number not in its shortest form"),
        (b"\x01\x01\x01" + uint(2**32 - 1) + b"\x00\x01\x00", "clock above 32 bits"),
        (b"\x01\x01" + b"\xff" * 7 + b"\x1f" + b"\x00\x00\x01\x00", "number above 53 bits"),
        (b"\x01\x01" + b"\xff" * 8 + b"\x01\x00\x00\x01\x00", "number longer than 8 bytes"),
    ],
)
def test_attack_what_two_libraries_read_differently_is_refused(update: bytes, detail: str) -> None:
    """Foreign contents, odd bits, long forms, doubled clients, broken text: one reading or none."""
    assert denied(update) == detail


def test_client_ids_of_53_bits_are_accepted() -> None:
    """Yjs draws client ids from all 53 bits."""
    doc: Doc = Doc(client_id=2**53 - 1)
    doc["text"] = Text("a")
    assert scan_update(doc.get_update(), FROM_VISITOR).clocks == (Clocks(2**53 - 1, 0, 1),)


@pytest.mark.parametrize("make", [deep_any, deep_json, deep_types])
def test_attack_nesting_is_refused_past_64_levels(make) -> None:  # type: ignore[no-untyped-def]
    """Values in values, JSON in JSON, types in types: 64 levels pass, 65 and 200,000 are refused without recursion."""
    scan_update(make(64), FROM_UPSTREAM)
    for levels in (65, 200_000):
        assert "too deep" in denied(make(levels))


def test_attack_brackets_inside_json_text_neither_count_nor_hide() -> None:
    """A text of brackets is flat; a quote that is escaped does not hide the brackets behind it."""
    scan_update(item(5, sized(b'"' + b"[" * 500 + b'"')), FROM_UPSTREAM)
    assert "too deep" in denied(item(5, sized(b'["\\"",' + b"[" * 100 + b"]" * 101)))
    assert denied(item(5, sized(b"[" * 60 + b'"\\"' * 20_000))) == "not JSON"


def test_attack_types_may_not_lie_in_each_other() -> None:
    """Two maps, each the parent of the other."""
    first = b"\x27\x00" + uint(1) + uint(1) + sized(b"k") + b"\x01"
    second = b"\x27\x00" + uint(1) + uint(0) + sized(b"k") + b"\x01"
    assert denied(b"\x01\x02\x01\x00" + first + second + b"\x00") == "items that lie in each other"


def test_depth_is_followed_through_neighbours() -> None:
    """An item without a parent of its own lies where its neighbour lies."""
    lists: Array = Array()
    doc: Doc = Doc()
    doc["r"] = lists
    for _ in range(70):
        inner: Array = Array(["first"])
        lists.append(inner)
        lists = inner
    assert "too deep" in denied(doc.get_update())


@pytest.mark.parametrize("field", ["bytes", "structs", "delete_ranges", "clients", "key_bytes", "string_bytes"])
def test_each_limit_is_kept(field: str) -> None:
    """What passes under the limits is refused when one of them is smaller."""
    doc: Doc = Doc()
    doc["text"] = Text("abcdefghij")
    doc["map"] = Map({"key": 1})
    del doc["text"][2:4]
    update = doc.get_update()
    scan_update(update, FROM_VISITOR)
    with pytest.raises(Denied):
        scan_update(update, replace(FROM_VISITOR, **{field: 0}))


def test_state_vectors_are_exact() -> None:
    """Doubled clients, clocks above 32 bits, trailing and missing bytes are refused."""
    assert scan_state_vector(b"\x01\x05\x09", FROM_VISITOR) == {5: 9}
    for vector in (
        b"\x02\x05\x09\x05\x09",
        b"\x01\x05" + uint(2**32),
        b"\x01\x05\x09\x00",
        b"\x01\x05",
        b"",
        b"\x80\x00",
    ):
        with pytest.raises(Denied):
            scan_state_vector(vector, FROM_VISITOR)


def test_attack_giant_counts_allocate_nothing() -> None:
    """A count is refused before anything is made for it."""
    tracemalloc.start()
    try:
        for update in (uint(2**50), b"\x01" + uint(2**50) + b"\x01\x00", b"\x00" + uint(2**50), item(8, uint(2**50))):
            denied(update + bytes(100))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_a_text_cut_inside_a_character_is_accepted_from_a_server_only() -> None:
    """yrs leaves a struct without a length there; no browser makes one."""
    doc: Doc = Doc()
    doc["text"] = Text("\N{SNAKE}\N{SNAKE}")
    doc["text"].format(0, 1, {"b": True})
    update = doc.get_update()
    assert scan_update(update, FROM_UPSTREAM).structs
    assert denied(update) == "struct without a length"


def test_the_summary_names_roots_and_what_no_page_writes() -> None:
    """Each root that an item lies in, and per client where the last struct ends that JupyterLab never writes."""
    doc: Doc = Doc(client_id=9)
    doc["text"] = Text("abc")
    doc["map"] = Map({"k": Text("x")})
    summary = scan_update(doc.get_update(), FROM_EDITOR)
    assert summary.roots == {"text", "map"} and summary.unusual == {} and not summary.sections
    doc["text"].format(0, 1, {"b": True})
    doc["xml"] = XmlFragment()
    doc["xml"].children.append(XmlElement("p"))
    unusual = scan_update(doc.get_update(), FROM_EDITOR).unusual
    assert unusual == {9: scan_update(doc.get_update(), FROM_EDITOR).clocks[0].end}


@pytest.mark.parametrize(
    ("data", "end"),
    [
        *[
            (item(info, content), 1)
            for info, content in ((3, b"\x00"), (5, sized(b"{}")), (9, sized(b"g") + b"\x76\x00"))
        ],
        (item(6, sized(b"b") + sized(b"1")), 1),
        (item(2, b"\x02" + sized(b"1") * 2), 2),
        (b"\x01\x01\x01\x00\x0a\x03\x00", 3),
        *[(item(7, bytes([kind])), 1) for kind in (4, 6)],
        *[(item(7, bytes([kind]) + sized(b"p")), 1) for kind in (3, 5)],
        (item(1, b"\x03"), 0),
        (item(4, sized(b"a")), 0),
        (item(8, b"\x01\x7e"), 0),
        (b"\x01\x01\x01\x00\x00\x03\x00", 0),
        *[(item(7, bytes([kind])), 0) for kind in (0, 1, 2)],
    ],
)
def test_unusual_is_whatever_is_not_a_list_map_text_or_plain_value(data: bytes, end: int) -> None:
    """Binary, embed, subdocument, format, JSON, skip, XML; not what was deleted before it was sent."""
    assert scan_update(data, FROM_EDITOR).unusual.get(1, 0) == end


def test_structs_are_listed_when_asked_for() -> None:
    """Clocks, content, neighbours, parent, key and kind, and texts in which some character takes two clocks."""
    root = b"\x27\x01" + sized(b"r") + sized(b"k") + b"\x02"
    text = b"\x04\x00" + uint(1) + uint(0) + sized("a\N{SNAKE}".encode())
    beside = b"\xc4" + uint(1) + uint(1) + uint(1) + uint(2) + sized(b"z")
    data = b"\x01\x04\x01\x00" + root + text + beside + b"\x00\x05\x00"
    assert scan_update(data, FROM_EDITOR, structs=True).sections == {
        1: [
            Struct(0, 1, Content.TYPE, parent="r", key="k", shared=2),
            Struct(1, 4, Content.STRING, parent=(1, 0), text="a\N{SNAKE}"),
            Struct(4, 5, Content.STRING, left=(1, 1), right=(1, 2)),
            Struct(5, 10, Content.GC),
        ]
    }


@pytest.mark.parametrize(
    ("data", "needs"),
    [
        (crafted.update({1: (0, [string("ab"), string("c", left=(1, 1))])}), {}),
        (crafted.update({1: (3, [string("ab")])}), {1: 3}),
        (crafted.update({1: (3, [string("a", left=(2, 6), right=(4, 1))]), 4: (0, [string("xy")])}), {1: 3, 2: 7}),
        (crafted.update({1: (0, [string("a", parent=(2, 6))])}), {2: 7}),
        (crafted.update({1: (0, [string("a", left=(1, 0))])}), {}),
        (crafted.update({1: (0, [string("a"), b"\x0a\x03", string("b")])}), {1: 4}),
        (crafted.update({1: (0, [string("ab")])}, {1: [(0, 2)], 2: [(5, 2), (0, 1)]}), {2: 7}),
        (crafted.update({1: (0, [string("ab")])}, {1: [(0, 3)]}), {1: 3}),
    ],
)
def test_the_summary_says_what_must_be_there_before(data: bytes, needs: dict[int, int]) -> None:
    """What precedes, what is skipped, and each neighbour, parent and deleted clock that the update does not bring."""
    assert scan_update(data, FROM_UPSTREAM).needs == needs


def test_attack_a_number_that_pages_cannot_make_json_of() -> None:
    """BigInt: a page that shows it fails, while others read an ordinary number. A server may say it."""
    data = crafted.evil(crafted.struct(8, uint(1) + b"\x7a" + b"\0" * 8, parent="state", key="zq"))
    with pytest.raises(Denied, match="bad_frame"):
        scan_update(data, FROM_EDITOR)
    assert scan_update(data, FROM_UPSTREAM).structs == 1


@pytest.mark.parametrize("clock", [0, 1, 9])
@pytest.mark.parametrize("info", [b"\x84", b"\x44", b"\x04\x00"])
def test_attack_an_item_that_names_a_later_one_of_its_own_client(info: bytes, clock: int) -> None:
    """As neighbour or parent, itself included: yjs throws in the middle of the update, in every page."""
    data = b"\x01\x01\x01\x00" + info + uint(1) + uint(clock) + sized(b"a") + b"\x00"
    with pytest.raises(Denied, match="bad_frame"):
        scan_update(data, FROM_EDITOR)
    with contextlib.suppress(Denied):  # a type in itself is refused from anybody
        scan_update(data, FROM_UPSTREAM)


def test_an_editors_limits_hold_a_pasted_notebook_and_a_long_history() -> None:
    """1,000 cells at once, and 100,000 deleted ranges in the answer of a page that only reads."""
    scan_update(notebook(1_000).get_update(), FROM_EDITOR)
    ranges = b"".join(uint(2 * each) + b"\x01" for each in range(100_000))
    assert len(scan_update(b"\x00\x01\x05" + uint(100_000) + ranges, FROM_EDITOR).deleted) == 100_000
    with pytest.raises(Denied):
        scan_update(b"\x00" * (FROM_EDITOR.bytes + 1), FROM_EDITOR)


def test_what_an_editors_page_may_send_at_once() -> None:
    """Eight megabytes, 20,000 structs, each with a length."""
    many = uint(1) + uint(20_000) + uint(9) + uint(0) + b"\x00\x01" * 20_000 + b"\x00"
    assert scan_update(many, FROM_EDITOR).structs == 20_000
    for hostile in (
        uint(1) + uint(20_001) + uint(9) + uint(0) + b"\x00\x01" * 20_001 + b"\x00",
        uint(1) + uint(1) + uint(9) + uint(0) + b"\x00\x00" + b"\x00",
        bytes(8 * 1024 * 1024 + 1),
    ):
        with pytest.raises(Denied) as raised:
            scan_update(hostile, FROM_EDITOR)
        assert raised.value.detail in ("too many structs", "struct without a length", "update too large")
