"""Every route of the real JupyterLab, jupyter-collaboration and Notebook is allowed or denied by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sharegate.errors import Denied
from sharegate.paths import CanonicalPath
from sharegate.policy.load import Policies, builtin_policies, load_policies
from sharegate.policy.match import Policy
from sharegate.policy.model import WEBSOCKET, AnswerKind, Rule
from sharegate.shares.model import Role
from tests.real.routes import Route, registered_routes, sample_paths

pytestmark = pytest.mark.real

# The server's own catch-alls are no routes: they answer for what does not exist.
CATCH_ALL = {"jupyter_server.base.handlers.TrailingSlashHandler", "jupyter_server.base.handlers.Template404"}
# The fall-through of JupyterLab may be denied by our fall-through; any other route must be named.
FALLBACK = "jupyterlab_server.handlers.NotFoundHandler"


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[Route]:
    return registered_routes(tmp_path_factory.mktemp("routes"))


@pytest.fixture(scope="module")
def policies() -> Policies:
    return load_policies()


def deciding(policy: Policy, path: str, call: str, role: Role) -> Rule | None:
    """The rule that allows or denies by name."""
    segments = CanonicalPath.parse(path).segments
    rules = [rule for rule, _ in policy.route(segments) if call in rule.calls and rule.serves(role)]
    return rules[0] if rules else None


def readable(route: Route) -> list[str]:
    """The sample paths that the gate reads at all; the others end before the policy."""
    paths = []
    for path in sample_paths(route.pattern):
        try:
            CanonicalPath.parse(path)
        except Denied:
            continue
        paths.append(path)
    return paths


def unnamed(policy: Policy, routes: list[Route]) -> list[str]:
    """What no rule names: `CALL path for role (handler)`."""
    found = []
    for route in routes:
        if route.handler in CATCH_ALL:
            continue
        for path in readable(route):
            for call in route.calls:
                for role in Role:
                    rule = deciding(policy, path, call, role)
                    if rule is None or (rule.id == "lab-fallback" and route.handler != FALLBACK):
                        found.append(f"{call} {path} for {role.value} ({route.handler})")
    return found


def test_every_registered_route_is_allowed_or_denied_by_name(routes: list[Route], policies: Policies) -> None:
    """For each handler, method and role there is a rule, and JupyterLab's fall-through is not what catches it."""
    assert unnamed(policies.policy, routes) == []


def test_the_walk_sees_the_real_table(routes: list[Route]) -> None:
    """The table holds the handlers of all three packages, and every pattern yields a path that the gate can read."""
    packages = {route.handler.partition(".")[0] for route in routes}
    assert {"jupyter_server", "jupyterlab", "jupyterlab_server", "jupyter_server_ydoc", "notebook"} <= packages
    assert len(routes) > 80
    assert [route for route in routes if route.handler not in CATCH_ALL and not readable(route)] == []


@pytest.mark.parametrize(
    "missing", ["jupyter-server.yaml", "jupyterlab.yaml", "jupyter-collaboration.yaml", "notebook.yaml"]
)
def test_the_walk_fails_when_a_rule_file_is_missing(routes: list[Route], tmp_path: Path, missing: str) -> None:
    """Without one of the rule files the walk finds routes that nobody names."""
    directory = tmp_path / "policies"
    shutil.copytree(builtin_policies(), directory)
    (directory / "routes" / missing).unlink()
    assert unnamed(load_policies(directory).policy, routes)


def test_the_walk_fails_on_a_route_nobody_named(policies: Policies) -> None:
    """A handler that a future JupyterLab adds below /lab is reported although the fall-through denies it."""
    new = [Route(r"/lab/api/brandnew/(.*)$", "jupyterlab.handlers.New", ("GET",)), Route("/new$", "x.New", ("GET",))]
    assert len(unnamed(policies.policy, new)) == 12


DENIED_HANDLERS = [
    "BuildHandler:POST",
    "ConsoleHandler",
    "DocForkHandler",
    "EventHandler",
    "ExtensionHandler",
    "FileIDHandler",
    "FilePathHandler",
    "LanguageServerWebSocketHandler",
    "LicensesHandler",
    "ListingsHandler",
    "LoginFormHandler",
    "LogoutHandler",
    "MainKernelHandler:POST",
    "NbconvertFileHandler",
    "NbconvertPostHandler",
    "NotFoundHandler",
    "PathResolverHandler",
    "PluginHandler",
    "PrometheusMetricsHandler",
    "ShutdownHandler",
    "TermSocket",
    "TerminalHandler",
    "TerminalRootHandler:POST",
    "TimelineHandler",
    "TrustNotebooksHandler",
    "UndoRedoHandler",
    "ViewHandler",
]


@pytest.mark.parametrize("wanted", DENIED_HANDLERS)
def test_attack_dangerous_handlers_are_out_of_reach_for_every_role(
    routes: list[Route], policies: Policies, wanted: str
) -> None:
    """What runs code, leaks paths or tokens, or steers the owner's server is denied by name even to the role run."""
    name, _, only = wanted.partition(":")
    chosen = [route for route in routes if route.handler.rpartition(".")[2] == name]
    assert chosen
    for route in chosen:
        paths = readable(route)
        if name == "NotFoundHandler":
            paths = ["/lab/wx", "/lab/wx/yz", "/lab/api/wx"]
        for path in paths:
            for call in route.calls if not only else (only,):
                for role in Role:
                    rule = deciding(policies.policy, path, call, role)
                    assert rule is not None, path
                    assert rule.answer is AnswerKind.DENY, f"{call} {path} is answered by {rule.id}"


@pytest.mark.parametrize("handler", ["TreeHandler", "NotebookHandler"])
def test_pages_of_notebook_are_never_passed_through(routes: list[Route], policies: Policies, handler: str) -> None:
    """Notebook's pages, which carry the owner's token, are answered by the gate's own and by nothing else."""
    chosen = [route for route in routes if route.handler == f"notebook.app.{handler}"]
    assert chosen
    for path in (path for route in chosen for path in readable(route)):
        for role in Role:
            rule = deciding(policies.policy, path, "GET", role)
            assert rule is not None, path
            assert (rule.answer, rule.answer_name) in {
                (AnswerKind.FILTER, "page"),
                (AnswerKind.LOCAL, "root-redirect"),
            }, path


def test_no_write_is_allowed_to_a_viewer_but_his_own(routes: list[Route], policies: Policies) -> None:
    """With the role view only these unsafe calls are allowed, and none of them changes the owner's files."""
    allowed = set()
    held = policies.roles.capabilities(Role.VIEW)
    for route in routes:
        if route.handler in CATCH_ALL:
            continue
        for path in readable(route):
            for call in set(route.calls) - {"GET", "HEAD", WEBSOCKET}:
                rule = deciding(policies.policy, path, call, Role.VIEW)
                if rule is not None and rule.answer is not AnswerKind.DENY and rule.capability in held:
                    allowed.add(rule.id)
    assert allowed == {
        "collaboration-session",
        "csp-report",
        "lab-settings-write",
        "lab-workspace-delete",
        "lab-workspace-save",
    }


def test_options_are_allowed_nowhere(routes: list[Route], policies: Policies) -> None:
    """OPTIONS, which Jupyter answers without authentication, has no rule on any route."""
    for route in routes:
        for path in readable(route):
            with pytest.raises(Denied, match="no_rule"):
                policies.policy.match("OPTIONS", CanonicalPath.parse(path).segments, False, Role.RUN)
