"""One proof: enter as a stranger would, ask everything, judge every answer, leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from sharegate.errors import Unreachable
from sharegate.prove import addresses, live, rooms, suite
from sharegate.prove.canaries import Canary
from sharegate.prove.eye import Eye
from sharegate.prove.ground import Ground
from sharegate.prove.judge import Door, Judge, Reference
from sharegate.prove.model import Answer, Check, Finding, Probe
from sharegate.prove.visitor import Visitor, enter, post
from sharegate.prove.walk import walk
from sharegate.prove.wire import Reply, ask

# Questions at once: a busy page asks more.
AT_ONCE = 4
# A preview lasts five minutes.
RENEWED_AFTER = 200.0
FINDINGS = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be proved. `edits`: the share's role may write. `only` is for tests."""

    edits: bool
    quick: bool = False
    write: bool = False
    only: frozenset[Check] = frozenset()


@dataclass(slots=True)
class Progress:
    """How far a run is. `step` is told to whoever waits."""

    step: str = "beginning"
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found. `probes`: how many were asked by check."""

    files: int
    more: bool
    probes: dict[Check, int]
    findings: tuple[Finding, ...]
    not_covered: tuple[str, ...]
    address: str
    seconds: float


Link = Callable[[], Awaitable[str]]
End = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Run:
    """`link` makes an own link to the share, `end` ends every visit by those links and the links themselves."""

    eye: Eye
    link: Link
    end: End
    wanted: Wanted
    mark: str
    progress: Progress = field(default_factory=Progress)
    counts: Counter[Check] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    _references: dict[tuple[object, ...], Reference] = field(default_factory=dict)
    _harmless: set[bytes] = field(default_factory=set)
    _visitor: Visitor | None = None
    _judge: Judge | None = None
    _entered: float = 0.0
    _token: str = ""

    async def prove(self) -> Outcome:
        """Raises Unreachable when it cannot be run to its end. The visits are ended whatever happens."""
        began = time.monotonic()
        try:
            self.progress.step = "looking at what lies outside"
            ground, facts = await self.eye.survey(self.mark)
            self.facts += facts
            await self._enter(ground)
            files, more = await self._all(ground)
            if not self.findings:  # a hole may have ended the visit, and is told then
                await self._control(ground)
        finally:
            await self.end()
        await self._ended()
        return Outcome(
            files,
            more,
            dict(self.counts),
            tuple(dict.fromkeys(self.findings))[:FINDINGS],
            tuple(self.facts),
            str(self._inside.origin),
            round(time.monotonic() - began, 1),
        )

    # -- being in -------------------------------------------------------------------------------------------------

    @property
    def _inside(self) -> Visitor:
        assert self._visitor is not None
        return self._visitor

    async def _enter(self, ground: Ground) -> None:
        link = await self.link()
        self._token = urlsplit(link).fragment
        self._visitor = await enter(link)
        self._entered = time.monotonic()
        if self._judge is None:
            door, malformed = [await ask(self._visitor.origin, how, "/join", []) for how in ("GET", "get")]
            self._judge = Judge(ground, Door.of(door, malformed), self._visitor)
        self._judge.visitor = self._visitor
        await self._control(ground)

    async def _control(self, ground: Ground) -> None:
        """An honest question is answered: a gate that refuses everything, or leads nowhere, proves nothing."""
        folder = ground.fill("{root}") or ""
        for target in ("api/me", f"api/contents/{folder}?content=0"):
            reply = await self._inside.get(target)
            if reply.status != 200:
                raise Unreachable(f"an honest request is answered with {reply.status}: nothing can be proved")

    # -- asking ---------------------------------------------------------------------------------------------------

    async def _all(self, ground: Ground) -> tuple[int, bool]:
        wanted, only = self.wanted, self.wanted.only
        probes = suite.probes(ground, str(self._inside.origin), edits=wanted.edits, quick=wanted.quick, only=only)
        self.progress.total = len(probes)
        files, more = 0, False
        if not only or Check.LISTINGS in only:
            self.progress.step = "walking"
            files, more = await self._walk(ground)
        self.progress.step = "asking"
        await self._ask_all(ground, probes)
        for check, part in (
            (Check.CREDENTIALS, self._credentials),
            (Check.OTHER_VISITS, self._others),
            (Check.STATIC, self._static),
            (Check.ROOMS, self._rooms),
            (Check.CHANNELS, self._silent),
            (Check.WRITES, self._moves),
        ):
            if not only or check in only or (check is Check.ROOMS and Check.FRAMES in only):
                self.progress.step = f"trying {check.value.replace('_', ' ')}"
                await part(ground)
        await self._made(probes)
        self._not_covered()
        return files, more

    async def _ask_all(self, ground: Ground, probes: list[Probe]) -> None:
        for start in range(0, len(probes), 40):
            if time.monotonic() - self._entered > RENEWED_AFTER:
                await self._enter(ground)
            waiting = asyncio.Semaphore(AT_ONCE)

            async def one(probe: Probe, waiting: asyncio.Semaphore = waiting) -> None:
                async with waiting:
                    await self._probe(ground, probe)

            try:
                async with asyncio.TaskGroup() as group:
                    for probe in probes[start : start + 40]:
                        group.create_task(one(probe))
            except ExceptionGroup as several:
                raise several.exceptions[0] from None

    async def _probe(self, ground: Ground, probe: Probe, who: Visitor | None = None) -> Reply:
        visitor = who or self._inside
        reply = await visitor.ask(probe)
        reference = await self._reference(probe, visitor) if probe.missing else None
        self._count(probe.check)
        assert self._judge is not None
        self.findings += self._judge.judge(probe, reply, reference)
        said = f"{probe.target} {probe.fields}".encode("utf-8", "replace") + probe.body
        strong = probe.check is Check.STATIC
        inside = self._reads_inside(ground, probe.target, reply)
        await self._search(ground, probe.check, probe.name, reply.flat, said, strong=strong, inside=inside)
        return reply

    def _count(self, check: Check) -> None:
        self.counts[check] += 1
        self.progress.done += 1
        self.progress.total = max(self.progress.total, self.progress.done)

    async def _reference(self, probe: Probe, visitor: Visitor) -> Reference:
        key = (probe.method, probe.missing, probe.fields, probe.body, probe.upgrade, visitor.base)
        if key not in self._references:
            asked = replace(probe, name="", target=probe.missing, answer=Answer.ANY)
            self._references[key] = Reference.of(await visitor.ask(asked), await visitor.ask(asked))
        return self._references[key]

    async def _search(
        self,
        ground: Ground,
        check: Check,
        name: str,
        data: bytes,
        said: bytes = b"",
        *,
        strong: bool = False,
        inside: bool = False,
    ) -> None:
        assert self._judge is not None
        for canary in self._judge.canaries(data, said=said, strong_only=strong):
            if not await self._explained(canary, inside=inside):
                self.findings.append(Finding(check, name, f"holds {canary.what}"))
                return

    @staticmethod
    def _reads_inside(ground: Ground, target: str, reply: Reply) -> bool:
        """Whether an answer is a file of the share, which may say anything but the token."""
        places = (f"files/{ground.fill('{root}')}", f"api/contents/{ground.fill('{root}')}")
        return reply.status < 300 and target.startswith(places) and ".." not in target and "%" not in target

    async def _explained(self, canary: Canary, *, inside: bool) -> bool:
        """Whether the same words stand inside the share too, or in everybody's JupyterLab. Looked for only once
        something was found. A path of the disk may stand in a file of the share, and nowhere else."""
        if canary.never or (canary.strong and not inside):
            return False
        if canary.text in self._harmless:
            return True
        if await self.eye.stands_inside(canary):
            self._harmless.add(canary.text)
            return True
        return False

    # -- parts ----------------------------------------------------------------------------------------------------

    async def _walk(self, ground: Ground) -> tuple[int, bool]:
        walked = await walk(self._inside, self.eye, ground, quick=self.wanted.quick)
        self.findings += walked.findings
        for target, reply in walked.replies:
            self._count(Check.LISTINGS)
            inside = reply.status < 300 and target.startswith("files/")
            await self._search(ground, Check.LISTINGS, target, reply.flat, target.encode(), inside=inside)
        return len(walked.files), walked.more

    async def _credentials(self, ground: Ground) -> None:
        # The token goes over no network, not even to be refused there.
        here = self._inside.origin.at in ("127.0.0.1", "localhost", "::1")
        if not here:
            self.facts.append("the server's token as a credential at the gate: it is not sent over a network")
        token = self.eye.upstream.token.secret if here else ground.mark
        beside = addresses.programs(ground, self._inside.base, link=self._token, token=token, clients=self.eye.clients)
        for probe in (*addresses.credentials(ground, token), *beside):
            if not self.wanted.quick or probe.quick:
                await self._probe(ground, probe)

    async def _others(self, ground: Ground) -> None:
        other = await enter(await self.link())
        for who, probe in live.others(self._inside, other):
            await self._probe(ground, probe, who)
        reply = await other.get("api/me")
        if reply.status != 200:
            self.findings.append(Finding(Check.OTHER_VISITS, "ending another's visit", "the other visit is over"))

    async def _static(self, ground: Ground) -> None:
        count = 0
        async for probe in live.static(self._inside, ground):
            count += 1
            if not self.wanted.quick or probe.quick:
                await self._probe(ground, probe)
        if not count:
            self.facts.append("static files: the page names none")

    async def _rooms(self, ground: Ground) -> None:
        only, quick = self.wanted.only, self.wanted.quick
        room = await live.inside_room(self._inside, ground)
        if not room:
            self.facts.append("live documents: none inside can be opened")
        if not only or Check.ROOMS in only:
            named = [probe for probe in rooms.names(ground, room.get("id", "")) if not quick or probe.quick]
            await self._ask_all(ground, named)
            async for name, opened in live.outside_rooms(self._inside, ground, room):
                self.findings.append(Finding(Check.ROOMS, name, "opened"))
                await self._search(ground, Check.ROOMS, name, opened.words)
        if room and (not only or Check.FRAMES in only):
            name = ""
            async for name, wrong in live.hostile(
                self._inside, self.eye, room, views=not self.wanted.edits, quick=quick
            ):
                self._count(Check.FRAMES)
                self.progress.step = f"sending {name}"
                self.findings += [wrong] if wrong is not None else []
            if name != live.UNCHANGED:
                self.facts.append("a document after hostile messages: somebody changed it meanwhile")

    async def _silent(self, ground: Ground) -> None:
        async for name, heard in live.silent(self._inside, self.eye, ground):
            self._count(Check.CHANNELS)
            if heard:
                self.findings.append(Finding(Check.CHANNELS, name, "said something of what happens outside"))
                await self._search(ground, Check.CHANNELS, name, b"\n".join(heard))

    async def _moves(self, ground: Ground) -> None:
        """With --write: a file of this run's own, made and removed through the gate."""
        if not self.wanted.edits:
            return
        if not self.wanted.write:
            self.facts.append("moving a file out, and writes inside: only with --write")
            return
        target = ground.fill("api/contents/{within}{mark}.txt") or ""
        made = await self._inside.put(target, {"type": "file", "format": "text", "content": "sharegate prove\n"})
        if made.status not in (200, 201):
            self.facts.append(f"moving a file out: an own file could not be made (status {made.status})")
            return
        moves = live.moves(ground)
        try:
            for probe in moves:
                await self._probe(ground, probe)
            await self._made(moves)
        finally:
            await self._inside.ask(Probe(Check.WRITES, "own file", "DELETE", target, Answer.ANY))
            own = f"{ground.within}{self.mark}.txt"
            if await self.eye.exists(own):
                await self.eye.remove(own)

    async def _made(self, probes: list[Probe]) -> None:
        """Read from the server itself: what was refused has not happened."""
        wanted = {path: probe for probe in reversed(probes) for path in probe.made}
        for path, probe in wanted.items():
            if await self.eye.exists(path):
                self.findings.append(Finding(probe.check, probe.name, "came into being"))
                if self.mark in path.rpartition("/")[2]:
                    await self.eye.remove(path)

    async def _ended(self) -> None:
        only = self.wanted.only
        if only and Check.ENDED not in only:
            return
        self.progress.step = "coming back after the end"
        nowhere = Ground(root="", mark=self.mark)
        for probe in live.ended(self._inside):
            if not self.wanted.quick or probe.quick:
                await self._probe(nowhere, probe)
        for path, name in (("/join", "the link again"),):
            reply = await post(self._inside.origin, path, {"token": self._token, "name": "prove"})
            self._count(Check.ENDED)
            if reply.status < 400 or b"location" in json.dumps(_object(reply)).encode():
                self.findings.append(Finding(Check.ENDED, name, "let in"))

    def _not_covered(self) -> None:
        self.facts += suite.NEVER_TRIED
        if not self.wanted.edits:
            self.facts.append("writes inside: the share is to view, and nothing inside was tried to be written")
        if not self._inside.base.startswith("/~"):
            self.facts.append("scripts of a document: path mode gives all shares of this gate one origin")
        if self.wanted.quick:
            self.facts.append("the slower part of the suite: --quick left it out")


def _object(reply: Reply) -> dict[str, object]:
    try:
        told = json.loads(reply.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
