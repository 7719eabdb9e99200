"""The pieces of a gate over a real SQLite store, without a network: for tests of shares and visits."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from sharegate.audit.events import AuditEvent
from sharegate.errors import StoreUnavailable
from sharegate.paths import CanonicalPath
from sharegate.policy.load import Policies, load_policies
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.authenticate import Authenticator
from sharegate.shares.interfaces import HandOut, RootFacts
from sharegate.shares.issue import Issuer, NewLink, NewShare
from sharegate.shares.keys import KeyRing
from sharegate.shares.model import Link, RootIdentity, RootKind, Share
from sharegate.shares.tokens import ShareTokens
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from sharegate.tally import OwnTally
from sharegate.visits.entry import Comer
from sharegate.visits.join import Door
from sharegate.visits.knocks import Knocks
from sharegate.visits.passphrase import PassphraseProof
from tests.conftest import Clock

ANN = Comer(browser="", address="192.0.2.7", agent="Mozilla/5.0 Firefox")
ADDRESSES = GateAddresses("http://127.0.0.1:8870")
EVE = Comer(browser="", address="198.51.100.9", agent="Mozilla/5.0 Safari")


@dataclass
class Notes:
    """A recorder that keeps events in a list, or cannot write."""

    events: list[AuditEvent] = field(default_factory=list)
    broken: bool = False

    async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
        if self.broken:
            raise StoreUnavailable("full")
        self.events.append(event)

    def actions(self) -> list[str]:
        return [event.action.value for event in self.events]


@dataclass
class Ground:
    """What stands on the server, for RootLook."""

    facts: dict[str, RootFacts | None] = field(default_factory=dict)

    async def look(self, upstream: str, root: CanonicalPath) -> RootFacts | None:
        return self.facts.get(str(root), RootFacts(RootKind.DIRECTORY, RootIdentity(1, 2)))


@dataclass
class House:
    clock: Clock
    store: SqliteStore
    tokens: ShareTokens
    policies: Policies
    authenticator: Authenticator
    issuer: Issuer
    ground: Ground
    notes: Notes
    door: Door
    knocks: Knocks

    async def share(self, *links: NewLink, path: str = "sub/shared", **more: object) -> tuple[Share, list[Link]]:
        """A share of `sub/shared` by Olga with these links (default: one for Ann)."""
        new = NewShare(upstream="u2345", path=path, owner="Olga", links=links or (NewLink(name="Ann"),), **more)  # type: ignore[arg-type]
        share, made, _ = await self.issuer.create(new)
        return share, made

    def token(self, link: Link) -> str:
        return self.tokens.mint(link)


@cache
def _policies() -> Policies:
    return load_policies()


def rules() -> HandOut:
    return _policies().sharing


@contextlib.asynccontextmanager
async def house(folder: Path, clock: Clock) -> AsyncIterator[House]:
    store = await open_sqlite(folder / "store" / "sharegate.db", key=b"k" * 32)
    try:
        tokens = ShareTokens(KeyRing.open(folder / "keys", clock()), clock)
        policies = _policies()
        authenticator = Authenticator(store, tokens, policies.roles, ADDRESSES, clock)
        ground, notes = Ground(), Notes()
        yield House(
            clock=clock,
            store=store,
            tokens=tokens,
            policies=policies,
            authenticator=authenticator,
            issuer=Issuer(store, tokens, ground, policies.sharing, clock),
            ground=ground,
            notes=notes,
            door=Door(
                store,
                authenticator,
                notes,
                ADDRESSES,
                clock,
                role_sentence=policies.roles.sentence,
                key=b"k" * 32,
                proofs=[PassphraseProof(OwnTally(clock))],
            ),
            knocks=Knocks(store, policies.sharing, clock),
        )
    finally:
        await store.close()
