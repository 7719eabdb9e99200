"""Static files under addresses that never change: a share's `-/static/<digest>/<path>`.

They are fetched without a credential (an upstream's error page then carries no token) and are the same for every visit,
so browsers keep them for a year and the gate keeps the recent ones in memory. Our own page.js and page.css live below
`/-/static/<digest>/-/`, with a digest of their own.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from importlib.resources import files

from sharegate.errors import Denied, Reason
from sharegate.messages import Headers, Response
from sharegate.shares.addresses import ShareAddresses

MAX_CACHE = 64 << 20
MAX_ASSET = 16 << 20
OWN = "-"

# By name, not by what an upstream says: nothing static is ever HTML.
_TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "gif": "image/gif",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "ttf": "font/ttf",
    "eot": "application/vnd.ms-fontobject",
    "wasm": "application/wasm",
    "txt": "text/plain; charset=utf-8",
}
# What an upstream serves without authentication (measured: traversal below these ends in 404).
_ROOTS = (
    *(("static", "lab"), ("static", "notebook"), ("static", "favicons")),
    *(("lab", "extensions"), ("lab", "api", "themes")),
)

_COMMON = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    # For the one who opens a picture or a script as a page of its own.
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"),
)
_IMMUTABLE = ("Cache-Control", "public, max-age=31536000, immutable")


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    content_type: str
    etag: str

    @classmethod
    def of(cls, name: str, body: bytes) -> Asset:
        return cls(body, content_type(name), f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def content_type(name: str) -> str:
    return _TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")


def upstream_path(segments: tuple[str, ...]) -> str:
    """Where a static address (below its digest) lies on the upstream; Denied(`not_found`) outside the known roots."""
    for root in _ROOTS:
        if segments[: len(root)] == root and len(segments) > len(root):
            return "/".join(segments)
    raise Denied(Reason.NOT_FOUND, "not a static address")


def static_answer(asset: Asset, request: Headers, *, head: bool = False, immutable: bool = True) -> Response:
    """200 or 304. `immutable` is False when the digest of the address is not the upstream's present one: such a file
    is served once and kept by nobody."""
    caching = _IMMUTABLE if immutable else ("Cache-Control", "no-store")
    headers = (caching, ("ETag", asset.etag), *_COMMON)
    asked = {tag.strip().removeprefix("W/") for tag in request.get("If-None-Match").split(",")}
    if asset.etag in asked:
        return Response(304, headers)
    typed = (("Content-Type", asset.content_type), *headers)
    if head:
        return Response(200, (*typed, ("Content-Length", str(len(asset.body)))))
    return Response(200, typed, asset.body)


class StaticCache:
    """The most recently used static files, at most `limit` bytes of them. One event loop, no lock."""

    def __init__(self, limit: int = MAX_CACHE) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[tuple[str, str, str], Asset] = OrderedDict()

    def get(self, upstream: str, digest: str, path: str) -> Asset | None:
        asset = self._kept.get((upstream, digest, path))
        if asset is not None:
            self._kept.move_to_end((upstream, digest, path))
        return asset

    def put(self, upstream: str, digest: str, path: str, body: bytes) -> Asset:
        """Keep a whole file and return it as it is answered; one larger than the cache is not kept."""
        key = (upstream, digest, path)
        asset = Asset.of(path, body)
        former = self._kept.pop(key, None)
        if former is not None:
            self._size -= len(former.body)
        if len(body) <= self._limit:
            self._kept[key] = asset
            self._size += len(body)
        while self._size > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.body)
        return asset

    def __repr__(self) -> str:
        return f"<StaticCache {len(self._kept)} files, {self._size} of {self._limit} bytes>"


class OwnAssets:
    """page.js, its modules and page.css as they are installed, under the digest of all."""

    NAMES = (
        *("page.js", "page.css", "banner.js", "editing.js", "hands.js", "kept.js", "live.js", "menus.js", "place.js"),
        *("reading.js", "readonly.js", "sockets.js", "typed.js", "words.js"),
    )

    def __init__(self) -> None:
        folder = files("sharegate.lab") / "assets"
        self._assets = {name: Asset.of(name, (folder / name).read_bytes()) for name in self.NAMES}
        whole = hashlib.sha256(b"\0".join(asset.body for asset in self._assets.values()))
        self.digest = whole.hexdigest()[:20]

    def address(self, share: ShareAddresses, name: str) -> str:
        """The absolute path of one asset."""
        if name not in self._assets:
            raise KeyError(name)
        return f"{share.static(self.digest)}{OWN}/{name}"

    def find(self, digest: str, segments: tuple[str, ...]) -> Asset | None:
        """The asset behind `/-/static/<digest>/-/<name>`; None for any other address or a former digest."""
        if digest != self.digest or len(segments) != 2 or segments[0] != OWN:
            return None
        return self._assets.get(segments[1])
