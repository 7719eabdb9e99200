"""Headless Firefox for tests, by Marionette, its own remote protocol.

Source: firefox-source-docs.mozilla.org, testing/marionette. Playwright drives only a Firefox of its own making.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.real.jupyter import free_port

# Nothing but what the page under test asks for may leave the machine.
PREFERENCES = {
    "app.update.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "intl.accept_languages": "en-GB, en",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_PATIENCE = 40.0
# The first that is shown and begins with these words; a field by its label.
_BY_WORDS = """
const shown = (one) => one.getClientRects().length && getComputedStyle(one).visibility === "visible";
const words = (one) => (one.getAttribute("aria-label") || one.innerText || "").trim();
const fits = (one) => shown(one) && words(one).startsWith(arguments[1]);
const found = [...document.querySelectorAll(arguments[0])].filter(fits);
return found.length ? (found[0].control || found[0]) : null;
"""
_TEXT = "return document.body ? document.body.innerText : ''"


def executable() -> str | None:
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One browser with a profile of its own and one window. `log` is what it wrote, errors of pages among it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: Path) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self.log = log

    async def call(self, command: str, **given: Any) -> Any:
        """Raises AssertionError with what Firefox says where it cannot."""
        number = next(self._numbers)
        message = json.dumps([0, number, command, given]).encode()
        self._writer.write(b"%d:%b" % (len(message), message))
        await self._writer.drain()
        kind, answered, error, result = await self.read()
        assert (kind, answered) == (1, number)
        assert error is None, f"{command}: {error}"
        return result

    async def read(self) -> Any:
        length = await self._reader.readuntil(b":")
        return json.loads(await self._reader.readexactly(int(length[:-1])))

    async def script(self, source: str, *given: Any) -> Any:
        return (await self.call("WebDriver:ExecuteScript", script=source, args=list(given), sandbox=None))["value"]

    async def go(self, address: str) -> None:
        await self.call("WebDriver:Navigate", url=address)

    async def address(self) -> str:
        return str((await self.call("WebDriver:GetCurrentURL"))["value"])

    async def text(self) -> str:
        return str(await self.script(_TEXT))

    async def reads(self, words: str) -> None:
        """Wait until the page says so."""
        await self.until(f"{words!r} to be read", lambda: self._has(words))

    async def at(self, part: str) -> None:
        """Wait until the page's address holds this."""
        await self.until(f"an address with {part!r}", lambda: self._address_has(part))

    async def click(self, words: str, what: str = "button, a, summary, label") -> None:
        """What begins with these words, by a real click, as soon as it is there."""
        element = await self._found(what, words)
        await self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        await self.call("WebDriver:ElementClick", id=element[_ELEMENT])

    async def types(self, words: str, text: str) -> None:
        """Into the field of this label."""
        element = await self._found("label", words)
        await self.call("WebDriver:ElementSendKeys", id=element[_ELEMENT], text=text)

    async def picture(self, path: Path) -> None:
        shot = await self.call("WebDriver:TakeScreenshot", full=True, hash=False)
        path.write_bytes(base64.b64decode(shot["value"]))

    def complaints(self) -> list[str]:
        """What scripts of pages failed with, and what a policy refused. Parts of JupyterLab whose page is left before
        they are there fail to load (`ChunkLoadError`)."""
        lines = self.log.read_text(errors="replace").splitlines()
        failed = [line for line in lines if line.startswith("JavaScript error: http") and "ChunkLoadError" not in line]
        return [*failed, *(line for line in lines if "Content-Security-Policy" in line)]

    async def _found(self, what: str, words: str) -> dict[str, str]:
        found: list[dict[str, str]] = []

        async def look() -> bool:
            element = await self.script(_BY_WORDS, what, words)
            found[:] = [element] if element else []
            return bool(element)

        await self.until(f"{words!r} to be there", look)
        return found[0]

    async def _has(self, words: str) -> bool:
        return words in await self.text()

    async def _address_has(self, part: str) -> bool:
        return part in await self.address()

    async def until(self, what: str, true: Any) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                while not await true():
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"waited for {what}; at {await self.address()} it reads {await self.text()}") from None


@contextlib.asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[Firefox]:
    """Run with a new profile in `folder`, which is made, until the context ends."""
    program = executable()
    assert program is not None
    folder.mkdir()
    port = free_port()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join([*lines, f'user_pref("marionette.port", {port});', ""]))
    log = folder / "firefox.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(program, "--headless", "--no-remote", "--marionette", "--profile", str(folder)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=os.environ | {"HOME": str(folder), "MOZ_HEADLESS_WIDTH": "1280", "MOZ_HEADLESS_HEIGHT": "900"},
        )
    try:
        reader, writer = await _connected(port, log)
        try:
            browser = Firefox(reader, writer, log)
            assert (await browser.read())["marionetteProtocol"] == 3
            await browser.call("WebDriver:NewSession")
            yield browser
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    finally:
        process.terminate()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _connected(port: int, log: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(_PATIENCE):
            while True:
                try:
                    return await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"Firefox does not listen: {log.read_text(errors='replace')[-2000:]}") from None
