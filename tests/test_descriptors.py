"""How many descriptors there are, and what visitors may take of them."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.descriptors import ENOUGH, RESERVE, budget

PROGRAM = """
import resource, sys
from sharegate.descriptors import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@given(st.integers(64, 1 << 20), st.integers(0, 1 << 20))
def test_visitors_leave_what_the_gate_needs(limit: int, wanted: int) -> None:
    """Two for each connection, the reserve kept, and what one turn of the listener accepts within the reserve."""
    made = budget(limit, wanted)
    assert 2 * made.connections + made.reserve <= limit or made.connections == 16
    assert made.backlog <= made.reserve
    assert made.connections <= wanted or not wanted
    assert made.reserve == RESERVE or limit < 2 * RESERVE


def test_ten_thousand_connections_fit_into_what_a_service_has() -> None:
    """LimitNOFILE of the unit that we ship, and what the gate asks for where it may."""
    assert budget(65_536).connections > 30_000
    assert budget(ENOUGH, 10_000).connections == 10_000


@pytest.mark.parametrize(("soft", "hard"), [(256, 4096), (512, 512)])
def test_the_limit_is_raised_as_far_as_the_system_lets_us(soft: int, hard: int) -> None:
    """The soft one, up to the hard one, which stays."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(hard), str(hard), str(hard)]


def test_this_process_has_a_limit() -> None:
    """What the other tests go by."""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0
