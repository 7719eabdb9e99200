"""What a person means by `k7f2`, `k7f2.a`, `k7f2.a1`, or a name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sharegate.dashboard.asking import asker
from sharegate.dashboard.register import Register, whose
from sharegate.dashboard.views import Views
from sharegate.errors import Ambiguous, NotFound
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Knock, LinkKind
from sharegate.upstream.interfaces import UpstreamStore
from sharegate.upstream.model import Upstream

_REF = re.compile(r"(?P<share>[a-z0-9]{4,10})(?:\.(?P<letter>[a-z]{1,4})(?P<number>[0-9]{1,9})?)?\Z")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a reference fits."""

    kind: str
    id: str
    label: str
    title: str

    @property
    def shown(self) -> str:
        return f"{self.label} {self.title} ({self.kind})"


class Resolver:
    """Finds by short id first; a name counts only where no id fits."""

    def __init__(self, store: ShareStore, upstreams: UpstreamStore, views: Views, register: Register) -> None:
        self._register = register
        self._store = store
        self._upstreams = upstreams
        self._views = views

    async def resolve(self, ref: str) -> Found:
        """The one thing. Raises NotFound, or Ambiguous with all that fit."""
        ref = ref.strip()
        # A link without a name is not called by the empty one.
        found = (await self._by_label(ref.lower()) or await self._by_name(ref)) if ref else []
        if not found:
            raise NotFound("share, link, visitor, knock or server", ref[:80])
        if len(found) > 1:
            raise Ambiguous(ref, [each.shown for each in found])
        return found[0]

    async def _by_label(self, ref: str) -> list[Found]:
        match = _REF.match(ref)
        if match is None:
            return []
        await self._register.fresh()
        shares = self._register.beginning(match["share"], whose(asker()))
        if match["letter"] is None:
            found = [Found("share", share.id, await self._views.share_label(share.id), share.name) for share in shares]
            for knock in await self._knocks_beginning(ref):
                found.append(Found("knock", knock.id, await self._views.knock_label(knock.id), knock.name))
            for upstream in await self._servers():
                if upstream.id.startswith(ref):
                    found.append(Found("server", upstream.id, upstream.id, upstream.name))
            return found
        found = []
        for share in shares:
            for link in await self._store.links(share.id):
                if link.letter != match["letter"]:
                    continue
                label = await self._views.link_label(link)
                if match["number"] is None:
                    found.append(Found("link", link.id, label, link.name or share.name))
                    continue
                for visit in await self._store.visits(share.id, link=link.id):
                    if visit.number == int(match["number"]):
                        found.append(Found("visit", visit.id, f"{label}{visit.number}", visit.name))
        return found

    async def _by_name(self, ref: str) -> list[Found]:
        """Names of what still stands; a person's own link stands for the person until they are in by several."""
        wanted = ref.casefold()
        found = []
        await self._register.fresh()
        for share in self._register.holding(wanted, whose(asker())):
            if share.revoked is not None:
                continue
            if wanted in (share.name.casefold(), share.root.casefold(), share.root_path.name.casefold()):
                found.append(Found("share", share.id, await self._views.share_label(share.id), share.name))
            for link in await self._store.links(share.id):
                if link.revoked is None and link.kind is not LinkKind.PREVIEW and link.name.casefold() == wanted:
                    found.append(Found("link", link.id, await self._views.link_label(link), link.name))
            for visit in await self._store.visits(share.id, open_only=True):
                link_of = await self._store.link(visit.link)
                own_link = link_of is not None and link_of.name.casefold() == wanted
                if visit.name.casefold() == wanted and not own_link:
                    found.append(Found("visit", visit.id, await self._views.visit_label(visit), visit.name))
        for knock in await self._store.knocks():
            if knock.name.casefold() == wanted and await self._is_theirs(knock):
                found.append(Found("knock", knock.id, await self._views.knock_label(knock.id), knock.name))
        for upstream in await self._servers():
            if upstream.name.casefold() == wanted:
                found.append(Found("server", upstream.id, upstream.id, upstream.name))
        return found

    async def _knocks_beginning(self, prefix: str) -> list[Knock]:
        """Knocks whose id begins so: each is the next of the one before in the order of the alphabet."""
        found, id = [], prefix
        while id.startswith(prefix):
            knock = await self._store.knock(id)
            if knock is not None and await self._is_theirs(knock):
                found.append(knock)
            id = min((other for other in await self._store.knocks_beside(id) if other > id), default="")
            if not id:
                break
        return found

    async def _is_theirs(self, knock: Knock) -> bool:
        share = await self._store.share(knock.share)
        return share is not None and asker().has(share.owner)

    async def _servers(self) -> list[Upstream]:
        return [server for server in await self._upstreams.upstreams() if asker().has(server.owner)]
