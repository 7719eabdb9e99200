"""People and shares in a reader's words, for pages."""

from __future__ import annotations

from sharegate.dashboard.pages.source import Json

DAY = 86400.0
CAN = {"view": "can view", "edit": "can edit text", "run": "can run code"}
_RANKS = tuple(CAN)


def count(number: int, what: str, many: str = "") -> str:
    """`1 page`, `2 pages`."""
    return f"{number} {what if number == 1 else many or what + 's'}"


def initials(name: str) -> str:
    """At most two letters of a name: `Ann Lee` is AL, `Bo` is B; `?` for nobody known."""
    words = [word for word in name.split() if word[0].isalnum()] or name.split()
    letters = [word[0] for word in (words[:1] + words[1:][-1:])]
    return "".join(letters).upper()[:2] or "?"


def at_most(role: str) -> list[tuple[str, str]]:
    """What somebody may be let in for by a link of this role, the least first."""
    return [(each, CAN[each]) for each in _RANKS if _RANKS.index(each) <= _RANKS.index(role)]


def person(visit: Json) -> Json:
    """A visit with what a page says of it."""
    who = visit["name"] or "this visitor"
    devices = f" and {count(visit['devices'] - 1, 'other device')} of theirs" if visit["devices"] > 1 else ""
    return visit | {
        "initials": initials(visit["name"]),
        "role_words": CAN[visit["role"]],
        "end_words": f"{who}{devices} will be out at once. They can open their link again.",
    }


def door(share: Json, here: list[Json], now: float) -> Json:
    """A share with its state in one word, and who is inside."""
    word, said = share["state"], {"active": "open"}.get(share["state"], share["state"])
    if word == "active" and share["expires"] - now < DAY:
        word, said = "expiring", "ends soon"
    standing = [link for link in share["links"] if link["state"] == "active"]
    people, programs = share["visits_open"], share["programs"]
    words = [count(people, "visitor")] if people else []
    words += [count(programs, "program")] if programs else []
    inside = [visit for visit in here if visit["share"] == share["id"]]
    return share | {
        "word": word,
        "word_said": said,
        "copy_link": standing[0]["id"] if len(standing) == 1 == len(share["links"]) else "",
        "faces": inside[:5],
        "more_faces": max(0, len(inside) - 5),
        "inside_words": f"{len(inside)} here, {' and '.join(words)} in all" if words else "nobody yet",
    }


def whom(link: Json) -> str:
    """Whom a link is for."""
    if link["kind"] == "open":
        return f"Anyone, at most {count(link['visits_max'], 'person', 'people')}" if link["visits_max"] else "Anyone"
    return str(link["name"] or "One person")
