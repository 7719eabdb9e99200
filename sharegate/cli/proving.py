"""`prove`: attack one's own live share as a stranger would, and get a signed receipt; or check a receipt."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from sharegate.cli.command import Cli, command, find
from sharegate.cli.control import Control, Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import FAILED, ApiError, Usage
from sharegate.errors import Invalid, Refused, SharegateError

# Whatever kept a proof from being run to its end: not known is neither well nor broken.
NOT_RUN = 2
_BETWEEN = 0.4
_EACH = 200
# Of a receipt or a key set; what is longer is neither.
_LARGEST = (1 << 20) + 1


def add(app: typer.Typer) -> None:
    command(
        app,
        "prove",
        panel="Look",
        examples=(
            "sharegate prove k7f2",
            "sharegate prove k7f2 --quick --json",
            "sharegate prove lectures/week3 --to week3-proof.json",
            "sharegate prove --verify week3-proof.json",
            "sharegate prove --verify week3-proof.json --jwks jwks.json",
        ),
    )(prove)


async def prove(
    cli: Cli,
    ref: Annotated[str, typer.Argument(metavar="ID", help="A share's short id, or its name.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="The most telling part of the suite, in seconds.")] = False,
    write: Annotated[
        bool,
        typer.Option("--write", help="On a share to edit, also make a file, try to move it out, and remove it."),
    ] = False,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write the receipt to a new file.")] = None,
    verify: Annotated[
        Path | None, typer.Option("--verify", metavar="FILE", help="Check a receipt instead of making one.")
    ] = None,
    jwks: Annotated[
        Path | None,
        typer.Option("--jwks", metavar="FILE", help="With --verify: the key set of the gate that signed."),
    ] = None,
) -> None:
    """Attack your own live share with every known way out, and get a signed receipt.

    The gate opens an own link over the network as a stranger would, asks what must not be answered, and compares every
    answer with what it knows to lie outside. No file of yours is changed. Exit code 0: nothing got out; 1: something
    got out; 2: it could not be run. With --verify 0 is a genuine receipt and 1 one that is not.
    """
    try:
        if verify is not None:
            genuine = await _verify(cli, verify, jwks, ref)
        else:
            if jwks is not None:
                raise Usage("--jwks", "is for --verify", "Name a receipt: --verify FILE")
            if not ref:
                raise Usage("id", "is missing", "Name a share: sharegate prove ID")
            genuine = await _prove(cli, ref, {"quick": quick, "write": write}, to)
    except SharegateError as error:
        cli.fail(error)
        raise typer.Exit(NOT_RUN) from None
    if not genuine:
        raise typer.Exit(FAILED)


async def _prove(cli: Cli, ref: str, asked: Json, to: Path | None) -> bool:
    if to is not None and to.exists():
        raise Invalid("--to", f"{to} exists already", "Name a new file")
    if to is not None:
        # The gate says whether visitors would read it there, before anything is asked.
        asked = {**asked, "to": str(to.absolute())}
    async with cli.control(gate_needed=True) as control:
        found = await find(control, ref, "share")
        answer = await control.call("POST", api_path("shares", found.id, "prove"), body=asked)
        proof = await _over(cli, control, answer["proof"])
    if proof["state"] != "done":
        raise Refused("not_proved", f"the proof could not be run: {shown(proof['problem'], 300)}")
    made = proof["receipt"]
    if to is not None:
        _write(to, made)
    if cli.as_json:
        cli.output.document(made)
    else:
        _tell(cli, f"{found.words}, ", proof["words"])
        kept = f", in {to}." if to else ". --to FILE keeps the receipt."
        cli.output.note(f"Signed with the key {shown(made['kid'])}{kept}")
    return not made["got_out"]


async def _over(cli: Cli, control: Control, proof: Json) -> Json:
    """Wait for the end, telling how far it is. Whoever stops waiting stops the proof."""
    step, told = "", 0
    try:
        while proof["state"] == "running":
            if proof["step"] != step or proof["done"] >= told + _EACH:
                step, told = proof["step"], proof["done"]
                cli.output.note(shown(step) + (f", {told} of {proof['total']}" if proof["total"] else ""))
            await asyncio.sleep(_BETWEEN)
            proof = (await control.call("GET", api_path("proofs", proof["id"])))["proof"]
    except asyncio.CancelledError:
        await control.call("POST", api_path("proofs", proof["id"], "stop"))
        raise
    return proof


def _tell(cli: Cli, whose: str, words: list[str]) -> None:
    for line in words:
        got_out = line.startswith(("GOT OUT", "Does not hold"))
        style = "bold red" if got_out else "dim" if line.startswith("Not covered") else "bold"
        cli.output.say((whose if line == words[0] else "") + shown(line, 500), style)


def _write(to: Path, made: Json) -> None:
    from sharegate.prove import receipt

    data = receipt.to_json(receipt.from_json(json.dumps(made).encode()))
    try:
        handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError as error:
        raise Invalid("--to", f"{to} cannot be written ({error.strerror})", "Name another file") from None


async def _verify(cli: Cli, file: Path, jwks: Path | None, ref: str) -> bool:
    """Whether a receipt is genuine: by the key set of --jwks, else by this gate's own keys."""
    from sharegate.prove import receipt

    if ref:
        raise Usage("--verify", "checks a receipt and needs no share", "Leave out the id")
    found = receipt.from_json(_read("--verify", file))
    try:
        if jwks is not None:
            receipt.check(found, receipt.key_from(_read("--jwks", jwks), found.kid))
        else:
            async with cli.control() as control:
                await control.call("POST", api_path("receipts", "check"), body={"receipt": receipt.plain(found)})
    except (Invalid, ApiError) as error:
        if (error.field if isinstance(error, Invalid) else error.error.get("field")) != "receipt":
            raise
        cli.fail(error)
        return False
    if cli.as_json:
        cli.output.document({"genuine": True, "receipt": receipt.plain(found)})
    else:
        _tell(cli, f"Genuine, of share {shown(found.share)} at {shown(found.address)}, ", receipt.words(found))
    return True


def _read(option: str, file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST)
    except OSError as error:
        raise Invalid(option, f"{file} cannot be read ({error.strerror})", "Name a file that you can read") from None
