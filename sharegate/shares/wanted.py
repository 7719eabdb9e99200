"""What an owner names of a server to be shared, read strictly."""

from __future__ import annotations

from sharegate.errors import Denied, Invalid, Refused
from sharegate.paths import CanonicalPath, Place
from sharegate.shares.model import FrontEnd, RootKind


def page_of(value: object) -> FrontEnd:
    """Raises Invalid."""
    try:
        return FrontEnd(str(value))
    except ValueError:
        names = " or ".join(FrontEnd)
        raise Invalid("page", f"{str(value)[:40]!r} is no front end of visitors", f"Choose {names}") from None


def root_of(path: str) -> CanonicalPath:
    """What is to be shared. Raises Invalid, and Refused for what never is."""
    try:
        root = CanonicalPath.from_body(path.strip("/"))
    except Denied as denied:
        raise Invalid("path", f"cannot be shared: {denied.detail}", "Name a plain folder or file") from None
    if not root.segments:
        raise Refused(
            "root_of_server",
            "this is the server's own root folder, which holds everything",
            "Share a folder inside it",
        )
    if root.hidden:
        raise Refused("hidden_path", "hidden folders and files are never shared", "Move it out of the dot folder")
    return root


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
