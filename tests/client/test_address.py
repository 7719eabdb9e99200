"""Which share is meant, and what is said of what is no link."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sharegate.client.address import find
from sharegate.client.errors import BadLink


def token(share: str = "k7f2k7f2k7") -> str:
    body = base64.urlsafe_b64encode(json.dumps({"sub": share, "jti": "x"}).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJFZERTQSJ9.{body}.c2lnbmF0dXJl"


TOKEN = token()
HERE = "http://127.0.0.1:8899"


@pytest.mark.parametrize(
    ("given", "beside", "url"),
    [
        (f"{HERE}/join#{TOKEN}", "", f"{HERE}/s/k7f2k7f2k7"),
        (f" https://share.example.org/join#{TOKEN}\n", "", "https://share.example.org/s/k7f2k7f2k7"),
        (f"{HERE}/s/k7f2k7f2k7", TOKEN, f"{HERE}/s/k7f2k7f2k7"),
        (f"{HERE}/s/k7f2k7f2k7/", f" {TOKEN}\n", f"{HERE}/s/k7f2k7f2k7"),
        (HERE, TOKEN, f"{HERE}/s/k7f2k7f2k7"),
        (f"https://k7f2k7f2k7.share.example.org/join#{TOKEN}", "", "https://k7f2k7f2k7.share.example.org"),
        ("https://k7f2k7f2k7.share.example.org", TOKEN, "https://k7f2k7f2k7.share.example.org"),
        ("http://k7f2k7f2k7.localhost:8899/", TOKEN, "http://k7f2k7f2k7.localhost:8899"),
        (f"http://[::1]:8899/join#{TOKEN}", "", "http://[::1]:8899/s/k7f2k7f2k7"),
    ],
)
def test_a_link_or_url_and_token_lead_to_the_shares_address(given: str, beside: str, url: str) -> None:
    """With all shares on one host, and with a host for each."""
    found = find(given, beside, environ={})
    assert (found.url, found.token) == (url, TOKEN)
    assert TOKEN not in repr(found)


def test_what_is_not_given_comes_from_the_environment(tmp_path: Path) -> None:
    """A link, or URL and token, the token in a variable or a file; what is given comes first."""
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    url = f"{HERE}/s/k7f2k7f2k7"
    for environ in (
        {"SHAREGATE_LINK": f"{HERE}/join#{TOKEN}"},
        {"SHAREGATE_URL": url, "SHAREGATE_TOKEN": TOKEN},
        {"SHAREGATE_URL": url, "SHAREGATE_TOKEN_FILE": str(file)},
    ):
        assert find(environ=environ) == find(url, TOKEN, environ={})
    other = token("m2x9m2x9m2")
    assert find(f"{HERE}/join#{other}", environ={"SHAREGATE_TOKEN": TOKEN}).token == other


@pytest.mark.parametrize(
    ("given", "beside", "environ", "says"),
    [
        ("", "", {}, "SHAREGATE_LINK"),
        ("", TOKEN, {}, "No link"),
        (f"{HERE}/join", "", {}, "no token"),
        (f"{HERE}/join#not-a-token", "", {}, "no share token"),
        (f"{HERE}/join#a.b.c", "", {}, "no share token"),
        (f"{HERE}/join#{TOKEN}", token("m2x9m2x9m2"), {}, "two tokens"),
        (f"{HERE}/s/m2x9m2x9m2", TOKEN, {}, "two shares"),
        (f"{HERE}/lab", TOKEN, {}, "no address of a share"),
        (f"ftp://127.0.0.1/join#{TOKEN}", "", {}, "no link"),
        (f"/join#{TOKEN}", "", {}, "no link"),
        (f"http://me:pw@127.0.0.1/join#{TOKEN}", "", {}, "no link"),
        (f"http://127.0.0.1:99999/join#{TOKEN}", "", {}, "no address"),
        (f"{HERE}/join?token={TOKEN}", "", {}, "no link"),
        (f"http://share.example.org/join#{TOKEN}", "", {}, "Plain http"),
        (f"http://127.0.0.1.example.org/join#{TOKEN}", "", {}, "Plain http"),
        (f"{HERE}/join", "", {"SHAREGATE_TOKEN_FILE": "/nowhere/token"}, "FileNotFoundError"),
    ],
)
def test_what_is_no_link_is_said_without_repeating_it(
    given: str, beside: str, environ: dict[str, str], says: str
) -> None:
    """A remedy, and no token, whole or in part."""
    with pytest.raises(BadLink, match=says) as caught:
        find(given, beside, environ=environ)
    assert caught.value.reason == "bad_link"
    assert TOKEN.split(".")[1] not in str(caught.value) + repr(caught.value)


def test_plain_http_is_for_those_who_ask_for_it() -> None:
    """Whoever listens in can take the token; `localhost` is this computer."""
    assert find(f"http://share.lan/join#{TOKEN}", insecure=True, environ={}).url == "http://share.lan/s/k7f2k7f2k7"
    assert find(f"http://localhost:1/join#{TOKEN}", environ={}).url == "http://localhost:1/s/k7f2k7f2k7"
