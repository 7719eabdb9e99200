"""What passes through the gate does not show in a log, should somebody write it there."""

from __future__ import annotations

import pytest

from sharegate.channels.member import Heard
from sharegate.messages import Frame, FrameKind, Headers, Request, Response
from sharegate.upstream.interfaces import Outgoing

FIELDS = (("Cookie", "zqsecret"), ("Set-Cookie", "zqsecret"))


@pytest.mark.parametrize(
    "value",
    [
        Request("GET", "/x?token=zqsecret", Headers(FIELDS), "127.0.0.1"),
        Response(200, FIELDS, b"zqsecret"),
        Outgoing("PUT", "x", (("q", "zqsecret"),), FIELDS, b"zqsecret"),
        Frame.text("zqsecret"),
        Frame.close(1000, "zqsecret"),
        Heard(FrameKind.BINARY, b"zqsecret"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_attack_a_secret_in_what_is_shown_of_a_value(value: object) -> None:
    """Neither by itself nor within something else."""
    assert "zqsecret" not in f"{value} {value!r} {[value]}"
    assert type(value).__name__ in repr(value) or isinstance(value, Heard)
