"""What an owner names of a server to be shared, read strictly."""

from __future__ import annotations

from sharegate.errors import Denied, Invalid
from sharegate.paths import CanonicalPath, Place
from sharegate.shares.model import FrontEnd, RootKind


def page_of(value: object) -> FrontEnd:
    """Raises Invalid."""
    try:
        return FrontEnd(str(value))
    except ValueError:
        names = " or ".join(FrontEnd)
        raise Invalid("page", f"{str(value)[:40]!r} is no front end of visitors", f"Choose {names}") from None


def open_file_of(value: str, root: CanonicalPath, kind: RootKind) -> str:
    """The file of a shared folder to begin with, named from the folder or from the server's root. Raises Invalid."""
    if not value:
        return ""
    if kind is RootKind.FILE:
        raise Invalid("open", "a shared file opens itself", "Leave --open away")
    try:
        path = CanonicalPath.from_body(value)
    except Denied as denied:
        raise Invalid("open", f"is no path: {denied.detail}", "Name a file inside the folder") from None
    if path.place(root) is not Place.INSIDE:
        path = root.join(*path.segments)
    if path.hidden or path.segments == root.segments:
        raise Invalid("open", "is not a file inside the shared folder", "Name a file inside the folder")
    return str(path)
