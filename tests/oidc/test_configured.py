"""The settings of the provider of accounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sharegate import config
from sharegate.errors import Faults

GOOD = {"oidc_issuer": "https://login.example.org/realm", "oidc_client_id": "gate"}


def load(**values: Any) -> config.Config:
    return config.load(None, {}, {**GOOD, **values})


def test_a_provider_is_what_the_settings_say(tmp_path: Path) -> None:
    """The secret from a file or the environment; it is in no repr, and not among the settings that are shown."""
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    file.chmod(0o600)
    made = load(oidc_client_secret_file=str(file), oidc_scopes=["openid", "groups"])
    assert made.accounts is not None and made.accounts.secret == "s3cret"
    assert made.accounts.scopes == ("openid", "groups") and made.accounts.name == "login.example.org"
    assert made.accounts.discovery == "https://login.example.org/realm/.well-known/openid-configuration"
    assert "s3cret" not in f"{made!r}{made.accounts!r}{made.as_dict()}"
    from_environment = config.load(None, {"SHAREGATE_OIDC_CLIENT_SECRET": "other"}, GOOD)
    assert from_environment.accounts is not None and from_environment.accounts.secret == "other"
    assert config.load(None, {}, {}).accounts is None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        *(
            ({"oidc_issuer": url}, "oidc_issuer")
            for url in ("http://login.example.org", "login.example.org", "https://")
        ),
        *(
            ({"oidc_issuer": f"https://{more}"}, "oidc_issuer")
            for more in ("x.org/?a=1", "x.org/#a", "me@x.org", "x:y")
        ),
        ({"oidc_issuer": "https://x.org/\u202e"}, "oidc_issuer"),
        ({"oidc_issuer": "javascript:alert(1)"}, "oidc_issuer"),
        ({"oidc_client_id": ""}, "oidc_client_id"),
        ({"oidc_client_id": "a b"}, "oidc_client_id"),
        ({"oidc_name": "a\nb"}, "oidc_name"),
        ({"oidc_scopes": ["a b"]}, "oidc_scopes"),
        ({"oidc_groups_claim": ""}, "oidc_groups_claim"),
        ({"oidc_owner": [" "]}, "oidc_owner"),
        ({"oidc_admin_groups": ["a\u202eb"]}, "oidc_admin_groups"),
        ({"oidc_session_hours": 0}, "oidc_session_hours"),
        ({"oidc_issuer": "", "oidc_client_id": "gate"}, "oidc_client_id"),
        ({"oidc_issuer": "", "oidc_client_id": "", "oidc_admin_groups": ["staff"]}, "oidc_admin_groups"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_by_its_name(values: dict[str, Any], field: str) -> None:
    """Before anything starts."""
    with pytest.raises(Faults) as faults:
        load(**values)
    assert field in {fault.field for fault in faults.value.faults}


def test_plain_http_is_for_this_computer() -> None:
    """Where nobody listens in."""
    made = load(oidc_issuer="http://localhost:9000")
    assert made.accounts is not None and made.accounts.near and not load().accounts.near  # type: ignore[union-attr]


def test_a_secret_that_everybody_may_read_is_a_fault(tmp_path: Path) -> None:
    """And one in two places; neither is repeated."""
    file = tmp_path / "secret"
    file.write_text("s3cret")
    file.chmod(0o644)
    with pytest.raises(Faults) as faults:
        config.load(None, {"SHAREGATE_OIDC_CLIENT_SECRET": "0ther"}, {**GOOD, "oidc_client_secret_file": str(file)})
    said = str(faults.value)
    assert "chmod 600" in said and "Leave one of them" in said and "s3cret" not in said and "0ther" not in said
