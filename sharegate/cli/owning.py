"""Commands on what was given: list, change, pause, resume, revoke, end, confirm, admit, refuse."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharegate.cli import asking, moments, words
from sharegate.cli.command import Cli, Found, command, find
from sharegate.cli.control import Control, Json, api_path, every
from sharegate.cli.output import shown
from sharegate.cli.problems import Usage
from sharegate.cli.sharing import PANEL, Ref
from sharegate.errors import Refused

PEOPLE = "People at the door and inside"
_PLACES = {"share": "shares", "link": "links", "visit": "visits", "knock": "knocks"}


def add(app: typer.Typer) -> None:
    command(
        app,
        "list",
        panel=PANEL,
        examples=("sharegate list", "sharegate list --urls", "sharegate list --all --json"),
    )(list_shares)
    command(
        app,
        "change",
        panel=PANEL,
        examples=(
            "sharegate change k7f2 --expires 2w",
            'sharegate change k7f2.a --name "Ann B."',
            'sharegate change k7f2 --message "Please read section 2"',
            "sharegate change k7f2.a --passphrase",
            "sharegate change k7f2.a --ask --network 192.0.2.0/24",
        ),
    )(change)
    command(app, "pause", panel=PANEL, examples=("sharegate pause k7f2", "sharegate pause Ann"))(pause)
    command(app, "resume", panel=PANEL, examples=("sharegate resume k7f2", "sharegate resume k7f2.a"))(resume)
    command(app, "revoke", panel=PANEL, examples=("sharegate revoke k7f2.a", "sharegate revoke k7f2 --yes"))(revoke)
    command(app, "confirm", panel=PANEL, examples=("sharegate confirm k7f2",))(confirm)
    command(app, "admit", panel=PEOPLE, examples=("sharegate admit q3mk", "sharegate admit Eve --role view"))(admit)
    command(app, "refuse", panel=PEOPLE, examples=("sharegate refuse q3mk", "sharegate refuse Eve"))(refuse)
    command(app, "end", panel=PEOPLE, examples=("sharegate end k7f2.a1", "sharegate end Eve --yes"))(end)


async def list_shares(
    cli: Cli,
    everything: Annotated[bool, typer.Option("--all", help="Also those that expired or were revoked.")] = False,
    urls: Annotated[bool, typer.Option("--urls", help="The links' addresses; whoever sees them can use them.")] = False,
) -> None:
    """What you share, with whom, until when, and how many are inside."""
    async with cli.control() as control:
        answer = {"shares": await every(control, "shares", all="1" if everything else "")}
        links = [link for share in answer["shares"] for link in share["links"]]
        if urls:
            for link in links:
                if link["state"] in ("active", "paused"):
                    link |= await control.call("GET", api_path("links", link["id"], "url"))
    if cli.as_json:
        cli.output.document(answer)
        return
    if not answer["shares"]:
        cli.output.say("You share nothing.")
        cli.output.note("Give a link: sharegate share PATH --for NAME")
    elif urls:
        _list_addresses(cli, links)
    else:
        rows = [row for share in answer["shares"] for row in _rows(share, cli)]
        cli.output.table(("ID", "FOLDER OR PERSON", "CAN", "UNTIL", "INSIDE", "STATE"), rows)
        for share in answer["shares"]:
            if share["state"] == "suspended":
                cli.output.warn(words.suspended(share))
    if not control.live:
        cli.output.warn("No gate is running: nobody can enter until `sharegate up` runs.")


def _rows(share: Json, cli: Cli) -> list[list[str]]:
    inside = words.inside(share)
    knocks = f", {words.count(share['knocks'], 'knock')}" if share["knocks"] else ""
    now = cli.now()
    return [
        [
            share["label"],
            words.folder(share),
            words.may(share) + (", in Notebook" if share.get("page") == "notebook" else ""),
            words.until(share, now, cli.zone),
            inside + knocks,
            shown(share["state"]),
        ],
        *(
            [
                link["label"],
                "  " + ", ".join([words.whom(link), *asking.conditions(link, now, cli.zone)]),
                words.can(share, link),
                words.until(link, now, cli.zone) if link["expires"] < share["expires"] else "",
                words.seats(link),
                shown(link["state"]),
            ]
            for link in share["links"]
        ),
    ]


def _list_addresses(cli: Cli, links: list[Json]) -> None:
    rows = [(link["label"], words.whom(link), str(link.get("url") or shown(link["state"]))) for link in links]
    if not cli.output.terminal:
        cli.output.table(("ID", "FOR", "LINK"), rows)
        return
    urls = [str((link.get("program") or {}).get("url") or "") for link in links]
    for (label, who, address), program in zip(rows, urls, strict=True):
        cli.output.say(f"{label}  {who}", "bold")
        cli.output.say(f"  {address}")
        if program:
            cli.output.say(f"  for programs: server URL {program}, token: what follows # in the link")


async def change(
    cli: Cli,
    ref: Ref,
    role: Annotated[
        str | None, typer.Option("--role", metavar="ROLE", help="view or edit. A link has at most its share's.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="WHEN", help='2h, 7d, "fri 17:00", a date.')
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="Its name, or whom the link is for.")
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", metavar="TEXT", help="A share's word to visitors.")
    ] = None,
    visits: Annotated[
        int | None, typer.Option("--visits", metavar="N", min=1, help="A link's number of people.")
    ] = None,
    devices: Annotated[
        int | None, typer.Option("--devices", metavar="N", min=1, help="A link's devices per person.")
    ] = None,
    clients: Annotated[
        bool | None, typer.Option("--clients/--no-clients", help="Whether programs may use a share.")
    ] = None,
    runnable_files: Annotated[
        bool | None,
        typer.Option(
            "--runnable-files/--no-runnable-files", help="Whether a share's visitors may make files like *.py."
        ),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option("--page", metavar="lab|notebook", help="Whose pages a share's visitors begin with."),
    ] = None,
    ask: Annotated[
        bool | None, typer.Option("--ask/--no-ask", help="Whether everybody who comes by a link knocks.")
    ] = None,
    networks: Annotated[
        list[str] | None,
        typer.Option("--network", metavar="CIDR", help="From where only a link opens; several, or any."),
    ] = None,
    opens: Annotated[
        str | None, typer.Option("--from", metavar="WHEN", help='From when on a link opens: "mon 9:00", 2h, now.')
    ] = None,
    passphrase: Annotated[
        bool | None,
        typer.Option("--passphrase/--no-passphrase", help="Whether a link has a passphrase; you are asked for it."),
    ] = None,
    email: Annotated[
        str | None, typer.Option("--email", metavar="ADDRESS", help="Whose address is to be proved, or any.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="DOMAIN", help="Of which domain to prove an address, or any.")
    ] = None,
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="WHO", help="Who signs in to open a link, as with share; any: nobody."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="Where a link is sent to, or any for nowhere.")
    ] = None,
) -> None:
    """Change a share or a link. Its address stays the same, and those inside notice at once.

    Who is in by a link and lacks what it asks for is out at once. They open their link again, show it, and are back
    where they were.
    """
    refuse_role(role)
    asked: Json = {
        "role": role,
        "expires": moments.parse(expires, now=cli.now(), zone=cli.zone) if expires is not None else None,
        "name": name,
        "message": message,
        "visits": visits,
        "devices": devices,
        "clients": clients,
        "runnable_files": runnable_files,
        "page": page,
        "email": "" if to == asking.ANY else to,
    }
    body = {field: value for field, value in asked.items() if value is not None}
    conditions = {"--ask": ask, "--network": networks, "--from": opens, "--passphrase": passphrase}
    conditions |= {"--email": email, "--domain": domain, "--account": account, "--to": to}
    given = [option for option, value in conditions.items() if value is not None]
    if not body and not given:
        raise Usage("", "nothing to change was named", "For example --expires 2w")
    async with cli.control() as control:
        found = await find(control, ref, "share", "link")
        wrong = sorted(
            set(body)
            & ({"visits", "devices"} if found.kind == "share" else {"message", "clients", "runnable_files", "page"})
        )
        if wrong:
            other = "link" if found.kind == "share" else "share"
            option = wrong[0].replace("_", "-")
            raise Usage(f"--{option}", f"is for a {other}, and {found.label} is a {found.kind}", f"Name a {other}")
        if found.kind == "share" and given:
            raise Usage(given[0], f"is for a link, and {found.label} is a share", "Name a link, such as k7f2.a")
        # Nobody types a passphrase for what is then not found.
        body |= asking.asked(
            ask=ask,
            networks=networks,
            opens=opens,
            passphrase=passphrase,
            email=email,
            domain=domain,
            account=account,
            now=cli.now(),
            zone=cli.zone,
        )
        answer = await control.call("PATCH", api_path(_PLACES[found.kind], found.id), body=body)
    if cli.as_json:
        cli.output.document(answer)
        return
    record = answer[found.kind]
    cli.output.say(f"Changed {found.words}. Its address stays the same.")
    if role is not None:
        _tell_role(cli, role, str(answer.get("role") or record["role"]))
    if body.get("clients"):
        cli.output.warn(words.PROGRAMS)
        cli.output.note("Server URL and token of each link: sharegate list --urls")
    if given:
        told = asking.conditions(record, cli.now(), cli.zone)
        cli.output.say(f"Conditions: {', '.join(told)}." if told else "It has no conditions.")
    if "expires" in body:
        cli.output.say(f"Until {words.until(record, cli.now(), cli.zone)}.")


def refuse_role(role: str | None) -> None:
    """Running code does not exist so far. Raises Refused for it, Usage for what is no role."""
    if role == "run":
        raise Refused(
            "role_not_available",
            "the role run is not available yet: visitors' code would run as you",
            "Use edit or view",
        )
    if role not in (None, "view", "edit"):
        raise Usage("--role", f"{role!r} is no role", "Use view or edit")


async def pause(cli: Cli, ref: Ref) -> None:
    """Close a share or a link for a while: everyone is out, the addresses are kept."""
    async with cli.control() as control:
        found, answer = await _act(control, ref, "pause", "share", "link")
    _tell(
        cli, answer, f"Paused {found.words}", f"The addresses are kept. Open it again: sharegate resume {found.label}"
    )


async def resume(cli: Cli, ref: Ref) -> None:
    """Open a paused share or link again. The same addresses work."""
    async with cli.control() as control:
        found, answer = await _act(control, ref, "resume", "share", "link")
    _tell(cli, answer, f"Resumed {found.words}", "The same addresses work again.")


async def revoke(cli: Cli, ref: Ref) -> None:
    """End a share, a link or a visit for ever. Open pages close at once; your server runs on."""
    async with cli.control() as control:
        found = await find(control, ref, "share", "link", "visit")
        if found.kind == "visit":
            await _end_visit(cli, control, found)
            return
        what = "all links of this share stop" if found.kind == "share" else "its address stops"
        cli.confirm(f"Revoke {found.words} for ever: {what} working.")
        answer = await control.call("POST", api_path(_PLACES[found.kind], found.id, "revoke"))
    _tell(cli, answer, f"Revoked {found.words}")


async def confirm(cli: Cli, ref: Ref) -> None:
    """Say that a suspended share's folder is still the one you mean, after it was renamed or replaced."""
    async with cli.control() as control:
        found = await find(control, ref, "share")
        cli.confirm(f"Share what now lies at {shown(found.title) or found.label} under the same links.")
        answer = await control.call("POST", api_path("shares", found.id, "confirm"))
    _tell(cli, answer, f"Confirmed {found.words}", "The same addresses work again.")


async def admit(
    cli: Cli,
    ref: Ref,
    role: Annotated[
        str | None,
        typer.Option(
            "--role", metavar="ROLE", help="What they may do on this visit: view or edit, as far as the share goes."
        ),
    ] = None,
) -> None:
    """Let somebody in who knocked, for this visit."""
    refuse_role(role)
    async with cli.control() as control:
        found = await find(control, ref, "knock")
        answer = await control.call("POST", api_path("knocks", found.id, "admit"), body={"role": role})
    may = str(answer.get("role") or "")
    what = f": {words.CAN[may]}" if may in words.CAN else ""
    _tell(cli, answer, f"Admitted {shown(found.title, 60) or found.label} for this visit{what}")
    if not cli.as_json:
        _tell_role(cli, role, may)


def _tell_role(cli: Cli, asked: str | None, role: str) -> None:
    """What comes with a role that was given; and that a share for reading gives no more, whatever was asked."""
    if role == "edit":
        cli.output.note(f"{words.RUNNING} {words.KEPT}")
    elif asked == "edit":
        cli.output.warn("The share itself is to view, so this is too. Change that: sharegate change SHARE --role edit")


async def refuse(cli: Cli, ref: Ref) -> None:
    """Do not let somebody in who knocked."""
    async with cli.control() as control:
        found, answer = await _act(control, ref, "refuse", "knock")
    _tell(cli, answer, f"Refused {shown(found.title, 60) or found.label}")


async def end(cli: Cli, ref: Ref) -> None:
    """End one visit: its pages close at once and its seat is free. The link stays valid."""
    async with cli.control() as control:
        await _end_visit(cli, control, await find(control, ref, "visit"))


async def _end_visit(cli: Cli, control: Control, found: Found) -> None:
    cli.confirm(f"End the visit of {shown(found.title, 60) or found.label} ({found.label}).")
    answer = await control.call("POST", api_path("visits", found.id, "end"))
    link = found.label.rstrip("0123456789")
    _tell(
        cli,
        answer,
        f"Ended the visit of {shown(found.title, 60) or found.label}",
        f"The link stays valid and its seat is free. To end the link too: sharegate revoke {link}",
    )


async def _act(control: Control, ref: str, verb: str, *kinds: str) -> tuple[Found, Json]:
    found = await find(control, ref, *kinds)
    return found, await control.call("POST", api_path(_PLACES[found.kind], found.id, verb))


def _tell(cli: Cli, answer: dict[str, Any], done: str, more: str = "") -> None:
    if cli.as_json:
        cli.output.document(answer)
        return
    how = words.ended(answer.get("ended"))
    cli.output.say(f"{done}: {how}." if how else f"{done}.")
    if more:
        cli.output.note(more)
