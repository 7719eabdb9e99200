"""The real gate in front of a real JupyterLab, for the browser tests: it runs in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import BrowserContext

from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.real.jupyter import JupyterServer, free_port, running_jupyter

T = TypeVar("T")


class RealHouse:
    """Implements tests.browser.house.House."""

    def __init__(self, jupyter: JupyterServer, folder: Path, shared: str, role: str = "view") -> None:
        self._jupyter = jupyter
        self._folder = folder
        self._shared = shared
        self._role = role
        self._ports = {"gate_port": free_port(), "dashboard_port": free_port()}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._gate: contextlib.AsyncExitStack | None = None
        self._house: Gatehouse | None = None
        self._inside: Inside | None = None
        self._again = contextlib.ExitStack()
        self.come_back()
        self.origin = self._now().origin

    def enter(self, visitor: BrowserContext) -> str:
        inside = self._call(self._enter())
        visitor.add_cookies(
            [
                {
                    "name": "sharegate-visit",
                    "value": inside.cookie,
                    "url": self.origin + inside.base,
                    "httpOnly": True,
                    "sameSite": "Lax",
                }
            ]
        )
        self._inside = inside
        return self.origin + inside.base

    def end(self, reason: str) -> None:
        assert self._inside is not None
        share, link, visit = self._inside.share["id"], self._inside.link["id"], self._visit
        match reason:
            case "share_revoked":
                self._owner(f"shares/{share}/revoke")
            case "share_paused":
                self._owner(f"shares/{share}/pause")
            case "link_revoked":
                self._owner(f"links/{link}/revoke")
            case "visit_ended":
                self._owner(f"visits/{visit}/end")
            case _:
                raise ValueError(reason)

    def server(self, state: str) -> None:
        """Kill the owner's Jupyter, or start it again on its port with its token and root."""
        if state == "away":
            self._jupyter.process.kill()
            self._jupyter.process.wait(10)
        elif state == "here":
            home, jupyter = self._jupyter.root.parent, self._jupyter
            started = self._again.enter_context(running_jupyter(home, port=jupyter.port, token=jupyter.token))
            jupyter.process = started.process
        else:
            raise ValueError(state)

    def vanish(self) -> None:
        assert self._gate is not None
        self._call(self._gate.aclose())
        self._gate = None

    def come_back(self) -> None:
        self._gate = contextlib.AsyncExitStack()
        self._house = self._call(
            self._gate.enter_async_context(gatehouse(self._folder, self._jupyter, owner="Ann", **self._ports))
        )

    def denials(self) -> list[str]:
        events = self._call(self._now().events(outcome="denied"))
        return [f"{event['reason']} {event['method']} {event['path']} {event['detail']}" for event in events]

    def shown(self) -> str:
        visits = self._call(self._now().call("GET", "visits"))["visits"]
        return str(next(visit["where"] for visit in visits if visit["id"] == self._visit))

    def asks(self) -> list[dict[str, Any]]:
        """Cells that visitors ask the owner to run."""
        return list(self._call(self._now().call("GET", "asks"))["asks"])

    def answer(self, ask: str, verb: str) -> None:
        self._owner(f"asks/{ask}/{verb}")

    def asked(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the owner's API answers."""
        return self._call(self._now().call(method, path, body))

    def ends_in(self, seconds: float) -> None:
        """Give the share so long from now."""
        assert self._inside is not None
        self.asked("PATCH", f"shares/{self._inside.share['id']}", {"expires": time.time() + seconds})

    def stop(self) -> None:
        if self._gate is not None:
            self.vanish()
        self._call(_finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._again.close()

    @property
    def _visit(self) -> str:
        assert self._inside is not None
        return self._inside.base.split("~")[1].strip("/")

    async def _enter(self) -> Inside:
        made = await self._now().share(self._shared, role=self._role, **{"for": ["Bo Chen"]})
        return await self._now().visit(made, name="Bo Chen")

    def _owner(self, path: str) -> None:
        self._call(self._now().call("POST", path, {}))

    def _now(self) -> Gatehouse:
        assert self._house is not None
        return self._house

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


async def _finish() -> None:
    """Let what was cancelled end before the loop does."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


@contextlib.contextmanager
def open_house(server: JupyterServer, *, folder: Path, file: str = "", role: str = "view") -> Iterator[RealHouse]:
    """A gate that shares `sub/shared`, or one file, of this server. Its data lies below `folder`."""
    # Where the gate looks for a server that was started again.
    before = os.environ.get("JUPYTER_RUNTIME_DIR")
    os.environ["JUPYTER_RUNTIME_DIR"] = str(server.root.parent / "runtime")
    house = RealHouse(server, folder, file or "sub/shared", role)
    try:
        yield house
    finally:
        house.stop()
        if before is None:
            del os.environ["JUPYTER_RUNTIME_DIR"]
        else:
            os.environ["JUPYTER_RUNTIME_DIR"] = before
