"""Which language a page is in, and what a sentence becomes."""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.config import load
from sharegate.errors import MEANINGS, Faults, Reason
from sharegate.language.catalogue import ENGLISH, Languages, languages, pick
from sharegate.messages import Headers
from sharegate.shares.conditions import Need
from sharegate.shares.model import Role
from sharegate.visits import pages, told
from sharegate.visits.pages import Ended, Ending

GERMAN = languages()["de"]


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-ch-1996", "de"),
        ("de, en;q=0.9", "de"),
        ("en-GB, de;q=0.9", "en"),
        ("de;q=0.8, en;q=0.9", "en"),
        ("en;q=0.8,de ; q=0.81", "de"),
        ("fr, de;q=0.4", "de"),
        ("fr-CH, fr;q=0.9, it;q=0.8", "en"),
        ("de;q=0, fr", "en"),
        ("de;q=0", "en"),
        ("en;q=0", "en"),
        ("*", "en"),
        ("fr, *;q=0.5, de;q=0.4", "en"),
        ("*;q=0.1, de;q=0.4", "de"),
        ("nonsense of a header, de", "de"),
        ("de;q=high", "en"),
        ("de;q=1.5, en", "en"),
        ("de;level=1", "en"),
        ("..; ../../etc/passwd, en.toml", "en"),
        ("de\x00", "en"),
        ("x," * 100_000 + "de", "en"),
        (";" * 100_000, "en"),
        ("a-" * 499 + "a", "en"),
    ],
)
def test_a_browser_reads_its_own_language(accepted: str, tag: str) -> None:
    """By q-value and lookup; what cannot be read, or is nobody's, is English; nothing takes long."""
    assert pick(accepted).tag == tag


@given(st.text(max_size=300))
def test_attack_no_header_is_a_fault(accepted: str) -> None:
    """Whatever is sent, some language is found."""
    assert pick(accepted) in languages().values()


def test_several_headers_are_one_list() -> None:
    """RFC 9110 section 5.3."""
    headers = Headers([("Accept-Language", "fr"), ("accept-language", "de;q=0.3")])
    assert Languages().of(headers) is GERMAN
    assert Languages().of(Headers()) is ENGLISH


def test_the_owner_can_choose_for_everybody() -> None:
    """The setting wins over what browsers ask for."""
    german = Headers([("Accept-Language", "de")])
    assert Languages("en").of(german) is ENGLISH and Languages("de").of(Headers()) is GERMAN


def test_a_language_that_there_is_not_is_a_fault() -> None:
    """Named with those that there are."""
    with pytest.raises(Faults, match=r"language: 'fr' is none of ours. auto, en, de"):
        load(None, {"SHAREGATE_LANGUAGE": "fr"})


def test_a_sentence_needs_its_values() -> None:
    """A value that is missing is a fault of ours, not a hole on the page."""
    assert ENGLISH.say("email.sent", address="bo@berkeley.edu").startswith("A code is on its way to bo@berkeley.edu.")
    with pytest.raises(KeyError):
        ENGLISH.say("email.sent")
    with pytest.raises(KeyError):
        ENGLISH.say("no.such")


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))


MARKUP = '<img src=x onerror="owned()">{what}{Who}'


@pytest.mark.parametrize("tag", languages())
def test_names_are_text_in_every_language(tag: str) -> None:
    """Attack: markup and braces in a name make no element, and are filled with nothing."""
    language = languages()[tag]
    text = _text(pages.ended_page(Ending(Ended.REVOKED, MARKUP, MARKUP), language))
    assert escape(MARKUP).replace("&quot;", "&#34;") in text
    plain = _text(pages.ended_page(Ending(Ended.REVOKED, "Ann", "Week 3"), language))
    assert _Page(text).tags == _Page(plain).tags


@pytest.mark.parametrize("tag", languages())
def test_a_page_says_what_language_it_is_in(tag: str) -> None:
    """Screen readers need it, and caches: `lang`, `dir` and Vary."""
    language = languages()[tag]
    answers = [
        pages.join_page("", language),
        pages.address_page(language),
        pages.ended_page(Ending(), language),
        *(pages.refusal(MEANINGS[reason], "r4nd0m", True, None, language) for reason in Reason),
    ]
    for answer in answers:
        assert f'<html lang="{language.tag}" dir="{language.dir}">' in _text(answer)
        assert Headers(answer.headers).all("Vary") == ["Accept-Language"]


def test_what_browsers_are_told_of_names_stands_apart() -> None:
    """A name written from right to left does not turn the sentence around it."""
    text = _text(pages.ended_page(Ending(Ended.PAUSED, "\u202eAnn", "Week 3"), GERMAN))
    assert "<bdi>\u202eAnn</bdi> hat diesen Link angehalten." in text


def test_the_codes_of_a_refusal_stay_and_its_words_follow() -> None:
    """What programs read is the same in each language."""
    meaning = MEANINGS[Reason.OUTSIDE_ROOT]
    english, german = (pages.refusal(meaning, "x", False, None, one) for one in (ENGLISH, GERMAN))
    assert b'"code": "not_found"' in german.body and b'"code": "not_found"' in english.body  # type: ignore[operator]
    assert b"Hier ist nichts." in german.body and b"There is nothing here." in english.body  # type: ignore[operator]
    assert Headers(german.headers).all("Vary") == ["Accept-Language"]


@pytest.mark.parametrize("reason", Reason)
def test_the_page_and_the_program_are_told_the_same(reason: Reason) -> None:
    """errors.py, which the trail and the command line read, says what English pages say."""
    meaning = MEANINGS[reason]
    assert ENGLISH.say(f"refused.{meaning.public}.sentence") == meaning.sentence


def test_a_role_is_said_in_the_owners_own_words() -> None:
    """Where a policy has other words than ours, those stay."""
    assert told.role(GERMAN, Role.VIEW, "can view") == "nur ansehen"
    assert told.role(GERMAN, Role.VIEW, "may look on") == "may look on"


def test_what_is_recorded_is_said_in_full() -> None:
    """Each of the three to five, in the language."""
    asked = (Need.PASSPHRASE, Need.ACCOUNT, Need.EMAIL, Need.APPROVAL)
    assert told.recorded(ENGLISH, asked, full_addresses=False) == [
        "when you come and go",
        "which files you open",
        "your network address (shortened) and your browser",
        "the account that you sign in with",
        "the e-mail address that you show to be yours",
    ]
    assert told.recorded(GERMAN, (), full_addresses=True)[2] == "Ihre Netzadresse und Ihr Browser"


def _text(answer: object) -> str:
    body = getattr(answer, "body")  # noqa: B009 -- of a Response, which may be a stream
    assert isinstance(body, bytes)
    return body.decode()
