"""The two stores, asked the same things in the same order, answer the same."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharegate.audit.interfaces import Query
from sharegate.errors import Denied
from sharegate.shares.model import Role, VisitKind
from sharegate.store_url import StoreUrl
from sharegate.stores.redis.store import RedisStore, open_redis
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from sharegate.versions.model import Authorship, Cause, Edit, EditKind, Limits, Place
from tests.real.redis import RedisServer, running_redis
from tests.stores.conformance import AuditContract
from tests.stores.records import START, a_code, a_knock, a_link, a_share, a_visit, an_upstream
from tests.stores.version_contract import a_snapshot, noise

pytestmark = pytest.mark.redis

KEY = b"k" * 32
DAY = 86400.0
Store = SqliteStore | RedisStore
Step = Callable[[Store], Awaitable[Any]]
EVENTS = AuditContract.chain(30, share=lambda i: f"s{i % 3}", visit=lambda i: f"v{i % 4}", path=lambda i: f"a/{i % 5}")

few = st.integers(0, 3)
flags = st.booleans()
times = st.sampled_from([START, START + 60, START + DAY, START + 40 * DAY, START + 200 * DAY])
limits = st.builds(
    Limits, bytes=st.sampled_from([1500, 4000, 1 << 20]), per_document=st.integers(0, 4), days=st.sampled_from([1, 30])
)


def _share(id: int, links: list[tuple[int, int]]) -> Step:
    made = [a_link(f"l{link}", share=f"s{of}", letter=str(link % 3)) for link, of in links]
    return lambda store: store.add_share(a_share(f"s{id}", created=START + id % 2), made)


def _visit(id: int, link: int, kind: VisitKind, seats: int | None, at: float) -> Step:
    visit = a_visit(f"v{id}", link=f"l{link}", kind=kind, created=at, expires=at + DAY, address="192.0.2.0", name="Ann")
    return lambda store: store.open_visit(visit, seats=seats)


def _decide(id: int, state: str, visit: int | None, link: int) -> Step:
    made = None if visit is None else a_visit(f"v{visit}", link=f"l{link}", kind=VisitKind.KNOCK)
    return lambda store: store.decide_knock(f"k{id}", state=state, at=START, visit=made)


def _version(id: int, path: int, seed: int, at: float, limits: Limits, visit: str, cause: Cause) -> Step:
    one = a_snapshot(
        f"n{id}", path=f"p{path}", taken=at + id, visit=visit, link=visit and "l1", file=f"f{path}", cause=cause
    )

    async def keep(store: Store) -> Any:
        kept = await store.keep_version(one, noise(seed, 700), limits=limits)
        return kept.id, kept.size, kept.stored

    return keep


def _edits(file: int, epoch: int, kinds: list[tuple[EditKind, str]], at: float, limit: int) -> Step:
    place = Place("u1", f"f{file}", f"e{epoch}", f"p{file}")
    made = [Edit(kind=kind, at=at + n, origin=origin, data=noise(n, 300)) for n, (kind, origin) in enumerate(kinds)]
    return lambda store: store.append_edits(place, made, limit=limit)


def _author(file: int, cell: int, visit: int, at: float, amount: int) -> Step:
    one = Authorship(
        upstream="u1", file=f"f{file}", cell=f"c{cell}", visit=f"v{visit}", first=at, last=at + 1, inserted=amount
    )
    return lambda store: store.add_authorship([one])


steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(_share, few, st.lists(st.tuples(st.integers(0, 5), few), max_size=3)),
    st.builds(
        lambda link, of: lambda store: store.add_link(a_link(f"l{link}", share=f"s{of}", letter=str(link % 3))),
        few,
        few,
    ),
    st.builds(
        lambda id, fields: lambda store: store.change_share(f"s{id}", **fields),
        few,
        st.sampled_from(
            [
                *({"paused": True}, {"revoked": START}, {"role": "edit"}, {"id": "x"}, {"paused": "no"}, {}),
                *({"was": {"paused": False}, "paused": True}, {"was": {"role": "edit"}, "role": "view"}),
            ]
        ),
    ),
    st.builds(lambda id, at: lambda store: store.change_share(f"s{id}", expires=at), few, times),
    st.builds(lambda id, at: lambda store: store.change_link(f"l{id}", expires=at), few, times),
    st.builds(lambda id, role: lambda store: store.change_link(f"l{id}", role=role), few, st.sampled_from(Role)),
    st.builds(_visit, st.integers(0, 9), few, st.sampled_from(VisitKind), st.none() | st.integers(0, 2), times),
    st.builds(
        lambda ids: lambda store: store.end_visits([f"v{i}" for i in ids], at=START, reason="left"), st.lists(few)
    ),
    st.builds(
        lambda id, link, limit: lambda store: store.add_knock(a_knock(f"k{id}", link=f"l{link}"), limit=limit),
        *(few, few, few),
    ),
    st.builds(_decide, few, st.sampled_from(["admitted", "refused", "gone", "waiting", "?"]), st.none() | few, few),
    st.builds(
        lambda id, visit, at: lambda store: store.add_device_code(a_code(f"h{id}", visit=f"v{visit}", expires=at)),
        *(few, few, times),
    ),
    st.builds(
        lambda code, id, at, most: (
            lambda store: store.spend_device_code(f"h{code}", a_visit(f"d{id}"), at=at, devices=most)
        ),
        *(few, few, times, few),
    ),
    st.builds(
        lambda visit, name, size, gone: (
            lambda store: store.put_overlay(
                f"v{visit}", "workspace", f"o{name}", None if gone else b"x" * size, items=2, total_bytes=10
            )
        ),
        *(few, few, st.integers(0, 12), flags),
    ),
    st.builds(lambda id: lambda store: store.put_upstream(an_upstream(f"u{id}")), few),
    st.builds(lambda id: lambda store: store.remove_upstream(f"u{id}"), few),
    st.builds(lambda at: lambda store: store.prune(at), times),
    st.builds(lambda a, b: lambda store: store.append(EVENTS[a:b]), st.integers(0, 9), st.integers(0, 30)),
    st.builds(
        lambda visit, until: lambda store: store.erase(Query(visit=visit, until=until)),
        *(st.sampled_from(["", "v1", "v2"]), st.sampled_from([0.0, START + 5])),
    ),
    st.builds(
        _version, st.integers(0, 30), few, few, times, limits, st.sampled_from(["", "v1", "v2"]), st.sampled_from(Cause)
    ),
    st.builds(lambda id: lambda store: store.name_version(f"n{id}"), few),
    st.builds(lambda at, limits: lambda store: store.thin_versions(at, limits=limits), times, limits),
    st.builds(
        _edits,
        *(
            few,
            few,
            st.lists(st.tuples(st.sampled_from(EditKind), st.sampled_from(["", "v1", "v2"])), max_size=5),
            times,
        ),
        st.sampled_from([100, 1200, 1 << 20]),
    ),
    st.builds(_author, few, few, few, times, few),
)


async def answer(step: Step, store: Store) -> Any:
    """What came back, or which kind of refusal."""
    try:
        return await step(store)
    except Exception as error:
        return error.reason if isinstance(error, Denied) else type(error).__name__


async def everything(store: Store) -> dict[str, Any]:
    found: dict[str, Any] = {"shares": await store.shares(), "knocks": await store.knocks(waiting_only=False)}
    found["upstreams"] = sorted((one.id, one.url, one.token.secret) for one in await store.upstreams())
    for share in found["shares"]:
        found["links", share.id] = await store.links(share.id)
        found["visits", share.id] = await store.visits(share.id)
        for visit in found["visits", share.id]:
            found["overlay", visit.id] = await store.overlay(visit.id, "workspace")
    for id in range(4):
        found["code", id] = await store.device_code(f"h{id}")
        found["authors", id] = await store.authorship("u1", f"f{id}")
        found["logs", id] = [(one.epoch, one.path) for one in await store.logs_of("u1", f"f{id}")]
        found["by", id] = [(one.file, one.epoch) for one in await store.edited_by(f"v{id}")]
        for epoch in range(4):
            found["edits", id, epoch] = await store.edits(Place("u1", f"f{id}", f"e{epoch}"))
    found["versions"] = [(one.id, one.named, one.stored) for one in await store.versions()]
    for id, _, _ in found["versions"]:
        found["content", id] = await store.version_content(id)
    for query in (Query(), Query(newest_first=True, limit=7), Query(share="s1"), Query(visit="v2", newest_first=True)):
        found["trail", query] = await store.read(query)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


async def _asked(server: RedisServer, wanted: list[Step]) -> None:
    server.command("FLUSHALL")
    with tempfile.TemporaryDirectory() as folder:
        file = await open_sqlite(Path(folder) / "store" / "s.db", key=KEY)
        redis = await open_redis(StoreUrl.parse(server.url), key=KEY, folder=Path(folder) / "run")
        try:
            for at, step in enumerate(wanted):
                assert await answer(step, file) == await answer(step, redis), f"step {at}"
            assert await everything(file) == await everything(redis)
            assert await redis.check() == []
        finally:
            await redis.close()
            await file.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(wanted=st.lists(steps, min_size=5, max_size=60))
def test_both_stores_answer_the_same(server: RedisServer, wanted: list[Step]) -> None:
    """Whatever is asked, in whatever order: the same records, the same refusals, the same history and versions."""
    first: list[Step] = [_share(1, [(1, 1), (2, 1)]), _visit(1, 1, VisitKind.BROWSER, None, START)]
    asyncio.run(_asked(server, first + wanted))
