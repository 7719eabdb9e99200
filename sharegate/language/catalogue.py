"""What visitors read, sentence by sentence, in the languages that there is a file for: `<tag>.toml` beside this module.

A sentence has a key, `table.name`, and may have {placeholders}. What stands in the pages' templates and scripts are
keys; tests/language checks that every file has all of them, and that no sentence stands anywhere else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sharegate.errors import Invalid
from sharegate.messages import Headers

FOLDER = Path(__file__).parent
PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
# What people have is a few hundred bytes; nobody has us sort a thousand languages.
_LONGEST = 1000
_TAG = re.compile(r"(?:[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\Z")
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z")


@dataclass(frozen=True, slots=True)
class Language:
    """One language. `tag` is that of `lang=` and Accept-Language (BCP 47), `dir` is `ltr` or `rtl`, `name` what the
    language calls itself."""

    tag: str
    dir: str
    name: str
    sentences: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<Language {self.tag}>"

    def say(self, key: str, **values: str) -> str:
        """The sentence, filled in. Raises KeyError for one that does not exist, and where a value is missing."""
        return PLACEHOLDER.sub(lambda match: values[match[1]], self.sentences[key])

    def below(self, *tables: str) -> dict[str, str]:
        """The sentences of whole tables, by their keys: what a page hands to its scripts."""
        return {key: text for key, text in self.sentences.items() if key.partition(".")[0] in tables}


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The sentences of a file, with the names of the tables they stand in."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def read(file: Path) -> Language:
    """One file. What a language lacks is said in English: a page in two languages is better than none."""
    own = dict(flat(tomllib.loads(file.read_text(encoding="utf-8"))))
    name, direction = own.pop("name"), own.pop("dir")
    known = {} if file.stem == "en" else ENGLISH.sentences
    return Language(file.stem, direction, name, MappingProxyType({**known, **own}))


ENGLISH = read(FOLDER / "en.toml")


@cache
def languages() -> Mapping[str, Language]:
    """All there are, by tag in lower case. Read once."""
    others = [read(file) for file in sorted(FOLDER.glob("*.toml")) if file.stem != "en"]
    return MappingProxyType({"en": ENGLISH, **{one.tag.lower(): one for one in others}})


def pick(accepted: str, fixed: str = "auto") -> Language:
    """The language of a page: the owner's choice, unless that is `auto`; else what the browser would like best of those
    that there are (RFC 9110 section 12.5.4; the lookup of RFC 4647 section 3.4: `de-AT` finds `de`), else English."""
    if fixed != "auto":
        return languages().get(fixed.lower(), ENGLISH)
    for tag in _wanted(accepted):
        while tag:
            if tag in languages():
                return languages()[tag]
            tag = tag.rpartition("-")[0]
    return ENGLISH


def _wanted(accepted: str) -> list[str]:
    """Tags in lower case, the dearest first. What cannot be read is passed over: a page is shown in any case."""
    found: list[tuple[float, str]] = []
    for part in accepted[:_LONGEST].split(","):
        tag, _, parameter = (piece.strip() for piece in part.partition(";"))
        name, _, weight = (piece.strip() for piece in parameter.partition("="))
        if not _TAG.match(tag) or (parameter and (name.lower() != "q" or not _WEIGHT.match(weight))):
            continue
        value = float(weight) if parameter else 1.0
        if value > 0:
            found.append((value, "en" if tag == "*" else tag.lower()))
    return [tag for _, tag in sorted(found, key=lambda one: -one[0])]


class Languages:
    """Which language whoever asks is answered in. `fixed` is the setting `language`: `auto`, or a tag."""

    def __init__(self, fixed: str = "auto") -> None:
        self._fixed = fixed

    def of(self, headers: Headers) -> Language:
        return pick(", ".join(headers.all("Accept-Language")), self._fixed)


# Each browser in its own.
ANY = Languages()


def faults(fixed: str) -> list[Invalid]:
    """What is wrong with a value of the setting."""
    known = ("auto", *languages())
    return [] if fixed in known else [Invalid("language", f"{fixed!r} is none of ours", ", ".join(known))]
