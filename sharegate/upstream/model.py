"""The owner's Jupyter server as the gate sees it."""

from __future__ import annotations

import msgspec


class Credential(msgspec.Struct, frozen=True):
    """The secret that the upstream wants. Never shown: not in a repr, a log, an error or an answer."""

    secret: str

    def __repr__(self) -> str:
        return "<Credential>"

    __str__ = __repr__


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """One Jupyter server.

    `url` is origin and base URL, ending in a slash (`http://127.0.0.1:8888/user/ann/`). `root_dir` is the real path of
    the server's root directory when the gate runs on the same machine, else empty. `pid` and `uid` are those
    of a co-located server (0 and -1 where unknown), `machine` is the host name of the computer on which that was found.
    `token` is encrypted where it is stored.
    """

    id: str
    name: str
    owner: str
    url: str
    root_dir: str = ""
    pid: int = 0
    uid: int = -1
    machine: str = ""
    token: Credential = Credential("")

    @property
    def local(self) -> bool:
        """Whether the gate can look at the server's disk."""
        return bool(self.root_dir)

    def elsewhere(self, machine: str) -> bool:
        """Whether folder, process and port are another computer's than `machine` (empty: there is no other)."""
        return bool(machine and self.machine) and machine != self.machine

    def __repr__(self) -> str:
        return f"<Upstream {self.id} {self.url}>"
