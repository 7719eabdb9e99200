"""Long lists, a page at a time."""

from __future__ import annotations

import pytest

from sharegate.dashboard.pages.paging import cut
from tests.dashboard.conftest import Office
from tests.dashboard.pages.reading import reading


def test_each_row_stands_on_one_page() -> None:
    """From the first to the last, with the way there and back; what else the address says is kept."""
    rows, page, seen = list(range(25)), "", []
    while True:
        found = cut(rows, {"page": page} if page else {}, 10, "/x", ended="1")
        seen += found.rows
        assert found.rows[0] == found.first - 1 and found.count == 25
        if not found.after:
            break
        assert found.after.startswith("/x?ended=1&page=")
        page = found.after.rpartition("=")[2]
    assert seen == rows and found.before == "/x?ended=1&page=2" and found.here == "/x?ended=1&page=3"
    assert cut(rows, {"page": "2"}, 10, "/").before == "/"


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 400, "²", "1.5", ""])
def test_attack_a_page_that_is_none(page: str) -> None:
    """It is the first, or the last where it lies past the end."""
    assert cut([1, 2, 3], {"page": page}, 2, "/").rows == [1, 2]
    assert cut([1, 2, 3], {"page": "9999999"}, 2, "/").rows == [3]
    assert cut([], {"page": page}, 2, "/").rows == []


async def test_many_shares_are_shown_by_the_page(office: Office) -> None:
    """On *Now* and in the overview; those with somebody inside come first."""
    ids = [(await office.share("week3", name=f"Share {number}"))["share"]["id"] for number in range(51)]
    async with reading(office) as reader:
        first, second = await reader.get("/"), await reader.get("/?page=2")
        assert first.count('class="door" id=') == 48 and 'href="/?page=2"' in first
        assert 'hx-get="/?page=2"' in second and 'href="/"' in second
        assert all((f'id="share-{id}"' in first) != (f'id="share-{id}"' in second) for id in ids)
        assert "51 shares" in await reader.words("/admin")
