"""The composition root: the only file that names concrete classes and joins them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass, replace

from sharegate import __version__
from sharegate.answers import Answers
from sharegate.audit.announce import Announcing
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.export import describe
from sharegate.audit.history import StoredHistory
from sharegate.audit.interfaces import Query
from sharegate.audit.trail import Trail
from sharegate.channels.registry import KINDS, Channels
from sharegate.clock import DayClock, Waking, Woke
from sharegate.condition import Condition, checks
from sharegate.config import Config, loopback
from sharegate.dashboard.advisories import Advisories
from sharegate.dashboard.alarms import Alarms
from sharegate.dashboard.api import Api
from sharegate.dashboard.asks import Asks
from sharegate.dashboard.doctor import Doctor
from sharegate.dashboard.health import Health
from sharegate.dashboard.interfaces import GateFacts
from sharegate.dashboard.listener import OwnerListener
from sharegate.dashboard.proofs import Proofs
from sharegate.dashboard.resources import Resources
from sharegate.dashboard.versions import Versions
from sharegate.dashboard.views import Views
from sharegate.descriptors import Accepting, Budget, budget, limit
from sharegate.documents import Documents
from sharegate.drain import Draining
from sharegate.editing import Editing
from sharegate.entrance import Entrance, Front, without_gate
from sharegate.errors import Refused, StoreUnavailable
from sharegate.gate import Gate
from sharegate.keeping import Keeping
from sharegate.lab.overlay import Overlays
from sharegate.lab.serve import LabServer
from sharegate.limits import Buckets, Rate
from sharegate.listener.crowd import Crowd
from sharegate.listener.http import Listener
from sharegate.living import Living
from sharegate.metrics import Metrics, TimedHistory
from sharegate.policy.load import Policies, load_policies
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.authenticate import Authenticator
from sharegate.shares.issue import Issuer
from sharegate.shares.keys import KeyRing, private_directory, store_key
from sharegate.shares.model import new_id
from sharegate.shares.owners import check_one_owner, owners
from sharegate.shares.tokens import ShareTokens
from sharegate.stores.opening import Store, open_store
from sharegate.upstream.directory import Directory, StateChange
from sharegate.upstream.discover import runtime_directories
from sharegate.upstream.disk import DiskByUpstream
from sharegate.upstream.file_ids import UpstreamFileIds
from sharegate.upstream.forward import AiohttpForwarder, Timeouts
from sharegate.upstream.installed import installed
from sharegate.upstream.interfaces import Incoming, Outgoing
from sharegate.upstream.model import Upstream
from sharegate.upstream.roots import Roots
from sharegate.upstream.servers import OwnerServers
from sharegate.upstream.tokens import KnownTokens
from sharegate.upstream.trust import trust
from sharegate.versions.model import Limits
from sharegate.versions.snapshots import Keeper
from sharegate.visits.allowance import Allowance, Amounts
from sharegate.visits.asking import Asking
from sharegate.visits.doorstep import Doorstep
from sharegate.visits.hands import Hands
from sharegate.visits.join import Door
from sharegate.visits.knocks import Knocks
from sharegate.visits.live import LivePages
from sharegate.visits.names import Names
from sharegate.visits.own import OwnAddresses
from sharegate.visits.presence import Presence
from sharegate.visits.programs import Programs
from sharegate.visits.site import Site
from sharegate.visits.standing import Standing
from sharegate.writing.judge import Writing
from sharegate.writing.uploads import Uploads

log = logging.getLogger("sharegate")

Progress = Callable[[str], None]


def _quiet(_: str) -> None:
    """Progress that nobody wants."""


@dataclass
class RunningGate:
    """A gate that serves. `config` has the ports that were really taken."""

    config: Config
    api: Api
    servers: OwnerServers
    gate: Gate
    draining: Draining
    secrets: Callable[[], Iterable[str]]

    @property
    def gate_url(self) -> str:
        return self.config.gate_url

    @property
    def dashboard_url(self) -> str:
        return self.config.dashboard_url

    def drain(self) -> None:
        """Let nobody in any more; what is open is closed when the context ends."""
        self.draining.begin()

    def hurry(self) -> None:
        """When the context ends, wait for nobody."""
        self.draining.hurry()


@dataclass(frozen=True)
class _House:
    """What a gate and an offline command have in common, assembled."""

    config: Config
    now: DayClock
    pace: Callable[[], float]
    store: Store
    trail: Announcing
    ring: KeyRing
    policies: Policies
    forwarder: AiohttpForwarder
    directory: Directory
    servers: OwnerServers
    disk: DiskByUpstream
    roots: Roots
    tokens: ShareTokens
    addresses: GateAddresses
    authenticator: Authenticator
    channels: Channels
    presence: Presence
    programs: Programs
    uploads: Uploads
    hands: Hands
    keeper: Keeper
    api: Api
    secrets: KnownTokens
    metrics: Metrics
    crowd: Crowd
    room: Budget


@contextlib.asynccontextmanager
async def _house(
    config: Config,
    *,
    running: bool,
    day: Callable[[], float],
    front: Callable[[], Front],
    forwards: Callable[[str], bool] = lambda address: False,
) -> AsyncIterator[_House]:
    """Open keys, store and trail; assemble; close in the opposite order. Raises Invalid, Faults, Refused."""
    now = DayClock(day)
    # Limits go on where the time of day has to stand still.
    pace = time.monotonic if day is time.time else day
    private_directory(config.data_dir)
    policies = load_policies(extra=config.policy_dir)
    async with contextlib.AsyncExitStack() as closing:
        store = await open_store(config, key=store_key(config.keys_dir))
        closing.push_async_callback(store.close)
        ring = KeyRing.open(config.keys_dir, now())
        metrics = Metrics((rule.id for rule in policies.policy.rules), KINDS, __version__)
        history = TimedHistory(store, metrics.committed)
        trail = Announcing(Trail(history, writer=store.writer, clock=now, full_addresses=config.full_addresses))
        trail.announce(metrics.happened)
        await trail.open()
        closing.push_async_callback(trail.close)
        times = Timeouts(first_byte=config.upstream_seconds, idle=config.upstream_seconds)
        forwarder = await closing.enter_async_context(AiohttpForwarder(timeouts=times, trust=trust(config.upstream_ca)))
        directory = Directory(store, forwarder)
        servers = OwnerServers(store, forwarder, config.owner)
        disk = DiskByUpstream()
        # Where Jupyter's servers note how they run, the token is written too.
        protected = [config.data_dir, config.keys_dir, config.database, config.socket_path, *runtime_directories()]
        protected += [path for path in (config.store_password_file, config.store_socket) if path is not None]
        roots = Roots(store, directory, forwarder, disk, trail, lambda: protected)
        tokens = ShareTokens(ring, now)
        addresses = GateAddresses.at(config.gate_url, config.share_hosts)
        authenticator = Authenticator(store, tokens, policies.roles, addresses, now)
        channels = Channels(
            per_visit=config.channels_per_visit,
            per_link=config.channels_per_link,
            per_share=config.channels_per_share,
            rooms_per_visit=config.rooms_per_visit,
        )
        presence = Presence(now)
        programs = Programs(store, authenticator, trail, now, full_addresses=config.full_addresses)
        uploads = Uploads(config.data_dir / "uploads")
        closing.callback(uploads.close)
        hands = Hands(now, pace)
        views = Views(
            store,
            presence,
            lambda visit: channels.count(visit=visit),
            policies.roles.sentence,
            now,
            places_of=programs.places,
        )
        room = budget(limit(), config.connections)
        # A proxy has everybody's connections.
        crowd = Crowd(
            room.connections,
            config.connections_per_address,
            shared=lambda address: forwards(address) or (bool(config.public_url) and loopback(address)),
        )
        resources = Resources(
            room.limit, room.connections, config.connections, lambda: crowd.refused, lambda: now.behind
        )
        advisories = Advisories(store, lambda upstream: installed(forwarder, upstream))
        doctor = Doctor(config, store, servers, trail, front, [resources.findings, advisories.findings])
        keeper = Keeper(store, _limits(config), new_id, now, config.versions_minutes * 60.0)
        facts = GateFacts(
            gate_url=config.gate_url,
            addresses=addresses,
            dashboard_url=config.dashboard_url,
            reach=config.reach,
            owner=config.owner,
            started=now(),
            running=running,
            warnings=doctor.warnings,
            doctor=doctor.findings,
        )
        issuer = Issuer(store, tokens, roots, policies.sharing, now, one_owner=config.one_owner)
        proofs = Proofs(
            store=store,
            issuer=issuer,
            trail=trail,
            ring=ring,
            directory=directory,
            forwarder=forwarder,
            disk=disk,
            facts=facts,
            now=now,
        )
        closing.push_async_callback(proofs.close)
        api = Api(
            store=store,
            upstreams=store,
            history=StoredHistory(store, store),
            trail=trail,
            issuer=issuer,
            knocks=Knocks(store, policies.sharing, now),
            asks=Asks(hands, store, views, trail),
            alarms=Alarms(keeper, store, views),
            servers=servers,
            cutter=channels,
            pages=presence.pages,
            views=views,
            versions=Versions(keeper=keeper, edits=store, servers=servers, store=store, views=views, trail=trail),
            proofs=proofs,
            ring=ring,
            facts=facts,
            describe=describe,
            now=now,
        )
        trail.announce(api.happened)
        secrets = KnownTokens(store)
        await secrets.read()
        closing.callback(store.subscribe(lambda change: secrets.changed() if change.kind == "upstream" else None))
        closing.callback(store.subscribe(api.changed))
        hands.subscribe(api.asked)
        yield _House(
            config,
            now,
            pace,
            store,
            trail,
            ring,
            policies,
            forwarder,
            directory,
            servers,
            disk,
            roots,
            tokens,
            addresses,
            authenticator,
            channels,
            presence,
            programs,
            uploads,
            hands,
            keeper,
            api,
            secrets,
            metrics,
            crowd,
            room,
        )


@contextlib.asynccontextmanager
async def offline(config: Config, *, now: Callable[[], float] = time.time) -> AsyncIterator[Api]:
    """The owner's API without a gate: for commands while none runs. Raises Refused(`gate_running`) when one does."""
    async with _house(config, running=False, day=now, front=lambda: without_gate(config, now())) as house:
        yield house.api


@contextlib.asynccontextmanager
async def running(
    config: Config, *, progress: Progress = _quiet, now: Callable[[], float] = time.time
) -> AsyncIterator[RunningGate]:
    """A gate that serves until the context ends. Raises Refused when a port is taken or another gate runs, Faults for a
    certificate that cannot be used."""
    asyncio.get_running_loop().set_exception_handler(Accepting())
    entrance = Entrance(config, now)
    with contextlib.ExitStack() as sockets:
        gate_sockets: list[socket.socket] = []
        for host in _gate_hosts(config):
            gate_sockets.append(sockets.enter_context(_bound(config, host)))
            config = replace(config, gate_port=gate_sockets[0].getsockname()[1])
        dashboard = sockets.enter_context(_bind("dashboard_port", config.dashboard_host, config.dashboard_port))
        config = replace(config, dashboard_port=dashboard.getsockname()[1])
        trusts = entrance.forwarders.trusts
        async with _house(config, running=True, day=now, front=entrance.front, forwards=trusts) as house:
            if config.one_owner:
                check_one_owner(owners(await house.store.shares(), house.now()))
            names = Names(house.now)
            await names.open(house.store)
            gate, draining, condition, background = _gate(house, names, entrance, progress)
            house.metrics.look = condition.now
            async with contextlib.AsyncExitStack() as closing:
                listener = Listener(gate.handle, crowd=house.crowd, backlog=house.room.backlog)
                closing.push_async_callback(listener.stop)
                ready, metrics = condition.health.look, house.metrics.text
                owner = OwnerListener(house.api, house.ring, ready, metrics, share_hosts=config.share_hosts)
                closing.push_async_callback(owner.stop)
                for each in gate_sockets:
                    await listener.start(each, entrance.tls)
                await owner.start(dashboard, config.socket_path)
                tasks = [asyncio.create_task(work()) for work in (*background, entrance.watch)]
                closing.push_async_callback(_stop, tasks)
                closing.push_async_callback(draining.run)
                await house.trail.record(AuditEvent(action=Action.GATE_STARTED, actor="gate", detail=config.gate_url))
                progress(f"gate at {config.gate_url}")
                yield RunningGate(config, house.api, house.servers, gate, draining, house.secrets)
                with contextlib.suppress(StoreUnavailable):  # the end of a gate whose store is gone is not recorded
                    await house.trail.record(AuditEvent(action=Action.GATE_STOPPED, actor="gate"))


def _gate(
    house: _House, names: Names, entrance: Entrance, progress: Progress
) -> tuple[Gate, Draining, Condition, list[Callable[[], Coroutine[None, None, None]]]]:
    """The request path, how it ends and how it is doing, and what runs beside it."""
    config, now, store, trail = house.config, house.now, house.store, house.trail
    site = Site(house.addresses)

    async def fetch(
        upstream: Upstream, path: str, *, credential: bool, query: tuple[tuple[str, str], ...] = ()
    ) -> Incoming:
        return await house.forwarder.forward(upstream, Outgoing("GET", path, query, credential=credential))

    live_pages = LivePages(
        house.authenticator,
        house.presence,
        house.servers.presence,
        now,
        hands=house.hands,
        trail=trail,
        acted=lambda grant: documents.acted(grant.visit.id),
        pace=house.pace,
    )
    door = Door(
        store,
        house.authenticator,
        trail,
        house.addresses,
        now,
        role_sentence=house.policies.roles.sentence,
        full_addresses=config.full_addresses,
        shared_origin=not config.share_hosts and config.accept_shared_origin,
        pace=house.pace,
    )
    own = OwnAddresses(store, house.authenticator, door, trail, house.addresses, now)
    lab = LabServer(fetch, lambda upstream: upstream.token.secret)
    amounts = Amounts(config.requests_per_minute, config.requests_at_once, config.megabytes_per_minute * 1e6)
    allowance = Allowance(amounts, house.pace)
    keeping = Keeping(house.keeper, store, _limits(config), trail, now)
    documents = Documents(
        upstreams=house.directory,
        forwarder=house.forwarder,
        file_ids=UpstreamFileIds(house.directory, house.forwarder),
        channels=house.channels,
        disk=house.roots,
        presence=house.presence,
        allowance=allowance,
        trail=trail,
        steward=Editing(
            authenticator=house.authenticator,
            store=store,
            names=names,
            trail=trail,
            keeping=keeping,
            now=house.pace,
            writing_ended=live_pages.writing_ended,
            judged=house.metrics.judged,
        ),
        rules=house.policies.documents,
        idle_after=config.idle_minutes * 60.0,
        moved=house.hands.moved,
    )
    living = Living(
        documents=documents,
        upstreams=house.directory,
        forwarder=house.forwarder,
        keeping=keeping,
        keeper=house.keeper,
        edits=store,
        trail=trail,
        now=now,
    )
    house.api.versions.live = living
    keeping.read_file = living.file_of
    writing = Writing(
        forwarder=house.forwarder,
        roots=house.roots,
        rules=house.policies.files,
        uploads=house.uploads,
        open_documents=documents.rooms,
        keeping=living,
    )
    answers = Answers(
        forwarder=house.forwarder,
        roots=house.roots,
        lab=lab,
        overlays=Overlays(store),
        channels=house.channels,
        documents=documents,
        live_pages=live_pages,
        presence=house.presence,
        names=names,
        writing=writing,
    )
    standing = Standing(
        house.authenticator, house.channels, house.roots, trail, lambda share: live_pages.wake(share=share)
    )
    store.subscribe(standing.changed)
    store.subscribe(lambda change: names.changed(change, store))
    gate = Gate(
        site=site,
        store=store,
        authenticator=house.authenticator,
        policy=house.policies.policy,
        doorstep=Doorstep(door, site),
        own=own,
        upstreams=house.directory,
        roots=house.roots,
        answers=answers,
        lab=lab,
        presence=house.presence,
        programs=house.programs,
        trail=trail,
        allowance=allowance,
        strangers=Buckets(Rate(config.strangers_per_minute, 60, config.strangers_per_minute), house.pace),
        now=now,
        visitor=entrance.forwarders.visitor,
        lasting_tls=entrance.lasting_tls,
        pace=house.pace,
        measures=house.metrics,
    )

    def server_changed(change: StateChange) -> None:
        house.servers.seen(change)
        live_pages.wake(upstream=change.upstream)

    house.hands.notebooks = documents
    asking = Asking(house.hands, now)

    async def woke(woke: Woke) -> None:
        await standing.look()
        live_pages.beat()
        if woke.slept:
            house.directory.forget()
            house.forwarder.woke()

    draining = Draining(house.channels, documents, gate.refuse_newcomers, config.drain_seconds, progress)
    health = Health(checks(store, trail, house.ring, lambda: draining.began))
    condition = Condition(store, house.channels, documents, trail, health, house.crowd, house.now, house.servers.state)
    beside = [standing.sweep, asking.watch, keeping.run, lambda: house.directory.watch(server_changed)]
    return gate, draining, condition, [*beside, Waking([woke]).run, lambda: _keep(house, condition)]


async def _keep(house: _House, condition: Condition) -> None:
    """Once at the start and every hour: what nobody needs any more leaves the store, and what stays is measured."""
    while True:
        with contextlib.suppress(StoreUnavailable):  # tried again in an hour; nothing depends on it
            await house.store.prune(house.now())
            await house.keeper.thin()
            condition.versions_bytes = sum(each.stored for each in await house.store.versions())
            await house.store.erase(Query(until=house.now() - house.config.retention_days * 86400.0))
        await asyncio.sleep(3600)


def _limits(config: Config) -> Limits:
    return Limits(
        bytes=config.versions_megabytes << 20,
        per_document=config.versions_per_document,
        days=config.versions_days,
        undo_bytes=config.undo_megabytes << 20,
    )


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _gate_hosts(config: Config) -> list[str]:
    if config.lan:
        return ["0.0.0.0"]  # noqa: S104 -- what `lan` asks for, in words
    # Browsers look for names below `localhost` at ::1 first. Nobody else on this computer may answer there.
    both = config.gate_host == "127.0.0.1" and bool(config.share_hosts) and loopback(config.share_hosts)
    return ["127.0.0.1", "::1"] if both and _knows("::1") else [config.gate_host]


def _knows(host: str) -> bool:
    """Whether this computer has an address at all."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _bound(config: Config, host: str) -> socket.socket:
    return _bind("gate_port", host, config.gate_port)


def _bind(setting: str, host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything else is opened. Raises Refused naming the setting."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Refused(
            "no_address", f"{host} is no address of this computer ({error.strerror})", f"Check {setting}"
        ) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(1024)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        reason = error.strerror or os.strerror(error.errno or 0)
        raise Refused(
            "port_taken", f"port {port} on {host}: {reason}", f"Stop what uses it, or set {setting}"
        ) from None
    return bound


def network_address() -> str:
    """This computer's IPv4 address in its network, as the system would choose it; "" when it has none.

    Connecting a datagram socket sends nothing (192.0.2.1 is an address for documents, RFC 5737).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        address = str(probe.getsockname()[0])
    return "" if address.startswith("127.") or address == "0.0.0.0" else address  # noqa: S104 -- compared, not bound
