"""What the browser tests of the door's pages share."""

from __future__ import annotations

OPEN = "button:visible[type=submit]"
HIDDEN = {
    "share": {"name": "", "kind": "directory", "folder": "", "message": ""},
    "link": {"name": "", "kind": "person"},
}
