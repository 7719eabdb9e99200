"""A roster: CSV text in, people or faults out. Decides on plain values.

All that is wrong is told together, each with its row, for whoever mends a list of sixty wants to do it once. Nothing is
guessed at silently: columns are found by the names in the first row, or, where it has none, by what cannot be mistaken.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sharegate.errors import Invalid
from sharegate.names import MAX_NAME, clean_name
from sharegate.rosters.model import Fault, Person, Roster
from sharegate.shares.asking import of_one
from sharegate.shares.conditions import clean_account, clean_email

MOST_PEOPLE = 500
MOST_IN_TEAMS = 2000
MOST_TEXT = 512 << 10  # characters
MOST_COLUMNS = 60
MOST_CELL = 1000
MOST_TEAM = 100
_DELIMITERS = (",", ";", "\t")
# A first line by which some spreadsheets are told what parts their cells; it is nobody.
_SAYS = re.compile(r"\"?sep=([,;\t])\"?[,;\t]*(?=[\r\n]|\Z)", re.IGNORECASE)
# Pages, documents and data that were given the name of a table. No line of people begins so.
_OTHERS = re.compile(r"\s*(?:<[!?a-z]|\{\\rtf|\{\s*\"|\[\s*[\[{\"])", re.IGNORECASE)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Joins letters of scripts in which names are written; the gate takes them out of names anyway.
_JOINERS = "\u200c\u200d"
_FORMULA = ("=", "＝")
_BOTH = re.compile(r"\s*(?P<name>[^<>@]*?)\s*<\s*(?P<email>[^<>\s]+@[^<>\s]+)\s*>\s*\Z")
_HEADINGS = {
    "name": {
        *("name", "names", "fullname", "displayname", "student", "studentname", "person", "participant", "who"),
        *("teilnehmer", "teilnehmerin", "vollstandigername", "nom", "nombre"),
    },
    "first": {"firstname", "first", "givenname", "forename", "vorname", "prenom"},
    "last": {"lastname", "last", "surname", "familyname", "nachname", "familienname"},
    "email": {"email", "emails", "mail", "emailaddress", "mailaddress", "mailadresse", "emailadresse", "courriel"},
    "account": {
        *("account", "accounts", "useraccount", "login", "signin", "oidc", "subject", "konto", "benutzerkonto"),
        *("compte", "cuenta"),
    },
    "team": {
        *("team", "teamname", "group", "groupname", "folder", "project", "teamfolder", "gruppe", "ordner", "projekt"),
    },
}
_NAME_THEM = "Begin with a row that names the columns: name,email"


@dataclass(slots=True)
class _Columns:
    """Where what stands: places of cells."""

    name: int | None = None
    first: int | None = None
    last: int | None = None
    email: int | None = None
    account: int | None = None
    team: int | None = None

    @property
    def found(self) -> tuple[str, ...]:
        named = self.name is not None or self.first is not None or self.last is not None
        have = (
            *(("name", named), ("email", self.email is not None), ("account", self.account is not None)),
            ("team", self.team is not None),
        )
        return tuple(word for word, there in have if there)


@dataclass(slots=True)
class _Reading:
    teams: bool
    people: list[Person] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fault(self, row: int, what: str, problem: str, remedy: str = "") -> None:
        self.faults.append(Fault(row, what, problem, remedy))


def read(text: str, *, teams: bool = False, note: str = "") -> Roster:
    """`teams`: each row names the team, which is its folder. `note` is said beside it. Raises nothing: what is wrong
    stands in `faults`."""
    reading = _Reading(teams, notes=[note] if note else [])
    columns = _Columns()
    if len(text) > MOST_TEXT:
        reading.fault(0, "", f"is longer than {MOST_TEXT >> 10} kB", "Leave out the columns that are no names")
    elif _OTHERS.match(text.removeprefix("\ufeff")):
        what = "is no CSV but a page, a document or data of another program"
        reading.fault(0, "", what, "In the spreadsheet choose Save as, CSV UTF-8")
    else:
        columns = _read(reading, text.removeprefix("\ufeff"))
    return Roster(tuple(reading.people), tuple(reading.faults), tuple(reading.notes), columns.found)


def _read(reading: _Reading, text: str) -> _Columns:
    rows, broken = _rows(text)
    if broken is not None:
        reading.faults.append(broken)
    if not rows:
        if broken is None:
            reading.fault(0, "", "holds nobody", _NAME_THEM)
        return _Columns()
    most = MOST_IN_TEAMS if reading.teams else MOST_PEOPLE
    number, cells = rows[0]
    headed = _headed(cells)
    columns = _by_heading(reading, number, cells) if headed else _by_content(reading, rows)
    body = rows[1:] if headed else rows
    if len(body) > most:
        reading.fault(0, "", f"has {len(body)} rows, more than {most}", "Make several shares of parts of it")
    elif not body and broken is None:
        reading.fault(0, "", "holds nobody: there is a heading and no row below it")
    elif not reading.faults:
        for number, cells in body:
            _person(reading, columns, number, cells)
        _twice(reading)
    return columns


# -- rows and columns -------------------------------------------------------------------------------------------------


def _rows(text: str) -> tuple[list[tuple[int, list[str]]], Fault | None]:
    """Rows that hold something, with their numbers; and where the reading stopped, if it did."""
    said = _SAYS.match(text)
    delimiter = said[1] if said else max(_DELIMITERS, key=lambda one: _fits(text, one))
    rows: list[tuple[int, list[str]]] = []
    number = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, cells in enumerate(reader, 1):
            if len(cells) > MOST_COLUMNS:
                return rows, Fault(number, "", f"has more than {MOST_COLUMNS} columns", "Leave out what is no name")
            if any(cell.strip() for cell in cells) and not (said and number == 1):
                rows.append((number, cells))
    except csv.Error as error:
        what = "has a quotation mark that does not end, or text behind one that ended"
        if "limit" in str(error):
            what = "has a cell that is far too long, or a quotation mark that does not end"
            return rows, Fault(number + 1, "", what, "Shorten the cell, or end its quotation mark")
        return rows, Fault(number + 1, "", what, "Write a quotation mark inside quotes twice")
    return rows, None


def _fits(text: str, delimiter: str) -> int:
    """In how many of the first rows it parts something. What lies in quotes is not looked at."""
    lines = [line for line in re.sub(r'"[^"]*"', "", text[:20_000]).splitlines() if line.strip()]
    return sum(delimiter in line for line in lines[:50])


def _word(cell: str) -> str:
    plain = unicodedata.normalize("NFKD", cell.casefold())
    return "".join(char for char in plain if char.isalnum())


def _headed(cells: Sequence[str]) -> bool:
    known = set().union(*_HEADINGS.values())
    return any(_word(cell) in known for cell in cells) and not any("@" in cell for cell in cells)


def _by_heading(reading: _Reading, number: int, cells: Sequence[str]) -> _Columns:
    columns, ignored = _Columns(), []
    for place, cell in enumerate(cells):
        which = next((name for name, words in _HEADINGS.items() if _word(cell) in words), "")
        if not which:
            ignored += [cell.strip()[:40]] if cell.strip() else []
        elif getattr(columns, which) is not None:
            reading.fault(number, which, "there are two columns of this", "Leave one of them out")
        else:
            setattr(columns, which, place)
    if columns.name is None and columns.first is None and columns.last is None and columns.email is None:
        reading.fault(number, "", "there is no column of names or e-mail addresses", _NAME_THEM)
    if reading.teams and columns.team is None:
        reading.fault(number, "team", "there is no column of teams", "Add one that holds each person's folder: team")
    if ignored:
        shown = ", ".join(_seen(one) for one in ignored[:6]) + (" …" if len(ignored) > 6 else "")
        reading.notes.append(f"Columns that were not looked at: {shown}.")
    return columns


def _by_content(reading: _Reading, rows: Sequence[tuple[int, list[str]]]) -> _Columns:
    """Without a heading: one column of names or addresses, or names beside addresses; teams need a heading."""
    width = max(len(_trimmed(cells)) for _, cells in rows)
    mails = [sum("@" in cell for _, cells in rows for cell in cells[at : at + 1]) for at in range(width)]
    best = max(range(width), key=lambda at: mails[at])
    columns = _Columns(email=best if mails[best] * 2 > len(rows) else None)
    rest = [at for at in range(width) if at != columns.email]
    if reading.teams or len(rest) > 1:
        named = "name,email,team" if reading.teams else "name,email"
        what = "which column is what cannot be told: the first row does not name them"
        reading.fault(rows[0][0], "", what, f"Begin with a row like: {named}")
    elif rest:
        columns.name = rest[0]
    return columns


def _trimmed(cells: Sequence[str]) -> list[str]:
    found = list(cells)
    while found and not found[-1].strip():
        found.pop()
    return found


# -- people -----------------------------------------------------------------------------------------------------------


def _person(reading: _Reading, columns: _Columns, row: int, cells: Sequence[str]) -> None:
    before = len(reading.faults)
    name = _cell(reading, row, "name", cells, columns.name)
    if columns.name is None or (not name and columns.first is not None):
        parts = (_cell(reading, row, "name", cells, place) for place in (columns.first, columns.last))
        name = " ".join(filter(None, parts))
    mail = _cell(reading, row, "email", cells, columns.email)
    for whole in (name, mail):
        # As it is copied out of a mail program: Ann Lee <ann@example.org>
        if both := _BOTH.match(whole):
            mail = both["email"] if (whole is name and not mail) or whole is mail else mail
            name = both["name"].strip(' "') or (name if whole is mail else "")
    account = _cell(reading, row, "account", cells, columns.account)
    team = _cell(reading, row, "team", cells, columns.team) if reading.teams else ""
    if reading.teams and not team and len(reading.faults) == before:
        reading.fault(row, "team", "is empty", "Name the folder of this person's team")
    elif team and (len(team) > MOST_TEAM or "/" in team or "\\" in team or team.startswith(".")):
        reading.fault(row, "team", f"{_seen(team[:40])!r} is no name of a folder", "Write the folder's own name")
    if len(cells) > MOST_COLUMNS or len(reading.faults) > before:
        return
    reading.people.append(_checked(reading, row, name, mail, account, team))
    if len(reading.faults) > before:
        reading.people.pop()


def _checked(reading: _Reading, row: int, name: str, mail: str, account: str, team: str) -> Person:
    email = clean = whose = ""
    if mail:
        try:
            email = clean_email(mail, "email")
        except Invalid as invalid:
            reading.fault(row, "email", _seen(invalid.problem), invalid.remedy)
    if account:
        whose = _account(reading, row, account)
    if not name and not mail:
        reading.fault(row, "name", "is empty, and so is the e-mail address", "Write one of them, or leave out the row")
    elif name:
        try:
            clean = clean_name(name)
        except Invalid:
            reading.fault(row, "name", "has no visible character", "Write the name that people know them by")
        if len(name) > MAX_NAME:
            reading.fault(row, "name", f"is longer than {MAX_NAME} characters", "Shorten it")
    return Person(row, clean, email, team, whose)


def _account(reading: _Reading, row: int, account: str) -> str:
    """One person's: what several have would let each of them in by this row's link."""
    try:
        whose = clean_account(account)
    except Invalid as invalid:
        reading.fault(row, "account", _seen(invalid.problem), "Write ann@example.org or sub:SUBJECT")
        return ""
    if not of_one(whose):
        reading.fault(row, "account", f"{_seen(whose[:60])!r} stands for several people", "Write one person's account")
    return whose


def _cell(reading: _Reading, row: int, what: str, cells: Sequence[str], place: int | None) -> str:
    """One line of visible text, "" where there is none. Line breaks inside quotes are blanks."""
    if place is None or place >= len(cells):
        return ""
    raw = cells[place]
    text = re.sub(r"\s+", " ", raw).strip()
    if len(text) > MOST_CELL:
        reading.fault(row, what, f"is longer than {MOST_CELL} characters", "Shorten it")
    elif any(unicodedata.category(char) in _UNSEEN and char not in _JOINERS for char in text):
        reading.fault(row, what, "holds characters that hide or reorder text", "Type it anew")
    elif text.startswith(_FORMULA):
        reading.fault(row, what, "is a formula of a spreadsheet", "Write what it stands for")
    else:
        return text
    return ""


def _twice(reading: _Reading) -> None:
    """The same person in two rows: of one team, where there are teams."""
    for what in ("email", "account", "name"):
        first: dict[tuple[str, str], int] = {}
        for person in reading.people:
            value = getattr(person, what)
            # Of accounts the provider's own letters count: two subjects may differ in capitals alone.
            value = value if what == "account" else value.casefold()
            if not value or (what != "email" and any(_same_mail(reading.people, first, person, value))):
                continue
            known = first.setdefault((person.team, value), person.row)
            if known != person.row:
                remedy = "Leave one out, or write more of their names" if what == "name" else "Leave one row out"
                reading.fault(person.row, what, f"stands in row {known} already", remedy)


def _same_mail(
    people: Iterable[Person], first: dict[tuple[str, str], int], person: Person, value: str
) -> Iterator[bool]:
    """One row twice is one fault: that of the address."""
    row = first.get((person.team, value))
    for other in people:
        if other.row == row:
            yield bool(person.email) and other.email == person.email


def _seen(text: str) -> str:
    return "".join("�" if unicodedata.category(char) in _UNSEEN else char for char in text)
