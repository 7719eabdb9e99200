"""What "Use on another device" shows: a code to type and the same as a picture for the other device's camera."""

from __future__ import annotations

import segno

from sharegate.lab.synthetic import json_answer
from sharegate.messages import Response

QUIET_ZONE = 4  # modules, ISO/IEC 18004


def device_answer(*, code: str, address: str, url: str, expires: float) -> Response:
    """The answer to `POST -/device`.

    `code` is what a person types at `address`, `url` the same for a camera (the code in its fragment), `expires` when
    it stops working (seconds since the epoch). The picture is one SVG path: the page builds no markup from text.
    """
    size, path = qr_path(url)
    shown = f"{code[: len(code) // 2]} {code[len(code) // 2 :]}"
    return json_answer({"code": shown, "address": address, "expires": expires, "picture": {"size": size, "path": path}})


def qr_path(text: str) -> tuple[int, str]:
    """The side in modules with the quiet zone, and an SVG path of its dark modules, one move per run of a row."""
    rows = [bytes(row) for row in segno.make(text, error="m", micro=False).matrix]
    path: list[str] = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            run = x
            while run < len(row) and row[run]:
                run += 1
            if run > x:
                path.append(f"M{x + QUIET_ZONE} {y + QUIET_ZONE}h{run - x}v1h-{run - x}z")
            x = run + 1
    return len(rows) + 2 * QUIET_ZONE, "".join(path)
