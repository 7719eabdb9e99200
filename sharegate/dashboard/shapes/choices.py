"""What an owner can choose from when sharing."""

from __future__ import annotations

from typing import Literal

from sharegate.dashboard.shapes.shape import Shape
from sharegate.shares.model import Role, RootKind


class Choice(Shape):
    """Something in a folder. `reason` is the code for what cannot be shared, `why` the same in words."""

    name: str
    path: str
    kind: str
    shareable: bool
    reason: str
    why: str


class Browsed(Shape):
    """A folder of a server; `more` entries are not shown."""

    server: str
    path: str
    folder: Choice
    entries: list[Choice]
    more: int


class Row(Shape):
    """A row of the picture: `told` (its name alone), the `root`, `inside` or `outside`. `more` stands for so many
    others."""

    name: str
    depth: int
    kind: str
    place: Literal["told", "root", "inside", "outside"]
    why: str
    more: int


class Reach(Shape):
    server: str
    path: str
    kind: RootKind
    rows: list[Row]


class OfferedRole(Shape):
    role: Role
    sentence: str


class Offered(Shape):
    """The limits of the rules in force, and whether addresses can be proved by mail. `edit_asks_for`: a link by which
    people edit asks for one of these at least; `anyone_asks_for`: a link for anyone does; none named: for nothing."""

    roles: list[OfferedRole]
    anyone: bool
    max_visits: int
    max_devices: int
    default_expires_seconds: float
    max_expires_seconds: float
    clients: bool
    own_extensions: bool
    runnable_files: bool
    coowners: bool
    edit_asks_for: list[str]
    anyone_asks_for: list[str]
    anyone_max_expires_seconds: float
    mail: bool
    accounts: str


class Picture(Shape):
    """An SVG in a `data:` address."""

    image: str
