"""A visitor made of HTTP requests: enters by a link as a browser does, by the same door, with the same cookies."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from sharegate.errors import Unreachable

AGENT = "sharegate-demo (a robot visitor)"


class RobotVisitor:
    """One browser's worth of cookies and manners. `name` is what it says at the door."""

    def __init__(self, name: str, link: str) -> None:
        self.name = name
        self._link = link
        parts = urlsplit(link)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._token = parts.fragment
        # unsafe: the gate's address may be a bare IP address, for which the jar would keep no cookie.
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            connector=aiohttp.TCPConnector(limit=0),
            headers={"User-Agent": AGENT},
            trust_env=False,
        )
        self.base = ""

    async def close(self) -> None:
        await self._session.close()

    async def _post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {"Origin": self._origin, "Content-Type": "application/json"}
        data = json.dumps(body).encode()
        try:
            async with self._session.post(self._origin + path, data=data, headers=headers) as answer:
                read = await answer.json() if answer.status != 204 else {}
                return answer.status, read
        except (aiohttp.ClientError, ValueError) as error:
            raise Unreachable(f"the gate does not answer: {type(error).__name__}") from None

    async def about(self) -> dict[str, Any]:
        """What the link is."""
        return (await self._post("/join/about", {"token": self._token}))[1]

    async def enter(self) -> bool:
        """Click on Open. False when the link is in use by another browser."""
        status, answer = await self._post("/join", {"token": self._token, "name": self.name})
        if status != 200:
            return False
        self._arrive(answer["location"])
        return True

    async def knock(self) -> str:
        """Knock with a link that is in use; the knock's id."""
        body = {"token": self._token, "name": self.name, "same_person": False}
        return str((await self._post("/join/knock", body))[1].get("knock", ""))

    async def knock_state(self, knock: str) -> str:
        """`waiting`, `admitted` (then this visitor is in), `refused` or `gone`."""
        _, answer = await self._post("/join/knock/state", {"knock": knock})
        if answer.get("location"):
            self._arrive(answer["location"])
        return str(answer.get("state", "gone"))

    def _arrive(self, location: str) -> None:
        # Up to the visit's handle, which is the first segment with a tilde, whatever stands before it.
        before, _, below = location.partition("/~")
        self.base = f"{before}/~{below.partition('/')[0]}/"

    async def get(self, path: str) -> tuple[int, bytes]:
        """Ask for a Jupyter address (relative to the visit)."""
        headers = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
        try:
            async with self._session.get(URL(self._origin + self.base + path, encoded=True), headers=headers) as answer:
                return answer.status, await answer.read()
        except aiohttp.ClientError as error:
            raise Unreachable(f"the gate does not answer: {type(error).__name__}") from None

    async def session(self, path: str, kind: str = "notebook", format: str = "json") -> dict[str, Any]:
        """Ask jupyter-collaboration for the room of a document; {} when refused."""
        headers = {"Origin": self._origin, "Content-Type": "application/json"}
        address = URL(f"{self._origin}{self.base}api/collaboration/session/{path}", encoded=True)
        data = json.dumps({"format": format, "type": kind}).encode()
        async with self._session.put(address, data=data, headers=headers) as answer:
            found = await answer.json() if answer.status in (200, 201) else {}
            return dict(found)

    async def room(self, session: dict[str, Any]) -> aiohttp.ClientWebSocketResponse:
        """Open the live document."""
        name = f"{session['format']}:{session['type']}:{session['fileId']}"
        return await self.socket(f"api/collaboration/room/{name}?sessionId={session['sessionId']}")

    async def live(self) -> aiohttp.ClientWebSocketResponse:
        """The page's own connection to the gate."""
        return await self.socket("-/live")

    async def socket(self, path: str) -> aiohttp.ClientWebSocketResponse:
        address = URL(self._origin + self.base + path, encoded=True)
        return await self._session.ws_connect(address, headers={"Origin": self._origin}, max_msg_size=64 << 20)
