"""Where links and pictures of a document lead: below the visit, if they lie inside the share, or to other sites."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sharegate.confine.request import place_of
from sharegate.errors import Denied
from sharegate.paths import CanonicalPath, Place
from sharegate.shares.model import RootKind

_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class Links:
    """For one document at `path`. `base` is the visit's; `root` and `kind` are the share's. Whether something stands at
    a path is not looked at: asking for it tells."""

    base: str
    root: CanonicalPath
    kind: RootKind
    path: CanonicalPath
    folder: CanonicalPath

    def page(self, path: CanonicalPath) -> str:
        return f"{self.base}-/read/{path.encoded}"

    def picture(self, path: CanonicalPath) -> str:
        return f"{self.base}-/picture/{path.encoded}"

    def output(self, digest: str) -> str:
        """A picture within the document."""
        return f"{self.picture(self.path)}?of={digest}"

    def leads_to(self, address: str) -> str:
        """The `href` for what a document says; "" for what a reader is not led to: scripts, data, what lies outside or
        is hidden."""
        if elsewhere(address):
            return address
        if address.startswith("#") and len(address) < 200:
            return address
        inside = self.inside(address)
        return self.page(inside) if inside is not None else ""

    def inside(self, address: str) -> CanonicalPath | None:
        """The path that a relative address means, read as the folder's pages would; None unless it is inside."""
        try:
            parts = urlsplit(address)
        except ValueError:
            return None
        if len(address) > _LONGEST or parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
            return None
        segments = list(self.folder.segments)
        for piece in parts.path.split("/"):
            word = unquote(piece)
            if word in ("", "."):
                continue
            if word == "..":
                if not segments:
                    return None
                segments.pop()
            else:
                segments.append(word)
        try:
            # Judged as if it had been asked for.
            found = CanonicalPath.from_body("/".join(segments))
        except Denied:
            return None
        if found.hidden or place_of(found, self.root, self.kind) is not Place.INSIDE:
            return None
        return found if len(found.segments) == len(segments) else None


def elsewhere(address: str) -> bool:
    """Whether it leads to another site, or to a mailbox."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    if parts.scheme.lower() in ("http", "https"):
        return bool(parts.netloc) and len(address) <= _LONGEST
    return parts.scheme.lower() == "mailto" and len(address) <= 300
