"""How many descriptors there are, and what visitors may take of them."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.descriptors import ENOUGH, RESERVE, Accepting, budget

PROGRAM = """
import resource, sys
from sharegate.descriptors import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@given(st.integers(64, 1 << 20), st.integers(0, 1 << 20))
def test_visitors_leave_what_the_gate_needs(limit: int, wanted: int) -> None:
    """The reserve is kept, and what one turn of the listener accepts lies within it."""
    made = budget(limit, wanted)
    assert made.connections + made.reserve <= limit or made.connections == 16
    assert made.backlog <= made.reserve
    assert made.connections <= wanted or not wanted
    assert made.reserve == RESERVE or limit < 2 * RESERVE


def test_ten_thousand_connections_fit_into_what_a_service_has() -> None:
    """LimitNOFILE of the unit that we ship, and what the gate asks for where it may."""
    assert budget(65_536).connections == 20_000
    assert budget(ENOUGH, 40_000).connections == 40_000
    assert budget(ENOUGH, 10_000).connections == 10_000


@pytest.mark.parametrize(("soft", "hard"), [(256, 4096), (512, 512)])
def test_the_limit_is_raised_as_far_as_the_system_lets_us(soft: int, hard: int) -> None:
    """The soft one, up to the hard one, which stays."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(hard), str(hard), str(hard)]


async def test_that_nobody_can_be_accepted_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Without a trace; whatever else the loop tells goes where it went."""
    told: list[str] = []

    class Loop(asyncio.SelectorEventLoop):
        def default_exception_handler(self, context: dict[str, Any]) -> None:
            told.append(context["message"])

    loop, accepting = Loop(), Accepting()
    try:
        for number in (errno.EMFILE, errno.EMFILE, errno.ENOBUFS, errno.EPERM):
            context = {"message": "socket.accept() out of system resource", "exception": OSError(number, "none left")}
            accepting(loop, context)
        accepting(loop, {"message": "a task failed", "exception": OSError(errno.EMFILE, "none left")})
    finally:
        loop.close()
    assert told == ["socket.accept() out of system resource", "a task failed"]
    assert [record.getMessage() for record in caplog.records] == [
        f"no connection can be accepted: [Errno {errno.EMFILE}] none left"
    ]
    assert caplog.records[0].exc_info is None
