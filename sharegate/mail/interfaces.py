"""What the gate needs from whoever sends its mail."""

from __future__ import annotations

from typing import Protocol

from sharegate.mail.model import Message


class Sending(Protocol):
    """A conversation in which the mail server takes mail from us. It ends with `deliver` or `end`, of which one must be
    called."""

    async def deliver(self, message: Message) -> None:
        """Hand in the message, once. Raises Unsent; nothing is tried again."""

    async def end(self) -> None:
        """Without a message. Raises nothing."""


class Mailer(Protocol):
    """Sends mail, within seconds or not at all."""

    async def begin(self) -> Sending:
        """So far that nothing has been said about whom mail is for. Raises Unsent: no mail can be sent now."""

    async def send(self, message: Message) -> None:
        """`begin` and `deliver`. Raises Unsent."""

    async def look(self) -> None:
        """Whether the server would take mail from us. Raises Unsent."""
