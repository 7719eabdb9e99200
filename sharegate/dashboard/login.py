"""Who is signed in to the dashboard: one-time addresses, and the sessions that they become.

`sharegate open` asks over the owner's socket for an address that works once, within a minute or two. What a browser
then keeps is a random cookie, of which the gate knows only the hash. A gate that starts anew knows no session: opening
the dashboard again is one command, and no list of sessions lies on a disk.
"""

from __future__ import annotations

import hmac
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf

from sharegate.dashboard.asking import Asker, By
from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate, network
from sharegate.shares.authenticate import new_secret, secret_hash

_log = logging.getLogger(__name__)

# In the place of an account, where the system does not tell whose a connection is.
UNTOLD = -1
INVITE_SECONDS = 120.0
IDLE_SECONDS = 12 * 3600.0
LONGEST_SECONDS = 7 * 86400.0
# Of each: a browser that is signed in again and again leaves the oldest behind.
MOST = 100
ATTEMPTS = Rate(per=20, seconds=60, burst=20)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at the dashboard, and what they may do there: who is no admin sees what belongs to `owner`."""

    name: str
    admin: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """`csrf` stands in the session's own pages, and has to come back with whatever changes something. `signed` is what
    the provider of accounts gave when they signed in there (None: they did not), and goes back to it alone. `account`
    is that of the computer from which they signed in, and nobody else comes by the session: a browser shows its cookie
    to every port of this host name, under whichever account somebody listens there. None, a connection that is
    nobody's, is never theirs; `UNTOLD` is everybody's."""

    id: str
    viewer: Viewer
    csrf: str = field(repr=False)
    began: float = 0.0
    used: float = 0.0
    until: float = inf
    signed: str | None = field(default=None, repr=False)
    account: int | None = UNTOLD

    @property
    def ends(self) -> float:
        """When it is over, unless it is used before."""
        return min(self.used + IDLE_SECONDS, self.began + LONGEST_SECONDS, self.until)

    @property
    def asker(self) -> Asker:
        """As whom the API is asked from this session's pages."""
        viewer = self.viewer
        return Asker(By.BROWSER, self.id, viewer.name, expires=self.ends, admin=viewer.admin, owner=viewer.owner)

    def over(self, now: float) -> bool:
        return now >= self.ends


class Logins:
    """One-time codes and sessions, both by the hash of their secret."""

    def __init__(self, now: Callable[[], float], pace: Callable[[], float] | None = None) -> None:
        self._now = now
        self._invites: OrderedDict[str, tuple[Viewer, float]] = OrderedDict()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._attempts = Buckets(ATTEMPTS, pace or now)
        self._ended: list[Callable[[str], None]] = []

    def invite(self, viewer: Viewer) -> str:
        """A code for one browser. Whoever has it is `viewer`."""
        code = new_secret()
        self._invites[secret_hash(code)] = viewer, self._now() + INVITE_SECONDS
        if len(self._invites) > MOST:
            self._invites.popitem(last=False)
        return code

    def enter(self, code: str, address: str, account: int | None = UNTOLD) -> str:
        """Spend a code; the value of the session's cookie. Raises Denied(`join_limit`, `bad_credential`)."""
        viewer, until = self._invites.pop(secret_hash(code), (None, 0.0))
        now = self._now()
        if viewer is None or until <= now:
            # A right code never waits: others on this computer may guess as they like.
            self._attempts.take(network(address), 1, Reason.JOIN_LIMIT)
            raise Denied(Reason.BAD_CREDENTIAL, "no such one-time address, or one that was used")
        return self.begin(viewer, account=account)

    def begin(
        self, viewer: Viewer, *, until: float = inf, signed: str | None = None, account: int | None = UNTOLD
    ) -> str:
        """A new session for whoever has shown who they are, over at `until` whatever is done in it; the value of its
        cookie."""
        now, cookie = self._now(), new_secret()
        began = Session(new_secret()[:10], viewer, new_secret(), now, now, until, signed, account)
        self._sessions[secret_hash(cookie)] = began
        if len(self._sessions) > MOST:
            self._end(next(iter(self._sessions)))
        return cookie

    def wait(self, address: str) -> int:
        """Seconds until `enter` may be tried again from there."""
        return self._attempts.wait(network(address))

    def session(self, cookie: str, account: int | None = UNTOLD) -> Session | None:
        """Whose cookie this is, which counts as use of the session; None for anything else, or from another account."""
        key = secret_hash(cookie)
        found = self._sessions.get(key)
        if found is None:
            return None
        if account is None or found.account != account:
            _log.warning("the cookie of a session of the dashboard came from another account of this computer")
            return None
        now = self._now()
        if found.over(now):
            self._end(key)
            return None
        # Whoever was here last is forgotten last.
        self._sessions[key] = used = replace(found, used=now)
        self._sessions.move_to_end(key)
        return used

    def stands(self, session: Session) -> bool:
        """Whether the session goes on; asking is no use of it."""
        now = self._now()
        return any(each.id == session.id and not each.over(now) for each in self._sessions.values())

    def leave(self, session: Session) -> None:
        """Sign out."""
        for key in [key for key, each in self._sessions.items() if each.id == session.id]:
            self._end(key)

    def subscribe(self, ended: Callable[[str], None]) -> None:
        """Call `ended` with the id of each session that ends."""
        self._ended.append(ended)

    def _end(self, key: str) -> None:
        session = self._sessions.pop(key)
        for tell in self._ended:
            tell(session.id)


def same(given: str, right: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())
