"""Reading a policy file: YAML as plain values of which each knows its line, and faults that name it.

Only what a table needs is understood: mappings with unique text keys, lists, scalars. Anchors, aliases, tags and merge
keys are refused: a rule must say what it says where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from sharegate.errors import Faults, Invalid

_TAGS = {
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:int",
    "tag:yaml.org,2002:bool",
    "tag:yaml.org,2002:null",
    "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:seq",
    "tag:yaml.org,2002:map",
}
_TRUE = {"true": True, "false": False}
MAX_BYTES = 1_000_000
MAX_DEPTH = 12


class FaultList:
    """Collects faults, so that one correction round is enough. `file:line` is the fault's field."""

    def __init__(self) -> None:
        self.faults: list[Invalid] = []

    def add(self, where: str, problem: str, remedy: str = "") -> None:
        self.faults.append(Invalid(where, problem, remedy))

    def finish(self, source: str) -> None:
        """Raise Faults when there are any."""
        if self.faults:
            raise Faults(source, self.faults)


@dataclass(frozen=True, slots=True)
class Value:
    """A YAML value at `where` (`file:line`): exactly one of text (scalar), items (list), entries (mapping) is set."""

    where: str
    text: str | None = None
    items: tuple[Value, ...] | None = None
    entries: tuple[tuple[str, Value], ...] | None = None

    def get(self, key: str) -> Value | None:
        return next((value for name, value in self.entries or () if name == key), None)

    @property
    def kind(self) -> str:
        if self.text is not None:
            return "text"
        return "a list" if self.items is not None else "a mapping"


class Reader:
    """Typed access to a Value. What has the wrong shape becomes a fault and a harmless value takes its place."""

    def __init__(self, faults: FaultList) -> None:
        self.faults = faults

    def entries(self, value: Value | None, what: str) -> Iterator[tuple[str, Value]]:
        """The entries of a mapping."""
        if value is None:
            return
        if value.entries is None:
            self.faults.add(value.where, f"{what} must be a mapping, not {value.kind}")
            return
        yield from value.entries

    def known(self, value: Value, allowed: frozenset[str], what: str, required: frozenset[str] = frozenset()) -> bool:
        """Refuse keys that nobody declared and the absence of required ones; False when it is no mapping."""
        if value.entries is None:
            self.faults.add(value.where, f"{what} must be a mapping, not {value.kind}")
            return False
        for name, entry in value.entries:
            if name not in allowed:
                self.faults.add(entry.where, f"{what} has no {name!r}", f"Known: {', '.join(sorted(allowed))}")
        present = {name for name, _ in value.entries}
        for name in sorted(required - present):
            self.faults.add(value.where, f"{what} lacks {name!r}")
        return True

    def text(self, value: Value | None, what: str) -> str:
        if value is None:
            return ""
        if value.text is None:
            self.faults.add(value.where, f"{what} must be text, not {value.kind}")
            return ""
        return value.text

    def texts(self, value: Value | None, what: str) -> tuple[str, ...]:
        """A list of texts; one text alone stands for a list of one."""
        if value is None:
            return ()
        if value.text is not None:
            return (value.text,)
        if value.items is None:
            self.faults.add(value.where, f"{what} must be a list, not {value.kind}")
            return ()
        found = tuple(self.text(item, what) for item in value.items)
        for name in sorted({name for name in found if found.count(name) > 1}):
            self.faults.add(value.where, f"{what} names {name!r} twice")
        return found

    def flag(self, value: Value | None, what: str, default: bool) -> bool:
        if value is None:
            return default
        if value.text not in _TRUE:
            self.faults.add(value.where, f"{what} must be true or false")
            return default
        return _TRUE[value.text]

    def number(self, value: Value | None, what: str, default: int) -> int:
        """A whole number of at least 1; underscores may group its digits."""
        if value is None:
            return default
        digits = (value.text or "").replace("_", "")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 12 and int(digits) >= 1):
            self.faults.add(value.where, f"{what} must be a whole number of at least 1")
            return default
        return int(digits)


def read(path: Path, name: str, faults: FaultList) -> Value | None:
    """Read one file; `name` is what faults call it. None when it cannot be read, with the faults added."""
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            faults.add(name, f"the file is larger than {MAX_BYTES} bytes")
            return None
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        # Fails closed: a policy that cannot be read starts no gate.
        faults.add(name, f"cannot be read: {error}")
        return None
    value, found = _parsed(text, name)
    for where, problem, remedy in found:
        faults.add(where, problem, remedy)
    return value


# YAML is slow to read, and the files are read again for every question whether they still say what is in force: what a
# text means is found out once. Room for an operator's own files beside all of the built-in ones.
@lru_cache(maxsize=32)
def _parsed(text: str, name: str) -> tuple[Value | None, tuple[tuple[str, str, str], ...]]:
    """What `text` says, and what is wrong with it (where, problem, remedy). Depends on nothing else."""
    faults = FaultList()
    value = _understood(text, name, faults)
    return value, tuple((fault.field, fault.problem, fault.remedy) for fault in faults.faults)


def _understood(text: str, name: str, faults: FaultList) -> Value | None:
    try:
        tokens = list(yaml.scan(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        # Fails closed, as above.
        faults.add(_place(name, getattr(error, "problem_mark", None)), f"is no YAML: {_problem(error)}")
        return None
    for token in tokens:
        for kind, word in ((yaml.AnchorToken, "anchors"), (yaml.AliasToken, "aliases"), (yaml.TagToken, "tags")):
            if isinstance(token, kind):
                faults.add(_place(name, token.start_mark), f"YAML {word} are not used here", "Write the value out")
    if faults.faults:
        return None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        # Fails closed, as above.
        faults.add(_place(name, getattr(error, "problem_mark", None)), f"is no YAML: {_problem(error)}")
        return None
    if node is None:
        faults.add(f"{name}:1", "the file is empty")
        return None
    return _value(node, name, faults, 0)


def _problem(error: Exception) -> str:
    return str(getattr(error, "problem", "") or error).splitlines()[0]


def _place(name: str, mark: yaml.Mark | None) -> str:
    return f"{name}:{mark.line + 1}" if mark is not None else name


def _value(node: yaml.Node, name: str, faults: FaultList, depth: int) -> Value:
    where = _place(name, node.start_mark)
    if depth > MAX_DEPTH:
        faults.add(where, "too deeply nested")
        return Value(where, text="")
    if node.tag not in _TAGS:
        faults.add(where, f"a value of this kind is not used here ({node.tag.rpartition(':')[2]})", "Quote it")
    if isinstance(node, yaml.ScalarNode):
        return Value(where, text=str(node.value))
    if isinstance(node, yaml.SequenceNode):
        return Value(where, items=tuple(_value(item, name, faults, depth + 1) for item in node.value))
    entries: dict[str, Value] = {}
    for key, content in node.value:
        place = _place(name, key.start_mark)
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            faults.add(place, "a key must be plain text")
            continue
        if key.value in entries:
            faults.add(place, f"{key.value!r} stands here twice", f"It is first at {entries[key.value].where}")
            continue
        value = _value(content, name, faults, depth + 1)
        # The key's line is what a person looks for; a block value would start one line below.
        entries[key.value] = Value(place, value.text, value.items, value.entries)
    return Value(where, entries=tuple(entries.items()))
