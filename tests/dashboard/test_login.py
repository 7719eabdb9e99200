"""One-time codes and sessions, on a clock that only the test moves."""

from __future__ import annotations

import pytest

from sharegate.dashboard import login
from sharegate.dashboard.login import Logins, Viewer
from sharegate.errors import Denied, Reason
from tests.conftest import Clock

HOME = "127.0.0.1"
OLGA = Viewer("Olga")


def denied(logins: Logins, code: str, address: str = HOME) -> Reason:
    with pytest.raises(Denied) as caught:
        logins.enter(code, address)
    return caught.value.reason


def test_a_code_signs_one_browser_in_once(clock: Clock) -> None:
    """The second use is refused like a code that never was."""
    logins = Logins(clock)
    code = logins.invite(OLGA)
    session = logins.session(logins.enter(code, HOME))
    assert session is not None and session.viewer == OLGA
    assert denied(logins, code) is denied(logins, "x") is Reason.BAD_CREDENTIAL


def test_attack_a_session_from_another_account(clock: Clock) -> None:
    """Of the computer: it is nobody's there, is not used by it, and goes on where it was begun."""
    logins = Logins(clock)
    for begun, others in ((1000, (1001, 0, None, login.UNTOLD)), (0, (1000, None)), (login.UNTOLD, (1000, 0, None))):
        cookie = logins.enter(logins.invite(OLGA), HOME, begun)
        clock.forward(login.IDLE_SECONDS / 2)
        assert [logins.session(cookie, other) for other in others] == [None] * len(others)
        clock.forward(login.IDLE_SECONDS / 2 - 1)
        assert logins.session(cookie, begun) is not None
        clock.forward(login.IDLE_SECONDS - 1)
        assert logins.session(cookie, begun) is not None
    assert logins.session(logins.enter(logins.invite(OLGA), HOME, None), None) is None


def test_a_code_is_over_after_its_time(clock: Clock) -> None:
    """And it is gone: moving the clock back does not bring it back."""
    logins = Logins(clock)
    code = logins.invite(OLGA)
    clock.forward(login.INVITE_SECONDS)
    assert denied(logins, code) is Reason.BAD_CREDENTIAL
    clock.forward(-login.INVITE_SECONDS)
    assert denied(logins, code) is Reason.BAD_CREDENTIAL


def test_a_session_ends_when_nobody_uses_it_and_at_its_latest(clock: Clock) -> None:
    """Use carries it on, but not for ever."""
    logins = Logins(clock)
    ended: list[str] = []
    logins.subscribe(ended.append)
    idle = logins.enter(logins.invite(OLGA), HOME)
    used = logins.enter(logins.invite(OLGA), HOME)
    session = logins.session(used)
    assert session is not None
    for _ in range(int(login.LONGEST_SECONDS // login.IDLE_SECONDS) * 2 - 1):
        clock.forward(login.IDLE_SECONDS / 2)
        assert logins.session(used) is not None and logins.stands(session)
    assert logins.session(idle) is None and len(ended) == 1
    clock.forward(login.IDLE_SECONDS / 2)
    assert logins.session(used) is None and not logins.stands(session)
    assert ended[1:] == [session.id]


def test_asking_whether_a_session_stands_is_no_use_of_it(clock: Clock) -> None:
    """A page that is left open does not keep a session alive."""
    logins = Logins(clock)
    cookie = logins.enter(logins.invite(OLGA), HOME)
    session = logins.session(cookie)
    assert session is not None
    for _ in range(4):
        clock.forward(login.IDLE_SECONDS / 4)
        stands = logins.stands(session)
    assert not stands and logins.session(cookie) is None


def test_signing_out_ends_this_session_alone(clock: Clock) -> None:
    """Other browsers stay."""
    logins = Logins(clock)
    here, there = (logins.enter(logins.invite(OLGA), HOME) for _ in range(2))
    mine = logins.session(here)
    assert mine is not None
    logins.leave(mine)
    assert logins.session(here) is None and logins.session(there) is not None


def test_attack_codes_are_guessed(clock: Clock) -> None:
    """An address has a few tries a minute; others are not held up by it."""
    logins = Logins(clock)
    code = logins.invite(OLGA)
    said = [denied(logins, f"guess {number}") for number in range(30)]
    assert said[0] is Reason.BAD_CREDENTIAL and said[-1] is Reason.JOIN_LIMIT
    assert logins.wait(HOME) > 0
    assert logins.session(logins.enter(code, "192.0.2.1")) is not None


def test_of_codes_and_sessions_only_so_many_are_kept(clock: Clock) -> None:
    """The oldest makes room."""
    logins = Logins(clock)
    cookies = []
    for _ in range(login.MOST + 1):
        cookies.append(logins.enter(logins.invite(OLGA), HOME))
        clock.forward(10)
    assert logins.session(cookies[0]) is None and logins.session(cookies[1]) is not None
    codes = [logins.invite(OLGA) for _ in range(login.MOST + 1)]
    assert denied(logins, codes[0]) is Reason.BAD_CREDENTIAL
    logins.enter(codes[1], HOME)


def test_no_secret_stands_in_what_is_kept_or_shown(clock: Clock) -> None:
    """Neither code nor cookie is kept, and a session's own token is in no repr."""
    logins = Logins(clock)
    code = logins.invite(OLGA)
    kept = repr(vars(logins))
    cookie = logins.enter(code, HOME)
    session = logins.session(cookie)
    assert session is not None
    assert code not in kept and cookie not in repr(vars(logins)) and session.csrf not in repr(session)
