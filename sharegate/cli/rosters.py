"""Links for everybody of a roster: its file is read, what was made is shown, written for a mail merge, and sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from sharegate.cli import asking, moments, words
from sharegate.cli.command import Cli
from sharegate.cli.control import Control, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import FAILED, ApiError, Usage
from sharegate.errors import Unreachable
from sharegate.rosters.sheet import merge
from sharegate.rosters.text import MOST_BYTES, decode
from sharegate.shares.asking import of_one

Json = dict[str, Any]
# Mail servers take several at a time; a slow one keeps the rest waiting no longer than it must.
_AT_ONCE = 4

RosterFile = Annotated[
    Path | None,
    typer.Option(
        "--roster",
        metavar="FILE.csv",
        help="A link for each person of this list: columns name, email, account; for teams team.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.csv", help="Write name, email and link of each there, for a mail merge."),
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")]
Send = Annotated[bool, typer.Option("--send", help="Mail each person their link, once.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With --roster: tell who would get a link, and make nothing.")]
Prove = Annotated[
    bool | None,
    typer.Option(
        "--prove/--no-prove",
        help="Whoever opens it types a code mailed to its address. Default: where this gate sends mail and nobody "
        "signs in.",
    ),
]


CodeFor = Annotated[
    str, typer.Option("--code-for", metavar="HOW LONG", help="How long the short code works: 45m, 2h; at most a day.")
]


def code_seconds(cli: Cli, code_for: str) -> float:
    """Raises Usage, Invalid."""
    now = cli.now()
    return moments.parse(code_for, now=now, zone=cli.zone, field="--code-for") - now


def tell_code(cli: Cli, answer: Json, *, live: bool) -> None:
    until = moments.echo(float(answer["expires"]), now=cli.now(), zone=cli.zone)
    if not cli.output.terminal:
        cli.output.say(str(answer["code"]))
    else:
        cli.output.say()
        cli.output.say(f"  {answer['code']}", "bold")
        cli.output.say()
    cli.output.note(f"Type it at {answer['address']} until {until}. It leads to the door, and nothing else.")
    if not live:
        cli.output.warn("No gate is running: nobody can enter until `sharegate up` runs.")


def roster_text(cli: Cli, file: Path) -> str:
    """Raises Usage for what cannot be read, Invalid for what is no text."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Usage("--roster", f"{file} cannot be read ({error.strerror})", "Name a CSV file") from None
    text, note = decode(data, "--roster")
    if note:
        cli.output.warn(note)
    return text


@contextlib.contextmanager
def written(out: Path | None, *, force: bool) -> Iterator[Any]:
    """A function that writes the file, in one piece and readable by its owner alone. Whether that can be done is found
    out before anything is made. Raises Usage."""
    if out is None:
        yield lambda text: None
        return
    if not force and os.path.lexists(out):
        raise Usage("--out", f"{out} is there already", "Name another file, or say --force")
    beside = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        place = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Usage("--out", f"{out} cannot be written ({error.strerror})", "Name a file that can be") from None

    def write(text: str) -> None:
        try:
            with os.fdopen(os.dup(place), "w", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            what = f"{out} cannot be written ({error.strerror}); the links are made"
            raise Usage("--out", what, "Ask again with another file: nothing is doubled") from None
        if force:
            os.replace(beside, out)
            return
        try:
            os.link(beside, out)
        except FileExistsError:
            raise Usage("--out", f"{out} is there by now", "Ask again with another file: nothing is doubled") from None

    try:
        yield write
    finally:
        os.close(place)
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def body_of(body: Json, text: str, prove: bool | None, *, each: bool) -> Json:
    """What is asked for when one share is, as it is asked for a roster."""
    alone = {"for", "anyone", "visits", *(("path", "name", "open_file") if each else ())}
    found = {name: value for name, value in body.items() if name not in alone} | {"roster": text, "prove": prove}
    return found | {"each": body["path"]} if each else found


def standing(links: list[Json]) -> list[Json]:
    return [link for link in links if link["state"] in ("active", "paused")]


def tell(cli: Cli, answer: Json) -> None:
    """One share and the links of its people."""
    share, made, known = answer["share"], answer["made"], answer["known"]
    if not answer["done"]:
        _tell_people(cli, answer)
    if not answer["fresh"]:
        cli.output.note(f"{share['label']} shares {words.folder(share)} already: it stays as it is.")
    if answer["done"]:
        _table(cli, made, known)
    if known:
        gone = len(known) - len(standing(known))
        ended = f", {gone} of them ended: those are not made again" if gone else ""
        cli.output.note(f"{words.count(len(answer['new']), 'new link')}; {len(known)} had one{ended}.")
    _asks(cli, answer, made)
    for warning in answer["warnings"]:
        cli.output.warn(shown(warning))


def _tell_people(cli: Cli, answer: Json) -> None:
    """Who stands in the list, by rows."""
    rows = [(str(one["row"]), shown(one["name"]) or "-", shown(one["email"]) or "-") for one in answer["people"]]
    cli.output.table(("ROW", "NAME", "EMAIL"), rows)


def tell_teams(cli: Cli, answer: Json) -> None:
    for team in answer["teams"]:
        share = team["share"]
        done = f"{share['label']}: " if share else ""
        people = words.count(len(team["people"]), "person", "people")
        cli.output.say(f"{done}{shown(team['path'])} for team {shown(team['team'], 60)}, {people}", "bold")
        _table(cli, team["made"], team["known"])
    unmatched(cli, answer)
    _asks(cli, answer, [link for team in answer["teams"] for link in team["made"]])
    for warning in answer["warnings"]:
        cli.output.warn(shown(warning))


def unmatched(cli: Cli, answer: Json) -> None:
    for missing in answer["missing"]:
        cli.output.warn(f"There is no folder {shown(missing['team'], 60)} (row {missing['row']} and perhaps others).")
    for left in answer["left"]:
        cli.output.warn(f"Nobody is in the folder {shown(left, 60)}.")


def _table(cli: Cli, made: list[Json], known: list[Json]) -> None:
    if not cli.output.terminal:
        for link in [*made, *standing(known)]:
            cli.output.say(str(link["url"]))
        return
    rows = [(link["label"], words.whom(link), shown(link["email"]) or "-", "new", link["url"]) for link in made]
    rows += [(link["label"], words.whom(link), shown(link["email"]) or "-", link["state"], "") for link in known]
    cli.output.table(("LINK", "FOR", "EMAIL", "", "ADDRESS"), rows)


def _asks(cli: Cli, answer: Json, made: list[Json]) -> None:
    if answer["proves"]:
        cli.output.note("Whoever opens a link types a code that is mailed to its address. Without that: --no-prove")
    accounts = {str(link["account"]) for link in made}
    own = any(of_one(account) for account in accounts)
    if own:
        some = "each link" if all(accounts) else "a link with an account"
        cli.output.note(f"Whoever opens {some} signs in with the account that it is for.")
    more = {"recipient": "", **({"account": ""} if own else {})}
    if made and (found := asking.conditions(made[0] | more, cli.now(), cli.zone)):
        cli.output.note(f"Conditions of each link: {', '.join(found)}.")


async def send_all(cli: Cli, control: Control, links: list[Json], *, again: bool = False) -> list[Json]:
    """Each result as the API tells it; who has no address is left out. What fails for one stays with that one."""
    wanted = [link for link in links if link["email"] and link["state"] == "active" and link["kind"] == "person"]
    results: dict[str, Json] = {}
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(link: Json) -> None:
        async with room:
            try:
                found = await control.call("POST", api_path("links", link["id"], "send"), body={"again": again})
            except ApiError as error:
                if error.error.get("code") == "mail_off":
                    raise
                problem = {"why": str(error), "remedy": str(error.error.get("remedy", ""))}
                found = {"link": link, "outcome": "failed", **problem}
            except Unreachable as error:
                found = {"link": link, "outcome": "failed", "why": str(error), "remedy": "See: sharegate list"}
            results[link["id"]] = found
            if found["outcome"] != "already":
                cli.output.note(f"{len(results)} of {len(wanted)}: {shown(link['email'])} {_RESULT[found['outcome']]}")

    await asyncio.gather(*(one(link) for link in wanted))
    return [results[link["id"]] for link in wanted]


_RESULT = {
    "sent": "sent",
    "already": "was sent before",
    "unsure": "may have been sent before",
    "failed": "not sent",
}


def tell_sent(cli: Cli, links: list[Json], results: list[Json]) -> None:
    """Ends the command with 1 where one was not sent, or nobody knows."""
    sent = sum(one["outcome"] == "sent" for one in results)
    already = sum(one["outcome"] == "already" for one in results)
    failed = [one for one in results if one["outcome"] == "failed"]
    unsure = [one for one in results if one["outcome"] == "unsure"]
    without = sum(not link["email"] for link in links)
    told = [f"{sent} sent"]
    told += [f"{already} had theirs"] if already else []
    told += [f"{without} without an address"] if without else []
    told += [f"{len(unsure)} may not have theirs"] if unsure else []
    told += [f"{len(failed)} not sent"] if failed else []
    cli.output.say(", ".join(told) + ".")
    for one in unsure:
        cli.output.warn(
            f"{words.whom(one['link'])}, {shown(one['link']['email'])}: it was being sent when the gate or the mail "
            f"server stopped. Ask whether it arrived; if not: sharegate link send {one['link']['label']} --again"
        )
    for one in failed:
        cli.output.warn(
            f"{words.whom(one['link'])}, {shown(one['link']['email'])}: {_RESULT[one['outcome']]}, {shown(one['why'])}."
            + (f" {shown(one['remedy'])}." if one["remedy"] else "")
        )
    if failed:
        cli.output.note("Asked again, only those that were not sent are sent: sharegate link send SHARE")
    if failed or unsure:
        raise typer.Exit(FAILED)


def merged(answer: Json) -> str:
    """All standing links as CSV."""
    if "teams" in answer:
        links = [link for team in answer["teams"] for link in [*team["made"], *standing(team["known"])]]
        teams = {team["share"]["id"]: team["team"] for team in answer["teams"] if team["share"]}
        return merge(links, teams=teams)
    return merge([*answer["made"], *standing(answer["known"])])


async def give(
    cli: Cli,
    control: Control,
    path: str,
    body: Json,
    *,
    out: Path | None,
    force: bool,
    send: bool,
    partial: bool = False,
    dry_run: bool = False,
) -> None:
    """Ask for it at `path` of the API, tell it, write it down, send it. For teams what does not match is told first."""
    teams = path == "rosters/teams"
    with written(None if dry_run else out, force=force) as write:
        if teams or dry_run:
            tried = await control.call("POST", api_path(*path.split("/")), body={**body, "dry_run": True})
            if dry_run:
                if cli.as_json:
                    cli.output.document(tried)
                else:
                    (tell_teams if teams else tell)(cli, tried)
                    cli.output.note("Nothing was made.")
                return
        if teams:
            if (tried["left"] or tried["missing"]) and not partial:
                if not cli.as_json:
                    unmatched(cli, tried)
                    cli.confirm("The rest of the teams get their folders.")
                partial = not cli.as_json
            body = {**body, "partial": partial}
        answer = await control.call("POST", api_path(*path.split("/")), body=body)
        write(merged(answer))
    links = (
        [link for team in answer["teams"] for link in [*team["made"], *team["known"]]]
        if teams
        else [*answer["made"], *answer["known"]]
    )
    if not cli.as_json:
        (tell_teams if teams else tell)(cli, answer)
        if out is not None:
            cli.output.note(f"Written for you alone: {out}. Whoever has it can enter by each of these links.")
    if not send:
        if cli.as_json:
            cli.output.document(answer)
        elif any(link["email"] and link["sent"] is None for link in standing(links)):
            cli.output.note("Not sent to anybody yet: sharegate link send SHARE, or --send")
        return
    results = await send_all(cli, control, standing(links))
    if cli.as_json:
        cli.output.document({**answer, "sent": results})
        if any(one["outcome"] in ("failed", "unsure") for one in results):
            raise typer.Exit(FAILED)
        return
    tell_sent(cli, standing(links), results)
