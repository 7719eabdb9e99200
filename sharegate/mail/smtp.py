"""Mail goes out by SMTP (RFC 5321, 8314, 3207, 4954), over one connection for each message.

A server may hang, drip, refuse, break off or be another than we want: everything together has `seconds`, no more than
`at_once` conversations run, and what went wrong is told as one error of ours (Unsent). A message is handed in once.
When the connection breaks after it was, nobody knows whether it was taken, and it is not sent again.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiosmtplib

from sharegate.errors import Unsent, Why
from sharegate.mail.model import MailServer, Message, Security

log = logging.getLogger("sharegate.mail")

SECONDS = 20.0
AT_ONCE = 8
# More than these wait for their turn no longer than it takes to say so.
WAITING = 32
_LONGEST_TOLD = 160
T = TypeVar("T")


class Smtp:
    """Implements Mailer. `now` is the time of day, for the Date field."""

    def __init__(
        self,
        server: MailServer,
        now: Callable[[], float],
        *,
        seconds: float = SECONDS,
        at_once: int = AT_ONCE,
        waiting: int = WAITING,
    ) -> None:
        self._server = server
        self._now = now
        self._seconds = seconds
        self._places = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._most_waiting = waiting

    async def begin(self) -> Conversation:
        """Raises Unsent."""
        if self._places.locked() and self._waiting >= self._most_waiting:
            raise Unsent(Why.BUSY, str(self._server))
        deadline = asyncio.get_running_loop().time() + self._seconds
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        except TimeoutError:
            raise Unsent(Why.BUSY, str(self._server)) from None
        finally:
            self._waiting -= 1
        conversation = Conversation(self._server, self._now, deadline, self._places.release)
        try:
            await conversation.open()
        except BaseException:
            conversation.close()
            raise
        return conversation

    async def send(self, message: Message) -> None:
        """Raises Unsent."""
        await (await self.begin()).deliver(message)

    async def look(self) -> None:
        """Raises Unsent."""
        await (await self.begin()).end()


class Conversation:
    """With the mail server; implements Sending. `leave` is called once, when it is over."""

    def __init__(
        self, server: MailServer, now: Callable[[], float], deadline: float, leave: Callable[[], None]
    ) -> None:
        self._server = server
        self._now = now
        self._deadline = deadline
        self._leave: Callable[[], None] | None = leave
        self._client: aiosmtplib.SMTP | None = None

    async def open(self) -> None:
        """Connect, prove who the server is, log in, and hear that it takes mail from our address. Raises Unsent."""
        server = self._server
        context = await asyncio.to_thread(_trust, server) if server.security is not Security.NONE else None
        self._client = client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security is Security.TLS,
            start_tls=False,
            tls_context=context,
            # Otherwise the library asks the computer's resolver, and tells the server what it is called at home.
            local_hostname=server.name,
            timeout=None,
        )
        await self._said(client.connect, Why.UNREACHABLE)
        if server.security is Security.STARTTLS:
            await self._said(client.ehlo, Why.PROTOCOL)
            if not client.supports_extension("starttls"):
                raise Unsent(Why.TLS, str(server), "it does not offer STARTTLS")
            await self._said(lambda: client.starttls(tls_context=context), Why.TLS)
        await self._said(client.ehlo, Why.PROTOCOL)
        if server.user:
            await self._said(lambda: client.login(server.user, server.password), Why.LOGIN, quiet=True)
        await self._said(lambda: client.mail(server.sender.address), Why.SENDER)

    async def deliver(self, message: Message) -> None:
        client = self._client
        if client is None:
            raise RuntimeError("the conversation is over")
        try:
            data = message.written(self._server, self._now())
            await self._said(lambda: client.rcpt(message.to), Why.RECIPIENT)
            await self._said(lambda: client.data(data), Why.CONTENT, unknown=True)
            log.info("mail was taken by %s", self._server)
        finally:
            self.close()

    async def end(self) -> None:
        client = self._client
        try:
            if client is not None:
                async with asyncio.timeout(1):
                    await client.quit()
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            pass  # fails open: nothing was handed in
        finally:
            self.close()

    def close(self) -> None:
        """Whatever the other side does. Idempotent."""
        leave, self._leave = self._leave, None
        client, self._client = self._client, None
        if client is not None:
            if isinstance(client.transport, asyncio.WriteTransport):
                client.transport.abort()  # a TLS connection would wait for the other side's goodbye
            client.close()
        if leave is not None:
            leave()

    async def _said(
        self, ask: Callable[[], Awaitable[T]], refused: Why, *, quiet: bool = False, unknown: bool = False
    ) -> T:
        """What the server answers to one step; `refused` is what a no to it means. The one place where errors of the
        library become ours. With `quiet` nothing is told of the answer, which may repeat what we said."""
        server = str(self._server)
        try:
            async with asyncio.timeout_at(self._deadline):
                return await ask()
        except aiosmtplib.SMTPResponseException as error:
            if error.code < 200:  # the library's own number for what it could not read
                raise Unsent(Why.PROTOCOL, server) from None
            raise Unsent(refused, server, self._told(error, quiet), code=error.code) from None
        except ssl.SSLCertVerificationError as error:
            raise Unsent(Why.CERTIFICATE, server, error.verify_message or "") from None
        except TimeoutError:
            raise Unsent(Why.UNKNOWN if unknown else Why.TIMEOUT, server) from None
        except ssl.SSLError as error:
            raise Unsent(Why.TLS, server, error.reason or "") from None
        except (aiosmtplib.SMTPServerDisconnected, OSError) as error:
            raise self._broken(error, refused, unknown) from None
        except (aiosmtplib.SMTPException, ValueError):
            # No suitable way to log in; or what the server sent does not read.
            raise Unsent(refused if refused is Why.LOGIN else Why.PROTOCOL, server) from None

    def _broken(self, error: Exception, refused: Why, unknown: bool) -> Unsent:
        """Of a connection that broke; the library wraps what broke it."""
        server = str(self._server)
        cause = error.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unsent(Why.CERTIFICATE, server, cause.verify_message or "")
        if isinstance(cause, ssl.SSLError):
            return Unsent(Why.TLS, server, cause.reason or "")
        if unknown:
            return Unsent(Why.UNKNOWN, server)
        return Unsent(refused if refused in (Why.UNREACHABLE, Why.TLS) else Why.BROKEN, server)

    def _told(self, error: aiosmtplib.SMTPResponseException, quiet: bool) -> str:
        """The server's own words, on one line; none where they could hold the password."""
        if quiet:
            return ""
        words = "".join(char if char.isprintable() else " " for char in error.message)
        password = self._server.password
        secrets = [password, base64.b64encode(password.encode()).decode()] if password else []
        if any(secret in words for secret in secrets):
            return ""
        return " ".join(words.split())[:_LONGEST_TOLD]


def _trust(server: MailServer) -> ssl.SSLContext:
    """Whom we believe to be the server. Raises Unsent for a file that does not read."""
    try:
        context = ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)
    except (OSError, ssl.SSLError):
        raise Unsent(Why.CERTIFICATE, str(server), "smtp_ca_file cannot be read") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
