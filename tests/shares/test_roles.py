"""The role table."""

from __future__ import annotations

import pytest

from sharegate.shares.model import Capability, Role
from sharegate.shares.roles import RoleEntry, RoleTable

ENTRY = RoleEntry(frozenset({Capability.CONTENTS_READ}), "can view", True, True)


def test_a_table_answers_for_every_role() -> None:
    """Capabilities, sentence, availability and confinement come from the role's own entry."""
    table = RoleTable({**dict.fromkeys(Role, ENTRY), Role.RUN: RoleEntry(frozenset(), "can run", False, False)})
    assert table.capabilities(Role.VIEW) == {Capability.CONTENTS_READ}
    assert table.capabilities(Role.RUN) == frozenset()
    assert (table.sentence(Role.RUN), table.available(Role.RUN), table.confined(Role.RUN)) == ("can run", False, False)


def test_a_table_with_a_missing_role_is_refused() -> None:
    """A role without an entry would have no answer at the moment it is asked for."""
    with pytest.raises(ValueError, match="edit, run"):
        RoleTable({Role.VIEW: ENTRY})
