"""What this folder needs from others."""

from __future__ import annotations

from typing import Protocol

from sharegate.notify.model import Message


class Sends(Protocol):
    """A place where messages go."""

    @property
    def name(self) -> str:
        """Which service it is; nothing of its address."""

    def send(self, message: Message) -> bool:
        """Blocks; whether it was taken. Must not raise."""
