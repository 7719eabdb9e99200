"""The ids by which a server knows its files whatever they are called, and live documents with them
(jupyter_server_fileid)."""

from __future__ import annotations

import msgspec

from sharegate.confine.answer import check_status
from sharegate.errors import Denied, Reason
from sharegate.paths import CanonicalPath
from sharegate.upstream.interfaces import Forwarder, Outgoing
from sharegate.upstream.model import Upstream

_LIMIT = 1 << 20


class _Answer(msgspec.Struct):
    id: str


class Ids:
    """Asks one server at a time; every method raises Denied(`upstream_…`) when it does not answer properly."""

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder

    async def of(self, upstream: Upstream, path: CanonicalPath) -> str:
        """Of what stands there now; "" where the server has given none."""
        # Our asking must not look like work to whoever stops idle servers (APIHandler.update_api_activity).
        query = (("path", str(path)), ("no_track_activity", "1"))
        answer = await self._forwarder.forward(upstream, Outgoing("GET", "api/fileid/id", query))
        data = await answer.read(_LIMIT)
        if answer.status == 404:
            return ""
        check_status(answer.status, reading=True, sent=())
        try:
            return msgspec.json.decode(data, type=_Answer).id
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):  # fails closed
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, "not an id") from None

    async def give(self, upstream: Upstream, folder: CanonicalPath) -> None:
        """Without an id of its own a folder that is renamed leaves those of what is in it behind
        (BaseFileIdManager.move)."""
        answer = await self._forwarder.forward(
            upstream,
            Outgoing(
                "PUT",
                f"api/collaboration/session/{folder.encoded}",
                headers=(("content-type", "application/json"),),
                body=b'{"format":"text","type":"file"}',
            ),
        )
        await answer.read(_LIMIT)
        if answer.status != 404:  # a server without live documents
            check_status(answer.status, reading=True, sent=())
