"""Whether what an update left in a document is what a notebook page makes: cells, values, metadata, attachments.

Formats: @jupyter/ydoc src/ycell.ts and ynotebook.ts (which keys, which of them are shared types), jupyter_ydoc
ynotebook.py, nbformat 4.5. Whatever else is found raises Denied(`update_refused`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pycrdt import Array, Map, Text, XmlElement, XmlFragment, XmlText
from pycrdt import Doc as Subdocument

from sharegate.errors import Denied, Reason
from sharegate.policy.documents import DocumentRules

MAX_NUMBER = 2**53
MAX_COUNT = 2**31
MAX_KEYS = 1_000
IDLE = "idle"
# What a page writes while it runs a cell. Editors run nothing.
RUNNING = frozenset({"running", "busy", "scheduled"})
_SHARED = (Array, Map, Text, XmlElement, XmlFragment, XmlText, Subdocument)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOTHING: Mapping[str, int] = MappingProxyType({})
_NEEDED = frozenset({"id", "cell_type", "source", "metadata"})
_KEYS = {
    "code": _NEEDED | {"outputs", "execution_count", "execution_state"},
    "markdown": _NEEDED | {"attachments"},
    "raw": _NEEDED | {"attachments"},
}


def refused(detail: str) -> Denied:
    return Denied(Reason.UPDATE_REFUSED, detail)


def is_shared(value: object) -> bool:
    """A shared type where a plain value belongs: pages would call methods on it, or none where they need one."""
    return isinstance(value, _SHARED)


def check_value(value: object, what: str, depth: int) -> None:
    """`value` is JSON: finite numbers that JavaScript keeps exactly, text keys, at most `depth` levels of nesting."""
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if abs(value) > MAX_NUMBER:
            raise refused(f"{what}: a number that JSON cannot keep")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise refused(f"{what}: a number that is none")
    elif isinstance(value, list | dict):
        if depth < 1:
            raise refused(f"{what}: nested too deeply")
        if isinstance(value, dict) and "__proto__" in value:
            raise refused(f"{what}: a key that is none")
        for item in value.values() if isinstance(value, dict) else value:
            check_value(item, what, depth - 1)
    else:
        raise refused(f"{what}: no plain value")


def size(value: object) -> int:
    """Bytes of a checked value as JSON."""
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def whole(value: object, most: int) -> int | None:
    """The whole number that a page wrote, floats included; None for anything else or outside 0…`most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        return None
    return int(value) if value == int(value) else None


def entry_size(key: str, value: object) -> int:
    """Bytes that an entry adds to a map."""
    return size(key) + size(value) + 4


def check_metadata(
    metadata: Mapping[str, object], rules: DocumentRules, what: str, beside: Mapping[str, int] = _NOTHING
) -> dict[str, int]:
    """A cell's metadata: plain values within the limits. Returns the size of each entry; `beside` has those of entries
    that stand there as well and are not looked at again."""
    if len(metadata) + len(beside) > MAX_KEYS:
        raise refused(f"{what}: too many keys")
    check_value(dict(metadata), what, rules.max_metadata_depth)
    sizes = {**beside, **{key: entry_size(key, value) for key, value in metadata.items()}}
    if sum(sizes.values()) > rules.max_metadata_bytes:
        raise refused(f"{what}: larger than {rules.max_metadata_bytes} bytes")
    return sizes


def plain_entries(shared: Map[Any], what: str, keys: Iterable[str] | None = None) -> dict[str, object]:
    """What a shared map holds (under `keys`), when none of it is a shared type."""
    found: dict[str, object] = {}
    for key in shared.keys() if keys is None else [key for key in keys if key in shared]:
        value = shared[key]
        if is_shared(value):
            raise refused(f"{what}: a shared type in place of a value")
        found[key] = value
    return found


def check_attachments(value: object, rules: DocumentRules) -> bool:
    """`{name: {type: base64}}`. False when one of them is no picture."""
    check_value(value, "attachments", 3)
    if not isinstance(value, dict) or size(value) > rules.max_attachments_bytes:
        raise refused("attachments: no map, or too large")
    for bundle in value.values():
        if not isinstance(bundle, dict):
            raise refused("attachments: no map of types")
        for data in bundle.values():
            if not isinstance(data, str) and not (
                isinstance(data, list) and all(isinstance(line, str) for line in data)
            ):
                raise refused("attachments: no text")
    return all(kind in rules.attachment_types for bundle in value.values() for kind in bundle)


def check_cell(cell: object, rules: DocumentRules) -> Map[Any]:
    """A cell that was put into the notebook: a map with the keys of its type, each of its kind.

    Outputs, trust and attachments are judged by the guard, which knows what was there; what the metadata says is, too.
    """
    if not isinstance(cell, Map):
        raise refused("a cell that is no map")
    keys = set(cell.keys())
    kind = cell.get("cell_type")
    allowed = _KEYS.get(kind) if isinstance(kind, str) else None
    if allowed is None:
        raise refused("a cell of no known type")
    if not keys >= _NEEDED or not keys <= allowed or (kind == "code" and "outputs" not in keys):
        raise refused("a cell with other keys than a cell has")
    name = cell["id"]
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise refused("a cell id that is none")
    source, metadata = cell["source"], cell["metadata"]
    if type(source) is not Text or type(metadata) is not Map:
        raise refused("a cell's source or metadata of another kind")
    if len(source) > rules.max_source_bytes:
        raise refused(f"a cell larger than {rules.max_source_bytes} bytes")
    check_text(source)
    if kind == "code":
        check_outputs(cell["outputs"])
        if cell.get("execution_count") is not None and whole(cell["execution_count"], MAX_COUNT) is None:
            raise refused("an execution count that is none")
        check_execution_state(cell.get("execution_state", IDLE))
    return cell


def check_text(text: Text) -> None:
    """Letters only. A value in a text is shown by nothing and counted by everything: after it, pages write what people
    type in the wrong place."""
    shown = sum(len(part.encode()) if isinstance(part, str) else 0 for part, _ in text.diff())
    if len(text) != shown:
        raise refused("a text with something else in it")


def check_outputs(outputs: object) -> None:
    """A shared list of maps whose values are plain; a stream's text is a shared text, which pages append to.

    jupyter_ydoc also writes plain maps, of which no stream is one. What they say is not looked at here.
    """
    if type(outputs) is not Array:
        raise refused("outputs that are no list")
    for item in outputs:
        if not isinstance(item, Map | dict):
            raise refused("an output that is no map")
        stream = item.get("output_type") == "stream"
        for key in item.keys():  # noqa: SIM118 -- the library types its iterator wrongly
            value = item[key]
            if stream and key == "text":
                if type(value) is not Text:
                    raise refused("a stream without a shared text")
            elif is_shared(value):
                raise refused("an output with a shared type in place of a value")


def check_execution_state(value: object) -> None:
    if not isinstance(value, str) or (value != IDLE and value not in RUNNING):
        raise refused("an execution state that is none")
