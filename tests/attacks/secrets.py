"""What must stand nowhere, in the spellings in which it could, and the search for it."""

import base64
import os
import sys
import sysconfig
from collections.abc import Iterable
from urllib.parse import quote

from tests.gatehouse import Reply
from tests.real.jupyter import JupyterServer


def forbidden_in(workshop: JupyterServer, beyond: Iterable[str]) -> dict[str, bytes]:
    """By what it is called; `beyond` are names that stand nowhere in the share."""
    home = workshop.root.parent
    plain = {
        "raw token": workshop.token,
        "root": str(workshop.root),
        "home": str(home),
        "configuration": str(home / "config"),
        "runtime": str(home / "runtime"),
        "environment": sys.prefix,
        "libraries": sysconfig.get_paths()["purelib"],
        "share of the environment": os.path.join(sys.prefix, "share"),
        **{f"name {name}": name for name in beyond},
        "sibling": "sibling.txt",
        "file at the top": "outside.txt",
        "file beyond": "beyond.txt",
        "hidden file": ".hidden.txt",
        "link out": "link_secret",
        "cookie of the server": "username-127-0-0-1",
        "cross-site cookie of the server": "_xsrf=2|",
    }
    found = {name: text.encode() for name, text in plain.items()}
    for name in ("raw token", "root", "home"):
        text = plain[name]
        found[f"{name}, quoted"] = quote(text, safe="").encode()
        found[f"{name}, JSON with escaped slashes"] = text.replace("/", "\\/").encode()
        for shift in range(3):
            # As it stands in base64 whatever stands before it.
            encoded = base64.b64encode(b"x" * shift + text.encode())
            found[f"{name}, base64 {shift}"] = encoded[(shift * 8 + 5) // 6 : len(encoded) - 4]
    return found


def search(forbidden: dict[str, bytes], where: str, data: bytes) -> list[str]:
    return [f"{name} in {where}" for name, text in forbidden.items() if text in data]


def flat(reply: Reply) -> bytes:
    lines = [f"{reply.status} {reply.phrase}", *(f"{name}: {value}" for name, value in reply.headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body
