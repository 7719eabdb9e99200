"""A share attacked from its page: how far that is, what came of it, and the receipt as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from sharegate.dashboard.pages.proving import kind_of
from tests.dashboard.conftest import Office
from tests.dashboard.pages.reading import reading
from tests.gatehouse import gatehouse
from tests.real.jupyter import JupyterServer, plant, running_jupyter


def test_lines_of_a_receipt_say_what_they_are_about() -> None:
    """What got out stands out, and what was not tried stands back."""
    assert kind_of("GOT OUT (headers): x") == kind_of("Does not hold: y") == "out"
    assert kind_of("Not covered: z") == "open" and kind_of("2027: 7 files reachable") == ""


async def test_what_cannot_be_proved_is_told(office: Office) -> None:
    """A share that nobody can enter has nothing to prove; a proof that cannot be run says why."""
    share = (await office.share())["share"]["id"]
    async with reading(office) as reader:
        assert "Prove it" in await reader.words(f"/shares/{share}/prove")
        begun = await office.call("POST", f"shares/{share}/prove", {"quick": True})
        told = await reader.words(f"/shares/{share}/prove")
        assert "Stop" in told and "Prove it" not in told
        await office.call("POST", f"proofs/{begun['proof']['id']}/stop")
        told = await reader.words(f"/shares/{share}/prove")
        assert "It could not be run to its end: it was stopped" in told and "Prove it again" in told
        await office.call("POST", f"shares/{share}/pause")
        assert "nothing to prove" in await reader.words(f"/shares/{share}/prove")
        await reader.get("/shares/nobody/prove", 404)


async def test_proofs_of_another_share_are_not_shown(office: Office) -> None:
    """Each page has its own; the newest comes first."""
    one, other = [(await office.share(path))["share"]["id"] for path in ("week3", "week4")]
    ids = []
    for _ in range(2):
        proof = (await office.call("POST", f"shares/{one}/prove", {}))["proof"]["id"]
        await office.call("POST", f"proofs/{proof}/stop")
        ids.append(proof)
    found = (await office.call("GET", "proofs", share=one))["proofs"]
    assert [proof["id"] for proof in found] == ids[::-1]
    assert (await office.call("GET", "proofs", share=other))["proofs"] == []
    assert len((await office.call("GET", "proofs"))["proofs"]) == 2


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[JupyterServer]:
    (tmp_path / "lab" / "root").mkdir(parents=True)
    plant(tmp_path / "lab" / "root")
    with running_jupyter(tmp_path / "lab") as server:
        yield server


@pytest.mark.browser
@pytest.mark.real
@pytest.mark.timeout(300)
async def test_a_share_is_proved_and_its_receipt_checked(lab: JupyterServer, tmp_path: Path, chromium: Browser) -> None:
    """In a browser, of a real server's folder: progress, the verdict, a file, and an altered file."""
    async with gatehouse(tmp_path, lab, strangers_per_minute=100_000) as house:
        share = (await house.share("sub/shared", **{"for": ["Ann"]}))["share"]["id"]
        page = await (await chromium.new_context()).new_page()
        _, invited = await house.running.api.call("POST", "/api/v1/logins", {}, {})
        await page.goto(invited["url"])
        await page.locator("#live[data-state=live]").wait_for(state="attached")
        await page.goto(f"{house.running.dashboard_url}/shares/{share}/settings")
        await page.get_by_role("link", name="Prove it").click()
        await page.get_by_label("Only the most telling part").check()
        await page.get_by_role("button", name="Prove it").click()
        await expect(page.get_by_role("progressbar")).to_be_visible()
        await expect(page.get_by_text("Nothing got out.")).to_be_visible(timeout=120_000)
        async with page.expect_download() as started:
            await page.get_by_role("button", name="Download the receipt").click()
        receipt = tmp_path / "proof.json"
        await (await started.value).save_as(receipt)
        await page.locator("#f-receipt").set_input_files(receipt)
        await page.get_by_role("button", name="Check it").click()
        await expect(page.get_by_text("Genuine: this gate signed it.")).to_be_visible()
        receipt.write_text(json.dumps(json.loads(receipt.read_text()) | {"probes": 1}))
        await page.locator("#f-receipt").set_input_files(receipt)
        await page.get_by_role("button", name="Check it").click()
        await expect(page.locator("#check .trouble")).not_to_be_empty()
        await expect(page.get_by_text("Genuine: this gate signed it.")).to_be_hidden()
