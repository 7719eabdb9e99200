"""`config …` and `policy …`: settings and rules, read and explained without a gate."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from sharegate.cli import words
from sharegate.cli.command import Cli, command
from sharegate.cli.control import api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import USAGE
from sharegate.policy.sentences import sentences
from sharegate.settings import SETTINGS
from sharegate.shares.model import Role

PolicyDir = Annotated[
    Path | None,
    typer.Option(
        "--policy-dir", metavar="DIR", help="Your own policy files, in place of the built-in ones of the same name."
    ),
]


def add(app: typer.Typer) -> None:
    config = typer.Typer(help="The gate's settings.")
    command(config, "show", examples=("sharegate config show", "sharegate config show --config gate.toml --json"))(show)
    command(config, "check", examples=("sharegate config check --config gate.toml",))(check)
    app.add_typer(config, name="config", rich_help_panel="Look")
    policy = typer.Typer(help="The rules: what a visitor's request may do.")
    command(
        policy,
        "check",
        examples=("sharegate policy check", "sharegate policy check --policy-dir /etc/sharegate/policies"),
    )(check_policy)
    command(
        policy,
        "explain",
        examples=(
            "sharegate policy explain GET /api/contents/lectures --root lectures",
            "sharegate policy explain PUT /api/contents/lectures/a.ipynb --role edit",
            "sharegate policy explain WEBSOCKET /api/collaboration/room/json:notebook:abc",
        ),
    )(explain)
    command(
        policy,
        "reload",
        examples=("sharegate policy reload --dry-run", "sharegate policy reload", "sharegate policy reload --yes"),
    )(reload)
    command(policy, "show", examples=("sharegate policy show", "sharegate policy show --json"))(show_policy)
    command(policy, "docs", examples=("sharegate policy docs > policy.md",))(docs)
    app.add_typer(policy, name="policy", rich_help_panel="Look")


def show(cli: Cli) -> None:
    """Every setting with its value and what it means."""
    values = cli.config().as_dict()
    if cli.as_json:
        cli.output.document(values)
        return
    rows = [(setting.name, _value(values.get(setting.name)), setting.sentence) for setting in SETTINGS]
    cli.output.table(("SETTING", "VALUE", "MEANING"), rows)
    cli.output.note("Set one in the file of --config (TOML), or as SHAREGATE_NAME in the environment.")


def _value(value: Any) -> str:
    if value in (None, "", []):
        return "-"
    if isinstance(value, list):
        return shown(", ".join(value), 200)
    return str(value).lower() if isinstance(value, bool) else shown(value)


def check(cli: Cli) -> None:
    """Read the settings, and the TLS files that they name, and report everything that is wrong together.

    Exit code 2 when something is.
    """
    from sharegate.entrance import check as check_certificate

    config = cli.config()
    certificate = check_certificate(config, cli.now())
    if cli.as_json:
        ends = certificate.ends if certificate is not None else None
        cli.output.document(
            {
                "sound": True,
                "gate_url": config.gate_url,
                "share_hosts": config.share_hosts,
                "reach": config.reach,
                "tls_certificate_ends": ends,
            }
        )
    else:
        cli.output.say("The settings are sound.")
        cli.output.note(f"Visitors would reach the gate at {config.gate_url} ({config.reach}).")
        if config.share_hosts:
            cli.output.note(f"Each share would have a host of its own below {config.share_hosts}.")


async def show_policy(cli: Cli) -> None:
    """The rules in force: what may be handed out, a sentence for each (sharing.yaml)."""
    async with cli.control() as control:
        answer = await control.call("GET", api_path("rules"))
    if cli.as_json:
        cli.output.document(answer)
        return
    for sentence in sentences(answer["rules"]):
        cli.output.say(sentence)
    if answer["differed"]:
        cli.output.warn(shown(answer["differed"], 500))


def check_policy(cli: Cli, policy_dir: PolicyDir = None) -> None:
    """Read the rules, run their examples, and report every fault with file and line. Exit code 2 when there is one."""
    from sharegate.policy import explain as policy

    result = policy.check(policy_dir or cli.config().policy_dir)
    if cli.as_json:
        faults = [{"field": fault.field, "problem": fault.problem, "remedy": fault.remedy} for fault in result.faults]
        cli.output.document({**dataclasses.asdict(result), "faults": faults, "sound": result.sound})
    elif result.sound:
        cli.output.say("The rules are sound.")
        cli.output.note(
            f"{result.rules} rules, {result.denied_by_name} of them deny by name; {result.examples} examples hold."
        )
    else:
        for fault in result.faults:
            cli.output.note(f"Error: {shown(fault, 500)}", "")
    if not result.sound:
        raise typer.Exit(USAGE)


def explain(
    cli: Cli,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET, PUT, …, or WEBSOCKET.")],
    target: Annotated[
        str, typer.Argument(metavar="PATH", help="The request's address as Jupyter knows it, with its query.")
    ],
    role: Annotated[Role, typer.Option("--role", help="As which role.")] = Role.VIEW,
    root: Annotated[
        str, typer.Option("--root", metavar="FOLDER", help="Also judge where paths point, for this folder.")
    ] = "",
    policy_dir: PolicyDir = None,
) -> None:
    """Say how a visitor's request would be answered, by which rule, and why."""
    from sharegate.policy import explain as policy
    from sharegate.policy.load import load_policies

    policies = load_policies(extra=policy_dir or cli.config().policy_dir)
    found = policy.explain(policies, role, method.upper(), target, root)
    if cli.as_json:
        cli.output.document(dataclasses.asdict(found))
        return
    cli.output.say(f"{found.outcome}: {found.sentence}", "bold")
    held = {True: "held", False: "not held", None: ""}[found.held]
    rows = [
        ("rule", f"{found.rule}  {found.route}".strip()),
        ("source", found.source),
        ("answer", found.answer),
        ("needs", f"{found.capability} ({held} by {found.role.value})" if found.capability else ""),
        ("detail", found.detail),
        ("why", found.why),
        ("paths", "judged for " + root if found.confined else "not judged: name the shared folder with --root"),
    ]
    for name, value in rows:
        if value:
            cli.output.say(f"  {name:7} {shown(value, 500)}")
    for other in found.others:
        cli.output.say(f"  {'also':7} {shown(other)}")


async def reload(
    cli: Cli,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would end or shrink.")] = False,
) -> None:
    """Read again what may be handed out (sharing.yaml), and apply it to every link and to whoever is inside.

    First it shows what would end or shrink, and asks. A faulty file changes nothing. `sharegate serve` does the same
    when it gets SIGHUP, and every start does it too.
    """
    async with cli.control() as control:
        answer = await control.call("POST", api_path("rules", "reload"), body={"dry_run": True})
        differed = answer["differed"]
        if not dry_run:
            if answer["consequences"]:
                _tell_consequences(cli, answer)
                cli.confirm(f"{words.count(len(answer['consequences']), 'thing')} would change, as listed.")
            answer = await control.call("POST", api_path("rules", "reload"), body={"digest": answer["digest"]})
    if cli.as_json:
        cli.output.document(answer)
        return
    if dry_run:
        _tell_consequences(cli, answer)
    if not answer["consequences"]:
        cli.output.say("Everything that is shared fits the rules." + ("" if dry_run else " They are in force."))
    elif not dry_run:
        cli.output.say(f"The rules are in force: {answer['stops']} stopped, {answer['shrinks']} changed.")
    if differed and dry_run:
        cli.output.warn("Another gate has other rules in force. Without --dry-run those of this gate take their place.")
    elif differed:
        cli.output.say("They are in force at every gate of this store that has the same; others give nothing new.")
    for name in answer["waiting"]:
        cli.output.warn(f"{name} changed too, which counts from the next start on.")


def _tell_consequences(cli: Cli, answer: dict[str, Any]) -> None:
    if cli.as_json:
        return
    rows = [
        (shown(each["label"]), shown(each["person"], 60) or "-", "stops" if each["stops"] else "", shown(each["what"]))
        for each in answer["consequences"]
    ]
    if rows:
        cli.output.table(("ID", "PERSON", "", "WHAT HAPPENS"), rows)


def docs(cli: Cli, policy_dir: PolicyDir = None) -> None:
    """Print the page that documents all rules (Markdown)."""
    from sharegate.policy import explain as policy
    from sharegate.policy.load import load_policies

    policies = load_policies(extra=policy_dir or cli.config().policy_dir)
    page = policy.docs(policies.policy, policies.roles, policies.files)
    if cli.as_json:
        cli.output.document({"markdown": page})
    else:
        cli.output.say(page.rstrip("\n"))
