"""TLS at the gate, on the wire: what is spoken, what is not, and a certificate that is renewed while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509

from sharegate.errors import Faults
from sharegate.listener import http, tls
from sharegate.listener.http import Listener
from sharegate.listener.tls import Certificates, check_files
from sharegate.messages import Answer, Request, Response
from tests.real.certificates import Authority, Pair

HOST = ("share.example.org",)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def certificates(pair: Pair) -> Certificates:
    return Certificates(pair.certificate, pair.key, HOST, time.time)


@contextlib.asynccontextmanager
async def listening(
    tls: ssl.SSLContext, seen: list[Request] | None = None, answer: Answer | None = None
) -> AsyncIterator[int]:
    async def handle(request: Request) -> Answer:
        if seen is not None:
            seen.append(request)
        return answer or Response(200, (), b"done")

    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    listener = Listener(handle)
    await listener.start(bound, tls)
    try:
        yield bound.getsockname()[1]
    finally:
        await listener.stop()


async def connect(
    port: int, trusted: ssl.SSLContext, name: str | None = "share.example.org"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname=name)


async def serial(port: int, trusted: ssl.SSLContext, name: str = "share.example.org") -> int:
    """Of the certificate that a new connection gets."""
    _, writer = await connect(port, trusted, name)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return x509.load_der_x509_certificate(found).serial_number


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """One request on a connection that stays."""
    writer.write(b"GET / HTTP/1.1\r\nHost: share.example.org\r\n\r\n")
    async with asyncio.timeout(25):
        return await reader.readuntil(b"done")


async def test_a_stalled_reader_holds_the_stream_back_and_is_dropped_when_it_is_cut(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more is pulled than the connection takes, and the end of a visit ends it at once: nobody waits for a farewell
    of a visitor who does not read."""
    monkeypatch.setattr(http, "FAREWELL_SECONDS", 3600)
    pair = authority.leaf()
    pulled = 0
    begun, end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal pulled
        while pulled < 200_000_000:
            pulled += 65536
            begun.set()
            yield b"x" * 65536

    async def done() -> None:
        ended.set()

    async with listening(certificates(pair).context, answer=Response(200, (), pieces(), done, end.wait)) as port:
        reader, writer = await connect(port, pair.trusted())
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET / HTTP/1.1\r\nHost: share.example.org\r\n\r\n")
        await begun.wait()
        before = -1
        while before != pulled:
            before = pulled
            for _ in range(200):
                await asyncio.sleep(0)
        assert pulled < 50_000_000 and not ended.is_set()
        end.set()
        async with asyncio.timeout(25):
            await ended.wait()
        writer.transport.abort()
    assert reader is not None


def replaced(pair: Pair, fresh: Pair) -> None:
    """As a renewal does it: the new files in the place of the old."""
    os.replace(fresh.certificate, pair.certificate)
    os.replace(fresh.key, pair.key)


async def test_a_request_over_tls_arrives_as_https(authority: Authority) -> None:
    """With the visitor's address; TLS 1.3, and HTTP/1.1 also where a client would rather speak something newer."""
    pair, seen = authority.leaf(), list[Request]()
    assert certificates(pair).context.minimum_version is ssl.TLSVersion.TLSv1_2
    trusted = pair.trusted()
    trusted.set_alpn_protocols(["h2", "http/1.1"])
    async with listening(certificates(pair).context, seen) as port:
        reader, writer = await connect(port, trusted)
        assert (await ask(reader, writer)).startswith(b"HTTP/1.1 200")
        connection = writer.get_extra_info("ssl_object")
        assert connection.version() == "TLSv1.3"
        assert connection.selected_alpn_protocol() == "http/1.1"
        writer.close()
    assert [(request.scheme, request.peer) for request in seen] == [("https", "127.0.0.1")]


@pytest.mark.parametrize(
    ("version", "ciphers", "spoken"),
    [
        (ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+CHACHA20", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_1, "DEFAULT@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1, "DEFAULT@SECLEVEL=0", False),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_and_ciphers_are_not_spoken(
    authority: Authority, version: ssl.TLSVersion, ciphers: str, spoken: bool
) -> None:
    """TLS 1.2 with forward secrecy and authenticated encryption is the least."""
    pair = authority.leaf()
    trusted = pair.trusted()
    trusted.set_ciphers(ciphers)
    trusted.minimum_version = trusted.maximum_version = version
    async with listening(certificates(pair).context) as port:
        if not spoken:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await connect(port, trusted)
            return
        reader, writer = await connect(port, trusted)
        assert b"200" in await ask(reader, writer)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
        writer.close()


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\nHost: share.example.org\r\n\r\n", b"\x00" * 50, b"\x16\x03\x01\x00\x05hello", b"SSH-2.0\r\n"],
)
async def test_who_speaks_something_else_is_dropped(
    authority: Authority, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, without an answer in the clear, and the next one is served."""
    monkeypatch.setattr(http, "HANDSHAKE_SECONDS", 3600)
    pair, seen = authority.leaf(), list[Request]()
    async with listening(certificates(pair).context, seen) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        async with asyncio.timeout(25):
            with contextlib.suppress(ConnectionError):
                assert b"HTTP" not in await reader.read()
        writer.close()
        assert seen == []
        reader, writer = await connect(port, pair.trusted())
        assert b"200" in await ask(reader, writer)
        writer.close()


async def test_who_says_nothing_is_dropped(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handshake that does not come to its end has a limit, whether it began or not."""
    monkeypatch.setattr(http, "HANDSHAKE_SECONDS", 0.2)
    pair = authority.leaf()
    async with listening(certificates(pair).context) as port:
        for said in (b"", b"\x16\x03\x01\x02\x00\x01"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            async with asyncio.timeout(25):
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()


async def test_a_first_request_that_does_not_come_ends_the_connection(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit for a head begins with the end of the handshake."""
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.2)
    pair = authority.leaf()
    async with listening(certificates(pair).context) as port:
        reader, writer = await connect(port, pair.trusted())
        async with asyncio.timeout(25):
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                assert await reader.read() == b""
        writer.close()


async def test_a_renewed_certificate_is_for_new_connections(authority: Authority) -> None:
    """Those that are open live on with the one they know."""
    pair = authority.leaf()
    before, trusted = pair.serial, pair.trusted()
    served = certificates(pair)
    async with listening(served.context) as port:
        open_one = await connect(port, trusted)
        assert await serial(port, trusted) == before
        await served.look()
        assert await serial(port, trusted) == before
        fresh = authority.leaf("fresh")
        after = fresh.serial
        replaced(pair, fresh)
        await served.look()
        assert await serial(port, trusted) == after != before
        # An address instead of a name: no name is told in the handshake.
        assert await serial(port, trusted, "127.0.0.1") == after
        assert b"200" in await ask(*open_one)
        open_one[1].close()
    assert served.problems == ()


async def test_a_link_to_other_files_is_a_change(authority: Authority, tmp_path: Path) -> None:
    """Renewal by links, as certbot and Kubernetes do it."""
    one, other = authority.leaf("one"), authority.leaf("other")
    certificate, key = tmp_path / "live.pem", tmp_path / "live-key.pem"
    certificate.symlink_to(one.certificate)
    key.symlink_to(one.key)
    served = Certificates(certificate, key, HOST, time.time)
    async with listening(served.context) as port:
        for path, to in ((certificate, other.certificate), (key, other.key)):
            (tmp_path / "new").symlink_to(to)
            os.replace(tmp_path / "new", path)
        await served.look()
        assert await serial(port, one.trusted()) == other.serial


@pytest.mark.parametrize("harm", ["certificate only", "garbage", "gone", "expired", "other name", "open to all"])
async def test_a_broken_renewal_keeps_the_pair_before(
    authority: Authority, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Never a gate without TLS, and never half a pair; told once, when it stays so; mended, it is taken up."""
    pair = authority.leaf()
    before = pair.serial
    served = certificates(pair)
    day = datetime.timedelta(days=1)
    match harm:
        case "certificate only":
            os.replace(authority.leaf("fresh").certificate, pair.certificate)
        case "garbage":
            pair.certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        case "gone":
            pair.key.unlink()
        case "expired":
            replaced(pair, authority.leaf("fresh", begins=-9 * day, lasts=3 * day))
        case "other name":
            replaced(pair, authority.leaf("fresh", ("elsewhere.example",)))
        case _:
            replaced(pair, authority.leaf("fresh"))
            pair.key.chmod(0o644)
    async with listening(served.context) as port:
        await served.look()
        assert served.problems == ()
        assert await serial(port, pair.trusted()) == before
        with caplog.at_level(logging.ERROR, "sharegate.listener"):
            for _ in range(3):
                await served.look()
        assert len(served.problems) == 1 and len(caplog.records) == 1
        assert "PRIVATE" not in caplog.text.replace("-----BEGIN PRIVATE KEY-----", "")
        assert await serial(port, pair.trusted()) == before
        fresh = authority.leaf("mended")
        after = fresh.serial
        replaced(pair, fresh)
        await served.look()
        assert served.problems == ()
        assert await serial(port, pair.trusted()) == after


async def test_files_that_come_back_are_no_problem_any_more(authority: Authority) -> None:
    """Also the same pair as before."""
    pair = authority.leaf()
    served = certificates(pair)
    kept = pair.key.read_bytes()
    pair.key.write_bytes(b"")
    await served.look()
    await served.look()
    assert served.problems
    pair.key.write_bytes(kept)
    await served.look()
    assert served.problems == ()


def faults(certificate: Path, key: Path) -> list[str]:
    with pytest.raises(Faults) as caught:
        check_files(certificate, key, HOST, time.time())
    assert all(fault.remedy for fault in caught.value.faults)
    return [f"{fault.field}: {fault.problem}" for fault in caught.value.faults]


def test_files_that_cannot_be_used_are_faults(authority: Authority, tmp_path: Path) -> None:
    """Not there, a folder, a pipe, a file without end, a path that is none: each by its setting, and no traceback."""
    pair = authority.leaf()
    assert faults(tmp_path / "none", tmp_path / "neither") == [
        f"tls_certificate: there is no {tmp_path / 'none'}",
        f"tls_key: there is no {tmp_path / 'neither'}",
    ]
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        assert faults(pair.certificate, odd) == [f"tls_key: {odd} is no file of a certificate or key"]
    assert "cannot be read" in faults(Path("a\0b"), pair.key)[0]


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o602, 0o601, 0o644, 0o666])
def test_a_key_that_others_can_read_is_a_fault(authority: Authority, mode: int) -> None:
    """With the command that mends it."""
    pair = authority.leaf()
    pair.key.chmod(mode)
    assert faults(pair.certificate, pair.key) == [f"tls_key: {pair.key} can be read or changed by others"]


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_key_of_this_account_or_its_group_is_none(authority: Authority, mode: int) -> None:
    """Debian keeps keys for a group."""
    pair = authority.leaf()
    pair.key.chmod(mode)
    assert check_files(pair.certificate, pair.key, HOST, time.time()).names


async def test_attack_the_watch_goes_on_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is raised within a look: the next one comes."""
    looked: list[int] = []
    again = asyncio.Event()

    async def look(self: Certificates) -> None:
        looked.append(1)
        if len(looked) == 1:
            raise KeyError("something nobody thought of")
        again.set()

    monkeypatch.setattr(tls, "WATCH_SECONDS", 0.0)
    monkeypatch.setattr(Certificates, "look", look)
    watching = asyncio.ensure_future(Certificates.__new__(Certificates).watch())
    async with asyncio.timeout(25):
        await again.wait()
    watching.cancel()
