"""What became of a link that was passed on, and what the admins of a gate see."""

from __future__ import annotations

from pathlib import Path

from sharegate.policy.load import builtin_policies
from tests.dashboard.pages.party import party
from tests.dashboard.visitors import comes
from tests.pictures.office import Desk

RULES = (builtin_policies() / "sharing.yaml").read_text()
STORY = (
    ("dashboard-history", "/history"),
    ("dashboard-passing", "/shares/{share}/passing"),
    ("dashboard-prove", "/shares/{share}/prove"),
    ("dashboard-overview", "/admin"),
    ("dashboard-review", "/admin/review"),
    ("dashboard-search", "/admin/search?q=ann"),
    ("dashboard-keys", "/admin/keys?stolen=1"),
    ("dashboard-tokens", "/admin/tokens"),
)


async def story(desk: Desk) -> None:
    """Ann's link went on to Bo, who was let in, and to Eve, who was not."""
    there = await party(desk.office, "Ann", "Bob", "Eve")
    await desk.office.token("shares:read", "trail:read", days=30)
    for name, address in STORY:
        await desk.take(name, address.format(share=there.id))


async def running(desk: Desk) -> None:
    """What visitors asked and reported, who is told, what a rule would end, and how the gate does. `policies` of the
    office can be written to."""
    office = desk.office
    week = await office.share(name="Week 3", expires=office.clock() + 43200, **{"for": ["Ann Lee", "Bo Larsen"]})
    await office.share("week4", name="Week 4", anyone=True, visits=60)
    ann, bo = [await comes(office, week, "", number) for number in range(2)]
    await ann.post(ann.base + "-/time", {})
    words = "The first cell asks for my university password. I did not type it."
    await bo.post(bo.base + "-/report", {"concern": "phishing", "text": words})
    await desk.take("dashboard-time", "/")
    await desk.take("dashboard-reports", "/admin/reports")
    await desk.take("dashboard-notifications", "/admin/notifications")
    await desk.take("dashboard-health", "/admin/health")
    sharing = Path(office.running.config.policy_dir) / "sharing.yaml"
    sharing.write_text(RULES.replace("anyone: true", "anyone: false").replace("max_devices: 10", "max_devices: 2"))
    await desk.take("dashboard-rules", "/admin/rules?preview=1")
    sharing.write_text(RULES)
