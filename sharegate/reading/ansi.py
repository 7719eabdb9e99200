"""What programs print, as a terminal would show it: colours become classes, everything else that is no text goes."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

# ECMA-48: control sequences (CSI), strings that a terminal acts on (OSC, DCS, …), and two-character escapes.
_SEQUENCE = re.compile(
    r"\x1b\[(?P<parameters>[0-9;:]{0,64})(?P<final>[ -/]{0,4}[@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]{0,4}[0-~]?"
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


class _Pen:
    """How what follows is written."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.colour = ""
        self.bold = self.italic = self.underlined = False

    def take(self, parameters: str) -> None:
        """One `ESC [ … m` (SGR). What has no class is passed over, with the numbers that belong to it."""
        numbers = [int(each) if each.isdecimal() else 0 for each in re.split("[;:]", parameters)][:32]
        while numbers:
            number = numbers.pop(0)
            if number == 0:
                self.reset()
            elif number == 1:
                self.bold = True
            elif number == 3:
                self.italic = True
            elif number == 4:
                self.underlined = True
            elif number == 22:
                self.bold = False
            elif 30 <= number <= 37 or 90 <= number <= 97:
                self.colour = _COLOURS[number % 10]
            elif number == 39:
                self.colour = ""
            elif number in (38, 48):  # 5;n or 2;r;g;b follows
                following = numbers.pop(0) if numbers else 0
                del numbers[: 1 if following == 5 else 3 if following == 2 else 0]

    @property
    def classes(self) -> str:
        found = [f"ansi-{self.colour}"] if self.colour else []
        found += [name for name in ("bold", "italic", "underlined") if getattr(self, name)]
        return " ".join(found)


def plain(text: str) -> str:
    """Without any escape or control character, each line as it stood at last (`\\r` begins it anew)."""
    return _last(_CONTROL.sub("", _SEQUENCE.sub("", text)))


def coloured(text: str) -> Markup:
    """The same, with `<span class>` for colours and weights. All of it is escaped."""
    pen, parts, at = _Pen(), [], 0
    text = _last(text)
    for found in _SEQUENCE.finditer(text):
        parts.append(_piece(text[at : found.start()], pen.classes))
        at = found.end()
        if found["final"] == "m":
            pen.take(found["parameters"])
    parts.append(_piece(text[at:], pen.classes))
    return Markup("").join(parts)


def _piece(text: str, classes: str) -> Markup:
    text = _CONTROL.sub("", text)
    if not text or not classes:
        return escape(text)
    return Markup('<span class="{}">{}</span>').format(classes, text)


def _last(text: str) -> str:
    """A progress bar is written over itself: only what it says at last is kept."""
    if "\r" not in text:
        return text
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return "\n".join(lines)
