"""What somebody shows at the door to meet what a link asks for, and who looks at it.

Each kind of proof is a module of its own that implements `Proof`; the composition root names those that this gate has.
Fails closed: what nobody here can look at is not proved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sharegate.errors import Denied
from sharegate.shares.conditions import NEEDED, Need
from sharegate.shares.model import Link
from sharegate.visits.entry import Comer


@dataclass(frozen=True, slots=True)
class Shown:
    """What came with a click on Open. Secrets: in no repr."""

    passphrase: str = field(default="", repr=False)
    code: str = field(default="", repr=False)
    email: str = field(default="", repr=False)


NOTHING = Shown()


class Proof(Protocol):
    """Looks at what is shown for one need."""

    @property
    def need(self) -> Need: ...

    async def prove(self, link: Link, shown: Shown, comer: Comer, *, known: bool) -> dict[str, Any]:
        """The fields of a visit's record that say what was proved. `known`: the browser is in by this link already.

        Denied: the need's own reason when nothing was shown, another one for what is wrong, `join_limit`.
        """


class Proofs:
    """The proofs that this gate can look at."""

    def __init__(self, proofs: Iterable[Proof] = ()) -> None:
        self._by_need = {proof.need: proof for proof in proofs}

    async def prove(
        self, link: Link, needs: Iterable[Need], shown: Shown, comer: Comer, *, known: bool = False
    ) -> dict[str, Any]:
        """All of `needs`, or Denied. Approval is the owner's to give and cannot be shown."""
        asked = tuple(needs)
        if Need.APPROVAL in asked:
            raise Denied(NEEDED[Need.APPROVAL])
        proved: dict[str, Any] = {}
        for need in asked:
            if need not in self._by_need:
                raise Denied(NEEDED[need], "this gate cannot look at it")
            proved |= await self._by_need[need].prove(link, shown, comer, known=known)
        return proved
