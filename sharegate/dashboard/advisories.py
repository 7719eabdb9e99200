"""For `doctor`: whether the owners' Jupyter servers have known holes, or are older than what is tried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sharegate.dashboard.doctor import Finding
from sharegate.upstream.advisories import concerns
from sharegate.upstream.installed import Installed
from sharegate.upstream.interfaces import UpstreamStore
from sharegate.upstream.model import Upstream


class Advisories:
    """`look` says what is installed at a server, None when it cannot be seen; `computer` on which other one it runs."""

    def __init__(
        self,
        store: UpstreamStore,
        look: Callable[[Upstream], Awaitable[Installed | None]],
        computer: Callable[[Upstream], str],
    ) -> None:
        self._store = store
        self._look = look
        self._computer = computer

    async def findings(self) -> list[Finding]:
        found: list[Finding] = []
        for upstream in await self._store.upstreams():
            if self._computer(upstream):
                continue  # its own gate looks at it
            seen = await self._look(upstream)
            if seen is None:
                what = f"The versions at {upstream.name} could not be looked at: it does not answer"
                found.append({"level": "note", "what": what, "remedy": "Start it again, then ask once more"})
                continue
            told = concerns(seen.versions)
            for concern in told:
                level = "warn" if concern.serious else "note"
                found.append({"level": level, "what": f"{upstream.name}: {concern.what}", "remedy": concern.remedy})
            if not seen.whole:
                names = ", ".join(sorted(seen.versions)) or "nothing"
                what = f"{upstream.name} told the versions of {names} only. The others were not looked at"
                found.append({"level": "note", "what": what, "remedy": "Look there with pip list"})
            elif not any(concern.serious for concern in told):
                what = f"No hole that the gate knows of is in what {upstream.name} has installed"
                found.append({"level": "ok", "what": what, "remedy": ""})
        return found
