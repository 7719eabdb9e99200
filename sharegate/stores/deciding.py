"""What every store decides in the same way about the records that it has found."""

from __future__ import annotations

import msgspec

from sharegate.errors import Denied, Reason
from sharegate.shares.model import DeviceCode, Knock, KnockState, Visit, VisitKind


def check_decision(knock: Knock, state: KnockState, visit: Visit | None) -> None:
    """Whether a knock may be decided so. ValueError when not."""
    if knock.state is not KnockState.WAITING:
        raise ValueError(f"knock {knock.id} was decided already: {knock.state.value}")
    if state is KnockState.WAITING or (state is KnockState.ADMITTED) != (visit is not None):
        raise ValueError("a knock is admitted with a visit, or refused or gone without one")
    if visit is not None and (visit.share, visit.link) != (knock.share, knock.link):
        raise ValueError("the visit is not of the link that was knocked at")


def person_of(code: DeviceCode, origin: Visit, at: float) -> str:
    """The first visit of the person whose code this is. A device of a device counts as one of that visit, so that
    devices cannot multiply. Denied(`device_code_invalid`)."""
    if code.expires <= at or origin.ended is not None or origin.expires <= at:
        raise Denied(Reason.DEVICE_CODE_INVALID, "expired, or of a visit that has ended")
    return origin.came_from if origin.kind is VisitKind.DEVICE else origin.id


def device_of(visit: Visit, origin: Visit, person: str) -> Visit:
    """The visit of a new device: what it may is what the visit may from which it came."""
    return msgspec.structs.replace(
        visit,
        kind=VisitKind.DEVICE,
        came_from=person,
        link=origin.link,
        share=origin.share,
        role=origin.role,
        name=origin.name,
        expires=origin.expires,
    )
