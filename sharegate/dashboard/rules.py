"""What owners may hand out, read again while the gate runs: what would end, and the doing of it.

The new rules are in force before anything is applied, so that nothing is handed out by the old ones meanwhile. What is
applied goes through the store, which tells the gate: open pages and channels end or shrink by that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Query, Recorder
from sharegate.dashboard import previews
from sharegate.dashboard.agreement import Agreement
from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.interfaces import Cutter, History
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import gate
from sharegate.dashboard.views import Views
from sharegate.shares.agreed import REMEDY, plain
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.fitting import Consequence, Given, InForce, fit
from sharegate.shares.interfaces import HandOut, ShareStore

log = logging.getLogger("sharegate.dashboard")

# Somebody may come in while it is applied. Who comes by a link that was not changed yet is seen by the next look.
_LOOKS = 3


class ReloadBody(msgspec.Struct, forbid_unknown_fields=True):
    """`digest` of a dry run: then this and nothing else is applied."""

    dry_run: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the policy files say now. `waiting` names those that changed too and apply at the next start only."""

    sharing: HandOut
    waiting: tuple[str, ...] = ()


class Rules:
    """`GET rules`; `POST rules/reload`, and the same at each start."""

    def __init__(
        self,
        *,
        in_force: InForce,
        agreement: Agreement,
        read: Callable[[], Reading],
        store: ShareStore,
        history: History,
        cutter: Cutter,
        views: Views,
        trail: Recorder,
        now: Callable[[], float],
    ) -> None:
        self._in_force = in_force
        self._agreement = agreement
        self._read = read
        self._store = store
        self._history = history
        self._cutter = cutter
        self._views = views
        self._trail = trail
        self._now = now
        self._one = asyncio.Lock()

    def table(self) -> list[Route]:
        return [
            Route("GET", "rules", self._show, "What owners may hand out", Can.RULES_READ, gate.Rules, who=Who.ADMIN),
            Route(
                "POST",
                "rules/reload",
                self._reload,
                "Read the rules anew and apply them; or, dry, what that would end",
                Only.PERSON,
                gate.RulesReloaded,
                body=ReloadBody,
                who=Who.ADMIN,
            ),
        ]

    async def at_start(self) -> list[str]:
        """Apply the rules to what was given before; a sentence for each thing that had to change."""
        async with self._one:
            differs = await self._agreement.begin()
            told = await self._apply("gate")
            if told:
                await self._record_sum("gate", told)
        for each in told:
            log.info("by the rules: %s", _sentence(each))
        if differs:
            log.warning("%s. %s", differs, REMEDY)
        return [*([f"{differs}. {REMEDY}"] if differs else []), *(_sentence(each) for each in told)]

    async def _show(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"rules": plain(self._in_force), "differed": await self._agreement.difference()}

    async def _reload(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, ReloadBody)
        async with self._one:
            # Faults are raised here, all together, and nothing has changed then.
            reading = await asyncio.to_thread(self._read)
            answer: dict[str, Any] = {
                "rules": plain(reading.sharing),
                "changed": plain(reading.sharing) != plain(self._in_force),
                "waiting": list(reading.waiting),
                # What this gate has had until now, beside what holds for all gates.
                "differed": await self._agreement.difference(),
                "dry_run": asked.dry_run,
            }
            found = fit(reading.sharing, await self._given(), self._now(), moment=await self._moment())
            answer["digest"] = _digest(answer["rules"], found)
            if asked.dry_run:
                told = [await self._told(each) for each in found]
            else:
                previews.check(asked.digest, answer["digest"])
                self._in_force.rules = reading.sharing
                # Before it is applied: no other gate gives anything by older rules from here on.
                await self._agreement.say()
                told = await self._apply("owner")
                await self._record_sum("owner", told)
        return answer | {
            "consequences": told,
            "stops": sum(each["stops"] for each in told),
            "shrinks": sum(not each["stops"] for each in told),
        }

    async def _apply(self, actor: str) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        stopped: list[Consequence] = []
        for _ in range(_LOOKS):
            found = fit(self._in_force, await self._given(), self._now(), moment=await self._moment())
            if not found:
                break
            for each in found:
                # Told as it was before: a label of somebody who is out is still theirs.
                told.append(await self._told(each))
                await self._do(each)
                if each.stops:
                    stopped.append(each)
                await self._record(each, actor)
        await asyncio.gather(*(self._cutter.drained(**{each.kind: each.id}) for each in stopped))
        return told

    async def _do(self, each: Consequence) -> None:
        match each.kind:
            case "share":
                await self._store.change_share(each.id, **each.fields)
            case "link":
                await self._store.change_link(each.id, **each.fields)
            case _:
                await self._store.end_visits([each.id], at=self._now(), reason="by the rules: " + each.what)

    async def _given(self) -> list[Given]:
        return [
            Given(
                share,
                await self._store.links(share.id),
                await self._store.visits(share.id, open_only=True),
            )
            for share in await self._store.shares()
        ]

    async def _moment(self) -> float:
        """What ends are counted from: now, and never before what was recorded last. A clock that was set back must not
        shorten what was given. Who is inside is judged by now: one event dated ahead must not hide anybody."""
        newest = await self._history.events(Query(newest_first=True, limit=1))
        return max(self._now(), newest[0].at if newest else 0.0)

    async def _told(self, each: Consequence) -> dict[str, Any]:
        visit = await self._store.visit(each.id) if each.kind == "visit" else None
        link = await self._store.link(each.link) if each.link else None
        label = await self._views.share_label(each.share)
        if visit is not None:
            label = await self._views.visit_label(visit)
        elif link is not None:
            label = await self._views.link_label(link)
        share = await self._store.share(each.share)
        return {
            "kind": each.kind,
            "id": each.id,
            "label": label,
            "share": each.share,
            "share_name": share.name if share else "",
            "link": each.link,
            "person": (visit.name if visit else "") or (link.name if link else ""),
            "stops": each.stops,
            "what": each.what,
        }

    async def _record(self, each: Consequence, actor: str) -> None:
        action = {
            ("share", True): Action.SHARE_PAUSED,
            ("share", False): Action.SHARE_CHANGED,
            ("link", True): Action.LINK_PAUSED,
            ("link", False): Action.LINK_CHANGED,
        }.get((each.kind, each.stops), Action.VISIT_ENDED)
        await self._trail.record(
            AuditEvent(
                action=action,
                actor=actor,
                share=each.share,
                link=each.link,
                visit=each.id if each.kind == "visit" else "",
                detail=f"by the rules: {each.what}",
            )
        )

    async def _record_sum(self, actor: str, told: list[dict[str, Any]]) -> None:
        stops = sum(each["stops"] for each in told)
        detail = f"{stops} stopped, {len(told) - stops} changed"
        await self._trail.record(AuditEvent(action=Action.RULES_APPLIED, actor=actor, detail=detail))


def _digest(rules: dict[str, Any], found: list[Consequence]) -> str:
    # Without the words and the ends, which move with the clock: whom it concerns, and what changes of it.
    what = [[each.kind, each.id, each.stops, sorted(each.fields)] for each in found]
    return previews.digest([rules, what])


def _sentence(each: dict[str, Any]) -> str:
    who = f" ({each['person']})" if each["person"] else ""
    return f"{each['kind']} {each['label']}{who}: {each['what']}"
