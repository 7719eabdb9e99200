"""The settings of a gate, as a page shows them."""

from __future__ import annotations

from sharegate.settings import SETTINGS
from tests.dashboard.conftest import Office


async def test_every_setting_with_its_value(office: Office) -> None:
    """In the order of the documentation, and no secret among them."""
    answer = await office.call("GET", "config")
    assert [one["name"] for one in answer["settings"]] == [setting.name for setting in SETTINGS]
    found = {one["name"]: one for one in answer["settings"]}
    assert found["owner"]["value"] == "Olga" and found["owner"]["usual"] == "" and found["owner"]["meaning"]
    assert not {"store_password", "smtp_password"} & found.keys()
