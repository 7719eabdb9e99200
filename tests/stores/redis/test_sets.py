"""Pages of the history on a Redis server: along one sorted set, so many entries each; and those sets that are younger
than the history."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from sharegate.audit.events import Action, Outcome
from sharegate.audit.interfaces import Mark, Query
from sharegate.stores.redis import sets
from sharegate.stores.redis.names import Names
from sharegate.stores.redis.store import RedisStore
from tests.stores.conformance import AuditContract
from tests.stores.records import START
from tests.stores.redis.gates import Opener

NAMES = Names("sharegate")
FIELDS: dict[str, Any] = {
    "share": "s1",
    "link": "l1",
    "visit": "v1",
    "person": "ann",
    "path": "deep",
    "reason": "no_rule",
    "action": "link.joined",
    "outcome": "denied",
    "since": START,
    "until": START + 10**6,
}
Reopened = Callable[[], Awaitable[RedisStore]]


class Counting:
    """Passes on to the real server, and counts what came back."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.elements = 0
        self.commands: list[tuple[Any, ...]] = []

    async def ask(self, *command: Any) -> Any:
        answer = await self._server.ask(*command)
        self.commands.append(command)
        self.elements += len(answer) if isinstance(answer, list | dict) else 1
        return answer

    async def run(self, *arguments: Any) -> Any:
        return await self._server.run(*arguments)

    async def several(self, commands: Sequence[tuple[Any, ...]], *, together: bool = False) -> list[Any]:
        answers: list[Any] = await self._server.several(commands, together=together)
        self.commands += commands
        self.elements += sum(len(one) if isinstance(one, list | dict) else 1 for one in answers)
        return answers


@pytest.fixture
def counting(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> Counting:
    made = Counting(store._trail._server)
    monkeypatch.setattr(store._trail, "_server", made)
    return made


def long(count: int) -> list[Any]:
    return AuditContract.chain(
        count,
        share="s1",
        link="l1",
        visit="v1",
        path="a",
        reason="no_rule",
        action=Action.LINK_JOINED,
        outcome=Outcome.DENIED,
    )


async def test_no_page_reads_a_whole_set(store: RedisStore, counting: Counting) -> None:
    """Of every combination of filters, both ways round, from the beginning and after an entry: what the server answers
    is bounded by what one page looks at, and commands that answer everything are not sent."""
    await store.append(long(3000))
    for size in range(len(FIELDS) + 1):
        for chosen in itertools.combinations(FIELDS, size):
            query = Query(**{name: FIELDS[name] for name in chosen}, limit=20)
            for newest_first, after in itertools.product((True, False), (None, Mark(writer="gate", seq=1500))):
                counting.elements, counting.commands = 0, []
                asked = Query(**{name: FIELDS[name] for name in chosen}, limit=20, newest_first=newest_first)
                page = await store.page(asked, after, looks=100)
                assert len(page.events) == (0 if "path" in chosen else 20) and page.after is not None
                # Members with their scores, events, and what identifies people.
                assert counting.elements <= 100 * 4 + 10, (query, counting.commands)
                assert {command[0] for command in counting.commands} <= {
                    *("ZRANK", "ZRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "HMGET"),
                }


async def test_the_fewest_are_looked_at() -> None:
    """Each filter leads along the set that holds the fewest; without the younger sets along those that are complete."""
    for asked, name in (
        ({"visit": "v1", "share": "s1"}, NAMES.of_visit("v1")),
        ({"link": "l1", "share": "s1"}, NAMES.of_link("l1")),
        ({"person": "ann", "share": "s1", "action": "link.joined"}, NAMES.of_person("ann")),
        ({"share": "s1", "action": "link.joined"}, NAMES.of_act("s1", "link.joined")),
        ({"share": "s1", "action": "request.answered"}, NAMES.of_share("s1")),
        ({"share": "s1", "outcome": "denied", "reason": "no_rule"}, NAMES.of_outcome("s1", "denied")),
        ({"action": "link.joined"}, NAMES.of_act("", "link.joined")),
        ({"reason": "no_rule", "outcome": "denied"}, NAMES.of_reason("no_rule")),
        ({"outcome": "failed"}, NAMES.of_outcome("", "failed")),
        ({"outcome": "allowed", "path": "a"}, NAMES.by_time),
    ):
        assert sets.leading(Query(**asked), NAMES, complete=True)[0] == name
    for asked, name in (
        ({"link": "l1", "share": "s1"}, NAMES.of_share("s1")),
        ({"reason": "no_rule", "outcome": "denied"}, NAMES.by_time),
        ({"person": "ann"}, NAMES.by_time),
    ):
        assert sets.leading(Query(**asked), NAMES, complete=False) == (
            name,
            frozenset({"share"}) if "share" in asked else frozenset(),
        )


async def forget_younger_sets(store: RedisStore) -> None:
    """As an older version left the store."""
    for kind in ("link", "person", "act", "outcome", "reason"):
        for key in await store._server.ask("KEYS", f"sharegate:trail:{kind}:*"):
            await store._server.ask("DEL", key)
    await store._server.ask("DEL", NAMES.indexed)


@pytest.mark.parametrize("count", [20, 2500])
async def test_what_an_older_version_wrote_is_put_into_the_sets(
    store: RedisStore, reopened: Reopened, count: int
) -> None:
    """A short history before the store is open, a long one beside everything else; until then pages are found by the
    older sets, and what is appended meanwhile is in all of them."""
    chain = long(count + 10)
    await store.append(chain[:count])
    await forget_younger_sets(store)
    again = await reopened()
    assert again._trail.completing.complete is (count == 20)
    await again.append(chain[count:])
    query = Query(link="l1", limit=count + 10)
    assert len((await again.page(query)).events) == count + 10
    async with asyncio.timeout(60):
        while not again._trail.completing.complete:
            await asyncio.sleep(0.01)
    assert [one.seq for one in (await again.page(query)).events] == list(range(1, count + 11))
    assert await again._server.ask("ZCARD", NAMES.of_reason("no_rule")) == count + 10
    assert await again._server.ask("ZCARD", NAMES.of_person("ann")) == count + 10
    assert await again._server.ask("HGET", NAMES.indexed, "gate") == str(count + 10).encode()


async def test_a_name_leaves_the_server_with_what_is_erased(store: RedisStore) -> None:
    """No key has it in its own name, and when the last entry is erased, nothing of it is left."""
    await store.append(AuditContract.chain(5, name="Unmistakable"))
    keys = await store._server.ask("KEYS", "*")
    assert NAMES.of_person("unmistakable").encode() in keys and not [key for key in keys if b"nmistakable" in key]
    await store.erase_events("gate", [1, 2, 3, 4, 5])
    assert NAMES.of_person("unmistakable").encode() not in await store._server.ask("KEYS", "*")


async def test_attack_a_set_that_names_somebody_else(store: RedisStore) -> None:
    """An entry that was erased while sets were completed, or was put there by hand, is not shown under a name that it
    does not hold."""
    await store.append(AuditContract.chain(4, name=lambda i: "Ann" if i < 3 else "Bo"))
    await store.erase_events("gate", [1])
    for seq in (1, 4):
        await store._server.ask("ZADD", NAMES.of_person("ann"), repr(START), sets.member("gate", seq))
    assert [one.seq for one in (await store.page(Query(person="ann", limit=9))).events] == [2, 3]


@pytest.mark.parametrize("count", [30, 2500])
async def test_what_an_older_gate_writes_meanwhile_is_found(store: RedisStore, count: int) -> None:
    """A gate that has had all sets looks again before it goes by them; while there is much to do, it goes by others."""
    chain = long(count)
    await store.append(chain[:5])
    assert await store._trail.completing.current()
    await store.append(chain[5:])
    await forget_younger_sets(store)
    await store._server.ask("HSET", NAMES.indexed, "gate", 5)
    for seq in range(1, 6):
        await store._server.ask("ZADD", NAMES.of_link("l1"), 0, sets.member("gate", seq))
    query = Query(link="l1", limit=count)
    assert len((await store.page(query)).events) == count
    async with asyncio.timeout(60):
        while not await store._trail.completing.current():
            await asyncio.sleep(0.01)
    assert len((await store.page(query)).events) == count
    assert await store._server.ask("ZCARD", NAMES.of_reason("no_rule")) == count - 5


async def test_two_gates_put_it_in_together(store: RedisStore, reopened: Reopened, another: Opener) -> None:
    """Both begin at once; in the end each knows that it is done, and nothing is missing."""
    await store.append(long(3000))
    await forget_younger_sets(store)
    first, second = await reopened(), await another()
    async with asyncio.timeout(60):
        while not (first._trail.completing.complete and second._trail.completing.complete):
            await asyncio.sleep(0.01)
    assert await first._server.ask("ZCARD", NAMES.of_act("s1", "link.joined")) == 3000
