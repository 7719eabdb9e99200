"""What `doctor` says of descriptors, connections and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Finding = dict[str, str]

FEW = 1000
# Seconds; what time servers put right is less.
BEHIND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Resources:
    """`limit` of open files and the `connections` that it leaves room for; `wanted` is what the owner set (0: nothing).
    `refused` counts connections that were turned away since the start, `behind` how far the clock was set back (s)."""

    limit: int
    connections: int
    wanted: int
    refused: Callable[[], int]
    behind: Callable[[], float]

    async def findings(self) -> list[Finding]:
        found = [self._room()]
        if self.wanted > self.connections:
            found.append(
                {
                    "level": "warn",
                    "what": f"connections is {self.wanted}; the limit of open files leaves room for {self.connections}",
                    "remedy": "Raise the limit (LimitNOFILE of the service, `ulimit -n`), or lower the setting",
                }
            )
        if refused := self.refused():
            found.append(
                {
                    "level": "warn",
                    "what": f"{refused} connections were turned away since the gate started",
                    "remedy": "See connections and connections_per_address in the settings",
                }
            )
        if (behind := self.behind()) > BEHIND_SECONDS:
            found.append(
                {
                    "level": "warn",
                    "what": f"The computer's clock was set back by {behind:.0f} s while the gate ran: its time stands "
                    "still for so long, so that nothing expired works again",
                    "remedy": "If the clock was wrong before and is right now, restart the gate",
                }
            )
        return found

    def _room(self) -> Finding:
        what = f"Room for {self.connections} connections of visitors (limit of open files: {self.limit})"
        if self.connections >= FEW or 0 < self.wanted <= self.connections:
            return {"level": "ok", "what": what, "remedy": ""}
        remedy = "Raise the limit of open files: LimitNOFILE of the service, or `ulimit -n 65536` before starting"
        return {"level": "warn", "what": what, "remedy": remedy}
