"""Style sheets, scripts and icons of our pages, under an address that is their content: the door's, and by `read` those
of any other set of pages.

One digest covers the whole set, so that a module may import its neighbour by a relative address and never meets one of
another version.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sharegate.messages import Response

BASE = "/join/static"

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HEADERS = (
    ("Cache-Control", "public, max-age=31536000, immutable"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ("Referrer-Policy", "no-referrer"),
)


@dataclass(frozen=True, slots=True)
class Assets:
    """The files by name, and the digest of all of them. They are found below `base`."""

    base: str
    digest: str
    files: dict[str, bytes]

    def url(self, name: str) -> str:
        """The address of a file. Raises KeyError for one that does not exist, when the page is rendered first."""
        if name not in self.files:
            raise KeyError(name)
        return f"{self.base}/{self.digest}/{name}"

    def answer(self, digest: str, name: str) -> Response | None:
        """`GET <base>/<digest>/<name>`; None when there is no such file (the caller answers not_found)."""
        if digest != self.digest or name not in self.files:
            return None
        return Response(200, (("Content-Type", _TYPES[Path(name).suffix]), *_HEADERS), self.files[name])


# Colours and letters, which all sets of pages have in common.
INK = Path(__file__).parent / "static" / "ink.css"
_IMPORT = b'@import "ink.css";\n'


def read(folder: Path, base: str) -> Assets:
    """All files of a folder of ours that pages use. What a style sheet imports from INK stands in it, so that no page
    waits for a second file."""
    ink = INK.read_bytes()
    found = sorted(file for file in folder.iterdir() if file.suffix in _TYPES and file != INK)
    files = {file.name: file.read_bytes().replace(_IMPORT, ink) for file in found}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return Assets(base, digest.hexdigest()[:20], files)


@cache
def assets() -> Assets:
    """Read once: what is served and what the pages refer to are the same bytes for the life of the process."""
    return read(Path(__file__).parent / "static", BASE)


def static_file(digest: str, name: str) -> Response | None:
    """Answer `GET /join/static/<digest>/<name>`; None when there is no such file."""
    return assets().answer(digest, name)
