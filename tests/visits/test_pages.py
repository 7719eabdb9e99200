"""What the door answers: status, headers, bytes."""

from __future__ import annotations

import json
import re
from html import escape
from html.parser import HTMLParser
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import MEANINGS, Reason
from sharegate.messages import Headers, Response
from sharegate.shares.conditions import ASKED_FOR
from sharegate.visits import pages
from sharegate.visits.pages.assets import assets
from sharegate.visits.pages.refusal import REMEDIES
from sharegate.visits.pages.render import Ended, Ending

MARKUP = st.text(st.one_of(st.sampled_from("<>&\"'`={}%/\x00"), st.characters(exclude_categories=("Cs",))), max_size=80)


def _pages() -> dict[str, Response]:
    return {
        "join": pages.join_page(),
        "address": pages.address_page(),
        **{f"ended {why}": pages.ended_page(Ending(why, "Ann", "Week 3", 1.8e9)) for why in Ended},
        **{f"refused {reason}": pages.refusal(MEANINGS[reason], "r4nd0m", True) for reason in Reason},
    }


def _text(answer: Response) -> str:
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


class _Elements(HTMLParser):
    """Collects elements, attributes and the text outside of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("name", _pages())
def test_every_page_has_the_doors_headers(name: str) -> None:
    """CSP of its own without inline code, no framing, no store, no referrer, isolated."""
    headers = Headers(_pages()[name].headers)
    assert headers.all("Content-Security-Policy") == [
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "worker-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ]
    assert headers.get("Content-Type") == "text/html; charset=utf-8"
    assert headers.get("Cross-Origin-Opener-Policy") == "same-origin"
    assert headers.get("Cross-Origin-Resource-Policy") == "same-origin"
    assert headers.get("Referrer-Policy") == "no-referrer"
    assert headers.get("X-Content-Type-Options") == "nosniff"
    assert headers.get("Cache-Control") == "no-store"
    assert "camera=()" in headers.get("Permissions-Policy")


@pytest.mark.parametrize("name", _pages())
def test_every_page_is_whole_and_refers_to_our_own_files_only(name: str) -> None:
    """No inline script or style, no external address, and each file referred to is served."""
    found = _Elements(_text(_pages()[name]))
    assert found.tags.count("h1") >= 1 and found.tags.count("title") == 1
    assert ("lang", "en") in found.attributes
    assert "style" not in found.tags
    assert not [key for key, _ in found.attributes if key.startswith("on") or key in ("style", "srcdoc", "action")]
    addresses = [value for key, value in found.attributes if key in ("src", "href") and value]
    assert addresses
    for address in addresses:
        match = re.fullmatch(r"/join/static/([0-9a-f]{20})/([a-z.]+)", address)
        assert match and pages.static_file(match[1], match[2])


@given(MARKUP, MARKUP)
def test_names_on_the_ended_page_are_text(owner: str, share: str) -> None:
    """Attack: no owner or share name adds an element or an attribute, and both are shown as typed."""
    plain = _Elements(_text(pages.ended_page(Ending(Ended.REVOKED, "Ann", "Week 3"))))
    text = _text(pages.ended_page(Ending(Ended.REVOKED, owner, share)))
    found = _Elements(text)
    assert found.tags == plain.tags and found.attributes == plain.attributes
    assert str(escape(owner, quote=False)).replace('"', "&#34;").replace("'", "&#39;") in text


@given(MARKUP)
def test_an_id_on_a_refusal_is_text(id: str) -> None:
    """Attack: even the id, which is ours, could not become markup."""
    meaning = MEANINGS[Reason.NOT_FOUND]
    found = _Elements(_text(pages.refusal(meaning, id, True)))
    assert found.tags == _Elements(_text(pages.refusal(meaning, "x", True))).tags
    assert json.loads(_text(pages.refusal(meaning, id, False)))["error"]["id"] == id


@pytest.mark.parametrize("html", [True, False])
def test_reasons_that_share_a_code_are_one_answer(html: bool) -> None:
    """A visitor cannot tell outside, hidden, link-out and missing apart, nor any other reasons of one code."""
    compared = 0
    for one, other in combinations(Reason, 2):
        if MEANINGS[one].public == MEANINGS[other].public:
            assert pages.refusal(MEANINGS[one], "x", html) == pages.refusal(MEANINGS[other], "x", html), (one, other)
            compared += 1
    assert compared > 20


@pytest.mark.parametrize("html", [True, False])
def test_refusals_of_one_code_differ_in_their_id_alone(html: bool) -> None:
    """Byte for byte the same but for the id, which stands there once."""
    meaning = MEANINGS[Reason.OUTSIDE_ROOT]
    first, second = (_text(pages.refusal(meaning, id, html)) for id in ("aaaaaaaaaa", "bbbbbbbbbb"))
    assert first.count("aaaaaaaaaa") == 1
    assert first.replace("aaaaaaaaaa", "bbbbbbbbbb") == second


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_says_what_to_do(reason: Reason) -> None:
    """The page has status, sentence and advice; JSON has status, code, message and id (advice
    too in the field that JupyterLab reads), and is never HTML."""
    meaning = MEANINGS[reason]
    page, plain = (pages.refusal(meaning, "r4nd0m", html) for html in (True, False))
    words = " ".join(_Elements(_text(page)).words.split())
    assert page.status == plain.status == meaning.status
    assert meaning.sentence in words and REMEDIES[meaning.public] in words
    assert json.loads(_text(plain)) == {
        "error": {"code": meaning.public, "message": meaning.sentence, "id": "r4nd0m"},
        "message": f"{meaning.sentence} {REMEDIES[meaning.public]}",
    }
    headers = Headers(plain.headers)
    assert headers.get("Content-Type") == "application/json" and headers.get("Cache-Control") == "no-store"


@pytest.mark.parametrize("reason", Reason)
def test_only_the_public_code_is_told(reason: Reason) -> None:
    """The true reason stands in no answer unless it is the public code."""
    if reason.value != MEANINGS[reason].public:
        for html in (True, False):
            assert reason.value not in _text(pages.refusal(MEANINGS[reason], "x", html))


def test_retry_after_goes_with_the_answer() -> None:
    """Seconds are sent where they are given, and never below zero."""
    meaning = MEANINGS[Reason.JOIN_LIMIT]
    for html in (True, False):
        assert Headers(pages.refusal(meaning, "x", html, 7).headers).get("Retry-After") == "7"
        assert Headers(pages.refusal(meaning, "x", html, -3).headers).get("Retry-After") == "0"
        assert "Retry-After" not in Headers(pages.refusal(meaning, "x", html).headers)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "*/*"}, "html"),
        ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Accept": "text/html"}, "json"),
        ({"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html"}, "json"),
        ({"Sec-Fetch-Dest": "document", "Accept": "text/html"}, "json"),
        ({"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, "html"),
        ({"accept": "Text/HTML;q=0.9"}, "html"),
        ({"Accept": "text/html; q=0, application/json"}, "json"),
        ({"Accept": "text/htmlx"}, "json"),
        ({"Accept": "application/json"}, "json"),
        ({"Accept": "*/*"}, "json"),
        ({}, "json"),
    ],
)
def test_a_page_is_for_a_top_level_navigation(fields: dict[str, str], wanted: str) -> None:
    """Fetch metadata decides where a browser sends it, else an Accept that names text/html; frames get JSON."""
    assert pages.negotiate(Headers(fields.items())) == wanted


def test_doubled_fetch_metadata_is_no_navigation() -> None:
    """Attack: a second Sec-Fetch-Mode does not make a page out of a fetch."""
    fields = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "document")]
    assert pages.negotiate(Headers(fields)) == "json"


def test_static_files_live_under_their_content() -> None:
    """Right digest: the bytes, immutable. Another digest or name: nothing."""
    known = assets()
    answer = pages.static_file(known.digest, "join.js")
    assert answer and answer.body == known.files["join.js"]
    headers = Headers(answer.headers)
    assert "immutable" in headers.get("Cache-Control")
    assert headers.get("Content-Type") == "text/javascript; charset=utf-8"
    assert headers.get("X-Content-Type-Options") == "nosniff"
    for digest, name in (("0" * 20, "join.js"), (known.digest, "../render.py"), (known.digest, ""), ("", "join.js")):
        assert pages.static_file(digest, name) is None


def test_pages_of_strangers_are_the_same_bytes() -> None:
    """The join page and the address page hold nothing of whoever asks, so they cannot differ."""
    assert pages.join_page() == pages.join_page()
    assert pages.address_page() == pages.address_page()
    assert pages.address_page().status == 401


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("link_revoked", Ended.REVOKED),
        ("share_paused", Ended.PAUSED),
        ("visit_ended", Ended.ENDED),
        ("knock_refused", Ended.REFUSED),
        ("root_changed", Ended.SUSPENDED),
        ("share_suspended", Ended.SUSPENDED),
        ("left", Ended.LEFT),
        ("expired", Ended.EXPIRED),
        ("not recorded", Ended.UNKNOWN),
        ("", Ended.UNKNOWN),
    ],
)
def test_an_ending_is_read_from_a_reason(word: str, why: Ended) -> None:
    """A stored word or a reason becomes the page's own; what is not known tells nothing."""
    assert Ended.of(word) is why


@pytest.mark.parametrize("reason", sorted(ASKED_FOR))
def test_whatever_a_link_asks_for_has_a_page_that_says_how_to_come_back(reason: Reason) -> None:
    """Nothing has ended: it sends nobody to ask for a new link."""
    page = pages.ended_page(Ending(Ended.of(reason.value), "Ann", "", 1_790_000_000 if reason is Reason.NOT_YET else 0))
    words = _Elements(_text(page)).words
    assert "This visit is over." not in words and "this browser" in words and "new link" not in words
    assert ("2026-09-21 14:13 UTC" in words) is (reason is Reason.NOT_YET)


def test_the_ended_page_says_who_and_when() -> None:
    """Owner, moment and remedy stand there without a script; without facts the page names nobody."""
    words = _Elements(_text(pages.ended_page(Ending(Ended.PAUSED, "Ann", "Week 3", 1_790_000_000, True)))).words
    assert "Ann paused sharing." in words and "2026-09-21 14:13 UTC" in words and "Keep your link." in words
    blank = _Elements(_text(pages.ended_page(Ending()))).words
    assert "This visit is over." in blank and "UTC" not in blank
