"""What the program can do is written down, or a test fails."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from sharegate.cli import build
from sharegate.settings import SETTINGS, documentation

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_settings_page_is_up_to_date() -> None:
    """Write it anew with: python -c 'from sharegate.settings import documentation as d; print(d(), end="")'."""
    assert (ROOT / "docs" / "reference" / "settings.md").read_text() == documentation()


def test_the_example_configuration_is_accepted(tmp_path: Path) -> None:
    """deploy/sharegate.toml loads without a fault."""
    from sharegate.config import load

    loaded = load(ROOT / "deploy" / "sharegate.toml", {})
    assert loaded.public_url == "https://share.example.org"
    assert {setting.name for setting in SETTINGS} == set(loaded.as_dict())


def test_the_example_of_several_gates_is_accepted(tmp_path: Path) -> None:
    """The gate's file loads, and the server's has what a gate wants to see."""
    from sharegate.config import load

    secret = tmp_path / "store-password"
    secret.write_text("x")
    secret.chmod(0o600)
    folder = ROOT / "deploy" / "redis"
    loaded = load(folder / "gate.toml", {}, {"store_password_file": str(secret)})
    assert loaded.store == "unix://gate@/run/redis/redis.sock"
    lines = (folder / "redis.conf").read_text().splitlines()
    wanted = re.findall(
        r"^    ((?:append|no-append|maxmemory-)\S+ \S+)$", (ROOT / "docs/stores.md").read_text(), re.MULTILINE
    )
    assert len(wanted) == 4 and set(wanted) <= set(lines)
    rule = re.search(r"ACL SETUSER gate on >SECRET (.*)", (ROOT / "docs/stores.md").read_text())
    assert rule is not None and rule.group(1) in (folder / "users.acl").read_text()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Relative links and pictures point to files of this repository."""
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    missing = [
        target
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert missing == []


def test_every_picture_is_shown_on_a_page() -> None:
    """What no page shows is a leftover of somebody's screenshots."""
    pages = "".join(page.read_text() for page in PAGES)

    assert [picture.name for picture in (ROOT / "docs/images").iterdir() if picture.name not in pages] == []


def test_pictures_are_small() -> None:
    """Whoever clones the repository carries them all."""
    assert {picture.name for picture in (ROOT / "docs/images").iterdir() if picture.stat().st_size > 80_000} == set()


def test_security_md_names_tests_that_exist() -> None:
    """A promise whose test is gone is no promise."""
    named = re.findall(r"`(tests/[A-Za-z0-9_/.]+)`", (ROOT / "SECURITY.md").read_text())

    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_command_that_the_pages_show_exists() -> None:
    """`sharegate <command>` in README and docs is a command of this version."""
    commands = set(re.findall(r"^#+ `?sharegate ([a-z]+)", (ROOT / "docs/reference/cli.md").read_text(), re.MULTILINE))
    shown = set()
    for page in PAGES:
        if page.name != "cli.md":
            shown |= set(re.findall(r"(?:`|^    )sharegate ([a-z]+)", page.read_text(), re.MULTILINE))

    assert shown
    assert shown - commands == set()


def _shown(text: str) -> list[str]:
    """Commands as pages show them, in a block or in a line, without what stands behind them."""
    found = re.findall(r"^ {4}(sharegate [^\n`]*)$|^(sharegate [^\n`]*)$|`(sharegate [^`\n]*)`", text, re.MULTILINE)
    return [next(filter(None, each)) for each in found]


def _unknown(line: str) -> str:
    """What of a command is none of ours: a word, an option, or an argument too many; "" for nothing."""
    words = shlex.split(line, comments=True)[1:]
    words = words[: words.index("<")] if "<" in words else words
    command: Any = get_command(build())
    context = command.make_context("sharegate", [], resilient_parsing=True)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
        context = command.make_context(command.name, [], parent=context, resilient_parsing=True)
    group = hasattr(command, "commands")
    try:
        _, rest, _ = command.make_parser(context).parse_args(list(words))
    except Exception as fault:  # of a parser that typer may bring along itself
        return f"{line}: {fault}"
    return f"{line}: {rest}" if rest and (not group or not rest[0].startswith("…")) else ""


def test_every_command_can_be_typed_as_the_pages_show_it() -> None:
    """With its options and its arguments."""
    pages = [page for page in PAGES if page.parent.name != "reference"]
    lines = {line for page in pages for line in _shown(page.read_text())}
    assert len(lines) > 150
    assert [fault for line in sorted(lines) if (fault := _unknown(line))] == []
    for wrong in ("sharegate share week3 --nobody", "sharegate shares", "sharegate link code a b c"):
        assert _unknown(wrong)


def test_every_command_has_its_page_or_a_reason_why_not() -> None:
    """docs/dashboard.md says for each command where its page is, and names no command that there is not."""
    commands = re.findall(r"^## sharegate ([a-z -]+)$", (ROOT / "docs/reference/cli.md").read_text(), re.MULTILINE)
    table = (ROOT / "docs/dashboard.md").read_text().partition("## Where a command's page is")[2]
    rows = re.findall(r"^\| `([a-z -]+)` \| (.+) \|$", table, re.MULTILINE)
    assert commands
    assert sorted(name for name, _ in rows) == sorted(commands)
    pages = r"(Now|New share|Share|History|Admin)\b|terminal: "
    assert [name for name, where in rows if not re.match(pages, where)] == []
