"""What whoever is refused gets: the door, the page of a visit that is over, or the refusal itself."""

from __future__ import annotations

from sharegate.errors import MEANINGS, Reason
from sharegate.language.catalogue import Languages
from sharegate.messages import Request, Response
from sharegate.shares.conditions import ASKED_FOR
from sharegate.visits.own import OwnAddresses
from sharegate.visits.pages import address_page, negotiate, refusal

# A person who navigates somewhere without the right cookie is shown the door, whoever they are.
STRANGER = frozenset({Reason.NO_CREDENTIAL, Reason.BAD_CREDENTIAL, Reason.AMBIGUOUS_CREDENTIAL, Reason.OTHER_VISIT})
# A person whose visit is over is told what happened.
_OVER = frozenset(
    {Reason.VISIT_ENDED, Reason.LINK_REVOKED, Reason.LINK_EXPIRED, Reason.LINK_PAUSED, Reason.SHARE_REVOKED}
    | {Reason.SHARE_EXPIRED, Reason.SHARE_PAUSED, Reason.ROOT_CHANGED, *ASKED_FOR}
)
_WAIT = {Reason.UPSTREAM_AWAY: 3, Reason.UPSTREAM_NOT_OURS: 3, Reason.STORE_UNAVAILABLE: 5, Reason.DRAINING: 2}


class Refusals:
    """Turns a reason into an answer, in the language of whoever asks."""

    def __init__(self, own: OwnAddresses, languages: Languages) -> None:
        self._own = own
        self._languages = languages

    async def answer(
        self, request: Request, reason: Reason, id: str, *, asked: tuple[str, str] | None, wait: int
    ) -> Response:
        """`asked` are share and visit of the address, where it names any; `wait` is in seconds, 0 when unknown."""
        if asked is not None and request.method in ("GET", "HEAD") and negotiate(request.headers) == "html":
            if reason in STRANGER:
                return address_page(self._languages.of(request.headers))
            if reason in _OVER:
                return await self._own.ended(request, *asked)
        known = _WAIT.get(reason, 10 if MEANINGS[reason].status == 429 else None)
        return self.plain(request, reason, id, wait or known)

    def plain(self, request: Request, reason: Reason, id: str, wait: int | None = None) -> Response:
        """The refusal itself. Raises nothing."""
        html = negotiate(request.headers) == "html"
        return refusal(MEANINGS[reason], id, html, wait, self._languages.of(request.headers))
