"""`link …`: further links of a share, sent to the people whom they are for."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharegate.cli import asking, moments, rosters, words
from sharegate.cli.command import Cli, command, find
from sharegate.cli.control import api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import Usage
from sharegate.cli.sharing import NoQr, hand_out, show_code

PANEL = "Give and take away"

OfShare = Annotated[str, typer.Argument(metavar="SHARE", help="The share, by its short id or its name.")]
OfLink = Annotated[str, typer.Argument(metavar="ID", help="A link, or a share for all of its links.")]


def add(app: typer.Typer) -> None:
    link = typer.Typer(help="Further links of a share, and sending them.")
    command(
        link,
        "add",
        examples=(
            "sharegate link add k7f2 --for Cy --email cy@example.org",
            "sharegate link add week3 --anyone --visits 20",
            "sharegate link add k7f2 --roster class.csv --out links.csv",
            "sharegate link add k7f2 --roster class.csv --send",
        ),
    )(add_link)
    command(link, "send", examples=("sharegate link send k7f2", "sharegate link send k7f2.a --again"))(send)
    examples = (
        "sharegate link code k7f2",
        "sharegate link code k7f2.a --code-for 45m",
        "sharegate link code k7f2.a --end",
    )
    command(link, "code", examples=examples)(code)
    app.add_typer(link, name="link", rich_help_panel=PANEL)


async def add_link(
    cli: Cli,
    ref: OfShare,
    person: Annotated[str | None, typer.Option("--for", metavar="NAME", help="Whom the link is for.")] = None,
    anyone: Annotated[bool, typer.Option("--anyone", help="One link for whoever has it.")] = False,
    roster: rosters.RosterFile = None,
    visits: Annotated[
        int | None, typer.Option("--visits", metavar="N", min=1, help="How many people the link lets in at a time.")
    ] = None,
    devices: Annotated[
        int, typer.Option("--devices", metavar="N", min=0, help="How many devices a person may use.")
    ] = 3,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="WHEN", help="Until when; at the latest with the share.")
    ] = None,
    to: Annotated[
        str, typer.Option("--to", metavar="ADDRESS", help="Where the link is sent to; it asks for no proof of that.")
    ] = "",
    ask: Annotated[bool, typer.Option("--ask", help="Everybody knocks, and you let them in one by one.")] = False,
    networks: asking.Networks = None,
    opens: asking.From = None,
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Whoever opens it types a passphrase.")] = False,
    email: asking.Email = None,
    domain: asking.Domain = None,
    account: asking.Account = None,
    prove: rosters.Prove = None,
    out: rosters.Out = None,
    force: rosters.Force = False,
    send: rosters.Send = False,
    dry_run: rosters.DryRun = False,
    no_qr: NoQr = False,
) -> None:
    """Add a link to a share: for one person, for anyone, or one for each person of a list.

    Of a list, whoever has a link already is let alone: the same list again adds only who is new.
    """
    if sum((person is not None, anyone, roster is not None)) > 1:
        raise Usage("--for", "a link is for one person, for anyone, or for each of a list", "Say one of them")
    of_list = {"--out": out is not None, "--prove": prove is not None, "--dry-run": dry_run}
    if roster is None and (said := [option for option, given in of_list.items() if given]):
        raise Usage(said[0], "is for a list of people", "Add --roster FILE.csv")
    if send and anyone:
        raise Usage("--send", "a link for anyone has no address", "Send it yourself")
    body: dict[str, Any] = {"devices": devices}
    if expires is not None:
        body["expires"] = moments.parse(expires, now=cli.now(), zone=cli.zone)
    if roster is not None:
        if visits is not None or to or email:
            raise Usage("--roster", "has the addresses, and each link is for one person", "Drop the others")
        body |= {"roster": rosters.roster_text(cli, roster), "prove": prove}
    else:
        body |= {"name": person or "", "anyone": anyone, "visits": visits}
        body |= {"email": to or email} if (to or email) and email != asking.ANY else {}
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
        share = await find(control, ref, "share")
        if roster is not None:
            path = f"shares/{share.id}/roster"
            await rosters.give(cli, control, path, body, out=out, force=force, send=send, dry_run=dry_run)
            return
        answer = await control.call("POST", api_path("shares", share.id, "links"), body=body)
        results = await rosters.send_all(cli, control, [answer["link"]]) if send else []
        if cli.as_json:
            cli.output.document({**answer, "sent": results} if send else answer)
            return
        seen = (await control.call("GET", api_path("shares", share.id)))["share"]
        hand_out(cli, words.gives(seen, answer["link"], cli.now(), cli.zone), answer["link"])
        if not no_qr:
            show_code(cli, answer["link"]["url"], asked=False)
        if send:
            rosters.tell_sent(cli, [answer["link"]], results)


async def code(
    cli: Cli,
    ref: Annotated[str, typer.Argument(metavar="ID", help="A link, or a share that has one link.")],
    code_for: rosters.CodeFor = "2h",
    end: Annotated[bool, typer.Option("--end", help="End it before its time.")] = False,
    no_qr: NoQr = False,
) -> None:
    """Make a short code for a link, to be typed from a wall; the one before stops working.

    It leads to the link's door, where the link asks what it asks of everybody. Whoever has it can stand there until it
    ends, so show it to those who may come in.
    """
    seconds = rosters.code_seconds(cli, code_for)
    async with cli.control() as control:
        found = await find(control, ref, "link", "share")
        id = found.id
        if found.kind == "share":
            links = (await control.call("GET", api_path("shares", found.id)))["share"]["links"]
            standing = [link for link in links if link["state"] == "active"]
            if len(standing) != 1:
                what = f"{found.words} has {words.count(len(standing), 'link')} that work"
                raise Usage("id", what, "Name one, such as k7f2.a: sharegate list")
            id = standing[0]["id"]
        if end:
            answer = await control.call("DELETE", api_path("links", id, "code"))
        else:
            answer = await control.call("POST", api_path("links", id, "code"), body={"seconds": seconds})
        live = control.live
    if cli.as_json:
        cli.output.document(answer)
    elif end:
        cli.output.say("The code opens nothing any more. Whoever is in stays in.")
    else:
        rosters.tell_code(cli, answer, live=live)
        if not no_qr:
            show_code(cli, f"{answer['address']}#{answer['code'].replace(' ', '')}", asked=False)


async def send(
    cli: Cli,
    ref: OfLink,
    again: Annotated[bool, typer.Option("--again", help="Also to those to whom it was sent before.")] = False,
) -> None:
    """Mail a link, or all links of a share, to the people whom they are for.

    What was sent is not sent twice, unless you say --again: asked again, only what failed is tried anew.
    """
    async with cli.control() as control:
        found = await find(control, ref, "link", "share")
        if found.kind == "link":
            links = [(await control.call("GET", api_path("links", found.id)))["link"]]
        else:
            links = (await control.call("GET", api_path("shares", found.id)))["share"]["links"]
        links = [link for link in links if link["kind"] == "person" and link["state"] == "active"]
        if not any(link["email"] for link in links):
            what = f"{found.words} has no address to be sent to"
            raise Usage("id", what, f"Give it one: sharegate change {shown(found.label)} --to ADDRESS")
        results = await rosters.send_all(cli, control, links, again=again)
    if cli.as_json:
        cli.output.document({"sent": results})
        if any(one["outcome"] in ("failed", "unsure") for one in results):
            raise typer.Exit(1)
        return
    rosters.tell_sent(cli, links, results)
