"""Where the links of a document lead."""

from __future__ import annotations

import pytest

from sharegate.paths import CanonicalPath
from sharegate.reading.links import Links
from sharegate.shares.model import RootKind

ROOT = CanonicalPath(("sub", "shared"))


def links(path: CanonicalPath, kind: RootKind = RootKind.DIRECTORY, root: CanonicalPath = ROOT) -> Links:
    return Links("/s/x/~v/", root, kind, path, CanonicalPath(path.segments[:-1]))


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("notes.md", "/s/x/~v/-/read/sub/shared/inner/notes.md"),
        ("./notes.md", "/s/x/~v/-/read/sub/shared/inner/notes.md"),
        ("../a%20b.md", "/s/x/~v/-/read/sub/shared/a%20b.md"),
        ("../inner/../data.csv?x=1#y", "/s/x/~v/-/read/sub/shared/data.csv"),
        ("..", "/s/x/~v/-/read/sub/shared"),
        ("deeper/", "/s/x/~v/-/read/sub/shared/inner/deeper"),
        ("#part", "#part"),
        ("https://example.org/a?b#c", "https://example.org/a?b#c"),
        ("mailto:ann@example.org", "mailto:ann@example.org"),
        ("../..", ""),
        ("../../shared2/x", ""),
        ("../../../../../../etc/passwd", ""),
        ("%2e%2e/%2e%2e/%2e%2e/secret", ""),
        ("..%2f..%2f..%2fsecret", ""),
        ("a%2fb", ""),
        ("a%5cb", ""),
        ("a%00b", ""),
        ("%252e%252e/x", ""),
        (".hidden", ""),
        ("x/.git/config", ""),
        ("/etc/passwd", ""),
        ("//evil.example/x", ""),
        ("\\\\evil.example\\x", ""),
        ("javascript:x", ""),
        ("JAVASCRIPT:x", ""),
        ("file:///etc/passwd", ""),
        ("https:", ""),
        ("http://[", ""),
        ("x" * 5000, ""),
        ("", ""),
    ],
)
def test_relative_links_are_read_and_confined(address: str, target: str) -> None:
    """Within the share below the visit, elsewhere as it is written, and anything else nowhere."""
    assert links(ROOT.join("inner", "nb.ipynb")).leads_to(address) == target


def test_a_shared_file_leads_to_nothing_beside_it() -> None:
    """Its folder is not shared."""
    one = links(ROOT.join("nb.ipynb"), RootKind.FILE, ROOT.join("nb.ipynb"))
    assert one.leads_to("notes.md") == "" and one.leads_to("nb.ipynb") == "/s/x/~v/-/read/sub/shared/nb.ipynb"
