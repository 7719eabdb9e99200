"""Who comes to the door, and what they leave it with."""

from __future__ import annotations

from dataclasses import dataclass, field

from sharegate.lab.synthetic import called
from sharegate.language.catalogue import ENGLISH, Language
from sharegate.shares.addresses import ShareAddresses
from sharegate.shares.authenticate import secret_hash
from sharegate.shares.conditions import let_in
from sharegate.shares.model import KnockState, Link, LinkKind, Share, Visit, VisitKind


@dataclass(frozen=True, slots=True)
class Comer:
    """Who stands at the door: the value of the browser's cookie (or empty), address, agent, and the share whose door it
    is (empty: the door of all). `visit` or `knock` is what they have or will have if they prove what they are asked
    for; `signed` is the value of the cookie that says with which account they signed in here."""

    browser: str
    address: str
    agent: str
    share: str = ""
    visit: str = ""
    knock: str = ""
    signed: str = field(default="", repr=False)
    language: Language = ENGLISH

    @property
    def browser_hash(self) -> str:
        return secret_hash(self.browser) if self.browser else ""


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody is in. `cookie` and `browser` are secrets for Set-Cookie only."""

    visit: Visit
    share: Share
    cookie: str
    browser: str
    addresses: ShareAddresses

    @property
    def location(self) -> str:
        """Where the browser goes, on the origin of the door."""
        return self.addresses.visit(self.visit.id) + self.share.landing

    @property
    def told(self) -> dict[str, str]:
        """What the door says of it: where to go, and where without JupyterLab, as on a phone."""
        reading = self.addresses.visit(self.visit.id) + self.share.reading_landing
        return {"location": self.location, "reading": reading}

    def __repr__(self) -> str:
        return f"<Entry to visit {self.visit.id}>"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A knock as its own browser may see it. `browser` is a secret for Set-Cookie only; empty when known already."""

    knock: str
    state: KnockState
    browser: str = ""
    entry: Entry | None = None

    def __repr__(self) -> str:
        return f"<Waiting {self.knock} {self.state.value}>"


def by_own_link(link: Link, visit: Visit) -> bool:
    """Whether the owner's link says this name, rather than the visitor: not of whoever was let in by hand, on none of
    their devices."""
    return bool(link.name) and visit.name == link.name and not let_in(visit)


def badge(link: Link, visit: Visit) -> str:
    """How a visitor is shown to others: by the address that they proved, by the link that names them,
    or by what they typed at the door."""
    if link.kind is LinkKind.PREVIEW:
        return "Preview"
    if visit.kind is VisitKind.CLIENT:
        return called(link, visit)
    if visit.email:
        return f"✓ {visit.email}"
    if visit.account is not None:
        return f"✓ {visit.account.shown}"
    if by_own_link(link, visit):
        return f"{link.name} · own link"
    return f'says "{visit.name}"' if visit.name else "no name"
