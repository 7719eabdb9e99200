"""What `doctor` says of descriptors, connections and the clock."""

from __future__ import annotations

from sharegate.dashboard.resources import Resources


def made(
    limit: int = 65_536, connections: int = 32_640, wanted: int = 0, refused: int = 0, behind: float = 0
) -> Resources:
    return Resources(limit, connections, wanted, lambda: refused, lambda: behind)


async def levels(resources: Resources) -> list[tuple[str, bool]]:
    return [(finding["level"], bool(finding["remedy"])) for finding in await resources.findings()]


async def test_enough_room_is_said_in_numbers() -> None:
    """And nothing else when nothing happened."""
    (finding,) = await made().findings()
    assert finding["level"] == "ok" and "32640" in finding["what"] and "65536" in finding["what"]


async def test_what_an_owner_should_know_has_a_remedy() -> None:
    """A low limit, a setting that does not fit it, connections that were turned away, a clock that was set back."""
    assert await levels(made(256, 64)) == [("warn", True)]
    assert await levels(made(256, 64, wanted=1000)) == [("warn", True), ("warn", True)]
    assert await levels(made(256, 50, wanted=50)) == [("ok", False)], "the owner wanted no more"
    assert await levels(made(refused=3)) == [("ok", False), ("warn", True)]
    assert await levels(made(behind=7200)) == [("ok", False), ("warn", True)]
    assert await levels(made(behind=2)) == [("ok", False)]
