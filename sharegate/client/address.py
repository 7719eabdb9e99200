"""Where a share is and what opens it: from a link, or from URL and token, given or in the environment.

SHAREGATE_LINK          https://share.example.org/join#<share token>
SHAREGATE_URL           https://share.example.org/s/<share>
SHAREGATE_TOKEN         the share token, or
SHAREGATE_TOKEN_FILE    a file that holds it
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from sharegate.client.errors import BadLink

LINK, URL, TOKEN, TOKEN_FILE = "SHAREGATE_LINK", "SHAREGATE_URL", "SHAREGATE_TOKEN", "SHAREGATE_TOKEN_FILE"


class _Claims(msgspec.Struct):
    sub: str


@dataclass(frozen=True, slots=True)
class Address:
    """`url` is the share's address for programs, without a slash at its end; `token` is shown by no repr."""

    url: str
    token: str = field(repr=False)


def find(
    given: str = "", token: str = "", *, insecure: bool = False, environ: Mapping[str, str] = os.environ
) -> Address:
    """The address that `given` (a link, or a share's URL) and `token` say; what is missing comes from the environment.

    BadLink names what is wrong, never what was given. The token's signature is the gate's to check.
    """
    if not given and not token:
        given = environ.get(LINK, "") or environ.get(URL, "")
    if not given:
        raise BadLink("bad_link", f"No link was given. Pass it, or set {LINK}")
    parts = _split(given)
    if parts.fragment and token and parts.fragment != token:
        raise BadLink("bad_link", "There are two tokens, one in the link and one beside it. Give one")
    token = (parts.fragment or token or _from_environment(environ)).strip()
    share = _share_of(token)
    if parts.scheme == "http" and not insecure and not _is_here(parts.hostname or ""):
        raise BadLink("bad_link", "Plain http would show the token to whoever listens. Use https, or insecure=True")
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/")
    # A share with an origin of its own has its id for the first label of its name.
    own_origin = (parts.hostname or "").partition(".")[0] == share
    here = "" if own_origin else f"/s/{share}"
    if path not in ("/join", "", here):
        raise BadLink("bad_link", "The address and the token are of two shares, or this is no address of a share")
    return Address(origin + here, token)


class _Parts(msgspec.Struct):
    scheme: str
    netloc: str
    hostname: str | None
    path: str
    fragment: str


def _split(given: str) -> _Parts:
    try:
        parts = urlsplit(given.strip())
        parsed = _Parts(parts.scheme, parts.netloc, parts.hostname, parts.path, parts.fragment)
        good = parts.port is None or parts.port > 0
    except ValueError:
        raise BadLink("bad_link", "That is no address. Copy the whole link") from None
    if not good or parsed.scheme not in ("http", "https") or not parsed.hostname or "@" in parsed.netloc or parts.query:
        raise BadLink("bad_link", "That is no link of a share. It looks like https://…/join#…")
    return parsed


def _from_environment(environ: Mapping[str, str]) -> str:
    if environ.get(TOKEN):
        return environ[TOKEN]
    if not environ.get(TOKEN_FILE):
        raise BadLink("bad_link", f"The link has no token after #. Copy the whole link, or set {TOKEN}")
    try:
        return Path(environ[TOKEN_FILE]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadLink("bad_link", f"The file of {TOKEN_FILE} cannot be read: {type(error).__name__}") from None


def _share_of(token: str) -> str:
    """The id of the share that a token is for, as it says itself."""
    head, _, rest = token.partition(".")
    body, _, signature = rest.partition(".")
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=_Claims)
    except (ValueError, msgspec.MsgspecError):
        claims = _Claims("")
    if not head or not signature or not (claims.sub.isascii() and claims.sub.isalnum()):
        raise BadLink("bad_link", "That is no share token. Copy the whole link")
    return claims.sub


def _is_here(host: str) -> bool:
    """Whether a name means this computer (RFC 6761 section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
