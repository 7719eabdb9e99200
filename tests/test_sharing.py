"""How tests share a machine."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import pytest

from tests import sharing


def free(paths: list[Path]) -> int:
    """How many of these lanes somebody else could take now."""
    with contextlib.ExitStack() as opened:
        return sum(sharing._taken(opened.enter_context(path.open("rb")).fileno()) for path in paths)


def test_a_lane_is_for_one_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits gets the first that is free; after an error it is free again."""
    lanes = [tmp_path / "one", tmp_path / "two"]
    for path in lanes:
        path.touch()
    monkeypatch.setattr(sharing, "LANES", lanes)
    with sharing.lane():
        assert free(lanes) == 1
        with contextlib.suppress(KeyError), sharing.lane():
            assert free(lanes) == 0
            raise KeyError
        assert free(lanes) == 1
    assert free(lanes) == 2


def test_the_longest_come_first_and_browsers_by_turns(request: pytest.FixtureRequest) -> None:
    """No test is lost, and those of one module stay together in their order."""
    items = request.session.items
    ordered = sharing.in_order(items)
    assert sorted(map(id, ordered)) == sorted(map(id, items))
    for path in {item.path for item in items}:
        assert [item for item in ordered if item.path == path] == [item for item in items if item.path == path]
    modules = list(dict.fromkeys(item.path for item in ordered))
    assert len(modules) == sum(one.path != next.path for one, next in itertools.pairwise(ordered)) + 1
    looking = {item.path for item in items if item.get_closest_marker("browser")}
    turns = [path in looking for path in modules][: 2 * min(len(looking), len(modules) - len(looking))]
    assert turns == [True, False] * (len(turns) // 2)


def test_the_longest_tests_are_there() -> None:
    """What is to be begun with exists, and is named once."""
    assert [name for name in sharing.LONGEST if not (sharing.HERE / name).is_file()] == []
    assert len(set(sharing.LONGEST)) == len(sharing.LONGEST)
