"""The words of a co-owner's page."""

from __future__ import annotations

import pytest

from sharegate.errors import Denied, Reason
from sharegate.messages import Frame
from sharegate.visits.coowners import words


def test_what_a_page_may_say() -> None:
    """Five words, each with its number."""
    assert words.from_page(Frame.text('{"type":"admit","n":1,"id":"bcdf2345gh"}')) == words.Admit(n=1, id="bcdf2345gh")
    assert words.from_page(Frame.text('{"type":"pause","n":2}')) == words.Pause(n=2)
    assert words.to_page(words.Answer(n=7)).data == b'{"type":"answer","n":7,"code":"","problem":""}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type":"revoke","n":1}',
        '{"type":"admit","n":1}',
        '{"type":"admit","id":"bcdf2345gh"}',
        '{"type":"admit","n":-1,"id":"bcdf2345gh"}',
        '{"type":"admit","n":"1","id":"bcdf2345gh"}',
        '{"type":"admit","n":1,"id":"bcdf2345gh","role":"edit"}',
        '{"type":"admit","n":1,"id":"../other"}',
        '{"type":"admit","n":1,"id":"bcdf2345gh\\n"}',
        '{"type":"admit","n":1,"id":["bcdf2345gh"]}',
        '{"type":"pause","n":1,"share":"other"}',
        '{"type":"resume","n":1e9999}',
        "[" * 400,
        '{"type":"admit","n":1,"id":"' + "b" * 600 + '"}',
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_attack_anything_else(text: str) -> None:
    """Ends the channel, whatever it is."""
    with pytest.raises(Denied) as denied:
        words.from_page(Frame.text(text))
    assert denied.value.reason is Reason.BAD_FRAME


def test_attack_a_binary_frame() -> None:
    """Also with a word in it."""
    with pytest.raises(Denied):
        words.from_page(Frame.binary(b'{"type":"pause","n":2}'))
