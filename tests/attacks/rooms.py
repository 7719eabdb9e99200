"""How viewers try rooms, and what is said in them."""

import sqlite3

from pycrdt import Doc, Text, create_update_message

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState
from tests.gatehouse import Inside, Reply
from tests.real.jupyter import JupyterServer

NEW_ID = "00000000-0000-4000-8000-000000000000"
OTHER_ID = "00000000-0000-4000-8000-00000000abcd"


def indexed(jupyter: JupyterServer) -> dict[str, str]:
    """Path by id, as the server's file id manager has them on its disk."""
    database = sqlite3.connect(f"file:{jupyter.root.parent / 'data' / 'file_id_manager.db'}?mode=ro", uri=True)
    try:
        return dict(database.execute("SELECT id, path FROM Files"))
    finally:
        database.close()


def told(reply: Reply) -> str:
    """A refusal without its random id and the date."""
    error = dict(reply.json["error"])
    assert len(error.pop("id")) == 8
    kept = sorted((key, value) for key, value in reply.headers if key.lower() != "date")
    return f"{reply.status} {kept} {error}"


def upgrade_fields(inside: Inside, **changed: str) -> dict[str, str]:
    fields = {
        **inside.manners("GET"),
        "Origin": inside.gate.origin,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return {**fields, **changed}


async def try_room(inside: Inside, room: str) -> Reply:
    return await inside.gate.raw("GET", f"{inside.base}api/collaboration/room/{room}", upgrade_fields(inside))


def injection(words: str) -> bytes:
    doc: Doc = Doc()
    doc["source"] = Text(words)
    return create_update_message(doc.get_update())


def said(client: int, state: object) -> bytes:
    return frames.write(Awareness((AwarenessState(client, 2**31, state),))).data
