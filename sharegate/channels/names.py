"""Who is where in a document, in the gate's words: the awareness of one room, rebuilt for all sides.

A page says of itself who it is; nothing of that is believed. What the gate sends for a visitor has the visit's name,
the cursors, and an `autosave` that follows the owner's side. Its clocks are the gate's, so that a page cannot run ahead
of itself and the gate can say a thing anew; they follow the wall clock in milliseconds, so that they go on rising when
the gate was started again.

An honest page says much that is not its own: y-websocket repeats every state that it hears, and says of others that
they left when they were silent for 30 s. That is dropped without a word. It has one id of its own per connection, which
it says first (y-websocket's `onopen`); another one that nobody has used is not honest.
"""

from __future__ import annotations

import contextlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sharegate.channels.frames import Awareness, AwarenessState
from sharegate.channels.shown import MAX_STATES, PROCESS_KEY, server_key, shown_cursors, shown_name, shown_state
from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate

MAX_STATE = 4096
OUTDATED = 30.0  # as in y-protocols awareness.js and pycrdt
REMEMBERED = 4096
MAX_PRESENT = 1024
PACE = Rate(20, 1, 40)

_LOST = -1


def _nobody(visit: str, client: int) -> bool:
    return False


def _unheard(username: str, name: str) -> None:
    """Nobody wants to know the names of the owner's side."""


@dataclass(frozen=True, slots=True)
class Told:
    """What follows from an event: for all members (each through `Awarenesses.but`) and for the upstream."""

    members: tuple[AwarenessState, ...] = ()
    upstream: tuple[AwarenessState, ...] = ()


@dataclass(slots=True)
class _Member:
    """One connection of a visitor. `client` is its page's id, None until it was said, `_LOST` when a younger connection
    of the same visit has it. `shown` is the state that others have, `waiting` one that was said too fast."""

    visit: str
    client: int | None = None
    heard: int = -1
    at: float = 0.0
    shown: dict[str, Any] | None = None
    waits: bool = False
    waiting: dict[str, Any] | None = None


@dataclass(slots=True)
class _Use:
    """Whose a client id is: a visit's handle, or what the owner's side said. `clock` is the upstream's last."""

    whose: str
    ours: bool
    clock: int = -1


@dataclass(slots=True)
class _Present:
    """A state of the owner's side. `saves` is None when the server does not count it."""

    shown: dict[str, Any]
    clock: int
    at: float
    saves: bool | None


class Awarenesses:
    """The awareness of one room. `now` is the wall clock in seconds. `taken(visit, client)` says whether the document
    knows that id as somebody else's than the visit's; `heard(username, name)` is told names of the owner's side."""

    def __init__(
        self,
        upstream: str,
        now: Callable[[], float],
        *,
        taken: Callable[[str, int], bool] = _nobody,
        heard: Callable[[str, str], None] = _unheard,
        pace: Rate = PACE,
        key: bytes = PROCESS_KEY,
    ) -> None:
        self._key = server_key(upstream, key)
        self._now = now
        self._taken = taken
        self._heard = heard
        self._pace = Buckets(pace, now, remembered=MAX_PRESENT)
        self._members: dict[str, _Member] = {}
        self._upstream: dict[int, _Present] = {}
        self._used: OrderedDict[int, _Use] = OrderedDict()
        self._clock = 0
        self._saves = True

    # -- members --------------------------------------------------------------------------------------------------

    def from_visitor(self, member: str, identity: Mapping[str, Any], message: Awareness) -> tuple[AwarenessState, ...]:
        """What the room sends upstream and to the other members. `identity["username"]` is the visit's handle.

        Denied(`update_refused`) for a second id and for somebody else's, Denied(`bad_frame`) for what is no state.
        """
        said = self._own(member, identity["username"], message)
        if said is None:
            return ()
        if not isinstance(said.state, dict | None):
            raise Denied(Reason.BAD_FRAME, "an awareness state that is no object")
        who = self._members[member]
        who.heard, who.at = said.clock, self._now()
        who.waiting = None if said.state is None else _rebuilt(identity, said.state)
        who.waits = True
        return self._show(who)

    def from_viewer(self, member: str, identity: Mapping[str, Any], message: Awareness) -> tuple[AwarenessState, ...]:
        """A viewer is shown to nobody; an earlier state is withdrawn. Which id is its page's own is kept all the same:
        nobody else gets it, and it is known when the visitor may edit."""
        with contextlib.suppress(Denied):  # fails closed: what it may not use it does not get
            self._own(member, identity["username"], message)
        who = self._members[member]
        who.waits = False
        return self._withdrawn(who)

    def client_of(self, member: str) -> int | None:
        """The id that the connection's page has said to be its own."""
        who = self._members.get(member)
        return who.client if who is not None and who.client != _LOST else None

    def left(self, member: str) -> tuple[AwarenessState, ...]:
        """The connection ended, or may not be shown any more."""
        who = self._members.pop(member, None)
        return self._withdrawn(who) if who is not None else ()

    def everything(self, member: str, identity: Mapping[str, Any]) -> tuple[AwarenessState, ...]:
        """All that is known, for a member that comes late."""
        me = self._members.get(member) or _Member(identity["username"])
        theirs = [
            self._said(each)
            for each in self._members.values()
            # A page that comes back has not said its id yet, which may be one that its broken connection still holds.
            if each.shown is not None and each is not me and not (me.client is None and each.visit == me.visit)
        ]
        owners = [
            AwarenessState(id, each.clock, each.shown)
            for id, each in self._upstream.items()
            # What an earlier run of this gate said of the page may still stand upstream.
            if each.shown and not (me.client is None and self._used[id].whose == me.visit)
        ]
        return (*owners, *theirs)

    def but(self, member: str, states: tuple[AwarenessState, ...]) -> tuple[AwarenessState, ...]:
        """`states` without the member's own: a page that hears of itself says it again, for ever."""
        who = self._members.get(member)
        if who is None or all(each.client != who.client for each in states):
            return states
        return tuple(each for each in states if each.client != who.client)

    def of_members(self) -> tuple[AwarenessState, ...]:
        """What an upstream that was just connected is told."""
        return tuple(self._said(each) for each in self._members.values() if each.shown is not None)

    # -- the owner's side -----------------------------------------------------------------------------------------

    def from_upstream(self, message: Awareness) -> Told:
        """What members are shown of the owner's side, and members' states to say again when `autosave` changed."""
        shown = []
        for each in message.states[:MAX_STATES]:
            state = self._follow(each)
            if state is not None:
                shown.append(state)
        return Told(tuple(shown), self._resaid())

    def upstream_gone(self) -> tuple[AwarenessState, ...]:
        """Withdrawals for the members. What the owner's side says when it is back may have the clocks it had."""
        gone = tuple(AwarenessState(id, each.clock, None) for id, each in self._upstream.items())
        self._upstream.clear()
        for use in self._used.values():
            use.clock = -1
        self._saves = self._saving()
        return gone

    def settle(self) -> Told:
        """To be called every second or oftener: who was silent for 30 s is gone, what was said too fast is said."""
        old = self._now() - OUTDATED
        gone = [
            AwarenessState(id, self._upstream.pop(id).clock, None)
            for id, each in list(self._upstream.items())
            if each.at <= old
        ]
        said: list[AwarenessState] = []
        for who in self._members.values():
            if who.at <= old:
                who.waits = False
                said += self._withdrawn(who)
            else:
                said += self._show(who)
        return Told((*gone, *said), (*said, *self._resaid()))

    # -- ids ------------------------------------------------------------------------------------------------------

    def _own(self, member: str, visit: str, message: Awareness) -> AwarenessState | None:
        """The newest that the message says of the page itself, when that is news."""
        who = self._members.setdefault(member, _Member(visit))
        newest: AwarenessState | None = None
        for each in message.states:
            if each.client != who.client and not self._claimed(who, each):
                continue
            if each.clock > (who.heard if newest is None else newest.clock):
                newest = each
        return newest

    def _claimed(self, who: _Member, said: AwarenessState) -> bool:
        """Whether the id is the page's own from now on; False when it only repeats what it heard."""
        use = self._used.get(said.client)
        mine = use is not None and use.whose == who.visit and who.client is None
        if said.state is None or (use is not None and not mine):
            return False
        if who.client is not None:
            raise Denied(Reason.UPDATE_REFUSED, "awareness of a second client id")
        taken = said.client == 0 or self._taken(who.visit, said.client)
        if mine and taken:
            # Another tab of the same person, whose page repeats what it heard before it says anything of its own.
            return False
        if taken:
            raise Denied(Reason.UPDATE_REFUSED, "awareness of somebody else's client id")
        for other in self._members.values():
            if other.client == said.client:
                # The same page on a new connection, before the old one was seen to be broken.
                who.shown, other.shown = other.shown, None
                who.at, other.waits, other.client = other.at, False, _LOST
        who.client = said.client
        self._upstream.pop(said.client, None)
        self._use(said.client, _Use(who.visit, ours=True))
        return True

    def _use(self, client: int, use: _Use) -> None:
        self._used[client] = use
        self._used.move_to_end(client)
        if len(self._used) > REMEMBERED:
            present = self._upstream.keys() | {each.client for each in self._members.values()}
            oldest = next((id for id in self._used if id not in present), None)
            if oldest is not None:
                del self._used[oldest]

    # -- states ---------------------------------------------------------------------------------------------------

    def _follow(self, said: AwarenessState) -> AwarenessState | None:
        """Keep a state of the owner's side as a page would (y-protocols applyAwarenessUpdate). None when it is no news,
        or the server's echo of a member's."""
        use = self._used.get(said.client)
        if said.client == 0 or (use is not None and use.ours):
            return None
        known = self._upstream.get(said.client)
        if said.state is None:
            if use is None or known is None or said.clock < known.clock:
                return None
            use.clock = said.clock
            del self._upstream[said.client]
            return said
        if not isinstance(said.state, dict) or (use is not None and said.clock <= use.clock):
            return None
        user = said.state.get("user")
        username = user.get("username") if isinstance(user, dict) else None
        self._use(said.client, _Use(username if isinstance(username, str) else "", ours=False, clock=said.clock))
        shown = shown_state(said.state, self._key)
        if known is None or known.shown.get("user") != shown.get("user"):
            self._hear(user)
        if known is not None or len(self._upstream) < MAX_PRESENT:
            self._upstream[said.client] = _Present(shown, said.clock, self._now(), _saves(said.state))
        return AwarenessState(said.client, said.clock, shown)

    def _hear(self, user: Any) -> None:
        if not isinstance(user, dict):
            return
        username = user.get("username")
        for field in ("name", "display_name"):
            if isinstance(user.get(field), str) and (name := shown_name(user[field])):
                self._heard(username if isinstance(username, str) else "", name)

    def _show(self, who: _Member) -> tuple[AwarenessState, ...]:
        """Say what a member waits to have said, if its visit may say something now."""
        if not who.waits:
            return ()
        if who.shown is not None or who.waiting is not None:
            try:
                self._pace.take(who.visit, 1, Reason.REQUEST_LIMIT)
            except Denied:  # said later, by `settle`: only the newest counts
                return ()
        was, who.shown = who.shown, who.waiting
        who.waits, who.waiting = False, None
        return (self._said(who),) if was is not None or who.shown is not None else ()

    def _withdrawn(self, who: _Member) -> tuple[AwarenessState, ...]:
        was, who.shown = who.shown, None
        return (self._said(who),) if was is not None else ()

    def _said(self, who: _Member) -> AwarenessState:
        assert who.client is not None, "nothing is shown of a page without an id"
        self._clock = max(self._clock + 1, int(self._now() * 1000))
        state = None if who.shown is None else {**who.shown, "autosave": self._saves}
        return AwarenessState(who.client, self._clock, state)

    # -- autosave -------------------------------------------------------------------------------------------------

    def _resaid(self) -> tuple[AwarenessState, ...]:
        """The server saves when any state says so or says nothing (jupyter_server_ydoc rooms.py, _on_document_change):
        a visitor's says what the owner's side says, so that it decides nothing."""
        before, self._saves = self._saves, self._saving()
        return self.of_members() if before != self._saves else ()

    def _saving(self) -> bool:
        said = [each.saves for each in self._upstream.values() if each.saves is not None]
        return any(said) or not said


def _saves(state: dict[str, Any]) -> bool | None:
    """As the server reads it: an empty state is nobody's, and the value is any JSON."""
    return bool(state.get("autosave", True)) if state else None


def _rebuilt(identity: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """The gate's word for who it is, and as many of the cursors as fit, the primary one first."""
    state: dict[str, Any] = {"user": dict(identity)}
    cursors = shown_cursors(said)
    if cursors is None:
        return state
    room = MAX_STATE - _size({**state, "autosave": False, "cursors": []})
    state["cursors"] = kept = []
    for each in sorted(cursors, key=lambda cursor: cursor.get("primary") is False):
        room -= _size(each) + 1
        if room < 0:
            break
        kept.append(each)
    return state


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":"), allow_nan=False))
