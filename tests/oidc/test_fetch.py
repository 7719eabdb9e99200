"""Asking a provider. What it may do wrong is tried in test_flow.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from sharegate.oidc.fetch import Away, Fetch
from tests.oidc.party import Party


@pytest.mark.parametrize(
    "url",
    [
        *("http://login.example.org/", "http://127.0.0.1.example.org/", "ftp://localhost/", "file:///etc/passwd"),
        *("https://me@login.example.org/", "https:///x", "https://x:y/", "//x.org", "", "https://x.org/#y"),
        "https://x.org/" + "y" * 3000,
    ],
)
def test_attack_an_address_that_is_not_asked(url: str) -> None:
    """Only https; plain http on this computer, and only where the provider itself is here."""
    for near in (True, False):
        with pytest.raises(Away):
            Fetch(near=near).check(url)


def test_plain_http_to_this_computer_only_where_the_provider_is_here() -> None:
    """So that no provider elsewhere has the gate ask its own computer."""
    for url in ("http://127.0.0.1:8888/api", "http://localhost/", "http://[::1]/"):
        assert Fetch(near=True).check(url) == url
        with pytest.raises(Away):
            Fetch().check(url)


async def test_certificates_that_cannot_be_read(there: Party, tmp_path: Path) -> None:
    """Nobody signs in, and the owner is told which setting it is."""
    with pytest.raises(Away, match="oidc_ca_file"):
        await Fetch(tmp_path / "none", near=True).get(f"{there.url}/keys")


async def test_attack_cookies_of_the_provider(there: Party) -> None:
    """Are not sent back: one sign-in has nothing to do with the next."""
    heard: list[str] = []

    def keys(request: web.Request) -> web.Response:
        heard.append(request.headers.get("Cookie", ""))
        return web.json_response({}, headers={"Set-Cookie": "who=ann; Path=/"})

    there.instead = {"/keys": keys}
    fetch = Fetch(near=True)
    for _ in range(2):
        await fetch.get(there.url.replace("127.0.0.1", "localhost") + "/keys")
    assert heard == ["", ""]


async def test_attack_a_proxy_in_the_environment(there: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not asked: what the gate tells its provider is for the provider."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    await Fetch(near=True).get(f"{there.url}/keys")
    assert there.asked == ["/keys"]
