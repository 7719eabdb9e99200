"""The rules in words."""

from __future__ import annotations

from sharegate.policy.sentences import sentences

RULES = {
    "default_expires_seconds": 604800.0,
    "max_expires_seconds": 5400.0,
    "roles": ["view"],
    "anyone": False,
    "max_visits": 1,
    "max_devices": 1,
    "clients": False,
    "own_extensions": False,
    "runnable_files": False,
    "coowners": False,
}


def test_every_rule_is_a_sentence() -> None:
    """Always as many and in the same order, so that two sets of rules can be shown beside each other."""
    told = sentences(RULES)
    assert told[0] == "Visitors may view, as far as a share allows."
    assert "7 days" in told[1] and "1.5 hours" in told[2] and told[3] == "Every link is for one person."
    wider = RULES | {"roles": ["view", "edit", "run"], "anyone": True, "clients": True, "own_extensions": True}
    assert len(sentences(wider)) == len(told) and "view, edit or run code" in sentences(wider)[0]
    assert sentences(RULES | {"roles": []})[0] == "Nothing may be shared."
