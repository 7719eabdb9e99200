"""Documents, updates and hostile frames that the tests of this folder share."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from sharegate.channels.lib0 import sized, uint
from sharegate.messages import Frame

WORDS = ["", "a", "x = 1\n", "ünï", "日本語", "\N{PARTY POPPER}", "a\N{GRINNING FACE}b", "\n\n", "e\u0301", "\0"]


def notebook(cells: int = 3) -> Doc:
    """A document shaped like jupyter_ydoc's YNotebook."""
    doc: Doc = Doc()
    state, meta, list_ = Map(), Map(), Array()
    doc["state"], doc["meta"], doc["cells"] = state, meta, list_
    state["path"] = "sub/nb.ipynb"
    meta["nbformat"] = 4.0
    for number in range(cells):
        list_.append(
            Map(
                {
                    "id": f"cell-{number}",
                    "cell_type": "code",
                    "source": Text(f"print({number}) \N{SNAKE}"),
                    "metadata": Map({"trusted": False}),
                    "outputs": Array([{"output_type": "stream", "text": ["é", 1, 2.5, None, True]}]),
                    "execution_count": None,
                }
            )
        )
    return doc


def deep_any(levels: int) -> bytes:
    """Attack: an update with one value that lies in `levels` arrays."""
    return _one_item(b"\x08", b"\x01" + b"\x75\x01" * levels + b"\x7e")


def deep_json(levels: int) -> bytes:
    """Attack: an update with one embed whose JSON nests `levels` times."""
    return _one_item(b"\x05", sized(b"[" * levels + b"]" * levels))


def deep_types(levels: int) -> bytes:
    """Attack: an update of `levels` maps, each in the one before: flat bytes, deep for whoever walks them."""
    first = b"\x07\x01" + sized(b"root") + b"\x00"
    rest = b"".join(b"\x27\x00" + uint(1) + uint(clock) + sized(b"k") + b"\x01" for clock in range(levels - 1))
    return uint(1) + uint(levels) + uint(1) + uint(0) + first + rest + b"\x00"


def _one_item(info: bytes, content: bytes) -> bytes:
    return uint(1) + uint(1) + uint(1) + uint(0) + info + b"\x01" + sized(b"r") + content + b"\x00"


def update_frame(update: bytes, step: int = 2) -> Frame:
    return Frame.binary(b"\x00" + bytes([step]) + sized(update))


def real_update(choose: random.Random) -> bytes:
    return edited(choose, 20).get_update()


def edited(choose: random.Random, edits: int) -> Doc:
    """A document after random edits of every kind that pycrdt can make."""
    doc: Doc = Doc(client_id=choose.getrandbits(choose.choice([8, 31, 53])))
    doc["text"], doc["list"], doc["map"], doc["xml"] = Text(), Array(), Map(), XmlFragment()
    for _ in range(edits):
        edit(doc, choose)
    return doc


def value(choose: random.Random, depth: int = 3) -> object:
    plain: list[object] = [None, True, False, 0, -1, 63, 64, -64, 2**31, -(2**40), 2**53 - 1, -(2**53) + 1, 2**62]
    plain += [1.5, -0.0, 1e300, 0.1, "", "text", "\N{PARTY POPPER}", b"", b"\xff\x00"]
    if depth and choose.random() < 0.4:
        if choose.random() < 0.5:
            return [value(choose, depth - 1) for _ in range(choose.randrange(4))]
        return {choose.choice(WORDS): value(choose, depth - 1) for _ in range(choose.randrange(4))}
    return choose.choice(plain)


def edit(doc: Doc, choose: random.Random) -> None:
    text, list_, map_, xml = doc["text"], doc["list"], doc["map"], doc["xml"]
    match choose.randrange(12):
        case 0 | 1 | 2:
            text.insert(0, choose.choice(WORDS))
        case 3:
            if len(text) > 2:
                text.format(0, 1, {choose.choice(["b", "color"]): choose.choice([True, None, "red", {"a": [1]}])})
        case 4:
            if str(text):
                text.clear()
        case 5:
            list_.append(value(choose))
        case 6:
            list_.append(choose.choice([Text("né"), Map({"a": Array([1, Text("z")])}), Array([Map({}), 1])]))
        case 7:
            if len(list_):
                del list_[choose.randrange(len(list_))]
        case 8:
            map_[choose.choice(["a", "b", "ключ"])] = value(choose)
        case 9:
            map_["doc"] = Doc() if choose.random() < 0.3 else Map({"deep": Text("t")})
        case 10:
            element = xml.children.append(XmlElement("p", {"class": "x"}))
            element.children.append(XmlText("hé"))
        case _:
            if len(text) > 1:
                text.insert_embed(0, {"image": "x.png", "n": [1, {"m": None}]})


def kinds_of_attack(choose: random.Random, each: int) -> Iterator[tuple[str, list[Frame]]]:
    """For each kind of hostile frame its name and `each` frames of it."""
    real = [real_update(choose) for _ in range(20)]
    deep = [update_frame(update) for update in (deep_any(200_000), deep_json(200_000), deep_types(5_000))]
    stall = Frame.binary(b"\xff" * 300_000)
    save = sized(b"save") + b"\x07"
    item = b"\x01\x01\x01\x00"

    def some(low: int, high: int) -> bytes:
        return choose.randbytes(choose.randrange(low, high))

    def long() -> bytes:
        return b"\x80" * choose.randrange(1, 40) + b"\x00"

    def giant() -> bytes:
        return uint(2 ** choose.randrange(20, 53))

    def cut(data: bytes) -> bytes:
        return data[: choose.randrange(1, len(data))]

    def typed(head: bytes, low: int) -> bytes:
        return head + bytes([choose.randrange(low, 256)]) + some(0, 60)

    def two_readings() -> bytes:
        return bytes([0x80 | choose.randrange(3)]) + b"\x80" * choose.randrange(9) + b"\x00" + save

    binary = Frame.binary
    kinds: dict[str, Callable[[], Frame]] = {
        "runs of 0xff that stall a server": lambda: stall,
        "runs of 0xff inside a sync": lambda: update_frame(b"\xff" * choose.randrange(9, 300)),
        "overlong numbers in the head": lambda: binary(b"\x00\x02" + long() + some(0, 9)),
        "overlong numbers in the update": lambda: update_frame(long()),
        "types that only one of two parsers reads": lambda: binary(two_readings()),
        "trailing bytes behind a sync": lambda: binary(update_frame(choose.choice(real)).data + some(1, 30)),
        "trailing bytes behind an update": lambda: update_frame(choose.choice(real) + some(1, 30)),
        "truncated updates": lambda: update_frame(cut(choose.choice(real))),
        "truncated frames": lambda: binary(cut(update_frame(choose.choice(real)).data)),
        "nesting of 200,000 levels": lambda: choose.choice(deep),
        "giant counts of clients": lambda: update_frame(giant() + some(0, 20)),
        "giant counts of structs": lambda: update_frame(b"\x01" + giant() + b"\x01\x00" + some(0, 20)),
        "giant counts of values": lambda: update_frame(item + b"\x08\x01\x01r" + giant() + some(0, 20)),
        "giant lengths of text": lambda: update_frame(item + b"\x04\x01\x01r" + giant()),
        "giant counts of deleted ranges": lambda: update_frame(b"\x00\x01\x05" + giant() + some(0, 20)),
        "giant counts in a state vector": lambda: binary(b"\x00\x00" + sized(giant() + some(0, 20))),
        "trailing bytes in a state vector": lambda: binary(b"\x00\x00" + sized(b"\x00" + some(1, 20))),
        "giant counts of states": lambda: binary(b"\x01" + sized(giant() + some(0, 20))),
        "states that are no JSON": lambda: binary(b"\x01" + sized(b"\x01\x05\x01" + sized(b"{" + some(1, 20)))),
        "text frames": lambda: Frame.text(choose.choice(["", "save", "\0\0\0", "{}", "x" * 999])),
        "empty frames": lambda: binary(b""),
        "unknown types": lambda: binary(typed(b"", 3)),
        "unknown steps": lambda: binary(typed(b"\x00", 3)),
        "random bytes": lambda: binary(b"\x02\xbf" + some(3, 60)),
    }
    for name, make in kinds.items():
        yield name, [make() for _ in range(each)]
