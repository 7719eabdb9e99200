"""Pictures with a palette, as Chromium reads them."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

import pytest

from tests.browser.chromium import launched
from tests.pictures.camera import Camera, png

pytestmark = [pytest.mark.browser]
READ = """async (data) => {
  const image = await createImageBitmap(await (await fetch("data:image/png;base64," + data)).blob());
  const brush = new OffscreenCanvas(image.width, image.height).getContext("2d");
  brush.drawImage(image, 0, 0);
  return [image.width, image.height, [...brush.getImageData(0, 0, image.width, image.height).data]];
}"""


async def test_a_picture_is_what_was_painted() -> None:
    """Size and colours, each pixel in its place."""
    made = png(2, bytes([255, 0, 0, 0, 0, 255, 9, 9, 9]), bytes([0, 1, 2, 1, 0, 0]))
    async with launched() as browser:
        page = await browser.new_page()
        width, height, pixels = await page.evaluate(READ, base64.b64encode(made).decode())
    red, blue, dark = [255, 0, 0, 255], [0, 0, 255, 255], [9, 9, 9, 255]
    assert (width, height) == (2, 3)
    assert pixels == red + blue + dark + blue + red + red


async def test_phones_stand_beside_one_another_with_their_colours(tmp_path: Path) -> None:
    """Of thousands of colours the palette keeps the frequent ones exactly; the shorter page goes on below."""
    slope = "linear-gradient(90deg, #000, #f0f, #0ff, #ff0, #fff)"
    async with launched() as browser:
        camera = Camera(browser, tmp_path)
        page = await browser.new_page(viewport={"width": 300, "height": 400})
        shots = []
        for tall in (200, 350):
            await page.set_content(
                f"<body style='margin:0;background:#1d6348'><main style='height:{tall - 32}px'>"
                f"<p style='margin:0;height:40px;background:{slope}'></p></main>"
            )
            shots.append(await camera.shot(page, "one"))
        await camera.strip("two", shots)
        made = (tmp_path / "two.png").read_bytes()
        _, _, pixels = await page.evaluate(READ, base64.b64encode(made).decode())
    width, height, depth, kind = struct.unpack(">IIBB", made[16:26])
    assert (width, height, depth, kind) == (624, 350, 8, 3)
    green, white = [0x1D, 0x63, 0x48], [255, 255, 255]

    def at(x: int, y: int) -> list[int]:
        begin = 4 * (y * width + x)
        return pixels[begin : begin + 3]

    assert [at(5, 100), at(5, 340), at(620, 340), at(310, 100)] == [green, green, green, white]
    assert max(abs(one - other) for one, other in zip(at(324, 20), (0, 0, 0), strict=True)) < 40
    assert max(abs(one - other) for one, other in zip(at(474, 20), (0, 255, 255), strict=True)) < 40
