"""The way through in Firefox: everything else is tried in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.firefox import executable, firefox
from tests.gatehouse import gatehouse
from tests.real.jupyter import JupyterServer, planted_jupyter

pytestmark = [
    pytest.mark.browser,
    pytest.mark.real,
    pytest.mark.skipif(executable() is None, reason="Firefox is not installed"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    with planted_jupyter(tmp_path_factory.mktemp("firefox")) as running:
        yield running


@pytest.mark.timeout(300)
async def test_from_sharing_to_the_end_of_the_share(server: JupyterServer, tmp_path: Path) -> None:
    """The owner shares a folder on the page; Ann opens a file and types in it; Bo knocks with her link, the open page
    shows it, and he is let in; both pages go when the share ends."""
    async with (
        gatehouse(tmp_path, server) as gate,
        firefox(tmp_path / "owner") as owner,
        firefox(tmp_path / "ann") as ann,
        firefox(tmp_path / "bo") as bo,
    ):
        await owner.go((await gate.call("POST", "logins"))["url"])
        await owner.reads("Here now")
        await owner.click("New share")
        await owner.click("Open sub", "button")
        await owner.click("shared", "label")
        await owner.reads("leads out")
        await owner.types("Name", "Ann")
        await owner.click("Ann can edit text")
        await owner.click("Make the link")
        await owner.reads("Here is the link.")
        share = (await gate.call("GET", "shares"))["shares"][0]
        (link,) = share["links"]
        url = (await gate.call("GET", f"links/{link['id']}/url"))["url"]

        await ann.go(url)
        await ann.reads("shares “shared” with you")
        await ann.click("Open")
        await ann.at("/lab")
        await ann.reads("shared by Olga")
        await ann.go(f"{(await ann.address()).partition('/lab')[0]}/lab/tree/sub/shared/notes.md")
        await ann.click("shared notes", ".cm-content")
        await ann.call("WebDriver:PerformActions", actions=_typed("Written in Firefox. "))
        notes = server.root / "sub" / "shared" / "notes.md"
        await ann.until("what was typed to be saved", lambda: _holds(notes, "Written in Firefox."))

        await bo.go(url)
        await bo.reads("This link is in use by Ann.")
        await bo.click("I am somebody else")
        await bo.types("Your name", "Bo")
        await bo.click("Knock", "button")
        await bo.reads("Waiting for")
        await owner.click("To what is going on now")
        await owner.click("Admit")
        await bo.at("/lab")
        await bo.reads("shared by Olga")

        assert (await gate.call("POST", f"shares/{share['id']}/revoke"))["ended"]["pages"] == 2
        for visitor in (ann, bo):
            await visitor.reads("Olga ended sharing")
            assert "shared notes" not in await visitor.script("return document.documentElement.outerHTML")
            assert urlsplit(await visitor.address()).fragment == ""
        assert [*owner.complaints(), *ann.complaints(), *bo.complaints()] == []


async def _holds(path: Path, words: str) -> bool:
    return words in path.read_text()


def _typed(text: str) -> list[dict[str, object]]:
    """Keys as the WebDriver specification has them, "Actions"."""
    keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
    return [{"type": "key", "id": "keys", "actions": keys}]
