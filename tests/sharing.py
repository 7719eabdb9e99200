"""How tests share a machine when several run at a time: which modules come first, and who may use a browser.

Nothing here changes what a test does. A run in one process is as if this module were not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Measured on two cores, longest first. An entry that is no longer true costs a little time.
LONGEST = (
    "story/test_restart.py",
    "story/test_ending.py",
    "story/test_editing.py",
    "story/test_following.py",
    "story/test_conditions.py",
    "story/test_ten_minutes.py",
    "story/test_undoing.py",
    "story/test_passing_on.py",
    "prove/test_holes.py",
    "prove/test_run.py",
    "dashboard/pages/test_every_page.py",
    "attacks/test_owner_script.py",
    "dashboard/test_schemathesis.py",
    "browser/test_edit.py",
    "browser/test_notebook.py",
    "browser/test_view.py",
    "browser/test_ending.py",
    "probes/test_gate.py",
    "peers/test_ways.py",
    "peers/test_chromium.py",
    "dashboard/pages/test_records_browser.py",
    "test_returning.py",
    "test_revocation.py",
    "language/test_pages_browser.py",
    "test_restart.py",
    "attacks/test_editing.py",
    "test_upkeep.py",
    "dashboard/pages/test_share.py",
    "readers/test_page_browser.py",
    "test_crowded.py",
    "visits/test_pages_browser.py",
    "test_mid_edit.py",
    "stores/redis/test_store.py",
    "visits/coowners/test_browser.py",
    "attacks/test_undoing.py",
    "cli/test_real.py",
    "cli/test_real_proof.py",
    "demo/test_demo.py",
    "test_two_gates.py",
    "test_matrix.py",
    "visits/test_pages_links_browser.py",
    "test_stopping.py",
    "dashboard/pages/test_now.py",
    "attacks/test_coowners.py",
    "upstream/test_start.py",
    "visits/test_pages_conditions_browser.py",
    "visits/test_saying_browser.py",
)

# A page of JupyterLab keeps more than one core busy: as many tests as there are cores may have a browser at a time,
# beside those that mostly wait. A lane is a lock on a file that is there anyway: nothing is made or tidied away.
LANES = sorted(HERE.glob("*.py"))[: os.cpu_count() or 1]


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Modules with a browser and others by turns; the longest of each first, then those of many tests."""
    places = {HERE / name: place for place, name in enumerate(LONGEST)}
    sizes = Counter(item.path for item in items)
    looking = {item.path for item in items if item.get_closest_marker("browser")}
    turns: dict[Path, tuple[int, bool]] = {}
    for kind in (looking, set(sizes) - looking):
        ranked = sorted(kind, key=lambda path: (places.get(path, len(places)), -sizes[path], path))
        turns |= {path: (turn, kind is not looking) for turn, path in enumerate(ranked)}
    return sorted(items, key=lambda item: turns[item.path])


@contextlib.contextmanager
def lane() -> Iterator[None]:
    """Waits until fewer than that many tests have a browser."""
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(path.open("rb")) for path in LANES]
        while not any(_taken(file.fileno()) for file in files):
            time.sleep(0.05)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
