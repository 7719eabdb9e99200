"""The house: which folder may know which, and a test module for every module."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCES = HERE.parent / "sharegate"
MODULES = sorted(path.relative_to(SOURCES) for path in SOURCES.rglob("*.py"))

# For each folder (or module at the top): what of ours it may import. A name stands for all below it.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "names": {"errors"},
    "source": set(),
    "paths": {"errors"},
    "limits": {"errors"},
    # What is counted over all gates of a store: doors count by it, stores keep it.
    "tally": {"limits"},
    "messages": set(),
    "settings": {"errors"},
    # A document as a page: values in, HTML out.
    "reading": {"confine.request", "errors", "paths", "shares.model"},
    # Those pages, behind the gate's decisions. Asks a server as answers does.
    "readers": {
        *("confine", "errors", "lab.static", "language", "messages", "paths", "reading", "shares"),
        *("upstream.interfaces", "upstream.model", "upstream.roots", "visits"),
    },
    # What visitors read. Which sentence, others say.
    "language": {"errors", "messages"},
    "passwords": {"errors"},
    "config": {
        "errors",
        "language",
        "mail.configured",
        "mail.model",
        "notify.configured",
        "oidc.configured",
        "passwords",
        "settings",
        "store_url",
    },
    # Where the gate listens.
    "ports": {"config", "errors"},
    "store_url": {"errors"},
    "websocket": set(),
    "logs": set(),
    "clock": set(),
    "descriptors": set(),
    "garbage": set(),
    "drain": {"errors"},
    "measures": {"errors"},
    # Numbers and how the gate is doing: told by everybody, known to the composition root.
    "metrics": {"errors", "audit.events", "audit.interfaces"},
    "condition": {"clock", "errors", "listener.crowd", "metrics", "upstream.model"},
    "shares": {"errors", "names", "paths"},
    # Lists of people: reads text and matches names; its tables are the trail's (audit.sheet).
    "rosters": {"audit.sheet", "errors", "names", "shares"},
    "policy": {"errors", "paths", "shares"},
    "confine": {"errors", "messages", "paths", "policy", "shares"},
    "audit": {"errors", "shares"},
    # What a server is and what is needed of it; never how it is spoken to.
    "lab": {
        *("errors", "language", "limits", "messages", "paths", "policy", "shares"),
        *("upstream.model", "upstream.interfaces"),
    },
    "channels": {"errors", "limits", "messages", "names", "paths", "policy.documents", "shares", "versions"},
    # Signing in at a provider of accounts: asks it, and believes nothing that is not signed.
    "oidc": {"errors", "shares"},
    "visits": {
        *("audit", "errors", "lab", "language", "limits", "mail.interfaces", "mail.model", "mail.words"),
        *("messages", "names", "oidc", "paths", "shares", "tally"),
    },
    "upstream": {
        *("errors", "limits", "messages", "paths", "shares", "audit.events", "audit.interfaces", "websocket"),
    },
    "writing": {
        *("confine", "errors", "paths", "policy", "shares", "upstream.interfaces", "upstream.model"),
        "versions.model",
    },
    # Of the chain: whose an entry is, for the sets in which it stands on a server.
    "stores": {
        *("errors", "store_url", "shares", "visits", "audit.chain", "audit.interfaces", "versions", "upstream.model"),
        "tally",
    },
    "listener": {"errors", "limits", "messages", "websocket"},
    # Sends what it is given; what a code proves is decided elsewhere.
    "mail": {"errors"},
    # Tells people outside what was recorded; it decides on events, and looks up what a share is called.
    "notify": {"audit.events", "audit.interfaces", "errors", "names", "passwords", "shares"},
    # For other people's programs: it knows the gate by its addresses alone.
    "client": {"__version__"},
    # Attacks a share from outside, and knows from the server itself what lies there.
    "prove": {"errors", "messages", "shares.model", "upstream.interfaces", "upstream.model"},
    # What a document was. A CRDT library, but no network and no database.
    "versions": {"errors"},
    # The request path: gate decides, answers and documents do.
    "documents": {
        *("errors", "messages", "paths", "audit.events", "audit.interfaces", "channels", "confine", "policy"),
        *("shares", "upstream", "visits"),
    },
    "editing": {
        *("errors", "limits", "audit.events", "audit.interfaces", "channels", "keeping", "shares", "visits"),
    },
    "keeping": {"errors", "audit.events", "audit.interfaces", "channels", "shares", "versions"},
    "living": {
        *("documents", "errors", "keeping", "paths", "channels", "shares", "versions"),
        *("upstream.model", "upstream.interfaces", "audit.events", "audit.interfaces"),
    },
    "sending": {"messages"},
    "deeds": {"errors", "messages", "channels", "sending", "shares"},
    "answers": {
        *("deeds", "sending"),
        *("documents", "errors", "messages", "channels", "confine", "lab", "policy", "shares", "upstream", "visits"),
        *("language", "readers", "writing"),
    },
    "gate": {
        *("answers", "deeds", "errors", "limits", "measures", "messages", "paths", "sending"),
        *("audit.events", "audit.interfaces", "channels"),
        *("confine", "lab", "language", "policy", "shares", "upstream", "visits"),
    },
    "dashboard": {
        *("mail", "oidc", "notify", "rosters"),
        *("__version__", "config", "errors", "limits", "messages", "names", "paths", "settings", "shares", "source"),
        *("visits", "audit.bounds", "audit.erasure", "audit.events", "audit.interfaces", "audit.sheet"),
        *("prove", "upstream.model", "upstream.interfaces", "upstream.advisories", "upstream.installed"),
        # The rules as sentences, which the command line says too.
        *("policy.sentences", "upstream.listing", "versions"),
    },
    # The composition root knows everything below the command line: what stands without a gate, and the gate.
    "assembly": {
        *("__version__", "audit", "channels", "clock", "config", "dashboard", "descriptors", "entrance", "errors"),
        "oidc",
        *("lab", "limits", "listener", "mail", "metrics", "notify", "policy", "shares", "stores", "upkeep", "upstream"),
        *("versions", "visits", "writing"),
    },
    "app": {
        *("assembly", "ports"),
        *("answers", "audit", "channels", "config", "dashboard", "documents", "editing", "errors", "gate", "lab"),
        *("language", "readers"),
        *("__version__", "clock", "condition", "descriptors", "drain", "entrance", "garbage", "keeping", "living"),
        *("limits", "listener", "metrics", "policy", "shares", "stores", "upkeep", "upstream", "versions", "visits"),
        "writing",
    },
    # The records on the disk, without a gate.
    "upkeep": {"audit", "config", "errors", "shares", "stores", "upstream.inside"},
    # What connections come in by: values for the owner, and the listener's own parts.
    "entrance": {"config", "errors", "listener"},
    "cli": {
        *("__version__", "app", "config", "entrance", "demo", "descriptors", "errors", "garbage", "logs", "policy"),
        "rosters",
        # A page of Markdown; what the API is asked for goes through `control`.
        "dashboard.reference",
        *("prove", "ports", "settings", "shares", "source", "upkeep", "upstream"),
    },
    # The demo is a command with a story: it uses the live screen.
    "demo": {"app", "cli", "config", "errors", "upstream"},
    "__main__": {"cli"},
    "__init__": set(),
}

# Who may speak to the network, keep files or draw. Everybody else decides on plain values.
MAY_USE: dict[str, set[str]] = {
    "aiohttp": {"listener", "oidc", "upstream", "dashboard", "cli", "demo", "client"},
    "yarl": {"upstream", "demo", "client"},
    "sqlite3": {"stores"},
    "aiosmtplib": {"mail"},
    "apprise": {"notify"},
    "redis": {"stores"},
    "pycrdt": {"channels", "versions", "keeping", "demo", "client"},
    "jinja2": {"visits", "dashboard"},
    "typer": {"cli"},
    "rich": {"cli"},
    "yaml": {"policy"},
    "jwt": {"oidc", "shares"},
    "cryptography": {"listener", "oidc", "prove", "shares", "stores", "audit"},
    "segno": {"cli", "dashboard", "lab"},
    "argon2": {"shares"},
    "prometheus_client": {"metrics"},
    "socket": {"app", "listener", "ports", "dashboard", "upstream"},
    "subprocess": {"upstream", "demo"},
}
DECIDING = {"paths", "rosters", "shares", "policy", "confine", "channels", "audit", "versions"}

# Modules whose tests stand elsewhere, and where.
TESTED_ELSEWHERE = {
    "__main__.py": "tests/cli/test_terminal.py runs the program",
    "answers.py": "tests/test_matrix.py, tests/attacks, tests/test_revocation.py",
    "app.py": "tests/test_restart.py and every test with a real gate",
    "assembly.py": "tests/test_restart.py and every test with a real gate",
    "settings.py": "tests/test_config.py, tests/test_docs.py",
    "documents.py": "tests/attacks/test_rooms.py, tests/test_revocation.py",
    "keeping.py": "tests/test_editing.py, tests/attacks/test_undoing.py",
    "living.py": "tests/attacks/test_undoing.py",
    "sending.py": "tests/failures, tests/test_revocation.py",
    "gate.py": "tests/test_matrix.py, tests/failures, tests/test_revocation.py",
    "measures.py": "tests/test_metrics.py",
    "condition.py": "tests/test_metrics.py",
    "messages.py": "values that every test of the gate is made of",
    "stores/deciding.py": "tests/stores/conformance.py",
    "mail/interfaces.py": "protocols",
    "oidc/model.py": "values; tests/oidc/test_configured.py",
    "oidc/token.py": "tests/oidc/test_flow.py",
    "oidc/ways.py": "tests/visits/test_signing.py",
    "notify/interfaces.py": "protocols",
    "notify/model.py": "values; tests/notify/test_notifier.py",
    "dashboard/shapes/told.py": "types; tests/dashboard/conftest.py checks each answer by them",
    "dashboard/pages/notifying.py": "tests/dashboard/test_notifying.py, tests/dashboard/pages/test_said_browser.py",
    "shares/reports.py": "tests/dashboard/test_reports.py",
    "shares/more_time.py": "tests/stores/conformance.py",
    "visits/bodies.py": "tests/visits/test_join.py, tests/dashboard/test_reports.py",
    "visits/more_time.py": "tests/dashboard/test_times.py, tests/visits/test_saying_browser.py",
    "visits/reporting.py": "tests/dashboard/test_reports.py, tests/visits/test_saying_browser.py",
    "dashboard/shapes/said.py": "types; tests/dashboard/conftest.py checks each answer by them",
    "dashboard/pages/reports.py": "tests/dashboard/test_reports.py, tests/dashboard/pages/test_said_browser.py",
    "audit/events.py": "values; tests/audit/test_trail.py",
    "audit/history.py": "tests/audit/test_report.py",
    "audit/interfaces.py": "protocols",
    "channels/interfaces.py": "protocols",
    "client/cells.py": "tests/client/test_notebook.py, test_room.py",
    "client/http.py": "tests/client/test_room.py, tests/programs/test_client.py",
    "client/share.py": "tests/programs/test_client.py",
    "channels/content.py": "tests/channels/guard",
    "channels/guard.py": "tests/channels/guard",
    "channels/judgement.py": "tests/channels/guard",
    "channels/outputs.py": "tests/channels/guard",
    "channels/shape.py": "tests/channels/guard",
    "channels/names.py": "tests/channels/names",
    "channels/lib0.py": "tests/channels/test_frames.py, test_scan.py",
    "channels/steward.py": "protocols",
    "channels/nesting.py": "tests/channels/test_scan.py",
    "channels/shown.py": "tests/channels/test_viewer.py, tests/channels/names",
    "confine/fields.py": "tests/confine/test_body.py, test_request.py",
    "dashboard/acts.py": "tests/dashboard/test_api.py, tests/failures",
    "dashboard/bodies.py": "tests/dashboard/test_api.py",
    "dashboard/interfaces.py": "protocols",
    "dashboard/queries.py": "types; tests/dashboard/test_api.py, test_openapi.py",
    "dashboard/reference.py": "tests/cli/test_api_reference.py",
    "rosters/model.py": "values; tests/rosters/test_reading.py",
    "dashboard/roster_bodies.py": "tests/dashboard/test_rosters.py",
    "dashboard/shapes/rosters.py": "types; tests/dashboard/conftest.py checks each answer by them",
    "dashboard/shapes/shape.py": "types; tests/dashboard/conftest.py checks each answer by them",
    "dashboard/shapes/given.py": "types; tests/dashboard/conftest.py checks each answer by them",
    "dashboard/shapes/looked.py": "tests/dashboard/test_history.py, test_review.py",
    "dashboard/shapes/choices.py": "types; tests/dashboard/conftest.py checks each answer by them",
    "dashboard/shapes/kept.py": "types; tests/dashboard/conftest.py checks each answer by them",
    "dashboard/shapes/gate.py": "types; tests/dashboard/conftest.py checks each answer by them",
    "dashboard/opening.py": "tests/dashboard/test_web.py",
    "dashboard/wire.py": "tests/dashboard/test_listener.py, test_web.py",
    "dashboard/pages/now.py": "tests/dashboard/test_web.py",
    "dashboard/pages/site.py": "tests/dashboard/test_web.py",
    "dashboard/pages/source.py": "tests/dashboard/test_web.py",
    "dashboard/people.py": "tests/dashboard/test_api.py",
    "dashboard/refusals.py": "tests/dashboard/test_api.py, test_listener.py",
    "dashboard/advisories.py": "tests/upstream/test_installed.py",
    "dashboard/doctor.py": "tests/cli/test_commands.py, tests/dashboard/test_api.py",
    "dashboard/sharing.py": "tests/dashboard/test_api.py",
    "dashboard/views.py": "tests/dashboard/test_api.py",
    "lab/config.py": "tests/lab/test_page.py",
    "lab/serve.py": "tests/lab/test_static.py, tests/attacks",
    "dashboard/proofs.py": "tests/prove/test_run.py, test_holes.py",
    "prove/addresses.py": "rows; tests/attacks/test_escapes.py, test_leaks.py, tests/prove",
    "prove/eye.py": "tests/prove/test_run.py, test_holes.py",
    "prove/ground.py": "tests/prove/test_suite.py, tests/attacks/test_escapes.py",
    "prove/judge.py": "tests/prove/test_holes.py",
    "prove/live.py": "tests/prove/test_holes.py, test_run.py, tests/attacks/writing",
    "prove/model.py": "values; tests/prove/test_holes.py",
    "prove/reading.py": "rows; tests/attacks/test_escapes.py, test_leaks_refusals.py",
    "prove/rooms.py": "rows; tests/attacks/test_rooms.py, test_hostile_frames.py",
    "prove/visitor.py": "tests/prove/test_run.py, test_holes.py",
    "prove/walk.py": "tests/prove/test_holes.py, test_run.py",
    "prove/writing.py": "rows; tests/attacks/writing",
    "policy/fields.py": "tests/policy/test_load.py",
    "policy/headers.py": "tests/policy/test_load.py",
    "policy/judge.py": "tests/policy/test_load.py",
    "policy/model.py": "values; tests/policy/test_match.py",
    "policy/rules.py": "tests/policy/test_load.py",
    "policy/source.py": "tests/policy/test_load.py",
    "visits/devices.py": "tests/visits/test_join.py, test_proving.py",
    "visits/entry.py": "tests/visits/test_join.py",
    "visits/knocking.py": "tests/visits/test_join.py, test_proving.py",
    "visits/threshold.py": "tests/visits/test_join.py, test_proving.py",
    "visits/told.py": "tests/visits/test_join.py, test_proving.py",
    "shares/interfaces.py": "protocols",
    "shares/api_tokens.py": "values; tests/stores/conformance.py, tests/dashboard/test_tokens.py",
    "shares/model.py": "values",
    "shares/wanted.py": "tests/shares/test_issue.py",
    "stores/crypt.py": "tests/stores/sqlite",
    "stores/files.py": "tests/stores/sqlite",
    "stores/lock.py": "tests/stores/sqlite, tests/test_restart.py",
    "shares/shareable.py": "tests/dashboard/test_folders.py, tests/attacks/test_beside.py",
    "dashboard/pages/given.py": "tests/dashboard/pages/test_new.py",
    "source.py": "tests/cli/test_source.py",
    "stores/mirror.py": "tests/stores/sqlite",
    "stores/opening.py": "tests/test_two_gates.py, tests/test_restart.py",
    "stores/records.py": "tests/stores/sqlite",
    "stores/redis/connection.py": "tests/stores/redis",
    "stores/redis/draft.py": "tests/stores/redis",
    "stores/redis/edits.py": "tests/stores/redis",
    "stores/redis/fitness.py": "tests/stores/redis",
    "stores/redis/following.py": "tests/stores/redis",
    "stores/redis/lease.py": "tests/stores/redis",
    "stores/redis/names.py": "tests/stores/redis",
    "stores/redis/packing.py": "tests/stores/redis",
    "stores/redis/pruning.py": "tests/stores/redis",
    "stores/redis/records.py": "tests/stores/redis",
    "stores/redis/scripts.py": "tests/stores/redis",
    "stores/redis/shelf.py": "tests/stores/redis",
    "stores/redis/store.py": "tests/stores/redis",
    "stores/redis/trail.py": "tests/stores/redis",
    "stores/redis/writing.py": "tests/stores/redis",
    "stores/retention.py": "tests/stores/sqlite",
    "stores/schema.py": "tests/stores/sqlite",
    "stores/sqlite.py": "tests/stores/sqlite",
    "stores/redis/sets.py": "tests/stores/redis",
    "stores/trail_indexes.py": "tests/stores/sqlite/test_pages.py",
    "stores/trail_pages.py": "tests/stores/sqlite/test_pages.py, tests/stores/conformance.py",
    "stores/trail_table.py": "tests/stores/sqlite",
    "stores/version_store.py": "tests/stores/sqlite",
    "stores/version_tables.py": "tests/stores/sqlite",
    "stores/writer.py": "tests/stores/sqlite",
    "upstream/directory.py": "tests/upstream/test_discover.py, tests/story/test_restart.py",
    "upstream/interfaces.py": "protocols",
    "upstream/model.py": "values",
    "upstream/probe.py": "tests/upstream/test_start.py",
    "upstream/roots.py": "tests/test_revocation.py, tests/attacks",
    "upstream/servers.py": "tests/dashboard/test_api.py",
    "writing/ids.py": "tests/attacks/writing",
    "visits/coowners/assembled.py": "every test in tests/visits/coowners",
    "writing/interfaces.py": "protocols",
    "writing/judge.py": "tests/attacks/writing, tests/writing",
    "writing/standing.py": "tests/attacks/writing",
    "versions/document.py": "tests/versions/test_restore.py, test_undo.py",
    "versions/interfaces.py": "protocols",
    "visits/cookies.py": "tests/visits/test_join.py, tests/test_matrix.py",
    "visits/doorstep.py": "tests/failures, tests/visits/test_join.py",
    "visits/knocks.py": "tests/visits/test_join.py, tests/test_revocation.py",
    "visits/live.py": "tests/test_revocation.py, tests/browser",
    "visits/own.py": "tests/test_revocation.py, tests/browser",
    "visits/passed_on.py": "tests/visits/test_join.py",
    "visits/presence.py": "tests/test_revocation.py, tests/dashboard/test_api.py",
    "reading/ansi.py": "tests/reading/test_notebook.py",
    "reading/cleaned.py": "tests/reading/test_notebook.py",
    "reading/code.py": "tests/reading/test_notebook.py",
    "reading/markdown.py": "tests/reading/test_notebook.py",
    "reading/pictures.py": "tests/reading/test_notebook.py, tests/readers/test_serving.py",
    "readers/source.py": "tests/readers/test_serving.py",
    "visits/refusals.py": "tests/test_matrix.py, tests/visits/test_pages.py",
    "visits/site.py": "tests/attacks/test_share_hosts.py, tests/failures, tests/test_matrix.py",
    "visits/standing.py": "tests/test_revocation.py",
    "visits/pages/assets.py": "tests/visits/test_pages.py",
    "visits/pages/reasons.py": "tests/test_errors.py",
    "visits/pages/refusal.py": "tests/test_errors.py, tests/visits/test_pages.py",
    "visits/pages/render.py": "tests/visits/test_pages.py",
    "demo/notebook.py": "tests/demo/test_demo.py",
    "demo/project.py": "tests/demo/test_demo.py",
    "demo/stage.py": "tests/demo/test_demo.py",
    "demo/story.py": "tests/demo/test_demo.py",
    "demo/visitor.py": "tests/demo/test_demo.py",
    "dashboard/pages/wall.py": "tests/dashboard/pages/test_share.py",
    "visits/codestep.py": "tests/dashboard/test_codes.py",
    "visits/short_codes.py": "tests/dashboard/test_codes.py",
    "cli/links.py": "tests/cli/test_rosters.py",
    "cli/attach.py": "tests/cli/test_terminal.py, test_commands.py",
    "cli/command.py": "tests/cli/test_commands.py",
    "cli/control.py": "tests/cli/test_commands.py",
    "cli/history.py": "tests/cli/test_commands.py",
    "cli/live.py": "tests/cli/test_terminal.py",
    "cli/output.py": "tests/cli/test_commands.py",
    "cli/owning.py": "tests/cli/test_commands.py",
    "cli/problems.py": "tests/cli/test_commands.py",
    "cli/qr.py": "tests/cli/test_commands.py",
    "cli/servers.py": "tests/cli/test_commands.py",
    "cli/settings.py": "tests/cli/test_commands.py",
    "cli/sharing.py": "tests/cli/test_commands.py",
    "cli/up.py": "tests/cli/test_terminal.py",
    "cli/trails.py": "tests/cli/test_operations.py",
    "cli/storing.py": "tests/test_upkeep.py",
    "stores/copies.py": "tests/test_upkeep.py, tests/stores/sqlite",
    "stores/inspect.py": "tests/test_upkeep.py",
    "audit/erasure.py": "tests/dashboard/test_erasing.py",
    "audit/whole.py": "tests/dashboard/test_trails.py",
    "cli/signing.py": "tests/cli/test_operations.py",
    "cli/words.py": "tests/cli/test_commands.py",
}


def folder(module: Path) -> str:
    return module.parts[0] if len(module.parts) > 1 else module.stem


@cache
def imports(module: Path) -> tuple[str, ...]:
    """Everything that a module imports, wherever in the file it stands."""
    return tuple(_imports(module))


def _imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((SOURCES / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{module} imports relatively"
            if node.module == "sharegate":
                yield from (f"sharegate.{name.name}" for name in node.names)
            else:
                yield node.module


def within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in allowed)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_one_way(module: Path) -> None:
    """A folder knows those below it and nothing else; a new edge is a decision to be written down here."""
    own = folder(module)
    assert own in MAY_IMPORT, f"{own} is a new folder: say above what it may know"
    for name in imports(module):
        if name.startswith("sharegate."):
            ours = name.removeprefix("sharegate.")
            assert folder(Path(*ours.split("."))) == own or within(ours, MAY_IMPORT[own]), f"{module} imports {ours}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_libraries_stay_at_the_border(module: Path) -> None:
    """Only the folders named above use the network, files, or a library that parses what strangers send."""
    for name in imports(module):
        users = MAY_USE.get(name.partition(".")[0])
        assert users is None or folder(module) in users, f"{module} imports {name}"


def test_deciding_folders_have_no_hands() -> None:
    """Paths, shares, policy, confine, channels and audit know no network and no database."""
    for library in ("aiohttp", "redis", "sqlite3", "socket"):
        assert not MAY_USE[library] & DECIDING


def test_nobody_below_knows_the_composition_root() -> None:
    """app.py joins everything; only the command line and the demo know it, and the gate knows no store or dashboard."""
    assert {own for own, may in MAY_IMPORT.items() if "app" in may} == {"cli", "demo"}
    assert not MAY_IMPORT["gate"] & {"stores", "dashboard", "cli", "app", "listener", "config"}


def test_the_table_has_no_folder_that_is_gone() -> None:
    """What stands in the tables exists."""
    assert set(MAY_IMPORT) == {folder(module) for module in MODULES}
    assert [name for name in TESTED_ELSEWHERE if not (SOURCES / name).exists()] == []
    named = {path for said in TESTED_ELSEWHERE.values() for path in re.findall(r"tests/[a-z_/]+(?:\.py)?", said)}
    assert [path for path in sorted(named) if not (HERE.parent / path).exists()] == []


def test_the_folders_make_no_circle() -> None:
    """But for the demo, which is a command."""
    edges = {own: {one.partition(".")[0] for one in may} - {own} for own, may in MAY_IMPORT.items()}
    edges["cli"] = edges["cli"] - {"demo"}
    done: set[str] = {"__version__"}
    while True:
        ready = {own for own, may in edges.items() if own not in done and may <= done}
        if not ready:
            break
        done |= ready
    assert set(edges) - done == set()


@pytest.mark.parametrize("module", [one for one in MODULES if one.name != "__init__.py"], ids=str)
def test_every_module_has_its_tests(module: Path) -> None:
    """tests/ mirrors sharegate/; where it does not, the list above says where the tests are."""
    mirrored = HERE / module.parent / f"test_{module.stem}.py"
    assert mirrored.exists() or str(module) in TESTED_ELSEWHERE, f"no {mirrored.relative_to(HERE)}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_grows_into_two(module: Path) -> None:
    """A module far past 400 lines is asking to be two."""
    lines = len((SOURCES / module).read_text().splitlines())
    assert lines <= 520, f"{module} has {lines} lines"


def test_folders_are_named_after_things() -> None:
    """No utils, core, common, helpers or manager."""
    for module in MODULES:
        assert not {"utils", "core", "common", "helpers", "manager"} & {*module.parent.parts, module.stem}


# What a checkout consists of. Anything else was left behind by somebody's experiment, perhaps with keys in it.
TOP = {
    *(".ci", ".gitignore", "CHANGES", "LICENSE", "Makefile", "README.md", "SECURITY.md", "bench", "deploy", "docs"),
    *("policies", "pyproject.toml", "scripts", "sharegate", "tests"),
}


@pytest.mark.skipif(not (HERE.parent / ".git").exists(), reason="not a checkout")
def test_nothing_else_is_kept_in_the_repository() -> None:
    """Only what is named lies at the top, and no key, store or database anywhere."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=HERE.parent, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    tracked = [name for name in listed if name]
    assert {name.split("/")[0] for name in tracked} <= TOP
    assert not [name for name in tracked if name.endswith((".pem", ".key", ".db", ".lock", ".sqlite"))]
