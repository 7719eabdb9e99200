"""Which outputs are the same: one digest where JSON calls them equal, and only there."""

from __future__ import annotations

import json
from array import array
from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from sharegate.channels.outputs import digest


def _reference(outputs: object) -> str:
    """What JSON calls the same, written plainly: numbers by their value, keys in order."""

    def even(value: object) -> object:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, dict):
            return {key: even(item) for key, item in value.items()}
        return [even(item) for item in value] if isinstance(value, list) else value

    return json.dumps(even(outputs), sort_keys=True)


_numbers = st.one_of(
    st.sampled_from([0, -0.0, 0.0, 1, 1.0, 2**53, 2.0**53, 2**53 + 1, 2**53 + 2, 2.0**60, 2**60, 0.5]),
    st.integers(-5, 5),
)
_plain = st.one_of(_numbers, st.none(), st.booleans(), st.sampled_from(["", "1", "\0numbers", "é"]))
_long = st.one_of(
    st.lists(_numbers, min_size=1, max_size=4).map(lambda items: items * 70),
    st.lists(_plain, min_size=1, max_size=4).map(lambda items: items * 70),
)
_keys = st.sampled_from(["a", "b", "\0numbers", "\0\0numbers", "\0bytes"])
_values = st.recursive(
    st.one_of(_plain, _long),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=3)),
)


def _otherwise(value: object) -> object:
    """The same with whole numbers in the other of their two forms, and keys in the other order."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and int(float(value)) == value:
        return float(value)
    if isinstance(value, dict):
        return {key: _otherwise(item) for key, item in reversed(value.items())}
    return [_otherwise(item) for item in value] if isinstance(value, list) else value


@given(_values, _values)
def test_outputs_have_one_digest_where_json_calls_them_the_same(one: object, other: object) -> None:
    """And only there, whether they are long lists of numbers or not, and whatever keys they have."""
    assert digest(one) == digest(_otherwise(one))
    assert (digest(one) == digest(other)) == (_reference(one) == _reference(other))


def test_attack_what_stands_for_a_long_list_is_not_that_list() -> None:
    """What the digest writes in the place of a list cannot be written into an output."""
    numbers = [float(number) for number in range(100)]
    inner = blake2b(array("d", numbers).tobytes()).hexdigest()
    assert digest([{"data": numbers}]) != digest([{"data": {"\0numbers": inner}}])
    assert digest([{"data": b"x"}]) != digest([{"data": {"\0bytes": "78"}}])
    assert digest([1.5, float("nan")] * 100) == digest([1.5, -float("nan")] * 100)
    assert digest([2**53] * 100) != digest([2**53 + 1] * 100)
    changed = [*numbers[:50], 49.5, *numbers[51:]]
    assert len({digest(numbers), digest(changed), digest(numbers[:99]), digest([*numbers, 0.0])}) == 4
