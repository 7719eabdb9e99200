"""What `policy check`, `explain` and `docs` say."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharegate.errors import Invalid
from sharegate.policy.explain import check, docs, explain
from sharegate.policy.load import Policies, load_policies
from sharegate.shares.model import Role

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "policy.md"


@pytest.fixture(scope="module")
def policies() -> Policies:
    return load_policies()


def test_the_reference_page_is_up_to_date(policies: Policies) -> None:
    """docs/reference/policy.md is what the policies say now (write it with `sharegate policy docs`)."""
    assert PAGE.read_text() == docs(policies.policy, policies.roles, policies.files)


def test_the_reference_page_names_every_rule(policies: Policies) -> None:
    """Each rule has a row of its own, with the reason where it denies."""
    page = docs(policies.policy, policies.roles, policies.files)
    for rule in policies.policy.rules:
        assert page.count(f"\n| {rule.id} |") == 1
        assert rule.why.replace("|", "\\|") in page


def test_check_counts_a_sound_policy() -> None:
    """The built-in policies have no fault."""
    result = check()
    assert result.sound
    assert result.rules > result.denied_by_name > 20
    assert result.examples >= result.rules


def test_check_lists_the_faults_of_a_broken_one(tmp_path: Path) -> None:
    """Faults come as values with their places."""
    (tmp_path / "sharing.yaml").write_text("sharing: {}\n")
    result = check(tmp_path)
    assert not result.sound
    assert {fault.field for fault in result.faults} == {f"{tmp_path}/sharing.yaml:1"}


def test_an_allowed_request_is_explained(policies: Policies) -> None:
    """Rule, place, answer and the capability that the role holds."""
    found = explain(policies, Role.VIEW, "GET", "/api/contents/sub/shared?content=1", root="sub/shared")
    assert (found.outcome, found.rule, found.answer) == ("allow", "contents-read", "filter:contents")
    assert (found.capability, found.held, found.confined) == ("contents:read", True, True)
    assert found.source.startswith("routes/jupyter-server.yaml:")


def test_a_missing_capability_is_explained(policies: Policies) -> None:
    """The rule exists, the role does not hold what it asks for; the route's other rules are shown."""
    found = explain(policies, Role.VIEW, "DELETE", "/api/contents/sub/shared/x")
    assert (found.outcome, found.capability, found.held) == ("capability_missing", "contents:write", False)
    assert "contents-read: GET" in found.others


def test_a_route_denied_by_name_is_explained(policies: Policies) -> None:
    """The rule's own sentence says why, for a WebSocket too."""
    found = explain(policies, Role.RUN, "WEBSOCKET", "/terminals/websocket/1")
    assert (found.outcome, found.rule, found.detail) == ("route_denied", "terminal-channel", "")
    assert "shell" in found.why


def test_a_request_without_a_rule_is_explained(policies: Policies) -> None:
    """What no rule names says so and shows what the route does know."""
    assert explain(policies, Role.VIEW, "GET", "/treex").outcome == "no_rule"
    found = explain(policies, Role.VIEW, "POST", "/api/status")
    assert (found.outcome, found.rule, found.others) == ("no_rule", "", ("status-read: GET",))


def test_confinement_is_explained_before_the_capability(policies: Policies) -> None:
    """Outside the root is the answer even where the capability is missing as well."""
    found = explain(policies, Role.VIEW, "PUT", "/api/contents/secret/x", root="sub/shared")
    assert (found.outcome, found.rule) == ("outside_root", "contents-save")


@pytest.mark.parametrize(
    ("method", "target", "outcome"),
    [
        ("DELETE", "/api/contents/sub/shared", "outside_root"),
        ("PATCH", "/api/contents/sub/shared", "outside_root"),
        ("PUT", "/api/contents/sub/shared", "outside_root"),
        ("POST", "/api/contents/sub/shared", "allow"),
        ("DELETE", "/api/contents/sub/shared/a", "allow"),
        ("DELETE", "/api/contents/sub", "outside_root"),
        ("GET", "/api/contents/sub/shared", "allow"),
    ],
)
def test_a_change_of_the_root_itself_is_explained(policies: Policies, method: str, target: str, outcome: str) -> None:
    """It is one to the directory around it, for an editor too."""
    assert explain(policies, Role.EDIT, method, target, root="sub/shared").outcome == outcome


def test_a_path_with_two_readings_is_explained(policies: Policies) -> None:
    """A path that the gate does not read has no route."""
    found = explain(policies, Role.VIEW, "GET", "/api/contents/%2e%2e/secret")
    assert (found.outcome, found.others) == ("bad_path", ())


def test_a_root_that_is_no_path_is_refused(policies: Policies) -> None:
    """The asker's mistake is told as one."""
    with pytest.raises(Invalid, match="root"):
        explain(policies, Role.VIEW, "GET", "/lab", root="a/../b")
