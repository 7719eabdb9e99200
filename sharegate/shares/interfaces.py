"""What this folder needs from a store. Implementations live in stores/ and run one conformance suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sharegate.paths import CanonicalPath
from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.model import (
    DeviceCode,
    Knock,
    Link,
    MailCode,
    Role,
    RootIdentity,
    RootKind,
    RulesInForce,
    Share,
    Visit,
)
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Report


@dataclass(frozen=True, slots=True)
class Change:
    """Told to subscribers after the commit, in commit order. `kind` is share, link, visit, knock, upstream,
    rules, report, time (an ask for more), or, of the owner's API, token or asked."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class RootFacts:
    """What stands at a path that somebody wants to share. `identity` is None where the gate cannot see the disk.
    `protected` names what must never be shared and lies at or below the path (keys, store, socket)."""

    kind: RootKind
    identity: RootIdentity | None = None
    protected: str = ""


class RootLook(Protocol):
    """A look at a root through the owner's server, or at the disk where both are on one machine."""

    async def look(self, upstream: str, root: CanonicalPath) -> RootFacts | None:
        """None when there is nothing at that path, or when a symbolic link leads there."""


class HandOut(Protocol):
    """What owners may hand out (policies/sharing.yaml)."""

    @property
    def max_expires_seconds(self) -> float: ...
    @property
    def default_expires_seconds(self) -> float: ...
    @property
    def roles(self) -> tuple[Role, ...]: ...
    @property
    def anyone(self) -> bool: ...
    @property
    def max_visits(self) -> int: ...
    @property
    def max_devices(self) -> int: ...
    @property
    def clients(self) -> bool: ...
    @property
    def own_extensions(self) -> bool: ...
    @property
    def runnable_files(self) -> bool: ...
    @property
    def edit_asks_for(self) -> tuple[str, ...]: ...
    @property
    def anyone_asks_for(self) -> tuple[str, ...]: ...
    @property
    def anyone_max_expires_seconds(self) -> float: ...
    @property
    def coowners(self) -> bool: ...


class ShareStore(Protocol):
    """Shares, links, visits, knocks, device codes, overlays, upstreams and API tokens.

    Every write is durable when it returns and atomic; every method may raise StoreUnavailable, after which
    nothing has changed. Reads see all acknowledged writes.
    """

    async def share(self, id: str) -> Share | None: ...

    async def link(self, id: str) -> Link | None: ...

    async def visit(self, id: str) -> Visit | None: ...

    async def knock(self, id: str) -> Knock | None: ...

    async def shares(self) -> list[Share]:
        """All shares, revoked ones too, oldest first."""

    async def shares_beside(self, id: str) -> list[str]:
        """Ids of other shares, revoked ones too: those next to `id` in the order of the alphabet. Of all others none
        has a longer beginning in common with it."""

    async def knocks_beside(self, id: str) -> list[str]:
        """The same of knocks."""

    async def links(self, share: str) -> list[Link]:
        """The links of a share, oldest first."""

    async def visits(self, share: str, *, link: str | None = None, open_only: bool = False) -> list[Visit]:
        """The visits of a share or of one link of it, oldest first."""

    async def knocks(self, *, share: str | None = None, waiting_only: bool = True) -> list[Knock]: ...

    async def add_share(self, share: Share, links: list[Link]) -> None:
        """Store a new share with its first links. Raises ValueError when an id is taken."""

    async def add_link(self, link: Link) -> None: ...

    async def add_links(self, links: list[Link]) -> None:
        """All of them or none. Raises as `add_link` does."""

    async def link_by_code(self, code_hash: str) -> Link | None:
        """The link with this (not empty) `code_hash`, whatever state it is in."""

    async def change_share(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Share:
        """Replace fields and return the new record. Raises NotFound, and ValueError when a field is no longer as `was`
        has it.

        With `expires`, links that ended with the share or would outlive it get the new end too, and so do the open
        visits of each such link: all at once, for whoever comes back by that still has their seat."""

    async def change_link(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Link:
        """The same for a link and its open visits."""

    async def change_visit(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Visit:
        """The same for a visit."""

    async def open_visit(self, visit: Visit, *, seats: int | None) -> Visit:
        """Store a visit unless its link or share was revoked, Denied(`link_revoked`, `share_revoked`), or `seats`
        visits of its link hold a seat already, Denied(`seats_taken`).

        Open visits of the kinds browser and knock hold a seat; devices and clients neither hold nor need one, and
        previews are counted among themselves. The store sets `number` to one more than the highest of the link and
        returns the stored record.
        """

    async def end_visits(self, ids: list[str], *, at: float, reason: str) -> list[Visit]:
        """End those that are open; return the ones that this call ended."""

    async def add_knock(self, knock: Knock, *, limit: int) -> None:
        """Store a waiting knock. Denied: `link_revoked`, `share_revoked`; `join_limit` when `limit` knocks wait at its
        link already."""

    async def decide_knock(self, id: str, *, state: str, at: float, visit: Visit | None = None) -> Knock:
        """Turn a *waiting* knock into admitted (with its new visit, outside the seats), refused or gone.

        Raises NotFound when there is none, ValueError when it was decided already.
        """

    async def add_device_code(self, code: DeviceCode) -> None: ...

    async def spend_device_code(self, code_hash: str, visit: Visit, *, at: float, devices: int) -> Visit:
        """Use a code once: check it (Denied `device_code_invalid`), count the open devices that came from the same
        visit (Denied `devices_taken`), store the new device's visit. `visit.came_from`, `.link`, `.share`, `.role`,
        `.name` and `.expires` are set from the code's visit."""

    async def device_code(self, code_hash: str) -> DeviceCode | None: ...

    async def put_mail_code(self, code: MailCode) -> None:
        """Keep it in place of the one of the same id."""

    async def try_mail_code(self, id: str, code_hash: str, *, at: float, tries: int) -> bool:
        """Whether this is the code of that id. Right or expired, it is gone; wrong, it is counted, and gone with the
        last of `tries`."""

    async def overlay(self, visit: str, kind: str) -> dict[str, bytes]:
        """What a visit keeps for itself (`workspace` or `settings`): name → bytes."""

    async def put_overlay(
        self, visit: str, kind: str, name: str, data: bytes | None, *, items: int, total_bytes: int
    ) -> None:
        """Keep, replace or (None) delete; Denied(`overlay_limit`) past `items` entries or `total_bytes`, and
        `visit_ended`."""

    async def forget(self, *, visits: list[str], links: list[str], knocks: list[str]) -> None:
        """Blank what identifies people in these records, all or nothing: names, addresses, agents, the hashes of their
        cookies; a waiting knock is gone; layouts and device codes of the visits are deleted, and all answers that
        are kept for who asks again. Unknown ids are ignored."""

    async def rules_in_force(self) -> RulesInForce | None:
        """Which rules hold for all gates of this store; None when no gate has said so."""

    async def put_rules_in_force(self, rules: RulesInForce) -> None:
        """Every gate sees it before anything that it writes afterwards is taken. A store of one gate keeps it as long
        as it is open: each start says it anew."""

    async def api_tokens(self) -> list[ApiToken]:
        """All that are kept, oldest first: those that ended stay for a while."""

    async def api_token(self, id: str) -> ApiToken | None: ...

    async def add_api_token(self, token: ApiToken, *, limit: int, at: float) -> None:
        """Raises ValueError when the id is taken, Denied(`credential_limit`) when `limit` tokens stand at `at`."""

    async def change_api_token(self, id: str, **fields: Any) -> ApiToken:
        """Replace fields. Raises NotFound."""

    async def reports(self, *, share: str = "", open_only: bool = False) -> list[Report]:
        """What visitors told the admins, oldest first."""

    async def report(self, id: str) -> Report | None: ...

    async def add_report(self, report: Report, *, per_share: int, overall: int) -> bool:
        """False when the same is open already. Where `per_share` are open, or `overall`, one of whoever has many more
        is closed for it; Denied(`report_limit`) where nobody has."""

    async def change_report(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Report:
        """Replace fields. Raises NotFound, and ValueError when a field is no longer as `was` has it."""

    async def time_asks(self, *, share: str = "", link: str = "", waiting_only: bool = True) -> list[TimeAsk]:
        """Asks for more time, oldest first."""

    async def time_ask(self, id: str) -> TimeAsk | None: ...

    async def add_time_ask(self, ask: TimeAsk, *, limit: int) -> None:
        """Raises ValueError when the same browser's ask for the link waits already; Denied(`join_limit`) when `limit`
        wait for it."""

    async def change_time_ask(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> TimeAsk:
        """Replace fields. Raises NotFound, and ValueError when a field is no longer as `was` has it."""

    async def asked_once(self, id: str) -> AskedOnce | None: ...

    async def ask_once(self, asked: AskedOnce, *, since: float, limit: int) -> None:
        """Keep it, unless there is one of this id that was asked after `since`: then ValueError. Those that were asked
        until `since` go, and the oldest of the same asker past `limit`."""

    async def answer_once(self, id: str, answer: bytes, *, total: int) -> None:
        """It is over, and this was answered, sealed; empty where no gate is to answer it again. Of the same asker the
        oldest answers go, so that no more than `total` bytes are kept. An unknown id is ignored."""

    async def unask(self, id: str) -> None:
        """It was not done after all. An unknown id is ignored."""

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` after each commit; returns how to stop that."""

    async def ready(self) -> None:
        """Raise StoreUnavailable unless a write would be durable now."""

    async def close(self) -> None: ...
