"""The composition root: the only file that names concrete classes and joins them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace

from sharegate.answers import Answers
from sharegate.assembly import House, limits, opened
from sharegate.audit.events import Action, AuditEvent
from sharegate.clock import Waking, Woke
from sharegate.condition import Condition, checks
from sharegate.config import Config
from sharegate.dashboard.api import Api
from sharegate.dashboard.health import Health
from sharegate.dashboard.listener import OwnerListener
from sharegate.dashboard.login import UNTOLD
from sharegate.dashboard.pages.site import Pages
from sharegate.dashboard.signing import SignIn
from sharegate.dashboard.web import Dashboard
from sharegate.descriptors import Accepting
from sharegate.documents import Documents
from sharegate.drain import Draining
from sharegate.editing import Editing
from sharegate.entrance import Entrance, without_gate
from sharegate.errors import StoreUnavailable
from sharegate.garbage import sweep
from sharegate.gate import Gate
from sharegate.keeping import Keeping
from sharegate.lab.overlay import Overlays
from sharegate.lab.serve import LabServer
from sharegate.language.catalogue import Languages
from sharegate.limits import Buckets, Rate
from sharegate.listener.http import Listener
from sharegate.living import Living
from sharegate.ports import bind, gate_hosts
from sharegate.readers.serving import Readers
from sharegate.readers.source import Source
from sharegate.shares.coowners import is_coowner
from sharegate.shares.owners import check_one_owner, owners
from sharegate.upstream.directory import StateChange
from sharegate.upstream.file_ids import UpstreamFileIds
from sharegate.upstream.interfaces import Incoming, Outgoing
from sharegate.upstream.model import Upstream
from sharegate.upstream.servers import OwnerServers
from sharegate.upstream.sockdiag import account_connected, listening_sockets
from sharegate.visits.allowance import Allowance, Amounts
from sharegate.visits.asking import Asking
from sharegate.visits.codestep import Codestep
from sharegate.visits.coowners.assembled import coowner_pages
from sharegate.visits.doorstep import Doorstep
from sharegate.visits.join import Door
from sharegate.visits.live import LivePages
from sharegate.visits.mailed import Mailed
from sharegate.visits.more_time import MoreTime
from sharegate.visits.names import Names
from sharegate.visits.own import OwnAddresses
from sharegate.visits.passphrase import PassphraseProof
from sharegate.visits.reporting import Reporting
from sharegate.visits.signing import Signing
from sharegate.visits.site import Site
from sharegate.visits.standing import Standing
from sharegate.writing.judge import Writing

log = logging.getLogger("sharegate")

ANEW_SECONDS = 5.0

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
    applied: list[str] = field(default_factory=list)
    """What the rules changed at the start, in words."""

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


@contextlib.asynccontextmanager
async def offline(config: Config, *, now: Callable[[], float] = time.time) -> AsyncIterator[Api]:
    """The owner's API without a gate: for commands while none runs. Raises Refused(`gate_running`) when one does."""
    async with opened(config, running=False, day=now, front=lambda: without_gate(config, now())) as house:
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
        for host in gate_hosts(config):
            gate_sockets.append(sockets.enter_context(bind("gate_port", host, config.gate_port)))
            config = replace(config, gate_port=gate_sockets[0].getsockname()[1])
        dashboard = sockets.enter_context(bind("dashboard_port", config.dashboard_host, config.dashboard_port))
        config = replace(config, dashboard_port=dashboard.getsockname()[1])
        trusts = entrance.forwarders.trusts
        async with opened(config, running=True, day=now, front=entrance.front, forwards=trusts) as house:
            if config.one_owner:
                check_one_owner(owners(await house.store.shares(), house.now()))
            await house.api.trails.begin()
            await house.api.records.at_start()
            # Before anybody is let in: what was given under other rules is brought under these.
            applied = [*await house.roots.at_start(), *await house.api.rules.at_start()]
            await house.api.proofs.at_start()
            names = Names(house.now)
            await names.open(house.store)
            gate, draining, condition, background = _gate(house, names, entrance, progress)
            house.metrics.look = house.api.vitals.look = condition.now
            async with contextlib.AsyncExitStack() as closing:
                listener = Listener(gate.handle, crowd=house.crowd, backlog=house.room.backlog, pace=house.pace)
                closing.push_async_callback(gate.finished)
                closing.push_async_callback(listener.stop)
                owner = OwnerListener(house.api, _dashboard(house, config, condition))
                closing.push_async_callback(owner.stop)
                for each in gate_sockets:
                    await listener.start(each, entrance.tls)
                await owner.start(dashboard, config.socket_path)
                tasks = [asyncio.create_task(lasting(work)) for work in (*background, entrance.watch)]
                closing.push_async_callback(_stop, tasks)
                closing.push_async_callback(house.notifier.stop)
                closing.push_async_callback(draining.run)
                started = config.gate_url + house.api.trails.clock_note()
                await house.trail.record(AuditEvent(action=Action.GATE_STARTED, actor="gate", detail=started))
                progress(f"gate at {config.gate_url}")
                yield RunningGate(config, house.api, house.servers, gate, draining, house.secrets, applied)
                with contextlib.suppress(StoreUnavailable):  # the end of a gate whose store is gone is not recorded
                    await house.trail.record(AuditEvent(action=Action.GATE_STOPPED, actor="gate"))


def _dashboard(house: House, config: Config, condition: Condition) -> Dashboard:
    return Dashboard(
        api=house.api,
        logins=house.logins,
        pages=Pages(house.api, house.now),
        ring=house.ring,
        ready=condition.health.look,
        metrics=house.metrics.text,
        url=config.dashboard_url,
        # Asked once: where the kernel does not tell of one, it tells of none.
        account=account_connected if listening_sockets() is not None else lambda client, server: UNTOLD,
        share_hosts=config.share_hosts,
        sign_in=_sign_in(house, config),
    )


def _sign_in(house: House, config: Config) -> SignIn | None:
    flow = house.accounts.to(config.dashboard_url + "/login/signed")
    if flow is None:
        return None
    return SignIn(
        *(flow, house.logins, house.trail, house.key, house.now),
        owner=config.owner,
        owners=config.oidc_owner,
        groups=config.oidc_admin_groups,
        hours=config.oidc_session_hours,
        sign_out=config.dashboard_url + "/login" if config.oidc_sign_out else "",
    )


def _gate(
    house: House, names: Names, entrance: Entrance, progress: Progress
) -> tuple[Gate, Draining, Condition, list[Callable[[], Coroutine[None, None, None]]]]:
    """The request path, how it ends and how it is doing, and what runs beside it."""
    config, now, store, trail = house.config, house.now, house.store, house.trail
    site = Site(house.addresses)
    tally = store.tally(now=now, pace=house.pace)

    async def fetch(
        upstream: Upstream, path: str, *, credential: bool, query: tuple[tuple[str, str], ...] = ()
    ) -> Incoming:
        return await house.forwarder.forward(upstream, Outgoing("GET", path, query, credential=credential))

    more_time = MoreTime(store, trail, now, pace=house.pace)
    live_pages = LivePages(
        house.authenticator,
        house.presence,
        house.servers.presence,
        now,
        hands=house.hands,
        trail=trail,
        acted=lambda grant: documents.acted(grant.visit.id),
        coowner=lambda grant: house.in_force.coowners and is_coowner(grant.link, grant.visit),
        time=lambda grant: more_time.state(grant.share, grant.link, grant.visit, grant.visit.browser_hash),
        pace=house.pace,
    )
    reporting = Reporting(store, trail, now, full_addresses=config.full_addresses, pace=house.pace)
    door = Door(
        store,
        house.authenticator,
        trail,
        house.addresses,
        now,
        role_sentence=house.policies.roles.sentence,
        key=house.key,
        proofs=[PassphraseProof(tally)],
        mailed=Mailed(store, house.mailer, trail, house.key, config.gate_url, now, tally),
        signing=Signing(
            store, trail, house.addresses, house.key, now, house.accounts.to(config.gate_url + "/join/signed")
        ),
        full_addresses=config.full_addresses,
        shared_origin=not config.share_hosts and config.accept_shared_origin,
        reporting=reporting,
        more_time=more_time,
        pace=house.pace,
    )
    languages = Languages(config.language)
    coowners, desks = coowner_pages(
        store=store,
        issuer=house.issuer,
        rules=house.in_force,
        presence=house.presence,
        trail=trail,
        addresses=house.addresses,
        key=house.key,
        now=now,
        pace=house.pace,
        languages=languages,
    )
    store.subscribe(desks.changed)
    own = OwnAddresses(
        *(store, house.authenticator, door, trail, house.addresses, now),
        site=site,
        reporting=reporting,
        more_time=more_time,
        languages=languages,
        coowners=coowners,
    )
    lab = LabServer(fetch, lambda upstream: upstream.token.secret)
    amounts = Amounts(config.requests_per_minute, config.requests_at_once, config.megabytes_per_minute * 1e6)
    allowance = Allowance(amounts, house.pace)
    keeping = Keeping(house.keeper, store, limits(config), trail, now)
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
        links=house.roots,
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
        readers=Readers(Source(house.forwarder, house.roots), house.presence, languages=languages),
        languages=languages,
    )
    standing = Standing(
        house.authenticator, house.channels, house.roots, trail, lambda share: live_pages.wake(share=share)
    )
    store.subscribe(standing.changed)
    store.subscribe(lambda change: live_pages.wake() if change.kind == "time" else None)
    store.subscribe(lambda change: names.changed(change, store))
    gate = Gate(
        site=site,
        store=store,
        authenticator=house.authenticator,
        policy=house.policies.policy,
        doorstep=Doorstep(door, site, languages),
        codestep=Codestep(house.api.codes.short, site, languages, house.api.codes.door),
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
        languages=languages,
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

    def refuse_newcomers() -> None:
        gate.refuse_newcomers()
        desks.stop()

    draining = Draining(house.channels, documents, refuse_newcomers, config.drain_seconds, progress)
    health = Health(checks(store, trail, house.ring, lambda: draining.began))
    condition = Condition(store, house.channels, documents, trail, health, house.crowd, house.now, house.servers.state)
    beside = [
        house.api.register.begin,
        standing.sweep,
        asking.watch,
        keeping.run,
        lambda: house.directory.watch(server_changed),
    ]
    more = [Waking([woke]).run, lambda: _keep(house, condition), house.api.trails.run]
    more += [lambda: sweep(documents.rooms.let_go), house.notifier.run]
    return gate, draining, condition, [*beside, *more]


async def _keep(house: House, condition: Condition) -> None:
    """Once at the start and every hour: what nobody needs any more leaves the store, and what stays is measured."""
    while True:
        try:
            if await house.api.trails.clock.settled():
                await house.store.prune(house.now())
                await house.keeper.thin()
                condition.versions_bytes = sum(each.stored for each in await house.store.versions())
                await house.api.trails.let_go()
            else:
                log.warning("the clock leapt ahead; nothing is let go of for an hour")
        except StoreUnavailable:  # fails closed: nothing is let go of, and it is tried again in an hour
            pass
        except Exception:  # fails closed, in the same way
            log.exception("letting go of what nobody needs")
        await asyncio.sleep(3600)


async def lasting(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """What runs beside the requests, for ever: a fault in it is told, and it begins anew."""
    while True:
        try:
            return await work()
        except Exception:  # fails open for visitors: each of these tasks fails closed in itself
            log.exception("%s ended", getattr(work, "__qualname__", "a task"))
        await asyncio.sleep(ANEW_SECONDS)


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
