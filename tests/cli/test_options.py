"""Every option of every command has its place on a page, or a reason why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

import sharegate.dashboard.pages
from sharegate.cli import build
from sharegate.cli.reference import _commands

PAGES = Path(sharegate.dashboard.pages.__file__).parent
EVERYWHERE = {"--json", "-y", "--config", "--data-dir", "--debug"}
TERMINAL = "terminal: "

# What starts and stops gates, writes files where a person says, and draws in the terminal stays there.
STARTS = TERMINAL + "it starts a gate"
FILE = TERMINAL + "a browser saves what it is given where its owner says"
OFFLINE = TERMINAL + "it is for records that no gate uses"
DRAWN = TERMINAL + "a page draws the code when it is asked for"
SEES = TERMINAL + "a page has as many as fit, and leads on"

_CONDITIONS = {
    "--ask": 'parts.html: name="ask"',
    "--network": 'parts.html: name="networks"',
    "--from": 'parts.html: name="not_before"',
    "--passphrase": 'parts.html: name="passphrase"',
    "--email": 'parts.html: name="recipient"',
    "--domain": 'parts.html: name="domain"',
    "--account": 'parts.html: name="account"',
}
_LIST = {
    "--roster": 'roster_parts.html: name="roster"',
    "--prove": 'roster_parts.html: name="prove"',
    "--dry-run": "roster_parts.html: data-make",
    "--send": "share_links.html: /send",
    "--out": "share_links.html: Table for a mail merge",
    "--force": FILE,
}
_FILTERS = {
    **{f"--{one}": f'history.html: name="{one}"' for one in ("share", "path", "action", "outcome", "since", "until")},
    "--person": 'history.html: name="who"',
    "--visit": 'filters.py: "visit"',
    "--link": 'filters.py: "link"',
    "--reason": 'filters.py: "reason"',
}

WHERE: dict[str, dict[str, str] | str] = {
    "up": STARTS,
    "serve": STARTS,
    "open": TERMINAL + "it signs a browser in",
    "share": _CONDITIONS
    | _LIST
    | {
        "--for": 'new.html: name="for"',
        "--anyone": 'new.html: {"anyone": true}',
        "--visits": 'new.html: name="visits"',
        "--devices": 'parts.html: name="devices"',
        "--edit": 'new.html: name="role"',
        "--run": TERMINAL + "not available yet, and refused",
        "--expires": 'parts.html: name="expires"',
        "--name": 'new.html: name="name"',
        "--message": 'parts.html: name="message"',
        "--open": 'parts.html: name="open_file"',
        "--clients": 'parts.html: "clients"',
        "--own-extensions": 'parts.html: "own_extensions"',
        "--runnable-files": 'parts.html: "runnable_files"',
        "--page": 'parts.html: name="page"',
        "--code": "share_links.html: Code for a wall",
        "--code-for": 'wall.html: name="seconds"',
        "--each": 'teams.html: name="each"',
        "--server": 'new.html: name="server"',
        "--qr": "share_links.html: /qr",
        "--no-qr": DRAWN,
    },
    "replace": {"--qr": "share_links.html: /qr", "--no-qr": DRAWN},
    "list": {"--all": "admin.html: Show what has ended too", "--urls": "share_links.html: /url"},
    "change": _CONDITIONS
    | {
        "--role": 'share_links.html: name="role"',
        "--expires": 'share_links.html: name="expires"',
        "--name": 'share_links.html: name="name"',
        "--message": 'share_settings.html: name="message"',
        "--visits": 'share_links.html: name="visits"',
        "--devices": 'share_links.html: name="devices"',
        "--clients": 'share_settings.html: name="clients"',
        "--runnable-files": 'share_settings.html: name="runnable_files"',
        "--page": 'share_settings.html: name="page"',
        "--to": 'share_links.html: name="email"',
    },
    "admit": {"--role": "now.html: knock.admits"},
    "grant": {"--expires": "now.html: /grant"},
    "review": {
        "--sort": "admin_review.html: sorts",
        "--sign": "admin_review.html: /review/sign",
        "--pause-unused": "admin_review.html: /review/pause",
    },
    "search": {"--format": "admin_search.html: exports", "--output": FILE},
    "prove": {
        "--quick": 'prove.html: name="quick"',
        "--write": FILE,
        "--to": TERMINAL + "it proves another gate than the one that shows the page",
        "--verify": TERMINAL + "a receipt is looked at by whoever got it, without a gate",
        "--jwks": TERMINAL + "a receipt is looked at by whoever got it, without a gate",
    },
    "reach": {"--server": 'new.html: name="server"'},
    "link add": _CONDITIONS
    | _LIST
    | {
        "--for": 'share_links.html: name="name"',
        "--anyone": 'share_links.html: {"anyone": true}',
        "--visits": 'share_links.html: name="visits"',
        "--devices": 'share_links.html: name="devices"',
        "--expires": 'share_links.html: name="expires"',
        "--to": 'share_links.html: name="email"',
        "--no-qr": DRAWN,
    },
    "link send": {"--again": "share_links.html: again-"},
    "link code": {"--code-for": 'wall.html: name="seconds"', "--end": "wall.html: end-code", "--no-qr": DRAWN},
    "audit show": _FILTERS | {"--limit": SEES},
    "audit export": _FILTERS | {"--format": "history.html: exports", "--output": FILE},
    "audit passed-on": {
        "--share": "admin_passed_on.html: /passing",
        "--format": "admin_passed_on.html: /download?for",
        "--output": FILE,
    },
    "audit verify": {"--anchors": TERMINAL + "it reads anchors that were copied to another computer"},
    "audit timeline": {name: _FILTERS[name] for name in ("--since", "--until")},
    "audit anchor": {"--to": FILE},
    "audit retention": {
        "--days": TERMINAL + "it only looks, as if the setting were another; the page shows what the setting does",
        "--now": "history_kept.html: Let go of what is due now",
        "--clock-is-right": "history_kept.html: clock_is_right",
    },
    "audit erase": {
        "--person": 'history_kept.html: name="person"',
        "--visit": "share_people.html: /history/kept?visit=",
        "--share": "share_people.html: /history/kept?share=",
        "--dry-run": "history_kept.html: preview",
    },
    "reports list": {"--all": "admin_reports.html: ?all=1"},
    "reports close": {"--note": 'admin_reports.html: name="note"'},
    "snapshot list": {"--server": "share_versions.html: share.server", "--limit": SEES},
    "snapshot show": {"--output": "version.html: /api/v1/snapshots/"},
    "snapshot take": {"--server": 'share_versions.html: name="server"'},
    "snapshot restore": {"--cell": 'version.html: name="cells"'},
    "snapshot undo": {"--path": "undo.html: one.path"},
    "server add": {
        "--name": 'server_form.html: name="name"',
        "--root-dir": TERMINAL + "the page asks the server; at the terminal it can be said for one that does not tell",
        "--token-file": 'server_form.html: name="token"',
    },
    "policy check": {"--policy-dir": OFFLINE},
    "policy docs": {"--policy-dir": OFFLINE},
    "policy explain": {name: OFFLINE for name in ("--role", "--root", "--policy-dir")},
    "policy reload": {"--dry-run": 'admin_rules.html: name="preview"'},
    "key rotate": {
        "--compromised": 'admin_keys.html: name="stolen"',
        "--since": 'admin_keys.html: name="since"',
        "--replace": 'admin_keys.html: name="replace"',
        "--dry-run": "admin_keys.html: preview",
    },
    "store backup": {"--with-keys": 'admin_health.html: name="with_keys"'},
    "store restore": OFFLINE,
    "store migrate": OFFLINE,
    "token create": {
        "--can": 'admin_tokens.html: name="capabilities"',
        "--expires": 'admin_tokens.html: name="expires"',
    },
}


def options() -> list[tuple[str, str]]:
    root: Any = typer.main.get_command(build())
    return [
        (" ".join(words), param.opts[0])
        for words, command in _commands(root, ())
        for param in command.params
        if param.param_type_name == "option" and not EVERYWHERE & {*param.opts}
    ]


@pytest.mark.parametrize(("command", "option"), options(), ids=lambda one: one)
def test_every_option_has_its_place_or_a_reason(command: str, option: str) -> None:
    """The words that name the place stand in the page's source."""
    places = WHERE.get(command, {})
    where = places if isinstance(places, str) else places.get(option, "")
    assert where, f"where on the pages does one say {command} {option}?"
    if where.startswith(TERMINAL):
        return
    file, _, words = where.partition(": ")
    source = next(PAGES.glob(f"**/{file}")).read_text()
    assert words in source, f"{file} has no {words}"


def test_no_place_is_named_for_an_option_that_is_gone() -> None:
    """Nor for a command."""
    known = options()
    named = [(name, option) for name, places in WHERE.items() if isinstance(places, dict) for option in places]
    assert [one for one in named if one not in known] == []
    assert WHERE.keys() <= {command for command, _ in known}
