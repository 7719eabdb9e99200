"""What stands in the head of every answer, whoever asks and however: nothing private is kept by a cache, sniffed,
framed by another page, told to other sites or shown to their scripts.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDictProxy
from yarl import URL

from sharegate.dashboard.downloads import EXPORTS
from sharegate.dashboard.pages.site import ADMIN_PAGES, PAGES
from tests.conftest import Clock
from tests.dashboard.client import Program, Signed
from tests.visits.signer import Desk, signing

METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "POST")
ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


@pytest.fixture
async def desk(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with signing(tmp_path, clock, monkeypatch) as desk:
        yield desk


def judge(where: str, said: CIMultiDictProxy[str]) -> None:
    for name, value in ALWAYS.items():
        assert said.getall(name) == [value], (where, name)
    (policy,) = said.getall("Content-Security-Policy")
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy.split("; ")), where
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"} & set(policy.split()), where
    assert said["Cross-Origin-Resource-Policy"] == "same-origin", where
    assert not [name for name in said if name.lower().startswith("access-control-")], where
    if said.get("Content-Type", "").startswith("text/html"):
        assert said["Cross-Origin-Opener-Policy"] == "same-origin" and said["X-Frame-Options"] == "DENY", where
        assert "Accept-Language" in said["Vary"], where


async def heads(
    http: aiohttp.ClientSession, url: str, paths: list[str], headers: Mapping[str, str], **more: Any
) -> set[int]:
    """Judges each answer; their statuses."""
    statuses = set()
    for path in paths:
        for method in METHODS:
            address = URL(url + path, encoded=True)
            async with http.request(method, address, headers=headers, allow_redirects=False, **more) as answer:
                await answer.read()
                statuses.add(answer.status)
                judge(f"{method} {path}: {answer.status}", answer.headers)
    return statuses


async def test_attack_what_the_dashboard_answers_is_kept_or_framed(desk: Desk) -> None:
    """Each page, each question of the API and each download, with a cookie, a token and nothing."""
    office = desk.office
    share = (await office.share(**{"for": ["Ann"]}))["share"]["id"]
    pages = [re.sub(r"\(\?P<id>[^)]*\)", share, each) for each, _, _ in (*PAGES, *ADMIN_PAGES)]
    asked = [each for route in office.running.api.routes for each, *_ in route.addresses() if route.method == "GET"]
    paths = [each.replace("(?:", "").replace(")?", "") for each in pages]
    paths += [each.replace("{id}", share) for each in asked]
    paths += [address + ("?q=ann" if "search" in address else "") for address, _, _ in EXPORTS]
    paths += ["/login", "/login/signed?code=a&state=b", "/live", "/metrics", "/health", "/nowhere", "/static/a/b"]
    browser, program, nobody = Signed(office), Program(office, await office.token("shares:read")), Program(office)
    await browser.enter()
    statuses = set()
    for client in (browser, program, nobody):
        headers = {name: value for name, value in client.headers().items() if name != "X-CSRF-Token"}
        statuses |= await heads(client.http, office.running.dashboard_url, paths, headers)
        await client.close()
    assert statuses >= {200, 400, 401, 403, 404, 405} and not statuses & {500, 502, 503}


async def test_attack_what_visitors_are_answered_is_kept_or_framed(desk: Desk) -> None:
    """The door, its refusals, and what stands below a visit, for who is in and for who is not."""
    share = await desk.office.share(**{"for": ["Ann"]})
    ann, nobody = desk.person(), desk.person()
    visit = await ann.enter(share["links"][0]["url"].partition("#")[2])
    base = f"/s/{share['share']['id']}"
    below = ("-/ended", "-/live", "-/coowner", "-/time", "-/leave", "-/report", "-/read/", "-/nothing", "api/terminals")
    paths = [f"{base}/~{visit}/{each}" for each in below] + [f"{base}/api/contents", f"{base}/-/static/a/b", "/%2e"]
    paths += ["/", "/join", "/join?token=a", "/join/about", "/join/signed?code=a&state=b", "/join/static/a/b", "/code"]
    paths += ["/robots.txt", "/nowhere", "/s/x/~y/lab"]
    statuses = set()
    for person in (nobody, ann):
        for accept in ("text/html", "application/json"):
            statuses |= await heads(person.http, person.url, paths, {"Accept": accept, "Origin": person.url})
    assert statuses >= {200, 302, 400, 401, 403, 404} and not statuses & {500, 502, 503}
