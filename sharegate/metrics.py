"""Numbers of a running gate for Prometheus, all called `sharegate_*`.

No label says whose or where: labels are families of rules, reasons, kinds and states, all from closed lists. What
happens often is counted where it happens; what can be looked up is looked up when somebody asks.
"""

from __future__ import annotations

import bisect
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import LOOKS, AuditStore, Held, Mark, Page, Query, Sealed
from sharegate.errors import Reason

# Seconds.
LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
# Addresses that no rule of the route table is asked for.
FAMILIES = ("own", "door", "static", "none")
STATES = ("here", "away", "not_ours")


@dataclass(frozen=True, slots=True)
class Now:
    """What is looked up when somebody asks. `checks` are those of `/ready`; `connections` on the gate's address; bytes
    of versions as of the last hourly look; `clock_behind` in seconds."""

    channels: Mapping[str, int] = field(default_factory=dict)
    upstreams: Mapping[str, int] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)
    rooms: int = 0
    unsaved: int = 0
    visits: int = 0
    knocks: int = 0
    trail_waiting: int = 0
    versions_bytes: int = 0
    connections: int = 0
    connections_most: int = 0
    connections_refused: int = 0
    clock_behind: float = 0.0


Look = Callable[[], Awaitable[Now]]


async def _nothing() -> Now:
    """Nobody looks yet."""
    return Now()


def family(rule: str) -> str:
    """The family of a rule: its id up to the first hyphen."""
    return rule.partition("-")[0]


class _Looked(Collector):
    """What the last look found, as gauges."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self.now = Now()
        self._kinds = tuple(kinds)

    def collect(self) -> Iterator[Metric]:
        now = self.now
        yield _by("channels", "Open channels and answers in flight.", "kind", self._kinds, now.channels)
        yield _by("upstreams", "Recorded Jupyter servers.", "state", STATES, now.upstreams)
        ready = GaugeMetricFamily("sharegate_ready", "Whether a check of /ready passes.", labels=["check"])
        for check, said in now.checks.items():
            ready.add_metric([check], said == "ok")
        yield ready
        for name, words, value in (
            ("rooms", "Live documents that a visitor has open.", now.rooms),
            ("rooms_unsaved", "Live documents of which something waits to be saved or sent.", now.unsaved),
            ("visits_live", "Visits with something open.", now.visits),
            ("knocks_waiting", "Knocks that nobody answered yet.", now.knocks),
            ("trail_waiting", "Events that are not written yet.", now.trail_waiting),
            ("versions_bytes", "Kept versions on disk, as of the last hourly look.", now.versions_bytes),
            ("connections", "Connections to the gate's address.", now.connections),
            ("connections_limit", "How many there may be.", now.connections_most),
            (
                "connections_refused",
                "Connections turned away or given up for others since the start.",
                now.connections_refused,
            ),
            ("clock_behind_seconds", "How far the computer's clock was set back.", now.clock_behind),
        ):
            yield GaugeMetricFamily(f"sharegate_{name}", words, value=value)


def _by(name: str, words: str, label: str, known: Iterable[str], counts: Mapping[str, int]) -> Metric:
    found = GaugeMetricFamily(f"sharegate_{name}", words, labels=[label])
    for each in known:
        found.add_metric([each], counts.get(each, 0))
    return found


class _Counted(Collector):
    """What is counted for every request, on the gate's one loop: without the locks that numbers of threads need."""

    def __init__(self, families: Iterable[str]) -> None:
        # Made once, so that a scrape shows what did not happen yet as well.
        self.requests = {(one, status): 0 for one in sorted(families) for status in CLASSES}
        # For each bucket and what is above all of them.
        self.latency = {one: [0] * (len(LATENCY) + 1) for one in sorted(families)}
        self.seconds = dict.fromkeys(self.latency, 0.0)
        self.events = dict.fromkeys(Action, 0)
        self.bytes = dict.fromkeys(("answers", "channels_in", "channels_out"), 0)

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("sharegate_requests", "Requests answered.", labels=["family", "status"])
        for labels, count in self.requests.items():
            requests.add_metric(labels, count)
        yield requests
        latency = HistogramMetricFamily(
            "sharegate_request_seconds",
            "From the request's head to the answer's, or to the opened channel.",
            labels=["family"],
        )
        for one, counts in self.latency.items():
            bounds = (*(str(bound) for bound in LATENCY), "+Inf")
            sums = list(zip(bounds, itertools.accumulate(counts), strict=True))
            latency.add_metric([one], sums, self.seconds[one])
        yield latency
        events = CounterMetricFamily("sharegate_events", "Events recorded in the history.", labels=["action"])
        for action, count in self.events.items():
            events.add_metric([action.value], count)
        yield events
        carried = CounterMetricFamily(
            "sharegate_bytes", "Bytes of answers, and of channels that are closed.", labels=["kind"]
        )
        for kind, size in self.bytes.items():
            carried.add_metric([kind], size)
        yield carried


class Metrics:
    """`rules`: the ids of the route table; `kinds`: of channels; `look` is set by who knows, and asked at each scrape.

    Implements gate.Measures. All of it is counted on the gate's loop, but commits: these have a lock of their own.
    """

    def __init__(self, rules: Iterable[str], kinds: Iterable[str], version: str) -> None:
        registry = self._registry = CollectorRegistry()
        self.look: Look = _nothing
        self._families = frozenset({*map(family, rules), *FAMILIES})
        self._counted = _Counted(self._families)
        registry.register(self._counted)
        refusals = Counter("sharegate_refusals", "Refused requests.", ["reason"], registry=registry)
        self._refusals = {reason: refusals.labels(reason.value) for reason in Reason}
        self._judged = Counter("sharegate_updates_judged", "Editors' changes that were taken.", registry=registry)
        self._refused = Counter("sharegate_updates_refused", "Editors' changes that were refused.", registry=registry)
        self._commits = Histogram(
            "sharegate_trail_commit_seconds",
            "Writing to the history, until it is on disk.",
            buckets=LATENCY,
            registry=registry,
        )
        self._failures = Counter("sharegate_trail_failures", "Writes to the history that failed.", registry=registry)
        Gauge("sharegate_info", "The program.", ["version"], registry=registry).labels(version).set(1)
        self._looked = _Looked(kinds)
        registry.register(self._looked)
        ProcessCollector(namespace="sharegate", registry=registry)

    # -- counted where it happens ---------------------------------------------------------------------------------

    def answered(self, rule: str, status: int, seconds: float) -> None:
        one = family(rule)
        if one not in self._families:
            one = "none"
        counted = self._counted
        counted.requests[one, CLASSES[min(max(status // 100, 1), 5) - 1]] += 1
        counted.latency[one][bisect.bisect_left(LATENCY, seconds)] += 1
        counted.seconds[one] += seconds

    def refused(self, reason: Reason) -> None:
        self._refusals[reason].inc()

    def judged(self) -> None:
        self._judged.inc()

    def committed(self, seconds: float, *, failed: bool) -> None:
        self._commits.observe(seconds)
        if failed:
            self._failures.inc()

    def happened(self, event: AuditEvent) -> None:
        """Told of each event of the history once it is recorded."""
        counted = self._counted
        counted.events[event.action] += 1
        match event.action:
            case Action.REQUEST_ANSWERED:
                counted.bytes["answers"] += event.bytes_out
            case Action.CHANNEL_CLOSED:
                counted.bytes["channels_in"] += event.bytes_in
                counted.bytes["channels_out"] += event.bytes_out
            case Action.DOCUMENT_REFUSED:
                self._refused.inc()
            case _:
                pass

    # -- asked ----------------------------------------------------------------------------------------------------

    async def text(self) -> bytes:
        """The exposition (Prometheus text format 0.0.4)."""
        self._looked.now = await self.look()
        return generate_latest(self._registry)


class TimedHistory:
    """Implements AuditStore over another one; `committed` is told how long each append took."""

    def __init__(self, store: AuditStore, committed: Callable[..., None]) -> None:
        self._store = store
        self._committed = committed

    async def append(self, events: list[Sealed]) -> None:
        began, failed = time.perf_counter(), True
        try:
            await self._store.append(events)
            failed = False
        finally:
            self._committed(time.perf_counter() - began, failed=failed)

    async def head(self, writer: str) -> tuple[int, str]:
        return await self._store.head(writer)

    async def read(self, query: Query) -> list[Sealed]:
        return await self._store.read(query)

    async def page(self, query: Query, after: Mark | None = None, *, looks: int = LOOKS) -> Page:
        return await self._store.page(query, after, looks=looks)

    async def held(self, moments: tuple[float, ...]) -> Held:
        return await self._store.held(moments)

    async def writers(self) -> list[str]:
        return await self._store.writers()

    async def erase(self, query: Query) -> int:
        return await self._store.erase(query)

    async def erase_events(self, writer: str, seqs: list[int]) -> int:
        return await self._store.erase_events(writer, seqs)
