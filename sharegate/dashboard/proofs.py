"""`prove`: a share is attacked over the network by an own link, beside everything else, and a receipt is signed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from sharegate import __version__
from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.asking import By, asker
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.interfaces import GateFacts
from sharegate.dashboard.queries import OfShare
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import kept
from sharegate.errors import Denied, Invalid, NotFound, Refused, SharegateError, Unreachable
from sharegate.prove import receipt
from sharegate.prove.eye import Eye, Looks
from sharegate.prove.run import Run, Wanted
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.authenticate import check_share
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import Issuer
from sharegate.shares.keys import KeyRing
from sharegate.shares.model import Link, LinkKind, Role, Share, new_id
from sharegate.upstream.interfaces import Forwarder, UpstreamDirectory

log = logging.getLogger("sharegate.dashboard")


# Proofs that are over and still told; a command asks within seconds.
KEPT = 20
# A run that nobody asks about for so long is stopped: whoever wanted it is gone. A page that is out of sight may
# ask once in a minute. Seconds.
FORGOTTEN = {By.TERMINAL: 30.0, By.TOKEN: 30.0, By.BROWSER: 150.0}


class ProveBody(msgspec.Struct, forbid_unknown_fields=True):
    """`to`: the file on this computer that the receipt will be written to, by whoever asks."""

    quick: bool = False
    write: bool = False
    to: str = ""


class CheckBody(msgspec.Struct, forbid_unknown_fields=True):
    receipt: dict[str, Any]


@dataclass(slots=True)
class _Proof:
    id: str
    share: Share
    run: Run
    patience: float
    task: asyncio.Task[None] | None = None
    receipt: receipt.Receipt | None = None
    failed: str = ""
    links: list[str] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)


class Proofs:
    """Runs one proof of a share at a time. The gate asks itself by its public address, as a stranger would."""

    def __init__(
        self,
        *,
        store: ShareStore,
        issuer: Issuer,
        trail: Recorder,
        ring: KeyRing,
        directory: UpstreamDirectory,
        forwarder: Forwarder,
        disk: Looks,
        apart: Callable[[str, Path], Awaitable[None]],
        facts: GateFacts,
        gate: str,
        now: Callable[[], float],
    ) -> None:
        """`gate` is this gate's name: a proof that runs at another gate of the same store is that one's. `apart`
        raises Invalid for a field's file that visitors would read."""
        self._store = store
        self._issuer = issuer
        self._trail = trail
        self._ring = ring
        self._directory = directory
        self._forwarder = forwarder
        self._disk = disk
        self._apart = apart
        self._facts = facts
        self._name = f"Proof ({gate})"
        self._now = now
        self._proofs: dict[str, _Proof] = {}
        # A link's address, as the owner's API gives it out.
        self.address: Callable[[Link], str] = lambda link: ""

    def table(self) -> list[Route]:
        return [
            Route(
                "POST",
                "shares/{id}/prove",
                self._begin,
                "Attack a share as a stranger would, and sign what was tried",
                Can.SHARES_WRITE,
                kept.OneProof,
                body=ProveBody,
                private=("to",),
                of=Of.SHARE,
            ),
            Route(
                "GET",
                "proofs",
                self._list,
                "Proofs that run, and those that ended last; the newest first",
                Can.SHARES_READ,
                kept.ProofList,
                query=OfShare,
                of=Of.LISTED,
            ),
            Route("GET", "proofs/{id}", self._show, "How far a proof is", Can.SHARES_READ, kept.OneProof, of=Of.PROOF),
            Route("POST", "proofs/{id}/stop", self._stop, "Stop a proof", Can.SHARES_WRITE, kept.OneProof, of=Of.PROOF),
            Route(
                "POST",
                "receipts/check",
                self._check,
                "Whether this gate signed a receipt",
                Can.GATE_READ,
                kept.ReceiptChecked,
                body=CheckBody,
            ),
        ]

    async def at_start(self) -> int:
        """End what proofs of this gate left open when it was killed. Returns how many links."""
        left = 0
        for share in await self._store.shares():
            opened = {visit.link for visit in await self._store.visits(share.id, open_only=True)}
            for link in await self._store.links(share.id):
                mine = link.kind is LinkKind.PREVIEW and link.name == self._name
                if mine and (link.revoked is None or link.id in opened):
                    await self._end_link(share.id, link.id, "gate")
                    left += 1
        if left:
            log.warning("%s links of proofs that were broken off are revoked", left)
        return left

    async def close(self) -> None:
        """Stop what runs."""
        tasks = [proof.task for proof in self._proofs.values() if proof.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- verbs ----------------------------------------------------------------------------------------------------

    async def _begin(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, ProveBody)
        share = await self._store.share(parts["id"])
        if share is None:
            raise NotFound("share", parts["id"])
        if not self._facts.running:
            raise Unreachable("no gate runs here; start one with `sharegate up`")
        try:
            check_share(share, self._now())
        except Denied as denied:
            raise Refused("share_not_open", f"nobody can enter this share ({denied.reason.value})") from None
        if any(proof.share.id == share.id and self._runs(proof) for proof in self._proofs.values()):
            raise Refused("proof_running", "this share is being proved already", "Wait until that is over")
        if asked.to:
            if not os.path.isabs(asked.to) or "\0" in asked.to:
                raise Invalid("to", "is no whole path", "Name it from the root of the disk")
            await self._apart("to", Path(asked.to))
        wanted = Wanted(edits=share.role is not Role.VIEW, quick=asked.quick, write=asked.write)
        proof = await self.begin(share, wanted)
        return {"proof": self._view(proof)}

    async def begin(self, share: Share, wanted: Wanted) -> _Proof:
        """Start a run beside everything else."""
        try:
            upstream = await self._directory.find(share.upstream)
        except Denied as denied:
            raise Unreachable(f"the Jupyter server does not run ({denied.reason.value})") from None
        # An ending of a file name, which the server takes up to 16 letters and digits of.
        mark = "sgprove" + secrets.token_hex(4)
        eye = Eye(self._forwarder, self._disk, upstream, share)
        run = Run(eye, lambda: self._link(proof), lambda: self._end(proof), wanted, mark)
        proof = _Proof(new_id(), share, run, FORGOTTEN[asker().by])
        while len(self._proofs) >= KEPT:
            over = next((id for id, each in self._proofs.items() if not self._runs(each)), None)
            if over is None:
                raise Refused("proof_running", f"{KEPT} shares are being proved already", "Wait until one is over")
            del self._proofs[over]
        self._proofs[proof.id] = proof
        proof.task = asyncio.create_task(self._prove(proof, wanted))
        return proof

    async def _list(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        share = query.get("share", "")
        ours = [proof for proof in reversed(self._proofs.values()) if asker().has(proof.share.owner)]
        found = [proof for proof in ours if share in ("", proof.share.id)]
        for proof in found:
            proof.heard.set()
        return {"proofs": [self._view(proof) for proof in found]}

    async def _show(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"proof": self._view(self._proof(parts["id"]))}

    async def _stop(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        proof = self._proof(parts["id"])
        if proof.task is not None:
            proof.task.cancel()
            await asyncio.gather(proof.task, return_exceptions=True)
        return {"proof": self._view(proof)}

    async def _check(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """Whether this gate signed a receipt. Raises Invalid."""
        found = receipt.from_json(msgspec.json.encode(msgspec.convert(body, CheckBody).receipt))
        key = self._ring.public(found.kid)
        if key is None:
            raise Invalid("receipt", "another gate signed it", "Check it with that gate's key set: --jwks FILE")
        receipt.check(found, key)
        return {"receipt": receipt.plain(found), "words": receipt.words(found)}

    # -- running --------------------------------------------------------------------------------------------------

    async def _prove(self, proof: _Proof, wanted: Wanted) -> None:
        watching = asyncio.create_task(self._watch(proof, asyncio.current_task()))
        try:
            outcome = await proof.run.prove()
            upstream = proof.run.eye.upstream
            made = receipt.receipt(
                outcome,
                wanted,
                at=self._now(),
                version=__version__,
                share=proof.share.id,
                upstream=upstream.id,
                root=proof.share.root,
                role=proof.share.role.value,
                server=await proof.run.eye.versions(),
                kid=self._ring.active,
                key=self._ring.signing_key(),
            )
            failed = bool(made.got_out)
            words = f"{made.files} files, {made.probes} probes, {len(made.got_out)} got out"
            await self._record(proof, Outcome.FAILED if failed else Outcome.ALLOWED, words)
            proof.receipt = made
        except SharegateError as error:
            proof.failed = str(error) or type(error).__name__
        except asyncio.CancelledError:
            proof.failed = "it was stopped"
        except Exception:  # fails closed: no receipt
            log.exception("fault in the proof of %s", proof.share.id)
            proof.failed = "something unexpected happened; the gate's log says what"
        finally:
            watching.cancel()
        if proof.failed:
            with contextlib.suppress(SharegateError):  # it could not be run; whether that is written changes nothing
                await self._record(proof, Outcome.FAILED, proof.failed)

    async def _watch(self, proof: _Proof, task: asyncio.Task[None] | None) -> None:
        """A run is there for whoever asks about it."""
        with contextlib.suppress(TimeoutError):
            while True:
                proof.heard.clear()
                async with asyncio.timeout(proof.patience):
                    await proof.heard.wait()
        if task is not None:
            task.cancel()

    async def _link(self, proof: _Proof) -> str:
        link = await self._issuer.preview(proof.share.id, self._name)
        proof.links.append(link.id)
        await self._record_link(proof, link.id)
        return self.address(link)

    async def _end(self, proof: _Proof) -> None:
        """End the visits and links that this run made, each whatever becomes of the others; then raise what went wrong,
        so that there is no receipt."""
        failed: Exception | None = None
        for id in proof.links:
            try:
                await self._end_link(proof.share.id, id, "owner")
            except Exception as error:  # the others are ended all the same; fails closed by the raise below
                log.warning("a link of the proof of %s is not ended in order: %s", proof.share.id, error)
                failed = failed or error
        if failed is not None:
            raise failed

    async def _end_link(self, share: str, id: str, actor: str) -> None:
        await self._issuer.revoke_link(id)
        why = "the share was proved"
        opened = await self._store.visits(share, link=id, open_only=True)
        ended = await self._store.end_visits([visit.id for visit in opened], at=self._now(), reason=why)
        revoked = AuditEvent(action=Action.LINK_REVOKED, actor=actor, share=share, link=id, detail=why)
        await self._trail.record(revoked)
        for visit in ended:
            await self._trail.record(
                AuditEvent(action=Action.VISIT_ENDED, actor=actor, share=share, link=id, visit=visit.id, detail=why)
            )

    async def _record(self, proof: _Proof, outcome: Outcome, detail: str) -> None:
        action = Action.SHARE_PROVED
        await self._trail.record(
            AuditEvent(action=action, outcome=outcome, actor="owner", share=proof.share.id, detail=detail[:300])
        )

    async def _record_link(self, proof: _Proof, link: str) -> None:
        action = Action.LINK_CREATED
        await self._trail.record(
            AuditEvent(action=action, actor="owner", share=proof.share.id, link=link, detail="to prove the share")
        )

    # -- parts ----------------------------------------------------------------------------------------------------

    async def owner(self, id: str) -> str | None:
        """Whose share is proved; None for no proof that there is."""
        return self._proofs[id].share.owner if id in self._proofs else None

    def _proof(self, id: str) -> _Proof:
        proof = self._proofs.get(id)
        if proof is None:
            raise NotFound("proof", id)
        proof.heard.set()
        return proof

    @staticmethod
    def _runs(proof: _Proof) -> bool:
        return proof.task is not None and not proof.task.done()

    def _view(self, proof: _Proof) -> dict[str, Any]:
        made, progress = proof.receipt, proof.run.progress
        return {
            "id": proof.id,
            "share": proof.share.id,
            "state": "done" if made else "failed" if proof.failed else "running",
            "problem": proof.failed,
            "step": progress.step,
            "done": progress.done,
            "total": progress.total,
            "receipt": receipt.plain(made) if made else None,
            "words": receipt.words(made) if made else [],
        }
