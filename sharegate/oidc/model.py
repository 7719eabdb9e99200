"""The provider of accounts, as the settings name it, and what a sign-in says of a person. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

USUAL_SCOPES = ("openid", "email", "profile")
MOST_GROUPS = 500
LONGEST_GROUP = 200
# What a sign-in may be needed for, besides who it is.
EMAIL, GROUPS = "email", "groups"
LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2: at most 255 ASCII characters


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider that a gate has people sign in at. `name` is what buttons call it. `near`: it is on this computer,
    where plain http is no danger. An empty `secret`: a client that has none."""

    issuer: str
    client_id: str
    name: str
    secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = USUAL_SCOPES
    groups_claim: str = "groups"
    ca_file: Path | None = None
    near: bool = False

    @property
    def discovery(self) -> str:
        """OpenID Connect Discovery 1.0, section 4: below the issuer, path and all."""
        return self.issuer.rstrip("/") + "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed in. `subject` is theirs at this issuer for ever; `email` is one that the provider says it checked, in
    the form in which addresses are compared, or empty. `token` is the ID token itself, by which the provider knows whom
    to sign out."""

    issuer: str
    subject: str
    email: str = field(default="", repr=False)
    groups: frozenset[str] = field(default=frozenset(), repr=False)
    token: str = field(default="", repr=False, compare=False)
