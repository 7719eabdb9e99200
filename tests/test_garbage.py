"""What is told to Python's collector of cyclic garbage."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, weakref
from sharegate.garbage import YOUNG, settle

class Ring:
    def __init__(self):
        self.me = self

stays = [Ring() for _ in range(1000)]
lost = weakref.ref(Ring())
settle()
assert lost() is None, "what was garbage already is not kept for ever"
assert gc.get_freeze_count() >= 1000 and gc.isenabled()
made = [weakref.ref(Ring()) for _ in range(YOUNG * 2)]
assert any(one() is None for one in made), "garbage is still collected"
"""


def test_what_stands_is_left_alone_and_garbage_still_goes() -> None:
    """Garbage of before is gone, that of later is found. In a process of its own: it is told for good."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
