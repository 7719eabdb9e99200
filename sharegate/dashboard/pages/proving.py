"""*Prove*: a share attacked by its own gate, how far that is, and what came of it."""

from __future__ import annotations

from sharegate.dashboard.pages.people import door
from sharegate.dashboard.pages.source import Json, Source


async def values(source: Source, parts: dict[str, str]) -> Json:
    """`GET /shares/…/prove`: the proof of this share that runs, or those that ended last."""
    share = (await source.get(f"shares/{parts['id']}"))["share"]
    proofs = (await source.get("proofs", share=share["id"]))["proofs"]
    return {
        "share": door(share, [], source.now),
        "proof": _told(proofs[0]) if proofs else None,
        "earlier": [_told(one) for one in proofs[1:]],
        "running": bool(proofs) and proofs[0]["state"] == "running",
    }


def _told(proof: Json) -> Json:
    made = proof["receipt"]
    return proof | {
        "got_out": len(made["got_out"]) if made else 0,
        "at": made["at"] if made else None,
        "lines": [(kind_of(line), line) for line in proof["words"]],
        "file": f"proof-{proof['share'][:10]}-{proof['id']}.json",
    }


def kind_of(line: str) -> str:
    """What a line of a receipt is about: `out`, `open` (not covered) or nothing special."""
    if line.startswith(("GOT OUT", "Does not hold")):
        return "out"
    return "open" if line.startswith("Not covered") else ""
