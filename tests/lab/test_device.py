"""The picture and the code for another device."""

from __future__ import annotations

import json
import re

import segno

from sharegate.lab.device import QUIET_ZONE, device_answer, qr_path


def test_the_path_draws_the_dark_modules() -> None:
    """Every dark module of the code is covered by exactly one run, and nothing else is."""
    text = "https://gate.example/device#K7F29XW3"
    size, path = qr_path(text)
    drawn = [[0] * size for _ in range(size)]
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
        for step in range(int(length)):
            drawn[int(y)][int(x) + step] += 1
    matrix = segno.make(text, error="m", micro=False).matrix
    expected = [[0] * size for _ in range(size)]
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            expected[y + QUIET_ZONE][x + QUIET_ZONE] = int(dark)

    assert drawn == expected


def test_the_code_is_shown_in_two_halves() -> None:
    """Eight characters are easier to copy as four and four; the picture is of the address with the code."""
    answer = device_answer(code="K7F29XW3", address="https://g/device", url="https://g/device#K7F29XW3", expires=5.0)
    told = json.loads(answer.body)  # type: ignore[arg-type]

    assert told["code"] == "K7F2 9XW3"
    assert told["expires"] == 5.0
    assert told["picture"]["path"] == qr_path("https://g/device#K7F29XW3")[1]
    assert dict(answer.headers)["Cache-Control"] == "no-store"
