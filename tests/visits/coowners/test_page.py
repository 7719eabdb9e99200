"""A co-owner's page as it is sent."""

from __future__ import annotations

import re

from msgspec import structs

from sharegate.shares.model import Link, Share, Visit
from sharegate.visits.coowners.page import elsewhere_page, page, unsafe_page
from sharegate.visits.coowners.standing import Coowner

EVIL = '"><script>alert(1)</script>\u202e'
SHARE = Share(id="s", upstream="u", owner="Olga", root="week3", name="Week 3", created=1.0, expires=9e9)
LINK = Link(id="l", share="s", letter="a", name="Tia", created=1.0, expires=9e9)
VISIT = Visit(id="v", share="s", link="l", number=1, created=1.0, expires=9e9)


def test_everything_stands_in_the_page() -> None:
    """It loads nothing, connects to the gate alone, runs one script, and belongs to nobody's origin."""
    said = page(Coowner(SHARE, LINK, VISIT, ""), key="the-key", origin="https://gate.example:8443")
    headers, body = dict(said.headers), said.body.decode()  # type: ignore[union-attr]
    policy = headers["Content-Security-Policy"].split("; ")
    nonce = next(each for each in policy if each.startswith("script-src")).removeprefix("script-src ")
    assert policy == [
        "default-src 'none'",
        f"script-src {nonce}",
        f"style-src {nonce}",
        "connect-src wss://gate.example:8443",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "sandbox allow-scripts",
    ]
    assert re.findall(r"(?:src|href)=", body) == []
    assert headers["X-Frame-Options"] == "DENY" and headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer" and "Cross-Origin-Opener-Policy" not in headers
    assert 'data-key="the-key"' in body and f'nonce="{nonce[7:-1]}"' in body


def test_attack_markup_in_names() -> None:
    """What an owner called the share is text."""
    share = structs.replace(SHARE, name=EVIL, owner=EVIL)
    body = page(Coowner(share, LINK, VISIT, ""), key="k", origin="http://localhost").body.decode()  # type: ignore[union-attr]
    assert "<script>alert" not in body and body.count("<script") == 2


def test_the_pages_without_a_key() -> None:
    """They run nothing at all."""
    for said in (elsewhere_page("/s/x/~y/-/coowner"), unsafe_page()):
        policy = dict(said.headers)["Content-Security-Policy"]
        assert said.status == 403 and "script-src" not in policy and "default-src 'none'" in policy
        assert b"<script" not in said.body and b"data-key" not in said.body  # type: ignore[operator]
