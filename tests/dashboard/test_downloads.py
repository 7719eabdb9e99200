"""Files that the dashboard writes in the browser."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import aiohttp
import pytest

from sharegate.audit.events import Action
from sharegate.dashboard.downloads import EXPORTS
from tests.dashboard.client import Signed
from tests.dashboard.conftest import Office
from tests.dashboard.pages.hostile import FORMULA
from tests.dashboard.pages.party import party
from tests.dashboard.pages.reading import reading


async def test_the_history_comes_as_a_file_with_all_its_pages(office: Office) -> None:
    """More than one page of the API; as a download, whose content no browser runs."""
    there = await party(office)
    for number in range(700):
        await there.record(Action.REQUEST_ANSWERED, "Ann", path=f"week3/{number}", after=0.1)
    async with reading(office) as reader:
        async with reader.http.get("/api/v1/audit/download?format=csv&action=request.answered") as answer:
            text = await answer.text()
            assert answer.headers["Content-Disposition"] == 'attachment; filename="sharegate-history.csv"'
            assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
            assert "sandbox" in answer.headers["Content-Security-Policy"]
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == 704 and len({row["seq"] for row in rows}) == 704
        async with reader.http.get("/api/v1/audit/download?format=jsonl&action=request.answered") as answer:
            lines = (await answer.text()).splitlines()
    assert [json.loads(line)["path"] for line in lines] == [row["path"] for row in rows]


async def test_attack_formulas_are_texts_in_every_download(office: Office) -> None:
    """Names, paths and agents that a spreadsheet would run have an apostrophe in front."""
    there = await party(office, FORMULA[:20], "-2+3", "@x")
    await there.record(Action.REQUEST_DENIED, FORMULA[:20], path="=1+1", agent="+1", reason="not_found")
    async with reading(office) as reader:
        for address, _, _ in EXPORTS:
            async with reader.http.get(
                address, params={"format": "csv"} | ({"q": "hyper"} if "search" in address else {})
            ) as answer:
                assert answer.status == 200
                rows = list(csv.reader(io.StringIO(await answer.text())))
            assert len(rows) > 1, address
            for row in rows:
                assert not any(cell[:1] in ("=", "+", "-", "@") for cell in row), address


@pytest.mark.parametrize(("address", "verb", "name"), EXPORTS)
async def test_what_cannot_be_exported_is_told(office: Office, address: str, verb: str, name: str) -> None:
    """By the field and what to choose, and as no file."""
    async with reading(office) as reader, reader.http.get(address, params={"format": "exe", "q": "ab"}) as answer:
        said = json.loads(await answer.text())
    assert answer.status == 400 and "Content-Disposition" not in answer.headers
    assert (said.get("error") or said)["field"] == "format"


@pytest.mark.parametrize("address", [address for address, _, _ in EXPORTS])
async def test_a_head_of_a_download_is_a_head_alone(office: Office, address: str) -> None:
    """Nothing is written after it: whatever came would be read as the answer to the next request of the connection."""
    await party(office)
    page = Signed(office)
    await page.enter()
    port = office.running.config.dashboard_port
    more = "?q=ann" if "search" in address else ""
    asked = "".join(f"{name}: {value}\r\n" for name, value in page.headers().items())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"HEAD {address}{more} HTTP/1.1\r\nHost: localhost:{port}\r\n{asked}\r\n"
        f"GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()
    )
    head, _, after = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    await page.close()
    assert head.startswith(b"HTTP/1.1 200 ") and b"attachment" in head and b"chunked" not in head
    assert after.startswith(b"HTTP/1.1 200 ") and b'"status": "ok"' in after


async def test_a_download_that_breaks_off_is_no_whole_file(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store goes away in between: the connection is cut, so that nobody takes the beginning for all of it."""
    there = await party(office)
    for number in range(700):
        await there.record(Action.REQUEST_ANSWERED, "Ann", path=f"week3/{number}", after=0.1)
    api: Any = office.running.api
    call = api.call

    async def failing(method: str, path: str, query: Any = None, body: Any = None, **more: Any) -> Any:
        if (query or {}).get("cursor"):
            return 503, {"error": {"code": "store_unavailable", "message": "gone", "field": "", "remedy": ""}}
        return await call(method, path, query, body, **more)

    monkeypatch.setattr(api, "call", failing)
    async with reading(office) as reader, reader.http.get("/api/v1/audit/download?format=csv") as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await answer.text()


async def test_attack_somebody_who_is_not_signed_in_downloads(office: Office) -> None:
    """They get what everybody gets who is not signed in."""
    async with aiohttp.ClientSession(office.running.dashboard_url) as http:
        for address, _, _ in EXPORTS:
            async with http.get(address, headers={"Sec-Fetch-Dest": "empty"}) as answer:
                assert answer.status == 401
