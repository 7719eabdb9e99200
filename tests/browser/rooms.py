"""A document's WebSocket in a test's hands: what the page sends can be lost on the way, and the room can be closed."""

from __future__ import annotations

from playwright.sync_api import Page, WebSocketRoute

NEW_EPOCH = (1003, '{"reason":"unknown_session","reloadable":true}')
REFUSED = (1003, '{"reason":"unknown_session","reloadable":true,"code":"update_refused"}')
WRITING_ENDED = (1003, '{"reason":"unknown_session","reloadable":true,"code":"writing_ended"}')


class Rooms:
    """Stands between the page and the gate. Everything passes until `deaf`: then what the page sends is lost."""

    def __init__(self, page: Page) -> None:
        self.deaf = False
        self._open: list[WebSocketRoute] = []
        page.route_web_socket(_is_room, self._carry)

    def _carry(self, page_side: WebSocketRoute) -> None:
        gate_side = page_side.connect_to_server()
        self._open.append(page_side)

        def from_page(message: str | bytes) -> None:
            if not self.deaf:
                gate_side.send(message)

        page_side.on_message(from_page)
        gate_side.on_message(lambda message: page_side.send(message))

    def close(self, code: int, reason: str) -> None:
        """Close every open room as the gate would; rooms that are opened afterwards pass everything again."""
        closing, self._open, self.deaf = self._open, [], False
        for each in closing:
            each.close(code=code, reason=reason)


def _is_room(url: str) -> bool:
    return "/api/collaboration/room/" in url and "globalAwareness" not in url
