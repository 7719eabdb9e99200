"""The house's limits on what may be handed out (sharing.yaml) as sentences, for pages and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DAY = 86400.0
_ROLES = {"view": "view", "edit": "edit", "run": "run code"}


def sentences(rules: Mapping[str, Any]) -> list[str]:
    """What may be handed out, a sentence for each rule, always in the same order."""
    allowed = [_ROLES.get(role, role) for role in rules["roles"]]
    return [
        f"Visitors may {_listed(allowed)}, as far as a share allows." if allowed else "Nothing may be shared.",
        f"A share lasts {_span(rules['default_expires_seconds'])} unless its owner says otherwise.",
        f"No share lasts longer than {_span(rules['max_expires_seconds'])}.",
        "A link may be for anyone who has it." if rules["anyone"] else "Every link is for one person.",
        f"A link lets in at most {rules['max_visits']} people.",
        f"A person may use at most {rules['max_devices']} devices.",
        "Links may be made for programs." if rules["clients"] else "No link works for programs.",
        "A server's own extensions may be allowed in a share."
        if rules["own_extensions"]
        else "A server's own extensions stay off in every share.",
        "Editors may be allowed to make files that run by themselves."
        if rules["runnable_files"]
        else "No editor can make files that run by themselves.",
        "Owners may name co-owners, who let others in." if rules["coowners"] else "Nobody but an owner lets others in.",
    ]


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _span(seconds: float) -> str:
    for length, word in ((_DAY, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= length:
            count = f"{seconds / length:.1f}".removesuffix(".0")
            return f"{count} {word}" if count == "1" else f"{count} {word}s"
    return f"{seconds:.0f} seconds"
