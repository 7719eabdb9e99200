"""What a browser says of where a request comes from."""

from __future__ import annotations

import pytest

from sharegate.dashboard.login import Session, Viewer
from sharegate.dashboard.origin import check_csrf, foreign, own
from sharegate.messages import Headers

HOST = "localhost:8871"
ORIGIN = f"http://{HOST}"


def fields(**more: str) -> Headers:
    return Headers([("Host", HOST), *((name.replace("_", "-"), value) for name, value in more.items())])


@pytest.mark.parametrize(
    ("said", "from_elsewhere"),
    [
        (fields(), False),
        (fields(Sec_Fetch_Site="none"), False),
        (fields(Sec_Fetch_Site="same-origin"), False),
        (fields(Sec_Fetch_Site="same-site"), True),
        (fields(Sec_Fetch_Site="cross-site"), True),
        (fields(Sec_Fetch_Site=""), True),
        (Headers([("Host", "127.0.0.1")]), False),
        (Headers([("Host", "[::1]:9")]), False),
        (Headers([("Host", "evil.example")]), True),
        (Headers([("Host", "localhost.evil.example")]), True),
        (Headers([("Host", "k7f2.shares.localhost")]), True),
        (Headers([("Host", HOST), ("Host", HOST)]), True),
        (Headers(), True),
    ],
)
def test_who_asks_from_elsewhere(said: Headers, from_elsewhere: bool) -> None:
    """By the name that was asked, and by what the browser says of the page."""
    assert foreign(said, "shares.localhost") is from_elsewhere


@pytest.mark.parametrize(
    "said",
    [
        fields(),
        fields(Origin="null"),
        fields(Origin="http://localhost:8888"),
        fields(Origin="https://localhost:8871"),
        fields(Origin="http://127.0.0.1:8871"),
        fields(Origin=ORIGIN, Sec_Fetch_Site="same-site"),
        fields(Origin=ORIGIN, Sec_Fetch_Site="none"),
        Headers([("Host", HOST), ("Origin", ORIGIN), ("Origin", "http://evil.example")]),
    ],
)
def test_attack_another_origin_asks_for_a_change(said: Headers) -> None:
    """Another port of this computer is another origin, too."""
    session = Session("s", Viewer("Olga"), "right")
    assert not own(said)
    assert not check_csrf(Headers([*said.items(), ("X-CSRF-Token", "right")]), session)


def test_a_change_needs_the_sessions_own_token() -> None:
    """Beside an origin that is right."""
    session = Session("s", Viewer("Olga"), "right")
    assert own(fields(Origin=ORIGIN)) and own(fields(Origin=ORIGIN, Sec_Fetch_Site="same-origin"))
    assert check_csrf(fields(Origin=ORIGIN, X_CSRF_Token="right"), session)
    for wrong in ("", "Right", "right ", "\udcff"):
        assert not check_csrf(fields(Origin=ORIGIN, X_CSRF_Token=wrong), session)
    assert not check_csrf(fields(Origin=ORIGIN), session)
