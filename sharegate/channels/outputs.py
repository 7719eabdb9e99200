"""Which outputs, and which trust in them, the gate has seen.

Outputs of a trusted cell run script in the owner's page, so editors may move and repeat what is there and invent
nothing. What is kept is a digest of each whole list of outputs, not the outputs.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from hashlib import blake2b

DIGEST_BYTES = 16


def digest(outputs: object) -> bytes:
    """The same for what JSON calls the same: 1 and 1.0 (pages keep numbers as floats), keys in any order."""
    text = json.dumps(_even(outputs), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _even(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(key): _even(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_even(item) for item in value]
    if isinstance(value, bytes):
        return {"\0bytes": value.hex()}
    return value


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
