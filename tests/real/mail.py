"""A real SMTP server (aiosmtpd) in a thread of its own, that keeps what it takes. Tests only."""

from __future__ import annotations

import asyncio
import contextlib
import email
import ssl
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from sharegate.mail.model import Security
from tests.real.certificates import Pair
from tests.real.jupyter import free_port


@dataclass(frozen=True)
class Taken:
    """One message as the server has it, with what was said before it."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def mail(self) -> EmailMessage:
        read = email.message_from_bytes(self.raw, policy=default)
        assert isinstance(read, EmailMessage)
        return read

    @property
    def text(self) -> str:
        return str(self.mail.get_content()).replace("\r\n", "\n")


@dataclass
class MailServerHere:
    """`refuses` are answers in place of the usual one: for `MAIL`, `DATA`, or an address as recipient."""

    port: int
    login: tuple[str, str] | None = None
    refuses: dict[str, str] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    hello: list[str] = field(default_factory=list)
    logins: int = 0

    # -- what aiosmtpd asks -----------------------------------------------------------------------------------------

    async def handle_EHLO(
        self, server: SMTP, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.hello.append(hostname)
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if "MAIL" in self.refuses:
            return self.refuses["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        if "DATA" in self.refuses:
            return self.refuses["DATA"]
        self.taken.append(Taken(envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return "250 taken"

    def authenticate(self, server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins += 1
        known = (data.login.decode(), data.password.decode()) == self.login
        return AuthResult(success=known, handled=known)

    # -- what tests ask ---------------------------------------------------------------------------------------------

    async def next(self, seconds: float = 25.0) -> Taken:
        """The oldest message that was not taken out yet."""
        async with asyncio.timeout(seconds):
            while not self.taken:
                await asyncio.sleep(0.01)
        return self.taken.pop(0)


class _Thread(threading.Thread):
    """The server's own event loop: the library works on the plain one only."""

    def __init__(self, handler: MailServerHere, security: Security, context: ssl.SSLContext | None) -> None:
        super().__init__(name="mail server", daemon=True)
        self.listening = threading.Event()
        self._handler, self._security, self._context = handler, security, context

    def run(self) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._serve())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self.join(30)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        context = self._context if self._security is Security.TLS else None
        server = await self._loop.create_server(self._session, "127.0.0.1", self._handler.port, ssl=context)
        self.listening.set()
        await self._over.wait()
        server.close()

    def _session(self) -> SMTP:
        starts = self._security is Security.STARTTLS
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library warns of logins without TLS, and knows only STARTTLS
            return self._made(starts)

    def _made(self, starts: bool) -> SMTP:
        return SMTP(
            self._handler,
            hostname="mail.example.org",
            ident="a mail server",
            authenticator=self._handler.authenticate,
            auth_required=self._handler.login is not None,
            auth_require_tls=starts,
            tls_context=self._context if starts else None,
            require_starttls=starts,
            loop=self._loop,
        )


@contextlib.contextmanager
def running_mail(
    security: Security = Security.NONE, pair: Pair | None = None, login: tuple[str, str] | None = None
) -> Iterator[MailServerHere]:
    """Listens on a free port of the loopback address until the context ends."""
    context = None
    if pair is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
    server = MailServerHere(free_port(), login)
    thread = _Thread(server, security, context)
    thread.start()
    assert thread.listening.wait(30)
    try:
        yield server
    finally:
        thread.stop()
