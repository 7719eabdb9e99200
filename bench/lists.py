"""`python -m bench lists`: what the owner's API and the pages of lists need, of so many shares, and of a large folder.

While a page is made the gate answers nobody else for the longest part of it that does not wait: that is told beside it.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sharegate import app, config
from sharegate.dashboard.login import Session, Viewer
from sharegate.dashboard.pages.site import Pages
from sharegate.dashboard.register import Register
from sharegate.shares.model import Knock, Link, Share, Visit
from sharegate.upstream.model import Credential, Upstream

SERVER = "srv2345678"
LINKS = 3
VISITS = 5
OWNERS = 50
KNOCKS = 100
AT_ONCE = 250
ENTRIES = 10_000
_ROUNDS = 5
Api = Any


async def server(api: Api, root: Path) -> asyncio.Server:
    """A server of this process, which says nothing but that it is one."""
    listening = await asyncio.start_server(_answers, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    await api._store.put_upstream(
        Upstream(
            id=SERVER,
            name="main",
            owner="Olga",
            url=f"http://127.0.0.1:{port}/",
            root_dir=str(root),
            pid=os.getpid(),
            uid=os.getuid(),
            token=Credential("x" * 32),
        )
    )
    return listening


async def plant(api: Api, first: int, last: int) -> None:
    """Each share with three links and five visits, all of which stand; of fifty owners."""
    for begin in range(first, last, AT_ONCE):
        await asyncio.gather(*(_share(api, number) for number in range(begin, min(begin + AT_ONCE, last))))


async def _share(api: Api, number: int) -> None:
    store, share = api._store, f"s{number:09d}"
    kept: dict[str, Any] = {"created": time.time() - number, "expires": time.time() + 10**7}
    links = [
        Link(id=f"l{number:07d}{at}", share=share, letter="abc"[at], name=f"Person {at}", **kept) for at in range(LINKS)
    ]
    told = {"root": f"lectures/week{number}", "name": f"week {number}", "owner": f"Owner {number % OWNERS}"}
    await store.add_share(Share(id=share, upstream=SERVER, **told, **kept), links)
    for at in range(VISITS):
        link = links[at % LINKS]
        visit = Visit(id=f"v{number:07d}{at}", share=share, link=link.id, number=1, name=f"{link.name} {at}", **kept)
        await store.open_visit(visit, seats=None)
    if number < KNOCKS:
        knock = Knock(id=f"k{number:07d}", share=share, link=links[0].id, name=f"Eve {number}", created=time.time())
        await store.add_knock(knock, limit=10)


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            body = b'{"version": "2.99.0"}'
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            writer.write(head % len(body) + body)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _longest(stop: asyncio.Event) -> float:
    """The longest time for which nobody else had a turn."""
    worst, before = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0)
        now = time.perf_counter()
        worst, before = max(worst, now - before), now
    return worst


async def timed(ask: Callable[[], Awaitable[int]]) -> tuple[float, float, int]:
    """Milliseconds, the longest of them without a turn for others, and how many came."""
    took, stalls, came = [], [], 0
    for _ in range(_ROUNDS):
        stop = asyncio.Event()
        beside = asyncio.create_task(_longest(stop))
        await asyncio.sleep(0)
        began = time.perf_counter()
        came = await ask()
        took.append((time.perf_counter() - began) * 1000)
        stop.set()
        stalls.append(await beside * 1000)
    return statistics.median(took), statistics.median(stalls), came


async def called(api: Api, verb: str, **query: str) -> dict[str, Any]:
    status, answer = await api.call("GET", f"/api/v1/{verb}", query)
    assert status == 200, answer
    return dict(answer)


async def everything(api: Api, path: str, **query: str) -> int:
    """All pages, as far as there are pages."""
    count, cursor = 0, ""
    while True:
        answer = await called(api, path, **query, **({"cursor": cursor} if cursor else {}))
        count += len(answer[path])
        cursor = answer.get("next", "")
        if not cursor:
            return count


async def measure(folder: Path, shares: int) -> None:
    root = folder / "root"
    (root / "many").mkdir(parents=True)
    for number in range(ENTRIES):
        (root / "many" / f"file-{number:05d}.txt").touch()
    values = {"data_dir": str(folder / "gate"), "owner": "Olga", "share_hosts": "localhost"}
    rows: dict[str, dict[int, tuple[float, float, int]]] = {}
    sizes = [size for size in (300,) if size < shares] + [shares]
    async with app.offline(config.load(None, {}, values)) as api:
        listening = await server(api, root)
        planted = 0
        for size in sizes:
            await plant(api, planted, size)
            planted = size
            for name, ask in asks(api).items():
                rows.setdefault(name, {})[size] = await timed(ask)
        listening.close()
    head = " | ".join(f"{size:,} shares: ms (without a turn for others)" for size in sizes)
    print(f"| | {head} |\n|---|" + "---|" * len(sizes))
    for name, found in rows.items():
        cells = [f"{found[size][0]:.0f} ({found[size][1]:.0f}), {found[size][2]:,} came" for size in sizes]
        print(f"| {name} | {' | '.join(cells)} |")


def asks(api: Api) -> dict[str, Callable[[], Awaitable[int]]]:
    async def first(path: str, **query: str) -> int:
        return len((await called(api, path, limit="100", **query))[path])

    async def everything_once(path: str) -> int:
        return len((await called(api, path))[path])

    async def counted(path: str, **query: str) -> int:
        return len(await called(api, path, **query))

    pages = Pages(api, time.time)
    session = Session("bench", Viewer("Olga", admin=True, owner="Olga"), "csrf")

    async def shown(path: str, **query: str) -> int:
        answer = await pages.answer(path, query, session)
        assert answer.status == 200, answer
        return len(answer.body) // 1000

    async def browse() -> int:
        return len((await called(api, f"servers/{SERVER}/browse", path="many"))["entries"])

    async def made_anew() -> int:
        register = Register(api._store, time.time)
        await register.fresh()
        return len(register.order("all"))

    return {
        "the first question of a gate: a line for each share": made_anew,
        "all shares": lambda: everything(api, "shares"),
        "all visits": lambda: everything(api, "visits"),
        "100 shares": lambda: first("shares"),
        "100 visits": lambda: first("visits"),
        "100 visits that are open": lambda: first("visits", open="1"),
        "who knocks": lambda: everything_once("knocks"),
        "how the gate is": lambda: counted("gate"),
        "what `week 77` stands for": lambda: counted("resolve", ref="week 77"),
        "page Now": lambda: shown("/"),
        "page Now, the last doors": lambda: shown("/", page="1000000"),
        "page Admin": lambda: shown("/admin"),
        "page Admin, in the middle": lambda: shown("/admin", page="40"),
        "access review, oldest": lambda: shown("/admin/review", sort="oldest"),
        "access review, widest": lambda: shown("/admin/review", sort="widest"),
        "access review, longest unused": lambda: shown("/admin/review", sort="unused"),
        "search, a name": lambda: shown("/admin/search", q="eve 42"),
        "search, found thousands of times": lambda: shown("/admin/search", q="person 1"),
        f"a folder of {ENTRIES:,}": browse,
    }
