"""Attack: ids of another kind, of another spelling, and of nobody, at each address that takes one."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from yarl import URL

from sharegate.dashboard.asking import Only
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.login import Viewer
from tests.dashboard.client import Signed
from tests.dashboard.conftest import Office, office
from tests.dashboard.pages.conftest import Scene

__all__ = ["office"]
_WELL_SPELLED = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")


async def everybody(office: Office) -> dict[Of, str]:
    """One of each kind, of one share."""
    made = await office.share(**{"for": ["Ann"]})
    scene = Scene(office)
    visit = await scene.visit(made, "Ann", where="week3")
    knock = await scene.knock(made, "Eve")
    link = made["links"][0]["id"]
    return {Of.SHARE: made["share"]["id"], Of.LINK: link, Of.VISIT: visit, Of.KNOCK: knock, Of.SERVER: "srv2345678"}


def misspelled(id: str) -> list[str]:
    """As an address has them."""
    changed = [id.upper(), id + "x", id[:-1], id[:4], f" {id}", f"{id} ", f"{id}\0", f"{id}\n", f"{id}.a", f"{id}.a1"]
    raw = [f"{id}%2500", f"{id};a=b", f"./{id}", f"x/../{id}", f"%2e/{id}", f"{id}/", f"{id}//", f"%2f{id}", "%FF", "*"]
    return [*(quote(each, safe="") for each in changed if each != id), *raw]


@pytest.mark.parametrize("viewer", [None, Viewer("Otto", owner="Otto")], ids=["the owner", "another owner"])
async def test_attack_an_id_of_another_kind_or_spelling(office: Office, viewer: Viewer | None) -> None:
    """Each is answered as one that nobody has, whoever asks, and nothing is changed by any."""
    ids = await everybody(office)
    who = Signed(office, viewer=viewer)
    await who.enter()
    before = await office.everything()
    names = ["nobody2345", "week3", "Ann", "Eve", "main", "..", "%2e%2e", "__proto__"]
    tried = 0
    for route in office.running.api.routes:
        if "{id}" not in route.path or route.needs is Only.TERMINAL:
            continue
        mine = ids.get(route.of, "")
        others = [id for id in ids.values() if id != mine] if viewer is None else list(ids.values())
        spellings = [*names, *others, *(misspelled(mine) if mine else [])]
        for path, _ in route.addresses():
            same = set()
            for spelled in spellings:
                address = URL(office.running.dashboard_url + path.replace("{id}", spelled), encoded=True)
                body = None if route.method == "GET" else {}
                async with who.http.request(route.method, address, json=body, headers=who.headers()) as answer:
                    said = await answer.text()
                    status = answer.status
                assert status in (400, 403, 404, 405), (route, spelled, said)
                if _WELL_SPELLED.match(spelled):
                    same.add((status, said.replace(f"'{spelled}'", "'ID'")))
                tried += 1
            assert len(same) == 1, (route, same)
    await who.close()
    assert tried > 300
    assert await office.everything() == before
