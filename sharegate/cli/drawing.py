"""The live screen as lines of text for a terminal of a given size. Pure: the same values draw the same lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from sharegate.cli import asking, words
from sharegate.cli.moments import span
from sharegate.cli.output import shown
from sharegate.cli.screen import Board, Json, Mode, Screen
from sharegate.cli.source import source_lines

Line = Text
_SEEN_NOW = 90.0


def draw(board: Board, screen: Screen, width: int, height: int) -> list[Line]:
    """At most `height` lines, none wider than `width` cells."""
    width, height = max(20, width), max(4, height)
    head, foot, room = _frame(board, screen, width, height)
    if screen.mode is Mode.CHOOSE:
        body = _choices(screen, width, room)
    elif screen.mode is Mode.SURE:
        body = [_line(piece, width, "bold") for piece in _wrapped(screen.choices[0].sure, width - 1)][:room]
    elif screen.mode is Mode.LOOK:
        body = _looked(screen, width, room)
    else:
        body = _sections(board, screen, width, room)
    lines = [*head, *([Text("")] if room >= 4 else []), *body]
    lines += [Text("")] * (height - len(foot) - len(lines))
    return [*lines[: height - len(foot)], *foot]


def looked_at(board: Board, screen: Screen, width: int, height: int) -> Screen:
    """The screen as it is drawn on a terminal of this size: how far the cell in it has been read by then. It is not
    scrolled past its end, nor past what has not been shown yet."""
    if screen.mode is not Mode.LOOK:
        return screen
    width, height = max(20, width), max(4, height)
    lines = source_lines(screen.choices[0].ask or {}, width)
    _, space = _look_space(screen, width, _frame(board, screen, width, height)[2], len(lines))
    done, total = screen.read
    if total != len(lines):  # wrapped anew
        done = len(lines) if done >= total > 0 else 0
    first = max(0, min(screen.cursor, len(lines) - space, done))
    return replace(screen, cursor=first, read=(max(done, min(len(lines), first + space)), len(lines)))


# -- parts ------------------------------------------------------------------------------------------------------------


def _frame(board: Board, screen: Screen, width: int, height: int) -> tuple[list[Line], list[Line], int]:
    """What stands above and below, and how many lines are left between."""
    head = _header(board, width)
    foot = _footer(board, screen, width)
    room = height - len(head) - len(foot) - 1
    if room < 9:
        head, room = head[:2], height - len(head[:2]) - len(foot) - 1
    if room < 4:  # a sliver of a terminal: what cannot be answered later comes first
        head, room = head[:1], height - 1 - len(foot)
    return head, foot, room


def _header(board: Board, width: int) -> list[Line]:
    gate = board.gate
    reach = {
        "this computer": "this computer only",
        "local network": "your local network",
        "public": "anybody with a link",
    }.get(str(gate.get("reach")), shown(gate.get("reach")))
    lines = [
        _columns(width, ("sharegate", 10, "bold cyan"), (f"{shown(gate.get('gate_url'))} · {reach}", 0, "bold")),
    ]
    servers = gate.get("servers") or []
    for server in servers[:3]:
        state = words.server_state(server)
        style = "green" if server.get("state") == "here" else "yellow"
        lines.append(_columns(width, ("Jupyter", 10, "dim"), (f"{shown(server.get('name'), 40)} · {state}", 0, style)))
    if not servers:
        lines.append(_columns(width, ("Jupyter", 10, "dim"), ("no server is known yet", 0, "yellow")))
    lines += [
        _columns(width, ("!", 10, "yellow"), (shown(warning), 0, "yellow"))
        for warning in (gate.get("warnings") or [])[:2]
    ]
    return lines


def _footer(board: Board, screen: Screen, width: int) -> list[Line]:
    keys: list[tuple[str, str]]
    if screen.mode is Mode.CHOOSE:
        keys = [("↑↓ 1-9", "choose"), ("Enter", "take"), ("Esc", "back")]
    elif screen.mode is Mode.SURE:
        keys = [("y", "yes"), ("n", "no")]
    elif screen.mode is Mode.LOOK:
        keys = [("y", "I ran it in my tab"), ("n", "I will not"), ("↑↓", "read"), ("Esc", "back")]
    else:
        hands = [("h", "hands")] if board.asks else []
        alarms = [("c", "clear alarm")] if board.alarms else []
        keys = [
            ("a", "admit"),
            ("r", "refuse"),
            *hands,
            *alarms,
            ("x", "end"),
            ("p", "pause"),
            ("o", "open lab"),
            ("q", "leave"),
        ]
    # What does not fit goes by how easily it is missed: the lab can be opened elsewhere, leaving must be findable.
    while sum(len(key) + len(word) + 5 for key, word in keys) - 2 > width and len(keys) > 2:
        del keys[-2]
    line = Text("  ").join(Text.assemble((f" {key} ", "reverse"), f" {word}") for key, word in keys)
    line.truncate(width, overflow="ellipsis")
    return [*([_line(screen.note, width, "bold yellow")] if screen.note else []), line]


def _choices(screen: Screen, width: int, room: int) -> list[Line]:
    lines = [_line(screen.heading, width, "bold")]
    space = max(1, room - 2)
    first = max(0, min(screen.cursor - space // 2, len(screen.choices) - space))
    for at, act in enumerate(screen.choices[first : first + space], first):
        number = str(at + 1) if at < 9 else " "
        style = "reverse" if at == screen.cursor else ""
        lines.append(_line(f" {number} {act.title}", width, style))
    hidden = len(screen.choices) - len(lines) + 1
    if hidden > 0:
        lines.append(_line(f"   {hidden} more (↑↓)", width, "dim"))
    return lines


def _looked(screen: Screen, width: int, room: int) -> list[Line]:
    """A cell that somebody asks to be run, all of it."""
    styles = {"+": "green", "-": "red", "@": "dim"}
    lines = source_lines(screen.choices[0].ask or {}, width)
    head, space = _look_space(screen, width, room, len(lines))
    first = max(0, min(screen.cursor, len(lines) - space))
    drawn = [_line(line, width, styles.get(line[:1], "")) for line in lines[first : first + space]]
    below = len(lines) - first - space
    return [*head, *drawn, *([_line(f"  {below} more lines (↑↓)", width, "dim")] if below > 0 else [])][:room]


def _look_space(screen: Screen, width: int, room: int, count: int) -> tuple[list[Line], int]:
    """The heading, and how many of `count` lines fit below it; a line is left for how many follow."""
    head = [_line(piece, width, "bold") for piece in _wrapped(screen.heading, width - 1)]
    head = head[: max(0, room - 2)]
    space = room - len(head)
    return head, max(1, space if count <= space else space - 1)


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    lines: list[Line]
    style: str = "bold"
    count: int = 0
    more: str = ""  # how to see the rest
    least: int = 1  # lines


def _sections(board: Board, screen: Screen, width: int, room: int) -> list[Line]:
    alarms = [line for one in board.alarms for line in _alarm(one, board, width)]
    door = [_knock(knock, board, width) for knock in board.knocks]
    hands = [_ask(one, board, width) for one in board.asks]
    links = [line for share in board.shares for line in _share(share, board, width)]
    here = [_visit(visit, board, width) for visit in board.visits]
    seen = here[min(screen.scroll, max(0, len(here) - 1)) :]
    lately = [_happening(at, text, board, width) for at, text in reversed(board.happenings)]
    sections = [
        *([_Section("LOOKS DAMAGED", alarms, "bold red", len(board.alarms), least=3)] if alarms else []),
        *([_Section("AT THE DOOR", door, "bold yellow", len(door))] if door else []),
        *([_Section("ASKED TO RUN", hands, "bold yellow", len(hands))] if hands else []),
        _Section(
            "LINKS", links or [_line("Nothing is shared. Elsewhere: sharegate share PATH --for NAME", width, "dim")]
        ),
        _Section("HERE", seen or [_line("Nobody is here.", width, "dim")], count=len(here), more=" (↑↓)"),
        _Section("LATELY", lately or [_line("Nothing has happened yet.", width, "dim")]),
    ]
    # Each section needs a heading, its least lines, and a line before it; what can be read elsewhere gives way first.
    for droppable in ("LATELY", "LINKS", "HERE"):
        if sum(2 + section.least for section in sections) - 1 > room and len(sections) > 1:
            sections = [section for section in sections if section.title != droppable]
    sizes = _sizes([(len(section.lines), section.least) for section in sections], room - 2 * len(sections) + 1)
    drawn: list[Line] = []
    for section, size in zip(sections, sizes, strict=True):
        heading = f"{section.title} ({section.count})" if section.count else section.title
        drawn += [*([Text("")] if drawn else []), _line(heading, width, section.style)]
        lines = section.lines
        if len(lines) > size >= 2 and section.title not in ("LATELY", "LOOKS DAMAGED"):
            more = f"  and {len(lines) - size + 1} more{section.more}"
            lines = [*lines[: size - 1], _line(more, width, "dim")]
        drawn += lines[: max(size, 0)]
    return drawn[:room]


def _sizes(wanted: list[tuple[int, int]], room: int) -> list[int]:
    """Share `room` lines, one by one: first the least that each needs, then to whoever wants more."""
    sizes = [0] * len(wanted)
    for _ in range(max(0, room)):
        hungry = [at for at, (want, _) in enumerate(wanted) if sizes[at] < want]
        if not hungry:
            break
        # Even shares; where they are equal, the earlier section (who waits at the door) comes first.
        sizes[min(hungry, key=lambda at: (sizes[at] >= wanted[at][1], sizes[at], at))] += 1
    return sizes


def _knock(knock: Json, board: Board, width: int) -> Line:
    return _columns(width, (words.knock(knock), 0, "yellow"), (_brief(board.now - float(knock["since"])), 12, "dim"))


def _ask(one: Json, board: Board, width: int) -> Line:
    return _columns(width, (words.ask(one), 0, "yellow"), (_brief(board.now - float(one["since"])), 12, "dim"))


def _alarm(one: Json, board: Board, width: int) -> Iterator[Line]:
    """What happened, and the commands that mend it."""
    said, back, undo = words.alarm(one)
    yield _columns(width, (said, 0, "red"), (_brief(board.now - float(one["at"])), 12, "dim"))
    for command in (back, undo):
        if command:
            yield _line(f"  {command}", width, "yellow")


def _share(share: Json, board: Board, width: int) -> Iterator[Line]:
    wide = width >= 76
    left = _brief(float(share["expires"]) - board.now)
    state = shown(share["state"])
    yield _columns(
        width,
        (share["label"], 10, "bold"),
        (words.folder(share), 0, "" if state == "active" else "dim"),
        *([(words.can(share), 14, "")] if wide else []),
        (left if state == "active" else state, 12, "" if state == "active" else "yellow"),
        (f"{share['visits_open']} inside" if share["visits_open"] else "", 10, "green"),
    )
    if state == "suspended":
        yield _line(f"  Moved or replaced. Is it still yours to share? {words.to_confirm(share)}", width, "yellow")
    for link in share["links"]:
        if link["state"] in ("revoked", "expired"):
            continue
        paused = link["state"] == "paused"
        conditions = asking.conditions(link, board.now, board.zone)
        yield _columns(
            width,
            (f"  .{link['label'].rpartition('.')[2]}", 10, "dim"),
            (", ".join([words.whom(link), *conditions]), 0, "dim" if paused else ""),
            ("paused" if paused else "", 12, "yellow"),
            (words.seats(link), 10, "green" if link["visits_used"] else "dim"),
        )


def _visit(visit: Json, board: Board, width: int) -> Line:
    away = board.now - float(visit.get("last_seen") or 0)
    here = bool(visit.get("here", away < _SEEN_NOW))
    where = shown(visit.get("where"))
    seen = "now" if here else f"{_brief(away)} ago"
    return _columns(
        width,
        (visit["label"], 10, "bold"),
        (words.visitor(visit), 0, "green" if here else "dim"),
        # The end of a path says more than its beginning.
        (_tail(where, max(12, width // 3)), max(12, width // 3), ""),
        (seen, 15 if width >= 76 else 10, "dim"),
    )


def _happening(at: float, text: str, board: Board, width: int) -> Line:
    return _columns(width, (f"{datetime.fromtimestamp(at, board.zone):%H:%M:%S}", 10, "dim"), (shown(text), 0, ""))


# -- lines ------------------------------------------------------------------------------------------------------------


def _line(text: str, width: int, style: str = "") -> Line:
    return Text(_fit(text, width), style=style, no_wrap=True)


def _columns(width: int, *cells: tuple[str, int, str]) -> Line:
    """Cells of (text, width, style) with a space between them; the one of width 0 takes what is left."""
    spare = width - sum(cell[1] for cell in cells) - (len(cells) - 1)
    line = Text(no_wrap=True)
    for at, (text, size, style) in enumerate(cells):
        if at:
            line.append(" ")
        room = size or max(1, spare)
        line.append(set_cell_size(_fit(text, room), room), style)
    line.rstrip()
    line.truncate(width, overflow="ellipsis")
    return line


def _brief(seconds: float) -> str:
    return span(seconds).replace("less than a minute", "<1 minute")


def _fit(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)).rstrip() + "…"


def _tail(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    while cell_len(text) > width - 1:
        text = text[1:]
    return "…" + text


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
