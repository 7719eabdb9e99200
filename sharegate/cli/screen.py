"""What the live screen is about and what a key does to it. No terminal in here: values in, values out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from enum import Enum
from typing import Any

from sharegate.cli import words
from sharegate.cli.output import shown

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Board:
    """What the gate says now. `happenings` are (moment, sentence), oldest first.

    `fresh` are knocks that have been on the screen too briefly to be meant by a key. `cuts` tells whether leaving the
    screen ends the gate (`up`) or not (`watch`); `lab` whether a JupyterLab that `up` started would end with it.
    """

    gate: Json = field(default_factory=dict)
    shares: tuple[Json, ...] = ()
    visits: tuple[Json, ...] = ()
    knocks: tuple[Json, ...] = ()
    asks: tuple[Json, ...] = ()
    alarms: tuple[Json, ...] = ()
    happenings: tuple[tuple[float, str], ...] = ()
    now: float = 0.0
    zone: tzinfo = UTC
    fresh: frozenset[str] = frozenset()
    cuts: bool = False
    lab: bool = False

    @property
    def inside(self) -> int:
        return sum(1 for visit in self.visits if visit.get("kind") != "preview")


class Verb(Enum):
    """What a key asks the gate for. The value is the API's folder and verb; `screen` is answered here."""

    ADMIT = ("knocks", "admit")
    REFUSE = ("knocks", "refuse")
    RAN = ("asks", "ran")
    DECLINE = ("asks", "decline")
    DISMISS = ("alarms", "dismiss")
    END = ("visits", "end")
    REVOKE_LINK = ("links", "revoke")
    REVOKE_SHARE = ("shares", "revoke")
    PAUSE_LINK = ("links", "pause")
    PAUSE_SHARE = ("shares", "pause")
    RESUME_LINK = ("links", "resume")
    RESUME_SHARE = ("shares", "resume")
    LEAVE = ("screen", "leave")
    OPEN_LAB = ("screen", "open_lab")
    LOOK = ("screen", "look")


@dataclass(frozen=True, slots=True)
class Act:
    """Something to do. `title` names it in a list, `sure` is the question before it (empty: none is asked), `done`
    what is said afterwards. `ask` is the raised hand that it looks at or answers."""

    verb: Verb
    id: str = ""
    title: str = ""
    sure: str = ""
    done: str = ""
    ask: Json | None = field(default=None, compare=False)


class Mode(Enum):
    WATCH = "watch"
    CHOOSE = "choose"
    SURE = "sure"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Screen:
    """What the keys mean at the moment. `choices` are fixed while choosing, so that a list which moves meanwhile does
    not slip another person under a finger."""

    mode: Mode = Mode.WATCH
    heading: str = ""
    choices: tuple[Act, ...] = ()
    cursor: int = 0
    scroll: int = 0
    note: str = ""
    # Of the cell that is looked at: lines shown so far without a gap, of so many; nothing before it was drawn.
    read: tuple[int, int] = (0, 0)


READ_ON = "Read the cell to its end first (↓). Nobody was told anything."
LOOK_FIRST = "Somebody has just come to the door. Look, then press the key again."


def press(screen: Screen, key: str, board: Board) -> tuple[Screen, Act | None]:
    """The screen after a key, and what is to be done."""
    if screen.mode is Mode.SURE:
        return _sure(screen, key)
    if screen.mode is Mode.CHOOSE:
        return _choose(screen, key)
    if screen.mode is Mode.LOOK:
        return _look(screen, key, board)
    screen = replace(screen, note="")
    match key:
        case "a" | "r":
            return _door(screen, key, board)
        case "h":
            return _hands(screen, board)
        case "c" if board.alarms:
            first = board.alarms[0]
            return screen, Act(Verb.DISMISS, str(first["id"]), done=f"Cleared the alarm about {shown(first['path'])}")
        case "x":
            return _offer(screen, "End which visit, link or share?", _ends(board), "There is nothing to end.")
        case "p":
            return _offer(screen, "Pause or resume what?", _pauses(board), "There is nothing to pause.")
        case "o":
            return screen, Act(Verb.OPEN_LAB)
        case "q":
            return _leave(screen, board)
        case "down" | "page-down":
            most = max(0, len(board.visits) - 1)
            return replace(screen, scroll=min(most, screen.scroll + (10 if key == "page-down" else 1))), None
        case "up" | "page-up":
            return replace(screen, scroll=max(0, screen.scroll - (10 if key == "page-up" else 1))), None
    return screen, None


def _door(screen: Screen, key: str, board: Board) -> tuple[Screen, Act | None]:
    verb = Verb.ADMIT if key == "a" else Verb.REFUSE
    if not board.knocks:
        return replace(screen, note="Nobody is at the door."), None
    if any(knock["id"] in board.fresh for knock in board.knocks):
        return replace(screen, note=LOOK_FIRST), None
    word = "Admitted" if verb is Verb.ADMIT else "Refused"
    acts = tuple(
        Act(verb, str(one["id"]), words.knock(one), done=f"{word} {shown(one.get('name'), 60) or 'them'}")
        for one in board.knocks
    )
    if len(acts) == 1:
        return screen, acts[0]
    heading = "Admit whom?" if verb is Verb.ADMIT else "Refuse whom?"
    return Screen(Mode.CHOOSE, heading, acts, scroll=screen.scroll), None


def _hands(screen: Screen, board: Board) -> tuple[Screen, Act | None]:
    """Who asks for a cell to be run. It is looked at before it is answered, also when it is the only one."""
    if not board.asks:
        return replace(screen, note="Nobody asks for a cell to be run."), None
    acts = tuple(Act(Verb.LOOK, str(one["id"]), words.ask(one), ask=one) for one in board.asks)
    if len(acts) == 1:
        return Screen(Mode.LOOK, acts[0].title, acts, scroll=screen.scroll), None
    return Screen(Mode.CHOOSE, "Look at which cell?", acts, scroll=screen.scroll), None


def _look(screen: Screen, key: str, board: Board) -> tuple[Screen, Act | None]:
    looked = screen.choices[0]
    back = Screen(scroll=screen.scroll)
    steps = {"down": 1, "up": -1, "page-down": 10, "page-up": -10}
    if key in steps:
        return replace(screen, cursor=max(0, screen.cursor + steps[key]), note=""), None
    if key in ("escape", "q"):
        return back, None
    if key in ("y", "n") and not any(one["id"] == looked.id for one in board.asks):
        return replace(back, note="Nobody asks for that cell any more: it was changed or taken back."), None
    who = shown((looked.ask or {}).get("name"), 60) or "the visitor"
    done, total = screen.read
    if key == "y" and not done >= total > 0:
        return replace(screen, note=READ_ON), None
    if key == "y":
        return back, Act(Verb.RAN, looked.id, done=f"Told {who} that you ran it", ask=looked.ask)
    if key == "n":
        return back, Act(Verb.DECLINE, looked.id, done=f"Told {who} that you will not run it", ask=looked.ask)
    return screen, None


def _ends(board: Board) -> tuple[Act, ...]:
    visits = [
        Act(
            Verb.END,
            str(visit["id"]),
            f"visit {visit['label']}  {words.visitor(visit)}",
            f"End the visit of {words.visitor(visit)}? Their link stays valid.",
            f"Ended the visit of {words.visitor(visit)}",
        )
        for visit in board.visits
    ]
    links = []
    for share in board.shares:
        what = words.folder(share)
        links += [
            Act(
                Verb.REVOKE_LINK,
                str(link["id"]),
                f"link {link['label']}  {words.whom(link)}, {what}",
                f"Revoke the link of {words.whom(link)} for ever?",
                f"Revoked the link of {words.whom(link)}",
            )
            for link in share["links"]
            if link["state"] in ("active", "paused")
        ]
        title = f"share {share['label']}  {what}, all its links"
        sure = f"Revoke {what} with all its links for ever?"
        links.append(Act(Verb.REVOKE_SHARE, str(share["id"]), title, sure, f"Revoked {what}"))
    return (*visits, *links)


def _pauses(board: Board) -> tuple[Act, ...]:
    acts = []
    for share in board.shares:
        acts.append(
            _toggle(share, Verb.PAUSE_SHARE, Verb.RESUME_SHARE, f"share {share['label']}  {words.folder(share)}")
        )
        acts += [
            _toggle(link, Verb.PAUSE_LINK, Verb.RESUME_LINK, f"link {link['label']}  {words.whom(link)}")
            for link in share["links"]
        ]
    return tuple(act for act in acts if act is not None)


def _toggle(record: Json, pause: Verb, resume: Verb, what: str) -> Act | None:
    if record["state"] == "active":
        return Act(pause, str(record["id"]), f"pause {what}", done=f"Paused {what}")
    if record["state"] == "paused":
        return Act(resume, str(record["id"]), f"resume {what}", done=f"Resumed {what}")
    return None


def _offer(screen: Screen, heading: str, acts: tuple[Act, ...], nothing: str) -> tuple[Screen, Act | None]:
    if not acts:
        return replace(screen, note=nothing), None
    return Screen(Mode.CHOOSE, heading, acts, scroll=screen.scroll), None


def _leave(screen: Screen, board: Board) -> tuple[Screen, Act | None]:
    leave = Act(Verb.LEAVE)
    if not board.cuts or not (board.inside or board.lab):
        return screen, leave
    return Screen(Mode.SURE, choices=(replace(leave, sure=f"Leave? {leaving(board)}"),), scroll=screen.scroll), None


def leaving(board: Board, *, done: bool = False) -> str:
    """What becomes of visitors (and of the JupyterLab) when the screen is left."""
    if not board.cuts:
        return "The gate goes on running; your visitors stay."
    sentences = []
    if board.inside:
        were = ("was" if board.inside == 1 else "were") if done else ("is" if board.inside == 1 else "are")
        sentences.append(
            f"{words.count(board.inside, 'visitor')} {were} cut off; links stay valid for when you run "
            "`sharegate up` again."
        )
    else:
        sentences.append("Nobody is inside. Links stay valid for when you run `sharegate up` again.")
    if board.lab:
        sentences.append("The JupyterLab that was started for you " + ("has stopped." if done else "stops too."))
    return " ".join(sentences)


def _choose(screen: Screen, key: str) -> tuple[Screen, Act | None]:
    last = len(screen.choices) - 1
    steps = {"down": 1, "up": -1, "page-down": 10, "page-up": -10}
    if key in ("escape", "q"):
        return Screen(scroll=screen.scroll), None
    if key in steps:
        return replace(screen, cursor=max(0, min(last, screen.cursor + steps[key]))), None
    chosen = screen.cursor if key == "enter" else int(key) - 1 if key.isdecimal() and key != "0" else -1
    if not 0 <= chosen <= last:
        return screen, None
    act = screen.choices[chosen]
    if act.verb is Verb.LOOK:
        return Screen(Mode.LOOK, act.title, (act,), scroll=screen.scroll), None
    if act.sure:
        return Screen(Mode.SURE, choices=(act,), scroll=screen.scroll), None
    return Screen(scroll=screen.scroll), act


def _sure(screen: Screen, key: str) -> tuple[Screen, Act | None]:
    if key == "y":
        return Screen(scroll=screen.scroll), screen.choices[0]
    if key in ("n", "escape", "q"):
        return Screen(scroll=screen.scroll, note="Nothing was changed."), None
    return screen, None


def told(act: Act, answer: Json) -> str:
    """What the screen says when an act is done."""
    if act.verb is Verb.ADMIT and answer.get("role") == "edit":
        return f"{act.done}, who {words.CAN['edit']}. {words.RUNNING}"
    how = words.ended(answer.get("ended")) if answer.get("ended") else ""
    return f"{act.done}: {how}" if how else act.done
