from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.audit.bounds import LIMITS, bounded, safe_text, truncated
from sharegate.audit.events import Action, AuditEvent


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_text_is_bounded_and_on_one_line(text: str, limit: int) -> None:
    """Whatever comes in, what goes out fits and has no control, surrogate or bidirectional override."""
    safe = safe_text(text, limit)
    assert len(safe) <= limit
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in safe)
    assert not set(safe) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff")
    safe.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ann\x1b[2J\x07", "Ann[2J"),
        ("owner\u202egnp.exe", "ownergnp.exe"),
        ("two\r\nlines", "two lines"),
        ("\ud800lone", "lone"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("x" * 10_000_000, "x" * 79 + "…"),
    ],
)
def test_attack_text_that_moves_the_terminal_or_lies(text: str, shown: str) -> None:
    """Escape sequences, overrides, line breaks and megabytes do not reach the trail; honest emoji do."""
    assert safe_text(text, 80) == shown


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("", ""),
        ("not an address", ""),
        ("192.0.2.77, 10.0.0.1", ""),
    ],
)
def test_addresses_are_cut_to_their_network(address: str, network: str) -> None:
    """IPv4 loses its last byte, IPv6 all but /48; loopback stays, and what is no address is not kept."""
    assert truncated(address) == network
    assert truncated(network) == network


def test_whole_addresses_only_when_configured() -> None:
    """The address is cut unless the setting says otherwise."""
    event = AuditEvent(action=Action.LINK_JOINED, actor="visitor", address="192.0.2.77")
    assert bounded(event).address == "192.0.2.0/24"
    assert bounded(event, full_addresses=True).address == "192.0.2.77"


def test_every_text_of_an_event_has_a_limit() -> None:
    """A new text field without a limit fails here, not in a terminal."""
    texts = {name for name, type in AuditEvent.__annotations__.items() if type == "str"}
    assert texts - {"actor"} == set(LIMITS)
    event = AuditEvent(action=Action.LINK_JOINED, actor="visitor", **{name: "x\u202e" * 5000 for name in LIMITS})
    limited = bounded(event)
    assert all(len(getattr(limited, name)) <= limit for name, limit in LIMITS.items())


def test_numbers_stay_within_what_json_programs_agree_on() -> None:
    """Negative, huge and unreal numbers are brought back."""
    event = AuditEvent(
        action=Action.REQUEST_ANSWERED, actor="visitor", bytes_in=-5, bytes_out=2**80, duration_ms=math.inf
    )
    limited = bounded(event)
    assert (limited.bytes_in, limited.bytes_out, limited.duration_ms) == (0, 2**53 - 1, 0.0)


def test_an_undeclared_actor_is_refused() -> None:
    """The list of actors is closed."""
    with pytest.raises(ValueError, match="unknown actor"):
        bounded(AuditEvent(action=Action.LINK_JOINED, actor="guest"))
