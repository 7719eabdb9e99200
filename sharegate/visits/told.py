"""What the door tells the holder of a link. Plain values in, plain values out."""

from __future__ import annotations

from sharegate.errors import Denied, Reason
from sharegate.language.catalogue import ENGLISH, Language
from sharegate.shares.authenticate import check_link, check_share
from sharegate.shares.conditions import Need
from sharegate.shares.model import Link, LinkKind, Role, RootKind, Share


def recorded(language: Language, needs: tuple[Need, ...], *, full_addresses: bool, coowners: bool = False) -> list[str]:
    """What is recorded of a visitor, in words, and of what they have to show; `coowners`: where others than the owner
    let people in."""
    network = "whole_network" if full_addresses else "network"
    shown = [need.value for need in needs if need in (Need.ACCOUNT, Need.EMAIL)]
    named = ("coming", "files", network, *shown, *(["coowners"] if coowners else []))
    return [language.say(f"recorded.{name}") for name in named]


def role(language: Language, role: Role, sentence: str) -> str:
    """What a role may do, in words; where the owner's policy has words of its own for it (`sentence`), in those."""
    key = f"role.{role.value}"
    return language.say(key) if sentence == ENGLISH.say(key) else sentence


def whole(share: Share, link: Link, *, hidden: bool) -> dict[str, object]:
    """Who shares what, and until when. `hidden`: not what, nor with whom, to somebody who has yet to show that it is
    meant for them."""
    return {
        "owner": share.owner,
        "owner_badge": "",
        "share": _nothing(share.kind)
        if hidden
        else {
            "name": share.name,
            "kind": share.kind.value,
            "folder": share.root_path.name,
            "message": share.message,
        },
        "link": {"name": "" if hidden else link.name, "kind": link.kind.value},
        "expires": min(share.expires, link.expires),
        "ask_name": not link.name and link.kind is not LinkKind.PREVIEW,
    }


def outside(share: Share) -> dict[str, object]:
    """Who shares, and that it does not open from here: nothing else, and not from where it does."""
    return {
        "state": "outside",
        "needs": [],
        "mail": {},
        "account": {},
        "opens": 0.0,
        "owner": share.owner,
        "owner_badge": "",
        "share": _nothing(RootKind.DIRECTORY),
        "link": {"name": "", "kind": LinkKind.PERSON.value},
        "role": "",
        "role_sentence": "",
        "expires": 0.0,
        "ended_by": "",
        "ended_at": 0.0,
        "ended_why": "",
        "time": "",
        "ask_name": False,
        "shared_origin": False,
        "recorded": [],
    }


def _nothing(kind: RootKind) -> dict[str, object]:
    return {"name": "", "kind": kind.value, "folder": "", "message": ""}


def ended(share: Share, link: Link, current: bool, now: float) -> tuple[str, float]:
    """Why a link does not let anybody in, in one word, and since when (0 unknown)."""
    try:
        check_share(share, now)
        check_link(link, now)
    except Denied as denied:
        word = denied.reason.value.partition("_")[2]
        if denied.reason is Reason.ROOT_CHANGED:
            return "suspended", 0.0
        times = {
            "revoked": share.revoked if share.revoked is not None else link.revoked,
            "expired": min(share.expires, link.expires),
        }
        return word, times.get(word) or 0.0
    return ("", 0.0) if current else ("replaced", 0.0)
