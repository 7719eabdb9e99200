"""Whether the gate can let people in, check by check."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

PATIENCE_SECONDS = 3.0
OK, FAILED, SLOW = "ok", "failed", "slow"

Check = Callable[[], Awaitable[None]]


class Health:
    """`checks` raise what they will when something is wrong. What they raise is not told: it may name paths and hosts.
    Reading the log, or `sharegate doctor`, tells more."""

    def __init__(self, checks: Mapping[str, Check], *, patience: float = PATIENCE_SECONDS) -> None:
        self._checks = checks
        self._patience = patience

    async def look(self) -> dict[str, str]:
        """For each check `ok`, `failed`, or `slow` where it does not end; at most `patience` seconds."""
        said = await asyncio.gather(*map(self._one, self._checks.values()))
        return dict(zip(self._checks, said, strict=True))

    async def _one(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self._patience):
                await check()
        except TimeoutError:
            return SLOW
        except Exception:  # fails closed, whatever it is
            return FAILED
        return OK
