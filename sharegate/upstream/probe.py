"""Asking a server what it is: reachable, which version, whether the token fits, whether it collaborates."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from sharegate.errors import Denied, Reason
from sharegate.upstream.interfaces import Forwarder, Incoming, Outgoing
from sharegate.upstream.model import Credential, Upstream

_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Probe:
    """`version` is jupyter-server's. `admitted`: it takes the token. `collaboration`: it has the routes of
    jupyter-collaboration (a page may still have it switched off, `YDocExtension.disable_rtc`)."""

    version: str
    admitted: bool
    collaboration: bool


class _Version(msgspec.Struct):
    version: str


async def _discarded(answer: Incoming) -> int:
    await answer.close()
    return answer.status


async def probe(forwarder: Forwarder, upstream: Upstream) -> Probe:
    """Ask a recorded server. Raises Denied(`upstream_away`, `upstream_timeout`, `upstream_not_ours`), and
    Denied(`upstream_bad_answer`) when it is no Jupyter server."""
    # `/api` answers without a token (jupyter_server APIVersionHandler), so nothing secret is sent before it is known
    # that a Jupyter server is there.
    answer = await forwarder.forward(upstream, Outgoing("GET", "api", credential=False))
    data = await answer.read(_LIMIT)
    try:
        if answer.status != 200:
            raise msgspec.ValidationError
        version = msgspec.json.decode(data, type=_Version).version[:64]
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        raise Denied(Reason.UPSTREAM_BAD_ANSWER, "no Jupyter server answers there") from None
    status = await _discarded(await forwarder.forward(upstream, Outgoing("GET", "api/status")))
    # Measured: 200 where the route is registered, 404 where not, without a token and without an effect. A GET would
    # tell the same (405), but leave a warning on the owner's screen.
    route = await _discarded(
        await forwarder.forward(upstream, Outgoing("OPTIONS", "api/collaboration/session/-", credential=False))
    )
    return Probe(version, status == 200, route == 200)


async def probe_url(forwarder: Forwarder, url: str, token: str) -> Probe:
    """`probe` for a server that is not recorded yet."""
    return await probe(forwarder, Upstream(id="", name="", owner="", url=url, token=Credential(token)))
