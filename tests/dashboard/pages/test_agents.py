"""Browsers by their names."""

from __future__ import annotations

import pytest

from sharegate.dashboard.pages.agents import browser

WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K)"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"{WINDOWS} {CHROME} Safari/537.36", "Chrome on Windows"),
        (f"{WINDOWS} {CHROME} Safari/537.36 Edg/145.0.0.0", "Edge on Windows"),
        (f"{MAC} {WEBKIT} Version/19.0 Safari/605.1.15", "Safari on Mac"),
        (f"{IPHONE} {WEBKIT} Version/19.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (f"{IPHONE} {WEBKIT} CriOS/145.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (f"{ANDROID} {CHROME} Mobile Safari/537.36", "Chrome on Android"),
        (
            f"{ANDROID} AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29 Chrome/136 Safari/537.36",
            "Samsung Internet on Android",
        ),
        ("Mozilla/5.0 Firefox/140.0", "Firefox"),
    ],
)
def test_a_browser_is_told_by_its_name(agent: str, words: str) -> None:
    """And by where it runs."""
    assert browser(agent) == words


@pytest.mark.parametrize(
    "agent", ["", "python-requests/2.32", "curl/8", "Mozilla/5.0", "Firefox/1 on Linux\u202e", "<b>"]
)
def test_what_is_no_browsers_is_left_as_it_is(agent: str) -> None:
    """Whatever a program calls itself."""
    assert browser(agent) == agent
