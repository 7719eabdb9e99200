"""What a gate and an offline command have in common, assembled: keys, store, trail, servers, the owner's API."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from sharegate import __version__
from sharegate.audit.announce import Announcing
from sharegate.audit.believed import Believed
from sharegate.audit.erasure import Erasure
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.export import describe
from sharegate.audit.history import StoredHistory
from sharegate.audit.trail import Trail
from sharegate.audit.whole import WholeTrail
from sharegate.channels.registry import KINDS, Channels
from sharegate.clock import DayClock
from sharegate.config import Config, loopback
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.advisories import Advisories
from sharegate.dashboard.agreement import Agreement
from sharegate.dashboard.alarms import Alarms
from sharegate.dashboard.api import Api
from sharegate.dashboard.asking import Attributed
from sharegate.dashboard.asks import Asks
from sharegate.dashboard.codes import Codes
from sharegate.dashboard.configured import Configured
from sharegate.dashboard.coowners import Coowners
from sharegate.dashboard.doctor import Doctor
from sharegate.dashboard.erasing import Erasing
from sharegate.dashboard.folders import Choices
from sharegate.dashboard.handing import Handing
from sharegate.dashboard.history import Histories
from sharegate.dashboard.interfaces import GateFacts
from sharegate.dashboard.keys import Keys
from sharegate.dashboard.login import Logins
from sharegate.dashboard.mailing import Mailing
from sharegate.dashboard.notifying import Notifying
from sharegate.dashboard.offers import Offers
from sharegate.dashboard.opening import Opening
from sharegate.dashboard.overviews import Overviews
from sharegate.dashboard.people import People
from sharegate.dashboard.proofs import Proofs
from sharegate.dashboard.records import Records
from sharegate.dashboard.register import Register
from sharegate.dashboard.reports import Reports
from sharegate.dashboard.resources import Resources
from sharegate.dashboard.review import Review
from sharegate.dashboard.rosters import Rosters
from sharegate.dashboard.rules import Reading, Rules
from sharegate.dashboard.searching import Searching
from sharegate.dashboard.sharing import Sharing
from sharegate.dashboard.times import Times
from sharegate.dashboard.tokens import ApiTokens
from sharegate.dashboard.trails import Trails
from sharegate.dashboard.versions import Versions
from sharegate.dashboard.views import Views
from sharegate.descriptors import Budget, budget, limit
from sharegate.entrance import Front
from sharegate.errors import Invalid, Refused
from sharegate.listener.crowd import Crowd
from sharegate.mail.interfaces import Mailer
from sharegate.mail.smtp import Smtp
from sharegate.metrics import Metrics, TimedHistory
from sharegate.notify.notifier import Notifier, services
from sharegate.oidc.ways import Ways
from sharegate.policy.load import Policies, load_policies, reread
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.authenticate import Authenticator
from sharegate.shares.coowners import Marks
from sharegate.shares.fitting import InForce
from sharegate.shares.issue import Issuer
from sharegate.shares.keys import KeyRing, keys_exchange, keys_part, private_directory, store_key
from sharegate.shares.model import new_id
from sharegate.shares.tokens import ShareTokens
from sharegate.stores.opening import Store, open_store
from sharegate.stores.redis.following import BEHIND_SECONDS
from sharegate.stores.redis.store import RedisStore
from sharegate.stores.sqlite import SqliteStore
from sharegate.upkeep import Upkeep, half_restored
from sharegate.upstream.directory import Directory
from sharegate.upstream.discover import runtime_directories
from sharegate.upstream.disk import DiskByUpstream
from sharegate.upstream.forward import AiohttpForwarder, Timeouts
from sharegate.upstream.installed import installed
from sharegate.upstream.listing import Folders
from sharegate.upstream.roots import Roots
from sharegate.upstream.servers import OwnerServers
from sharegate.upstream.tokens import KnownTokens
from sharegate.upstream.trust import trust
from sharegate.versions.model import Limits
from sharegate.versions.snapshots import Keeper
from sharegate.visits.hands import Hands
from sharegate.visits.knocks import Knocks
from sharegate.visits.presence import Presence
from sharegate.visits.programs import Programs
from sharegate.visits.short_codes import ShortCodes
from sharegate.writing.uploads import Uploads

log = logging.getLogger("sharegate")


@dataclass(frozen=True)
class House:
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
    logins: Logins
    secrets: KnownTokens
    metrics: Metrics
    crowd: Crowd
    room: Budget
    mailer: Mailer | None
    accounts: Ways
    issuer: Issuer
    in_force: InForce
    key: bytes = field(repr=False)
    notifier: Notifier


@contextlib.asynccontextmanager
async def opened(
    config: Config,
    *,
    running: bool,
    day: Callable[[], float],
    front: Callable[[], Front],
    forwards: Callable[[str], bool] = lambda address: False,
) -> AsyncIterator[House]:
    """Open keys, store and trail; assemble; close in the opposite order. Raises Invalid, Faults, Refused."""
    now = DayClock(day)
    # Limits go on where the time of day has to stand still.
    pace = time.monotonic if day is time.time else day
    private_directory(config.data_dir)
    policies = load_policies(extra=config.policy_dir)
    async with contextlib.AsyncExitStack() as closing:
        store = await _store(config)
        closing.push_async_callback(store.close)
        if not os.path.exists(config.keys_dir / "ring.json") and (await store.writers() or await store.shares()):
            raise _keys_missing(config.keys_dir / "ring.json")
        ring = KeyRing.open(config.keys_dir, now())
        metrics = Metrics((rule.id for rule in policies.policy.rules), KINDS, __version__)
        history = TimedHistory(store, metrics.committed)
        chain = Trail(history, writer=store.writer, clock=now, full_addresses=config.full_addresses)
        trail = Announcing(chain, store)
        trail.announce(metrics.happened)
        await trail.open()
        closing.push_async_callback(trail.close)
        if isinstance(store, SqliteStore) and store.migrated is not None:
            log.warning("the records were brought %s, in %s", store.migrated, store.migrated.copy.parent)
            event = AuditEvent(action=Action.STORE_MIGRATED, actor="gate", detail=str(store.migrated))
            await trail.record(event)
        times = Timeouts(first_byte=config.upstream_seconds, idle=config.upstream_seconds)
        forwarder = await closing.enter_async_context(AiohttpForwarder(timeouts=times, trust=trust(config.upstream_ca)))
        # A file has one gate, and the computer's name may change; over a server gates of several computers meet.
        machine = platform.node() if config.store else ""
        directory = Directory(store, forwarder, machine=machine)
        servers = OwnerServers(store, forwarder, config.owner, machine=machine)
        disk = DiskByUpstream()
        # Where Jupyter's servers note how they run, the token is written too.
        protected = [*config.own_files, *runtime_directories()]
        roots = Roots(store, directory, forwarder, disk, trail, lambda: protected, machine)
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
            programs=channels.programs,
        )
        register = Register(store, now)
        closing.callback(store.subscribe(register.changed))
        room = budget(limit(), config.connections)
        # A proxy has everybody's connections.
        crowd = Crowd(
            room.connections,
            config.connections_per_address,
            shared=lambda address: forwards(address) or (bool(config.public_url) and loopback(address)),
            per_visit=config.channels_per_visit + config.requests_at_once,
        )
        resources = Resources(
            room.limit, room.connections, config.connections, lambda: crowd.refused, lambda: now.behind
        )
        advisories = Advisories(store, lambda upstream: installed(forwarder, upstream), servers.computer)
        in_force = InForce(policies.sharing)
        agreement = Agreement(in_force, store, store.writer, now)
        closing.callback(store.subscribe(agreement.changed))
        found_by = [resources.findings, advisories.findings, agreement.findings]
        mailer = Smtp(config.mail, now) if config.mail is not None else None

        accounts = Ways(config.accounts, now, pace)

        async def mail_findings() -> list[dict[str, str]]:
            return [*await mailing.findings(), *await notifying.findings()]

        doctor = Doctor(config, store, servers, trail, front, [*found_by, mail_findings, accounts.findings])
        erasure = Erasure(store)
        issuer = Issuer(store, tokens, roots, in_force, now, one_owner=config.one_owner, accounts=config.oidc_issuer)
        stored_history = StoredHistory(store, store)
        keeper = Keeper(store, limits(config), new_id, now, config.versions_minutes * 60.0)
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
        # What is done here for a program is recorded as the program's.
        attributed = Attributed(trail)
        mailing = Mailing(mailer, config.mail, facts, attributed)
        notifier = Notifier(
            config.notices,
            services,
            store,
            trail,
            owner=config.owner,
            alone=config.one_owner,
            dashboard=config.dashboard_url,
            now=now,
            pace=pace,
        )
        notifying = Notifying(notifier, attributed)
        proofs = Proofs(
            store=store,
            issuer=issuer,
            trail=attributed,
            ring=ring,
            directory=directory,
            forwarder=forwarder,
            disk=disk,
            apart=roots.apart,
            facts=facts,
            gate=store.writer,
            now=now,
        )
        closing.push_async_callback(proofs.close)
        elsewhere = store.check if isinstance(store, RedisStore) else None
        records = Records(Upkeep(config), store, attributed, now, elsewhere)
        closing.push_async_callback(records.close)
        logins = Logins(now, pace)
        acts = Acts(store, attributed, channels, presence.pages, now)
        choices = Choices(Folders(directory, forwarder, disk), roots, store)
        sharing = Sharing(
            acts=acts,
            store=store,
            issuer=issuer,
            servers=servers,
            views=views,
            facts=facts,
            mailing=mailing,
            register=register,
        )
        handing = Handing(
            acts=acts, store=store, sharing=sharing, views=views, facts=facts, mailing=mailing, now=now, pace=pace
        )
        closing.push_async_callback(handing.finished)
        api = Api(
            store=store,
            upstreams=store,
            history=Histories(acts=acts, store=store, history=stored_history, views=views, describe=describe, now=now),
            review=Review(
                acts=acts,
                store=store,
                issuer=issuer,
                history=stored_history,
                views=views,
                presence=presence,
                trail=attributed,
                register=register,
                elsewhere=isinstance(store, RedisStore),
                now=now,
            ),
            trail=attributed,
            acts=acts,
            sharing=sharing,
            handing=handing,
            codes=Codes(
                acts=acts,
                codes=ShortCodes(store, trail, store_key(config.keys_dir), now, store.tally(now=now, pace=pace)),
                views=views,
                facts=facts,
                door=lambda link: addresses.of(link.share).link(tokens.mint_for_code(link)),
            ),
            rosters=Rosters(
                acts=acts,
                store=store,
                issuer=issuer,
                servers=servers,
                sharing=sharing,
                choices=choices,
                views=views,
                facts=facts,
                mail=mailing.able,
                now=now,
            ),
            people=People(
                acts=acts,
                store=store,
                issuer=issuer,
                knocks=Knocks(store, in_force, now),
                marks=(marks := Marks(store, in_force, now)),
                views=views,
                trail=attributed,
                register=register,
            ),
            coowners=Coowners(acts=acts, marks=marks, views=views),
            asks=Asks(hands, store, views, attributed),
            alarms=Alarms(keeper, store, store, views),
            servers=servers,
            cutter=channels,
            views=views,
            versions=Versions(
                keeper=keeper, edits=store, servers=servers, store=store, upstreams=store, views=views, trail=attributed
            ),
            proofs=proofs,
            rules=Rules(
                in_force=in_force,
                agreement=agreement,
                read=lambda: Reading(*reread(config.policy_dir, policies)),
                store=store,
                history=stored_history,
                cutter=channels,
                views=views,
                trail=attributed,
                now=now,
            ),
            keys=Keys(
                ring=ring,
                store=store,
                issuer=issuer,
                cutter=channels,
                views=views,
                trail=attributed,
                address=lambda link: addresses.of(link.share).link(tokens.mint(link)),
                now=now,
            ),
            records=records,
            tokens=ApiTokens(acts=acts, store=store, trail=attributed, now=now, pace=pace),
            trails=Trails(
                history=WholeTrail(store, trail, ring, now),
                erasure=erasure,
                store=store,
                retention_days=config.retention_days,
                anchor_file=config.anchor_file,
                anchor_minutes=config.anchor_minutes,
                now=now,
                apart=roots.apart,
                clock=Believed(store, trail, now),
            ),
            erasing=Erasing(
                store=store,
                erasure=erasure,
                cutter=channels,
                views=views,
                trail=attributed,
                now=now,
                behind=0.0 if isinstance(store, SqliteStore) else BEHIND_SECONDS,
            ),
            opening=Opening(logins, facts, now),
            mailing=mailing,
            choices=choices,
            configured=Configured(config),
            offers=Offers(
                acts=acts,
                rules=in_force,
                sentence=policies.roles.sentence,
                address=lambda link: addresses.of(link.share).link(tokens.mint(link)),
                mail=mailer is not None,
                accounts=config.accounts.name if config.accounts is not None else "",
            ),
            searching=Searching(store, views, stored_history, register),
            notifying=notifying,
            times=Times(acts=acts, store=store, issuer=issuer, views=views, now=now),
            reports=Reports(acts=acts, store=store, views=views, trail=attributed, now=now),
            register=register,
            overviews=Overviews(store=store, register=register, views=views, presence=presence),
            facts=facts,
            describe=describe,
            now=now,
            key=store_key(config.keys_dir),
        )
        trail.announce(api.happened)
        trail.announce(register.happened)
        trail.announce(notifier.happened)
        secrets = KnownTokens(store)
        await secrets.read()
        closing.callback(store.subscribe(lambda change: secrets.changed() if change.kind == "upstream" else None))
        closing.callback(store.subscribe(api.changed))
        hands.subscribe(api.asked)
        yield House(
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
            logins,
            secrets,
            metrics,
            crowd,
            room,
            mailer,
            accounts,
            issuer,
            in_force,
            store_key(config.keys_dir),
            notifier,
        )


async def _store(config: Config) -> Store:
    """With a key of its own only where nothing was sealed with another one."""
    file = config.keys_dir / "store.key"
    if os.path.lexists(keys_exchange(config.keys_dir)):
        raise half_restored(config.keys_dir)
    fresh = not os.path.exists(file)  # what cannot be looked at counts as missing
    if fresh and (keys_part(config.keys_dir).exists() or (not config.store and config.database.exists())):
        raise _keys_missing(file)
    key = store_key(config.keys_dir)
    try:
        return await open_store(config, key=key)
    except Refused as refused:
        if fresh and refused.code == "store_other_key":
            file.unlink(missing_ok=True)
            raise _keys_missing(file) from None
        raise


def _keys_missing(file: Path) -> Invalid:
    return Invalid(
        str(file),
        "is missing, though there are records that were made with it",
        "Bring the folder of the keys back (is it mounted?), or put a backup in place: store restore --with-keys",
    )


def limits(config: Config) -> Limits:
    return Limits(
        bytes=config.versions_megabytes << 20,
        per_document=config.versions_per_document,
        days=config.versions_days,
        undo_bytes=config.undo_megabytes << 20,
    )
