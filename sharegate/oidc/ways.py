"""The ways in which a gate has people sign in: at the door, and at the dashboard, with one provider known once."""

from __future__ import annotations

from collections.abc import Callable

from sharegate.oidc.fetch import Away, Fetch
from sharegate.oidc.flow import Flow
from sharegate.oidc.model import Provider
from sharegate.oidc.provider import Known

Finding = dict[str, str]
DOOR, DASHBOARD = "/join/signed", "/login/signed"


class Ways:
    """Without a `provider` there are none. `now` is the time of day, `pace` a clock that only goes on."""

    def __init__(self, provider: Provider | None, now: Callable[[], float], pace: Callable[[], float]) -> None:
        self._now = now
        self._known: Known | None = None
        if provider is not None:
            self._known = Known(provider, Fetch(provider.ca_file, near=provider.near), pace)

    def to(self, back: str) -> Flow | None:
        """Sign-ins that end at this address of ours, which the provider has to know."""
        return Flow(self._known, back, self._now) if self._known is not None else None

    async def findings(self) -> list[Finding]:
        """For `doctor`: whether the provider says of itself what a sign-in needs."""
        if self._known is None:
            return []
        provider = self._known.provider
        try:
            await self._known.endpoints()
        except Away as away:
            remedy = f"Look at oidc_issuer, and whether this computer reaches {provider.discovery}"
            return [{"level": "fail", "what": f"Nobody can sign in at {provider.name}: {away}", "remedy": remedy}]
        return [{"level": "ok", "what": f"People sign in at {provider.name} ({provider.issuer})", "remedy": ""}]
