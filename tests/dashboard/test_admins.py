"""What is for admins, asked by somebody who is none."""

from __future__ import annotations

import re

import pytest

from sharegate.dashboard.admins import ADMINS, for_admins
from sharegate.dashboard.pages.site import PAGES
from tests.dashboard.conftest import Office
from tests.dashboard.pages.reading import reading

SHARE = "k7f2k7f2k7"
# Each as somebody writes it: a share's id, and the longer form where a part may be left out.
ADDRESSES = [
    re.sub(r"\(\?P<id>[^)]*\)", SHARE, pattern).replace("(?:", "").replace(")?", "") for pattern, _, _ in PAGES
]
PATHS = sorted(path for path in ADDRESSES if path.startswith("/admin"))


async def test_attack_somebody_who_is_no_admin_looks_at_the_pages_of_admins(office: Office) -> None:
    """Every address of theirs is refused with a page that shows nothing, in whatever spelling."""
    await office.share(**{"for": ["Ann"]})
    assert len(PATHS) >= 7
    async with reading(office, admin=False) as reader:
        for path in PATHS:
            for spelled in (path, path + "?q=ann&preview=1&stolen=1", path.replace("a", "%61", 1)):
                source = await reader.get(spelled, 403)
                assert "This is for admins" in source and "week3" not in source, spelled
        for path in ("/%2Fadmin", "/admin/", "/Admin", "/x/../admin//", "/admin/;/keys"):
            async with reader.http.get(path) as answer:
                assert answer.status in (403, 404), path


async def test_attack_somebody_who_is_no_admin_calls_what_their_pages_call(office: Office) -> None:
    """The API of those pages is refused by the same rule, before it is looked at."""
    share = (await office.share())["share"]["id"]
    before = await office.everything()
    async with reading(office, admin=False) as reader:
        headers = {"Origin": reader.url, "X-CSRF-Token": reader.csrf}
        verbs = [path for path in ADMINS if path.startswith("/api/")]
        for path in (*verbs, "/api/v1/keys/rotate", "/api/v1/rules/reload", "/api/v1/review/pause", "/api/v1/search/x"):
            for method in ("GET", "POST"):
                body = {"shares": [share]} if method == "POST" else None
                async with reader.http.request(method, path, json=body, headers=headers) as answer:
                    assert answer.status == 403 and "not_admin" in await answer.text(), (method, path)
        async with reader.http.get("/api/v1/search/download?q=week") as answer:
            assert answer.status == 403
        async with reader.http.get("/api/v1/shares") as answer:
            assert answer.status == 200
    assert await office.everything() == before


async def test_admins_see_every_page(office: Office) -> None:
    """None of them needs something that is not there yet."""
    share = (await office.share(**{"for": ["Ann"]}))["share"]["id"]
    async with reading(office) as reader:
        for path in ADDRESSES:
            if not path.startswith(("/versions/", "/undo/", "/compare")):
                await reader.get(path.replace(SHARE, share))


@pytest.mark.parametrize(
    ("path", "theirs"),
    [
        ("/admin", True),
        ("/admin/x", True),
        ("/administrators", False),
        ("/history", False),
        ("/api/v1/keys/rotate", True),
        ("/api/v1/keysets", False),
    ],
)
def test_a_rule_holds_for_what_stands_below_it(path: str, theirs: bool) -> None:
    """Whole segments are compared."""
    assert for_admins(path) is theirs
