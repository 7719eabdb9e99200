"""What the settings say about the provider of accounts, and what is wrong with that."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sharegate.errors import Invalid
from sharegate.oidc.model import USUAL_SCOPES, Provider

# What is of no use without an issuer.
_OF_AN_ISSUER = ("oidc_client_id", "oidc_name", "oidc_ca_file", "oidc_owner", "oidc_admin_groups")
# RFC 6749 section 3.3.
_SCOPE = re.compile(r"[!#-\[\]-~]{1,100}\Z")
_VISIBLE = re.compile(r"[!-~]{1,255}\Z")
_LONGEST_URL = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """The settings of this subject, as config.Config has them."""

    oidc_issuer: str
    oidc_name: str
    oidc_client_id: str
    oidc_client_secret_file: Path | None
    oidc_ca_file: Path | None
    oidc_scopes: tuple[str, ...]
    oidc_groups_claim: str
    oidc_owner: tuple[str, ...]
    oidc_admin_groups: tuple[str, ...]
    oidc_session_hours: int
    oidc_sign_out: bool
    oidc_client_secret: str = dataclasses.field(default="", repr=False)

    @property
    def accounts(self) -> Provider | None:
        """Where people sign in; None: nowhere."""
        if not self.oidc_issuer:
            return None
        host = urlsplit(self.oidc_issuer).hostname or ""
        return Provider(
            self.oidc_issuer,
            self.oidc_client_id,
            self.oidc_name or host,
            self.oidc_client_secret,
            ("openid", *(one for one in self.oidc_scopes or USUAL_SCOPES if one != "openid")),
            self.oidc_groups_claim,
            self.oidc_ca_file,
            near=self.oidc_issuer.startswith("http:"),  # which faults() allows on this computer alone
        )


def faults(values: Mapping[str, Any], *, near: bool) -> Iterator[Invalid]:
    """`near`: the issuer's host can only mean this computer."""
    issuer = values["oidc_issuer"]
    if not issuer:
        for name in _OF_AN_ISSUER:
            if values[name]:
                yield Invalid(name, "is for a provider of accounts, and none is named", "Set oidc_issuer, or drop it")
        return
    yield from _issuer(issuer, near=near)
    if not _VISIBLE.match(values["oidc_client_id"]):
        yield Invalid("oidc_client_id", "is missing, or not visible characters", "Write what your provider gave you")
    if not values["oidc_name"].isprintable() or len(values["oidc_name"]) > 60:
        yield Invalid("oidc_name", "is not up to 60 visible characters", "Example: Berkeley")
    for scope in values["oidc_scopes"]:
        if not _SCOPE.match(scope):
            yield Invalid("oidc_scopes", f"{scope[:40]!r} is no scope", "Example: openid, email, profile, groups")
    if not _VISIBLE.match(values["oidc_groups_claim"]):
        yield Invalid("oidc_groups_claim", "is no name of a claim", "Example: groups")
    for name in ("oidc_owner", "oidc_admin_groups"):
        if not all(one.strip() and one.isprintable() and len(one) <= 255 for one in values[name]):
            yield Invalid(name, "holds something that is not up to 255 visible characters", "Check its entries")


def _issuer(issuer: str, *, near: bool) -> Iterator[Invalid]:
    try:
        parts = urlsplit(issuer)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    plain = _VISIBLE.match(issuer[:255]) and len(issuer) <= _LONGEST_URL
    wrong = parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username
    if wrong or not plain:
        yield Invalid("oidc_issuer", f"{issuer[:80]!r} is no issuer", "Example: https://login.example.org")
    elif parts.scheme == "http" and not near:
        yield Invalid("oidc_issuer", "is plain http off this computer: who listens in could be anybody", "Use https://")
