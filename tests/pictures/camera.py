"""Takes pictures for docs/, small ones: cut below what is on the page, and with a palette."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page

WIDTH, HEIGHT = 1120, 860
PHONE = (390, 844)
GAP = 24  # between the phones of a strip
LARGEST = 80_000  # bytes of a picture: whoever clones the repository carries them all
BERLIN = {"locale": "en-GB", "timezone_id": "Europe/Berlin"}

# Where the page ends: what is below is paper.
_END = """() => Math.ceil(Math.max(...[...document.querySelectorAll("main, main *, footer")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }))
  .map((one) => one.getBoundingClientRect().bottom)) + scrollY)"""

# At most 256 colours: the frequent ones that are not nearly the same, and for the rest the nearest of them.
_PALETTE = """async ([pictures, gap]) => {
  const all = [];
  for (const data of pictures) {
    all.push(await createImageBitmap(await (await fetch("data:image/png;base64," + data)).blob()));
  }
  const width = all.reduce((sum, one) => sum + one.width, gap * (all.length - 1));
  const height = Math.max(...all.map((one) => one.height));
  const canvas = new OffscreenCanvas(width, height);
  const brush = canvas.getContext("2d");
  brush.fillStyle = "#ffffff";
  brush.fillRect(0, 0, width, height);
  let left = 0;
  for (const one of all) {
    brush.drawImage(one, left, 0);
    // Below a page that ends before the others there is more of its paper.
    const rest = height - one.height;
    if (rest) brush.drawImage(one, 0, one.height - 1, one.width, 1, left, one.height, one.width, rest);
    left += one.width + gap;
  }
  const pixels = new Uint32Array(brush.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const parts = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
  const far = (one, other) => (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2;
  const often = [...counts].sort((one, other) => other[1] - one[1] || one[0] - other[0]);
  const frequent = often.map(([pixel]) => parts(pixel));
  let palette = frequent;
  for (let near = 12; palette.length > 256; near *= 2) {
    palette = [];
    for (const one of frequent) if (palette.every((other) => far(one, other) > near)) palette.push(one);
  }
  const index = new Map();
  const nearest = (pixel) => {
    const found = parts(pixel);
    let best = 0;
    for (let each = 1; each < palette.length; each += 1) {
      if (far(found, palette[each]) < far(found, palette[best])) best = each;
    }
    index.set(pixel, best);
    return best;
  };
  let rows = "";
  for (const pixel of pixels) rows += String.fromCharCode(index.get(pixel) ?? nearest(pixel));
  return { width, height, palette: palette.flat(), rows: btoa(rows) };
}"""


@dataclass
class Camera:
    """`only` names the pictures that are wanted, all where it is empty. With `looks` each is also taken whole, in light
    and dark, at a desk and on a phone: for a person to look at before it goes into docs/."""

    browser: Browser
    folder: Path
    only: frozenset[str] = frozenset()
    looks: bool = False
    taken: list[str] = field(default_factory=list)

    async def person(self, **options: Any) -> BrowserContext:
        """A browser profile of its own."""
        settled: dict[str, Any] = {"viewport": {"width": WIDTH, "height": HEIGHT}, "reduced_motion": "reduce"}
        return await self.browser.new_context(**{**settled, **BERLIN, **options})

    def wants(self, *names: str) -> bool:
        return not self.only or bool(self.only.intersection(names))

    async def take(self, page: Page, name: str, *, tall: int = HEIGHT, part: str = "") -> None:
        """The page as it stands, at most `tall` pixels of it, from `part` (a selector) on."""
        if self.wants(name):
            await self._keep(name, [await self.shot(page, name, tall=tall, part=part)])

    async def strip(self, name: str, shots: list[bytes]) -> None:
        """Several phones beside one another."""
        if self.wants(name):
            await self._keep(name, shots)

    async def shot(self, page: Page, name: str, *, tall: int = HEIGHT, part: str = "") -> bytes:
        if self.looks:
            await self._look(page, name)
        await page.evaluate("document.activeElement?.blur(); scrollTo(0, 0)")
        width = (page.viewport_size or {"width": WIDTH})["width"]
        box = await page.locator(part).first.bounding_box() if part else None
        top = box["y"] - 5 if box else 0  # what stands above ends 8 before it
        end = min(top + tall, await page.evaluate(_END) + 32)
        return await page.screenshot(full_page=True, clip={"x": 0, "y": top, "width": width, "height": end - top})

    async def _look(self, page: Page, name: str) -> None:
        before = page.viewport_size
        for word, (width, height) in (("desk", (1280, 860)), ("phone", PHONE)):
            await page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two words
                await page.screenshot(path=self.folder / f"{name}-{word}-{scheme}.png", full_page=True)
        await page.emulate_media(color_scheme="light")
        if before is not None:
            await page.set_viewport_size(before)

    async def _keep(self, name: str, shots: list[bytes]) -> None:
        painter = await self.browser.new_page()
        encoded = [base64.b64encode(shot).decode() for shot in shots]
        painted = await painter.evaluate(_PALETTE, [encoded, GAP])
        await painter.close()
        picture = self.folder / f"{name}.png"
        picture.write_bytes(png(painted["width"], bytes(painted["palette"]), base64.b64decode(painted["rows"])))
        size = picture.stat().st_size
        if size > LARGEST:
            raise SystemExit(f"{picture} has {size} bytes, more than {LARGEST}")
        self.taken.append(name)
        print(f"{picture}: {painted['width']}x{painted['height']}, {size} bytes")


def png(width: int, palette: bytes, pixels: bytes) -> bytes:
    """A picture with a palette of RGB triples, one byte per pixel (PNG, third edition, section 11)."""
    height = len(pixels) // width
    rows = b"".join(b"\0" + pixels[row * width : (row + 1) * width] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
