"""`share`, `preview`, `replace`: commands that hand out a link."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sharegate.cli import asking, moments, qr, rosters, words
from sharegate.cli.command import Cli, command, find, on_disk, typed_path
from sharegate.cli.control import Control, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import Usage
from sharegate.errors import Invalid, Refused

PANEL = "Give and take away"
_NOT_YET = "is not available yet"


def add(app: typer.Typer) -> None:
    command(
        app,
        "share",
        panel=PANEL,
        examples=(
            "sharegate share lectures/week3 --for Ann",
            'sharegate share lectures/week3 --for Ann --for Bo --expires "fri 17:00"',
            "sharegate share analysis.ipynb --anyone --visits 20 --expires 2h",
            "sharegate share lectures/week3 --edit --for Ann",
            "sharegate share lectures/week3 --edit --for Ann --clients",
            "sharegate share lectures/week3 --page notebook --for Ann",
            "sharegate share lectures --open lectures/week3/intro.ipynb --qr link.png",
            "sharegate share lectures/week3 --for Ann --passphrase",
            "sharegate share lectures/week3 --anyone --ask --network 192.0.2.0/24",
            "sharegate share lectures/week3 --anyone --visits 60 --code",
            "sharegate share lectures/week3 --roster class.csv --out links.csv",
            "sharegate share lectures/week3 --roster class.csv --send",
            "sharegate share --each 'projects/*' --roster teams.csv --edit --dry-run",
        ),
    )(share)
    command(
        app,
        "preview",
        panel=PANEL,
        examples=("sharegate preview k7f2", "sharegate preview lectures/week3"),
    )(preview)
    command(app, "replace", panel=PANEL, examples=("sharegate replace k7f2.a", "sharegate replace Ann"))(replace)


Ref = Annotated[str, typer.Argument(metavar="ID", help="A short id such as k7f2, or a name that only one thing has.")]
QrFile = Annotated[
    Path | None,
    typer.Option(
        "--qr", metavar="FILE.png", help="Also write the link as a QR code; with several links, one file each."
    ),
]
NoQr = Annotated[bool, typer.Option("--no-qr", help="Show no QR code at the terminal.")]


async def share(
    cli: Cli,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="The folder, or one file, of a running Jupyter server.")
    ] = "",
    people: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="NAME", help="Whom a link is for; repeat it for several people."),
    ] = None,
    anyone: Annotated[bool, typer.Option("--anyone", help="One link for whoever has it.")] = False,
    visits: Annotated[
        int | None, typer.Option("--visits", metavar="N", min=1, help="How many people the link lets in at a time.")
    ] = None,
    devices: Annotated[
        int, typer.Option("--devices", metavar="N", min=1, help="How many devices a person may use.")
    ] = 3,
    edit: Annotated[bool, typer.Option("--edit", help="Visitors may edit text; they cannot run code.")] = False,
    run: Annotated[bool, typer.Option("--run", help="Not available yet: visitors could run code.")] = False,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="WHEN", help='Until when: 2h, 7d, "fri 17:00", 2026-12-24. Default: 7d.'),
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What visitors see the folder called.")] = "",
    message: Annotated[
        str, typer.Option("--message", metavar="TEXT", help="A word to visitors, shown at the door.")
    ] = "",
    open_file: Annotated[
        str, typer.Option("--open", metavar="FILE", help="The file of the folder to begin with.")
    ] = "",
    clients: Annotated[bool, typer.Option("--clients", help="Programs may use the link too, with its token.")] = False,
    own_extensions: Annotated[
        bool, typer.Option("--own-extensions", help="Your JupyterLab extensions run in visitors' pages.")
    ] = False,
    runnable_files: Annotated[
        bool,
        typer.Option("--runnable-files", help="Visitors who edit may make files that run by themselves, like *.py."),
    ] = False,
    page: Annotated[
        str, typer.Option("--page", metavar="lab|notebook", help="Whose pages visitors begin with.")
    ] = "lab",
    ask: Annotated[bool, typer.Option("--ask", help="Everybody knocks, and you let them in one by one.")] = False,
    networks: asking.Networks = None,
    opens: asking.From = None,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Whoever opens it types a passphrase, which you are asked for.")
    ] = False,
    email: asking.Email = None,
    domain: asking.Domain = None,
    code: Annotated[bool, typer.Option("--code", help="Also a short code, to be typed from a wall.")] = False,
    code_for: rosters.CodeFor = "2h",
    account: asking.Account = None,
    roster: rosters.RosterFile = None,
    each: Annotated[
        str,
        typer.Option("--each", metavar="'FOLDER/*'", help="With --roster: a share for each team's folder of these."),
    ] = "",
    prove: rosters.Prove = None,
    out: rosters.Out = None,
    force: rosters.Force = False,
    send: rosters.Send = False,
    dry_run: rosters.DryRun = False,
    server: Annotated[
        str, typer.Option("--server", metavar="ID", help="The Jupyter server, where PATH is relative to its root.")
    ] = "",
    qr_file: QrFile = None,
    no_qr: NoQr = False,
) -> None:
    """Give a link to one folder, or one file, of your running Jupyter server.

    Whoever has the link sees that folder and nothing else, until it expires or you revoke it. A link is for one person
    unless you say --anyone. In a pipe, only the links go to stdout, one on a line.

    With --roster each person of a list gets a link; the same list again adds only who is new. With --each, each team's
    folder is shared with its people; what does not match is told before anything is made.
    """
    _refuse_running(run)
    _check_roster(
        *(path, roster, each),
        several={
            "--code": code,
            "--for": people,
            "--anyone": anyone,
            "--visits": visits,
            "--email": email,
            "--qr": qr_file,
        },
        of_roster={
            "--out": out,
            "--send": send,
            "--prove": prove is not None,
            "--force": force,
            "--each": each,
            "--dry-run": dry_run,
        },
        of_one={"--name": name, "--open": open_file},
    )
    if code and len(people or []) > 1:
        raise Usage("--code", "is for one link, and there are several", "Make one later: sharegate link code ID")
    seconds = rosters.code_seconds(cli, code_for)
    if anyone and people:
        raise Invalid("--anyone", "a link is for one person or for anyone, not both", "Drop --for or --anyone")
    if qr_file is not None:
        qr.check_file(qr_file)
    body: dict[str, Any] = {
        "path": on_disk(each or path, server),
        "server": server,
        "role": "edit" if edit else "view",
        "expires": moments.parse(expires, now=cli.now(), zone=cli.zone) if expires is not None else None,
        "name": name,
        "message": message,
        "for": people or [],
        "anyone": anyone,
        "visits": visits,
        "devices": devices,
        "open_file": open_file,
        "clients": clients,
        "own_extensions": own_extensions,
        "runnable_files": runnable_files,
        "page": page,
    }
    body |= asking.asked(
        ask=ask or None,
        networks=networks,
        opens=opens,
        passphrase=passphrase or None,
        email=email,
        domain=domain,
        account=account,
        now=cli.now(),
        zone=cli.zone,
    )
    async with cli.control() as control:
        if server:
            body["server"] = (await find(control, server, "server")).id
        if roster is not None:
            body = rosters.body_of(body, rosters.roster_text(cli, roster), prove, each=bool(each))
            where = "rosters/teams" if each else "rosters/share"
            await rosters.give(cli, control, where, body, out=out, force=force, send=send, dry_run=dry_run)
            return
        answer = await control.call("POST", api_path("shares"), body=body)
        shown_code = None
        if code:
            place = api_path("links", answer["links"][0]["id"], "code")
            shown_code = await control.call("POST", place, body={"seconds": seconds})
    if qr_file is not None:
        _write_codes(cli, answer["links"], qr_file)
    if cli.as_json:
        cli.output.document(answer | ({"code": shown_code} if shown_code else {}))
        return
    for link in answer["links"]:
        hand_out(cli, words.gives(answer["share"], link, cli.now(), cli.zone), link)
    if shown_code:
        rosters.tell_code(cli, shown_code, live=True)
    if edit:
        cli.output.note(f"{words.RUNNING} {words.KEPT}")
    if len(answer["links"]) == 1 and not no_qr:
        show_code(cli, answer["links"][0]["url"], asked=qr_file is not None)
    _after(cli, answer, live=control.live)


def _check_roster(
    path: str,
    roster: Path | None,
    each: str,
    *,
    several: dict[str, object],
    of_roster: dict[str, object],
    of_one: dict[str, object],
) -> None:
    """Raises Usage for options that do not go together."""
    if roster is None:
        for option, given in of_roster.items():
            if given:
                raise Usage(option, "is for a list of people", "Add --roster FILE.csv")
        typed_path(path)
    for option, given in several.items():
        if roster is not None and given:
            raise Usage(option, "does not go with --roster: each link is for one person of the list", f"Drop {option}")
    if each and path:
        raise Usage("path", "is given, and --each names folders, too", "Drop one of them")
    if each and any(of_one.values()):
        raise Usage(next(name for name, value in of_one.items() if value), "is for one folder", "Drop it")
    if roster is not None and not each:
        typed_path(path)


def _refuse_running(run: bool) -> None:
    if run:
        raise Refused(
            "role_not_available",
            f"--run {_NOT_YET}: visitors' code needs confined kernels, and without them it would run as you",
            "Leave it out; links that you give now can be changed later without a new address",
        )


def hand_out(cli: Cli, sentence: str, link: dict[str, Any]) -> None:
    """A link for a person: sentence and address at a terminal; in a pipe the address alone is on stdout."""
    if not cli.output.terminal:
        cli.output.note(sentence)
        cli.output.say(str(link["url"]))
        if link.get("program"):
            cli.output.note(f"For programs: server URL {link['program']['url']}, token: what follows # in the link.")
        return
    cli.output.say(Text(sentence, style="bold"))
    cli.output.say()
    cli.output.say(Text(f"  {link['url']}", style="cyan"))
    cli.output.say()
    _for_programs(cli, link)


def _for_programs(cli: Cli, link: dict[str, Any]) -> None:
    if link.get("program"):
        cli.output.say(Text("For programs that ask for a server URL and a token:", style="bold"))
        cli.output.say()
        cli.output.say(Text(f"  server URL  {link['program']['url']}", style="cyan"))
        cli.output.say(Text(f"  token       {link['program']['token']}", style="cyan"))
        cli.output.say()


def show_code(cli: Cli, address: str, *, asked: bool) -> None:
    if not cli.output.terminal:
        return
    size = shutil.get_terminal_size()
    code = None
    if not cli.output.console.no_color:
        # Six lines stay for the sentence and the address above it.
        code = qr.for_terminal(address, width=size.columns, height=size.lines - 6)
    if code is not None:
        cli.output.show(code)
    elif not asked:
        cli.output.note("No QR code: it does not fit here. --qr FILE.png writes it to a file.")


def _write_codes(cli: Cli, links: list[dict[str, Any]], file: Path) -> None:
    for link in links:
        target = file if len(links) == 1 else file.with_stem(f"{file.stem}-{link['label']}")
        qr.write_file(str(link["url"]), target)
        cli.output.note(f"QR code for {words.whom(link)}: {target}")


def _after(cli: Cli, answer: dict[str, Any], *, live: bool) -> None:
    share, links = answer["share"], answer["links"]
    if not live:
        cli.output.warn("No gate is running: the links are valid, but nobody can enter until `sharegate up` runs.")
    for warning in answer.get("warnings") or []:
        if live or "until the gate runs" not in warning:
            cli.output.warn(shown(warning))
    for other in answer.get("overlaps") or []:
        cli.output.warn(f"{other['label']} shares {words.folder(other)} too: ending one does not end the other.")
    if more := answer.get("overlaps_more"):
        cli.output.warn(f"So do {more} more shares: sharegate list")
    if share.get("own_extensions"):
        cli.output.warn("Your own JupyterLab extensions run in visitors' pages: share so only with people you trust.")
    if share.get("runnable_files"):
        cli.output.warn(
            "Visitors who edit can make files that your next kernel loads by itself: that runs code as you."
        )
    if share.get("clients"):
        cli.output.warn(words.PROGRAMS)
    if conditions := asking.conditions(links[0], cli.now(), cli.zone):
        cli.output.note(f"Conditions{' of each link' if len(links) > 1 else ''}: {', '.join(conditions)}.")
    if share.get("clients") and any(
        links[0].get(name) for name in ("ask", "passphrase", "recipient", "domain", "account")
    ):
        cli.output.warn("Programs can show nothing of that: this link is refused to them.")
    if any(link["kind"] == "person" for link in links):
        cli.output.note("Each link lets one person in. Whoever gets it from them has to knock, and you decide.")
    cli.output.note(
        f"See who is there: sharegate watch    Pause: sharegate pause {share['label']}"
        f"    End it: sharegate revoke {share['label']}"
    )


async def preview(cli: Cli, ref: Ref) -> None:
    """See a share as its visitors do: a link for you, for five minutes, counted nowhere."""
    async with cli.control() as control:
        found = await find(control, ref, "share")
        answer = await control.call("POST", api_path("shares", found.id, "preview"))
        _tell_link(cli, answer, f"Your preview of {shown(found.title) or found.label}, for five minutes:", control)


async def replace(cli: Cli, ref: Ref, qr_file: QrFile = None, no_qr: NoQr = False) -> None:
    """Give a link a new address. Those inside stay; the old address stops working."""
    if qr_file is not None:
        qr.check_file(qr_file)
    async with cli.control() as control:
        found = await find(control, ref, "link")
        answer = await control.call("POST", api_path("links", found.id, "replace"))
        if qr_file is not None:
            _write_codes(cli, [answer["link"]], qr_file)
        _tell_link(cli, answer, f"The new address of {found.words}; the old one stops working:", control)
    if not cli.as_json and not no_qr:
        show_code(cli, answer["link"]["url"], asked=qr_file is not None)


def _tell_link(cli: Cli, answer: dict[str, Any], sentence: str, control: Control) -> None:
    if cli.as_json:
        cli.output.document(answer)
        return
    hand_out(cli, sentence, answer["link"])
    if not control.live:
        cli.output.warn("No gate is running: nobody can enter until `sharegate up` runs.")
