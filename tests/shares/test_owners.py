"""Whose shares stand on one origin."""

from __future__ import annotations

from typing import Any

import pytest

from sharegate.errors import Refused
from sharegate.shares.model import Share
from sharegate.shares.owners import check_one_owner, owners


def share(owner: str, **fields: Any) -> Share:
    made: dict[str, Any] = {"id": "k7f2", "upstream": "u", "root": "x", "created": 0.0, "expires": 9.0}
    return Share(**{**made, "owner": owner, **fields})


def test_whose_shares_count() -> None:
    """A share that is revoked or over is nobody's any more; one that is paused or suspended may come back."""
    shares = [
        *(share("Olga"), share("Olga"), share("Paul", paused=True), share("Ruth", suspended=True)),
        *(share("Sue", revoked=1.0), share("Tom", expires=5.0)),
    ]

    assert owners(shares, 5.0) == ["Olga", "Paul", "Ruth"]


def test_two_owners_are_refused_by_name() -> None:
    """The refusal says who, why, and each way out."""
    check_one_owner([])
    check_one_owner(["Olga", "Olga"])
    with pytest.raises(Refused) as caught:
        check_one_owner(["Paul", "Olga", "Paul", "Ruth"])

    assert caught.value.code == "several_owners"
    assert str(caught.value).startswith("Olga, Paul and Ruth would share from one address")
    assert all(word in str(caught.value) for word in ("share_hosts", "accept_shared_origin", "`owner`"))
