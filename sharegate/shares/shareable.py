"""What can be shared at all: one judgement, asked when a share is made and when an owner looks for what to share."""

from __future__ import annotations

from sharegate.errors import Denied, Invalid, Refused
from sharegate.paths import CanonicalPath
from sharegate.shares.interfaces import RootFacts


def root_at(path: str) -> CanonicalPath:
    """A root by its path below the server's root, judged by the path alone. Raises Invalid, Refused."""
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


def check_facts(root: CanonicalPath, facts: RootFacts | None) -> RootFacts:
    """What stands there may be shared. Raises Invalid, Refused."""
    if facts is None:
        raise Invalid("path", f"there is no folder or file {str(root)!r} on the server", "Check the spelling")
    if facts.protected:
        raise held()
    return facts


def held() -> Refused:
    """The refusal of a root around something that the gate lives by."""
    # Where that is, is not told: who asks may be a program, which is to learn no place outside the server's root.
    problem = "keys or records of sharegate lie inside or around it"
    return Refused("protected_path", problem, "Share a folder apart from data_dir and keys_dir (sharegate config show)")
