"""Servers over https: whose certificate is believed, and what those get who have another one."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest

from sharegate.errors import Denied, Faults, Invalid, Reason, Unreachable
from sharegate.upstream.forward import AiohttpForwarder
from sharegate.upstream.interfaces import Outgoing
from sharegate.upstream.model import Upstream
from sharegate.upstream.servers import OwnerServers
from sharegate.upstream.trust import trust
from tests.real.certificates import Authority, Pair
from tests.upstream.scripted import ok, saying, scripted

GET = Outgoing("GET", "x")
DAY = datetime.timedelta(days=1)


def serving(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


async def test_a_server_whose_authority_the_owner_named(tmp_path: Path) -> None:
    """It is asked, with the credential, over a connection that is used again."""
    pair = Authority(tmp_path).leaf()
    async with (
        AiohttpForwarder(trust=trust(pair.ca)) as forwarder,
        scripted(saying(ok(b"hello")), tls=serving(pair)) as server,
    ):
        for _ in range(2):
            assert await (await forwarder.forward(server.upstream, GET)).read(100) == b"hello"

    assert server.connections == 1
    assert ("authorization", f"token {server.upstream.token.secret}") in server.fields()


def certificates(folder: Path) -> dict[str, tuple[Pair, Path]]:
    """What a server shows, and the authority that the owner named."""
    ours, others = Authority(folder / "ours"), Authority(folder / "others")
    return {
        "another authority's": (others.leaf(), ours.ca),
        "another name's": (ours.leaf("name", ("other.example",)), ours.ca),
        "one that has expired": (ours.leaf("old", begins=-9 * DAY, lasts=DAY), ours.ca),
        "one that is not valid yet": (ours.leaf("new", begins=9 * DAY, lasts=DAY), ours.ca),
    }


@pytest.mark.parametrize(
    "wrong", ["another authority's", "another name's", "one that has expired", "one that is not valid yet"]
)
async def test_attack_a_wrong_certificate(tmp_path: Path, wrong: str) -> None:
    """Somebody else's server: not one byte of a request is sent, and the credential least of all."""
    pair, authority = certificates(tmp_path)[wrong]
    async with (
        AiohttpForwarder(trust=trust(authority)) as forwarder,
        scripted(saying(ok()), tls=serving(pair)) as server,
    ):
        for send in (forwarder.forward, forwarder.connect):
            with pytest.raises(Denied) as caught:
                await send(server.upstream, GET)
            assert caught.value.reason is Reason.UPSTREAM_NOT_OURS

    assert server.heads == []


async def test_attack_a_private_authority_that_nobody_named(tmp_path: Path) -> None:
    """The system's authorities count when the owner named none."""
    async with (
        AiohttpForwarder(trust=trust(None)) as forwarder,
        scripted(saying(ok()), tls=serving(Authority(tmp_path).leaf())) as server,
    ):
        with pytest.raises(Denied) as caught:
            await forwarder.forward(server.upstream, GET)

    assert caught.value.reason is Reason.UPSTREAM_NOT_OURS
    assert server.heads == []


async def test_a_server_without_tls_where_https_was_said(tmp_path: Path) -> None:
    """Not asked in plain text instead."""
    authority = Authority(tmp_path)
    async with AiohttpForwarder(trust=trust(authority.ca)) as forwarder, scripted(saying(ok())) as server:
        server.scheme = "https"
        with pytest.raises(Denied) as caught:
            await forwarder.forward(server.upstream, GET)

    assert caught.value.reason in (Reason.UPSTREAM_BAD_ANSWER, Reason.UPSTREAM_AWAY)
    assert not any(b"Authorization" in head for head in server.heads)


class _Nothing:
    async def upstreams(self) -> list[Upstream]:
        return []

    async def put_upstream(self, upstream: Upstream) -> None:
        raise AssertionError("recorded")

    async def remove_upstream(self, id: str) -> None:
        raise AssertionError("removed")


async def test_the_owner_is_told_which_setting_is_missing(tmp_path: Path) -> None:
    """Recording such a server fails with the remedy."""
    async with (
        AiohttpForwarder() as forwarder,
        scripted(saying(ok()), tls=serving(Authority(tmp_path).leaf())) as server,
    ):
        servers = OwnerServers(_Nothing(), forwarder, "Olga")
        with pytest.raises(Unreachable, match="upstream_ca"):
            await servers.add(server.upstream.url, "token", "", "")


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_that_holds_no_authority_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    """Named with its problem and remedy before anything starts."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Faults) as caught:
        trust(file)
    (fault,) = caught.value.faults

    assert isinstance(fault, Invalid) and fault.field == "upstream_ca" and fault.remedy
