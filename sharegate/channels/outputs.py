"""Which outputs, and which trust in them, the gate has seen.

Outputs of a trusted cell run script in the owner's page, so editors may move and repeat what is there and invent
nothing. What is kept is a digest of each whole list of outputs, not the outputs.
"""

from __future__ import annotations

import json
from array import array
from collections import OrderedDict
from hashlib import blake2b
from math import isnan
from typing import Any, NamedTuple

from sharegate.channels.lib0 import MANY_KEYS

DIGEST_BYTES = 16

_LONG = 64
_NUMBERS = frozenset({int, float})
_SCALARS = _NUMBERS | {str, bool, type(None)}


class Held(NamedTuple):
    """A list of outputs. `cost`: to read it again takes about as long as to judge a change of so many bytes
    (`scan.UpdateSummary.cost`)."""

    key: bytes
    cost: int


def digest(outputs: object) -> bytes:
    """The same for what JSON calls the same: 1 and 1.0 (pages keep numbers as floats), keys in any order."""
    return read_outputs(outputs).key


def read_outputs(outputs: object) -> Held:
    """Digest and cost."""
    more: list[int] = []
    text = json.dumps(_even(outputs, more), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    data = text.encode("utf-8", "surrogatepass")
    return Held(blake2b(data, digest_size=DIGEST_BYTES).digest(), max(len(data) // 2, 8 * (_weight(data) + sum(more))))


def json_cost(value: object) -> int:
    """What it costs to check a value and write it as JSON, as in `Held`: for long lists twice what a digest does."""
    data = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    keys = data.count(b'":')
    return max(len(data) // 2, 16 * (_weight(data) + (4 * keys if keys > MANY_KEYS else 0)))


def _weight(data: bytes) -> int:
    """As lib0.skip_any weighs values, about: what stands in texts is counted too."""
    return data.count(b",") + data.count(b'":') + 4 * (data.count(b"[") + data.count(b"{"))


def _even(value: Any, more: list[int]) -> object:
    """What has no JSON of its own, or takes long to write, stands under a key that begins with a null character; keys
    that do so themselves have one more. `more` is told what weighs more than it shows."""
    kind = type(value)
    if kind is str:
        return value
    if kind is float:
        return int(value) if value.is_integer() else value
    if kind is dict:
        if len(value) > MANY_KEYS:
            more.append(8 * len(value))
        return {_key(key): _even(item, more) for key, item in value.items()}
    if kind is list:
        return _even_list(value, more)
    if isinstance(value, bytes):
        return {"\0bytes": value.hex()}
    return value


def _key(key: object) -> str:
    text = str(key)
    return f"\0{text}" if text.startswith("\0") else text


def _even_list(values: list[Any], more: list[int]) -> object:
    """A plot is a list of a million numbers, and nothing else is heard while they are read."""
    if len(values) < _LONG:
        return [_even(item, more) for item in values]
    kinds = set(map(type, values))
    if not kinds <= _SCALARS:
        return [_even(item, more) for item in values]
    # One that is none makes the sum none; there are several of them in the eyes of bytes.
    if kinds <= _NUMBERS and not isnan(sum(values)) and min(values) >= -(2**53) and max(values) <= 2**53:
        if 0 in values:
            values = [item or 0 for item in values]  # -0.0 is 0
        more.append(len(values))
        return {"\0numbers": blake2b(array("d", values).tobytes()).hexdigest()}
    return [int(item) if type(item) is float and item.is_integer() else item for item in values]


class SeenOutputs:
    """Digests of lists of outputs, and whether they were seen in a trusted cell; the `most` seen last are known."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: OrderedDict[bytes, bool] = OrderedDict()

    def see(self, key: bytes, trusted: bool) -> None:
        """Trust that was seen once stays: the same outputs may stand in a trusted and in another cell."""
        self._seen[key] = self._seen.get(key, False) or trusted
        self._seen.move_to_end(key)
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)

    def knows(self, key: bytes) -> bool:
        return key in self._seen

    def trusts(self, key: bytes) -> bool:
        return self._seen.get(key, False)

    def __len__(self) -> int:
        return len(self._seen)
