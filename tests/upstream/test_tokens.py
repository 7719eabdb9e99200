"""The credentials that have to be kept out of sight."""

from __future__ import annotations

import asyncio

from sharegate.errors import StoreUnavailable
from sharegate.upstream.model import Credential, Upstream
from sharegate.upstream.tokens import KnownTokens


class Store:
    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.broken = False

    async def upstreams(self) -> list[Upstream]:
        if self.broken:
            raise StoreUnavailable("closed")
        url = "http://127.0.0.1:1/"
        return [Upstream(id="u", name="", owner="", url=url, token=Credential(token)) for token in self.tokens]

    async def put_upstream(self, upstream: Upstream) -> None: ...

    async def remove_upstream(self, id: str) -> None: ...


async def test_a_token_that_was_known_stays_known() -> None:
    """Also after the server came back with another, and when the store cannot be asked; none shows in a repr."""
    store = Store()
    known = KnownTokens(store)
    store.tokens = ["first-token", ""]
    await known.read()
    store.tokens = ["second-token"]
    known.changed()
    await asyncio.gather(*known._tasks)
    store.broken = True
    await known.read()
    assert known() == {"first-token", "second-token"}
    assert "token" not in repr(known).replace("KnownTokens", "")
