"""What people type who want a page to do something, or to look like something else."""

from __future__ import annotations

SCRIPT = "<script>window.owned=1</script>"
IMAGE = '"><img src=x onerror="window.owned=1">'
QUOTES = "' onmouseover='window.owned=1' x='"
TEMPLATE = "{{ 7 * 7 }}{% raw %}"
FORMULA = '=HYPERLINK("http://evil.example","x")'
RIGHT_TO_LEFT = "\u202egnp.exe\u202c \u2066abc"
CONTROLS = "a\x1b[31mred\x00\r\n\x07b"
LONG = "W" * 5000

EVERYTHING = {
    "script": SCRIPT,
    "image": IMAGE,
    "quotes": QUOTES,
    "template": TEMPLATE,
    "formula": FORMULA,
    "right_to_left": RIGHT_TO_LEFT,
    "controls": CONTROLS,
    "long": LONG,
}
