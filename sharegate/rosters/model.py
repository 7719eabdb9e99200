"""What a roster is: people, and what is wrong with its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sharegate.errors import Faults, Invalid

# So many are told one by one.
MOST_TOLD = 50


@dataclass(frozen=True, slots=True)
class Person:
    """One row. `row` counts from 1, as a spreadsheet does, the heading included. `email` is clean
    (shares/conditions.py) or empty, and so is `account`, which is always one person's; `team` is empty where the roster
    names none."""

    row: int
    name: str
    email: str = field(default="", repr=False)
    team: str = ""
    account: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a row, and what to do. `row` 0: the list as a whole."""

    row: int
    field: str
    problem: str
    remedy: str = ""

    @property
    def where(self) -> str:
        """`row 3, email`."""
        return ", ".join(filter(None, (f"row {self.row}" if self.row else "", self.field)))

    def invalid(self, field: str) -> Invalid:
        return Invalid(f"{field} {self.where}".strip(), self.problem, self.remedy)


@dataclass(frozen=True, slots=True)
class Roster:
    """What was read. Where there are `faults` nothing may be made of it. `notes` are said beside it: how its letters
    were read, which columns were not looked at. `columns` are those that were found, in our words."""

    people: tuple[Person, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def teams(self) -> dict[str, list[Person]]:
        """Who is in which team, in the order of the rows."""
        found: dict[str, list[Person]] = {}
        for person in self.people:
            found.setdefault(person.team, []).append(person)
        return found

    def check(self, field: str) -> None:
        """Raises Faults with all that is wrong, each with its row."""
        if self.faults:
            raise faults(field, self.faults)


def faults(field: str, found: Iterable[Fault]) -> Faults:
    """All of them together; of very many the first, and how many more there are."""
    every = list(found)
    told = [fault.invalid(field) for fault in every[:MOST_TOLD]]
    if len(every) > MOST_TOLD:
        told.append(Invalid(field, f"has {len(every) - MOST_TOLD} more faults", "Mend these first"))
    return Faults(field, told)
