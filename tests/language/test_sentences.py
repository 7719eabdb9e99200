"""All that visitors' pages say stands in the catalogue, in each language, and nothing stands there for nobody."""

from __future__ import annotations

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from sharegate.errors import MEANINGS
from sharegate.lab.page import SAID
from sharegate.language.catalogue import ENGLISH, FOLDER, PLACEHOLDER, flat, languages
from sharegate.shares.model import Role
from sharegate.shares.reports import Concern
from sharegate.visits.coowners import words
from sharegate.visits.pages import Ended

SOURCES = FOLDER.parent
# The pages that visitors see, and their scripts.
COOWNERS = SOURCES / "visits/coowners/assets"
TEMPLATES = [*sorted((SOURCES / "visits/pages/templates").glob("*.html")), *sorted(COOWNERS.glob("*.html"))]
SCRIPTS = [
    *sorted((SOURCES / "visits/pages/static").glob("*.js")),
    *sorted((SOURCES / "lab/assets").glob("*.js")),
    *sorted(COOWNERS.glob("*.js")),
]
CODE = [SOURCES / "visits/told.py", SOURCES / "visits/pages/refusal.py", SOURCES / "lab/page.py"]
# What may end a visit while its page is open, as visitors are told it.
ENDS = (
    *("visit_ended", "share_revoked", "link_revoked", "link_replaced", "share_paused", "link_paused"),
    *("share_suspended", "share_expired", "link_expired", "knock_refused", "outside_networks", "not_yet"),
    *("passphrase_needed", "account_needed", "recipient_needed", "approval_needed"),
)
# A key that is put together, by what it begins with, and what may stand there.
MADE = {
    "refused.": {f"{one.public}.{part}" for one in MEANINGS.values() for part in ("sentence", "remedy")},
    "ended.": {
        *(f"{why.value}.{part}" for why in Ended for part in ("title", "lead")),
        *(f"{why}.title_share" for why in ("revoked", "paused", "expired")),
    },
    "over.": {
        f"{why}.{part}"
        for why in ("revoked", "paused", "suspended", "expired", "replaced", "other")
        for part in ("title", "lead")
    },
    "report.": {concern.value for concern in Concern},
    "live.": {"follows", "changed", "away", "offline", "gone", "waits"},
    "role.": {role.value for role in Role},
    "coowner.no_": set(words.CODES),
    "coowner.is_": set(get_args(words.Open)),
    "coowner.sign_": set(get_args(words.Sign)),
    "coowner.did_": {each.__struct_config__.tag for each in get_args(words.Act)},
    "closed.": {f"{word}.{part}" for word in ("other", "left", *ENDS) for part in ("title", "advice")},
    "recorded.": {"coming", "files", "network", "whole_network", "account", "email", "coowners"},
}
# What is the same in every language: names of ours, and signs.
NAMES = {"sharegate", "JupyterLab"}


def _own(tag: str) -> dict[str, str]:
    found = dict(flat(tomllib.loads((FOLDER / f"{tag}.toml").read_text())))
    return {key: text for key, text in found.items() if key not in ("name", "dir")}


@pytest.mark.parametrize("tag", languages())
def test_every_language_has_every_sentence(tag: str) -> None:
    """The same keys, each with words and the same placeholders; what it has besides would never be read."""
    own, english = _own(tag), _own("en")
    assert set(own) == set(english)
    assert [key for key, text in own.items() if not text.strip()] == []
    fills = {key: (set(PLACEHOLDER.findall(own[key])), set(PLACEHOLDER.findall(english[key]))) for key in english}
    # Who it is may stand at the beginning of one language's sentence and in the middle of another's.
    folded = {key: tuple({name.lower() for name in one} for one in both) for key, both in fills.items()}
    assert [key for key, (mine, theirs) in folded.items() if mine != theirs] == []
    assert languages()[tag].dir in ("ltr", "rtl")
    unsafe = re.compile(r"[<>&]|[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
    assert [key for key, text in own.items() if unsafe.search(text)] == []


def test_what_ends_a_page_is_a_code_of_ours() -> None:
    """What the page has words for is what it can be told."""
    assert set(ENDS) <= {meaning.public for meaning in MEANINGS.values()}


def _used() -> set[str]:
    sources = "\n".join(file.read_text() for file in (*TEMPLATES, *SCRIPTS, *CODE))
    return set(re.findall(r'"([a-z_]+(?:\.[a-zA-Z_]+)+)"', sources))


def test_no_sentence_stands_in_the_catalogue_for_nobody() -> None:
    """Each key is asked for by a template, a script, or one of the families above."""
    made = {prefix + rest for prefix, rests in MADE.items() for rest in rests}
    assert set(ENGLISH.sentences) - made - _used() == set()


def test_every_sentence_that_is_asked_for_is_there() -> None:
    """A template or script with a key of its own making fails here, not on somebody's page."""
    asked = set()
    for source in (file.read_text() for file in (*TEMPLATES, *SCRIPTS)):
        asked |= set(re.findall(r'\bt\(\s*"([^"]+)"\s*[,)]', source))
        asked |= {key for pair in re.findall(r'\bt\([A-Z_]+ \? "([^"]+)" : "([^"]+)"', source) for key in pair}
    assert len(asked) > 100
    assert asked - set(ENGLISH.sentences) == set()
    assert {prefix + rest for prefix, rests in MADE.items() for rest in rests} - set(ENGLISH.sentences) == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_scripts_get_all_that_they_say(script: Path) -> None:
    """A page hands over the tables that scripts say something of, whole."""
    tables = ("word", "tab", "script", "live")
    if script.parent == COOWNERS:
        tables = ("coowner", "role")
    elif script.parent.name == "assets" and script.name != "reading.js":
        tables = SAID
    handed = ENGLISH.below(*tables)
    keys = re.findall(r'"((?:[a-z_]+)\.[a-z_]+)"', "\n".join(_code(script)))
    assert set(keys) <= set(handed)


class _Words(HTMLParser):
    """Text nodes, and the attributes that people read."""

    READ = frozenset({"title", "alt", "placeholder", "aria-label", "aria-description", "label"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in self.READ and value]
        if tag == "meta" and ("name", "description") in attrs:
            self.found += [value or "" for name, value in attrs if name == "content"]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_no_template_says_anything_itself(template: Path) -> None:
    """Without what Jinja fills in there is no word left to translate; nor within what it fills in."""
    text = re.sub(r"\{#.*?#\}", "", template.read_text(), flags=re.DOTALL)
    outside = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " ", text, flags=re.DOTALL)
    words = {word for found in _Words(outside).found for word in re.findall(r"[^\W\d_]{2,}", found)}
    assert words - NAMES == set()
    inside = " ".join(re.findall(r"\{\{.*?\}\}|\{%.*?%\}", text, flags=re.DOTALL))
    assert [said for said in re.findall(r'"([^"]*)"', inside) if SPOKEN.search(said)] == []


def _code(script: Path) -> list[str]:
    """Its lines, without comments and without the regular expressions, which hold quotes of their own."""
    beside = re.compile(r"(^|\s)//\s.*|= /.*/[a-z]*;|replace\(/[^/]*/")
    return [beside.sub("", line) for line in script.read_text().splitlines()]


LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"|`([^`]*)`')
SPOKEN = re.compile(r"[^\W\d_]{2,},? [^\W\d_]{2,}|[A-Z][a-z]+[.…!?:]$")


def _said(lines: list[str]) -> list[str]:
    """Texts with two words in them, or a word that ends as a sentence does."""
    literals = (part for line in lines for parts in LITERAL.findall(line) for part in parts)
    return [one for one in literals if SPOKEN.search(one) and not re.match(r"(button|input|meta)?\[|use strict", one)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_no_script_says_anything_itself(script: Path) -> None:
    """What scripts say to people has a key."""
    assert _said(_code(script)) == []


def test_the_tests_of_pages_find_a_sentence() -> None:
    """Text, an attribute that is read aloud, a text of a script."""
    found = [word for word in _Words('<p title="Not this">Nor this.</p>').found if word.strip()]
    assert found == ["Not this", "Nor this."]
    assert _said(['put("a", "Nor this");', "say(`${x} is gone`);", 'say("Opening…"); t("a.b")']) == [
        "Nor this",
        "${x} is gone",
        "Opening…",
    ]
