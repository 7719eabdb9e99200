"""The pictures in docs/ of the dashboard and of the doors. Run by scripts/screenshots-dashboard."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from tests.browser.chromium import FLAGS, executable
from tests.conftest import Clock
from tests.dashboard.conftest import NO_MAIL_YET, Office, opened
from tests.dashboard.pages.conftest import sign_in
from tests.notify.services import chat
from tests.oidc.mock import real_provider
from tests.pictures import admin, doors, helping, office
from tests.pictures.camera import Camera
from tests.real.mail import running_mail
from tests.visits.coowners.school import school

PUBLIC = "https://share.example.org"
OLGA = {"sub": "olga", "email": "olga@berkeley.edu", "email_verified": True}
ANN = {"sub": "ann", "email": "ann@berkeley.edu", "email_verified": True}


@contextlib.asynccontextmanager
async def gate(clock: Clock | None = None, **settings: Any) -> AsyncIterator[Office]:
    with tempfile.TemporaryDirectory() as name, running_mail() as mail:
        home = Path(name)
        os.environ["JUPYTER_RUNTIME_DIR"] = str(home / "no servers")
        settings = NO_MAIL_YET | {"smtp_port": mail.port} | settings
        async with opened(home, clock or Clock(), **settings) as running:
            yield running


async def dashboard(camera: Camera) -> None:
    async with gate(public_url=PUBLIC) as course:
        context = await camera.person()
        await office.course(office.Desk(course, await sign_in(course, context), camera))
        await context.close()
    async with gate() as story:
        context = await camera.person()
        await admin.story(office.Desk(story, await sign_in(story, context), camera))
        await context.close()


async def admins(camera: Camera) -> None:
    with tempfile.TemporaryDirectory() as name:
        policies, services = Path(name) / "policies", Path(name) / "notify"
        policies.mkdir()
        (policies / "sharing.yaml").write_text(admin.RULES)
        async with chat() as service:
            services.write_text(service.url)
            services.chmod(0o600)
            async with gate(policy_dir=str(policies), notify_file=str(services)) as running:
                context = await camera.person()
                await admin.running(office.Desk(running, await sign_in(running, context), camera))
                await context.close()


async def visitors(camera: Camera) -> None:
    async with gate() as running:
        entrance = doors.Doors(running, camera)
        for scene in (doors.offers, doors.conditions, doors.ends):
            await scene(entrance)


async def accounts(camera: Camera) -> None:
    """Where a provider of accounts says who somebody is: the dashboard's own door, and a link's."""
    if not camera.wants("door-account"):
        return
    with tempfile.TemporaryDirectory() as name:
        secret = Path(name) / "secret"
        secret.write_text("of the client")
        secret.chmod(0o600)
        async with real_provider(OLGA, ANN) as issuer:
            known = {"oidc_issuer": issuer, "oidc_client_id": "gate", "oidc_client_secret_file": str(secret)}
            known |= {"oidc_name": "Berkeley", "oidc_owner": [OLGA["email"]]}
            async with gate(Clock(time.time()), **known) as running:
                await doors.accounts(doors.Doors(running, camera))


async def helpers(camera: Camera) -> None:
    if camera.wants("coowner"):
        with tempfile.TemporaryDirectory() as name:
            async with school(Path(name), Clock()) as running:
                await helping.coowner(running, camera)


SCENES = (dashboard, admins, visitors, accounts, helpers)


async def main(folder: Path, only: list[str], looks: bool) -> None:
    path = executable()
    if path is None:
        raise SystemExit("Chromium is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        camera = Camera(browser, folder, frozenset(only), looks)
        for scene in SCENES:
            await scene(camera)
        await browser.close()
    if missing := set(only).difference(camera.taken):
        raise SystemExit(f"there is no picture called {', '.join(sorted(missing))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="take these, such as dashboard-now")
    parser.add_argument("--looks", action="store_true", help="also whole, light and dark, for a desk and a phone")
    given = parser.parse_args()
    asyncio.run(main(given.folder, given.only, given.looks))
