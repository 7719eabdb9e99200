"""The words of the live channel."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from sharegate.errors import MEANINGS, Denied, Reason
from sharegate.lab import live
from sharegate.language.catalogue import languages
from sharegate.messages import Frame


def test_what_the_docstring_shows_is_what_is_sent() -> None:
    """The shapes in the module's docstring are those on the wire."""
    hello = json.loads(live.to_page(live.Hello(role="view", expires=2.0, now=1.0)).data)
    ended = json.loads(live.to_page(live.ended(Reason.SHARE_PAUSED, languages()["de"])).data)

    assert hello == {
        "type": "hello",
        "role": "view",
        "expires": 2.0,
        "now": 1.0,
        "server": "here",
        "collaboration": True,
        "coowner": False,
    }
    assert json.loads(live.to_page(live.Beat()).data) == {"type": "beat"}
    assert json.loads(live.to_page(live.Server("away")).data) == {"type": "server", "state": "away"}
    assert json.loads(live.to_page(live.CoownerChanged(True)).data) == {"type": "coowner", "coowner": True}
    assert ended == {"type": "ended", "reason": "share_paused", "sentence": "Das Teilen ist angehalten."}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_can_end_a_page(reason: Reason) -> None:
    """Whatever ends a visit has a public word, a sentence and a close code for programs; a page that is told has words
    for each that it may be told."""
    word = live.ended(reason)

    assert word.reason == MEANINGS[reason].public
    assert word.sentence == MEANINGS[reason].sentence
    assert live.close_code(reason) in (1013, 4403, 4408, 4410)


def test_expiry_and_leaving_have_their_own_codes() -> None:
    """4408 is expired, 4410 ended, 4403 everything else."""
    assert live.close_code(Reason.SHARE_EXPIRED) == 4408
    assert live.close_code(Reason.VISIT_ENDED) == 4410
    assert live.close_code(Reason.SHARE_REVOKED) == 4403


def test_a_restart_of_the_gate_is_no_end() -> None:
    """Reasons that pass by themselves close with 1013, and page.js knows the public word of each."""
    passing = {reason for reason in Reason if live.passes(reason)}
    script = (files("sharegate.lab") / "assets" / "live.js").read_text()

    assert Reason.DRAINING in passing
    assert Reason.SHARE_REVOKED not in passing
    assert {live.close_code(reason) for reason in passing} == {1013}
    assert all(f'"{MEANINGS[reason].public}"' in script for reason in passing)


def test_a_page_says_where_it_is() -> None:
    """The words of a page."""
    assert live.from_page(Frame.text('{"type":"here","path":"sub/nb.ipynb"}')) == live.Here("sub/nb.ipynb")
    assert live.from_page(Frame.text('{"type":"active"}')) == live.Active()
    withdraw = live.from_page(Frame.text('{"type":"withdraw","path":"sub/nb.ipynb","cell":"8f0c"}'))
    assert withdraw == live.Withdraw(path="sub/nb.ipynb", cell="8f0c")


def test_a_page_asks_for_a_cell_as_it_is() -> None:
    """An ask carries up to 64 KiB of source, exactly; its repr shows none of it."""
    source = "é\n" * (live.MAX_SOURCE // 3)
    said = {"type": "ask", "path": "nb.ipynb", "cell": "c", "source": source}
    word = live.from_page(Frame.text(json.dumps(said, ensure_ascii=False)))
    assert isinstance(word, live.Ask)
    assert word.source == source
    assert "é" not in repr(word)
    assert json.loads(live.to_page(live.Asked(path="p", cell="c", state="waiting")).data) == {
        "type": "asked",
        "path": "p",
        "cell": "c",
        "state": "waiting",
    }
    assert json.loads(live.to_page(live.WritingEnded()).data) == {"type": "writing_ended"}


@pytest.mark.parametrize(
    "frame",
    [
        Frame.binary(b'{"type":"here","path":""}'),
        Frame.text(""),
        Frame.text("[]"),
        Frame.text('{"type":"hello"}'),
        Frame.text('{"type":"here"}'),
        Frame.text('{"type":"here","path":1}'),
        Frame.text('{"type":"here","path":"","more":1}'),
        Frame.text('{"type":"here","path":"' + "x" * 5000 + '"}'),
        Frame.text("[" * 4000),
        Frame.text('{"type":"active","more":1}'),
        Frame.text('{"type":"ask","path":"p","cell":"c"}'),
        Frame.text('{"type":"ask","path":"p","cell":"","source":"1"}'),
        Frame.text('{"type":"ask","path":"p","cell":"' + "c" * 65 + '","source":"1"}'),
        Frame.text('{"type":"ask","path":"' + "p" * 5000 + '","cell":"c","source":"1"}'),
        Frame.text('{"type":"ask","path":"p","cell":"c","source":"1","run":true}'),
        Frame.text('{"type":"ask","path":"p","cell":"c","source":"' + "x" * (live.MAX_SOURCE + 1) + '"}'),
        Frame.text('{"type":"ask","path":"p","cell":"c","source":"' + "é" * (live.MAX_SOURCE // 2 + 1) + '"}'),
        Frame.text('{"type":"withdraw","path":"' + "p" * 4090 + '","cell":"c"}'),
        Frame.close(1000),
    ],
)
def test_attack_other_frames(frame: Frame) -> None:
    """Anything else closes the channel."""
    with pytest.raises(Denied) as caught:
        live.from_page(frame)

    assert caught.value.reason is Reason.BAD_FRAME
