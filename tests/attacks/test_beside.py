"""What must not come to lie where visitors read: keys and records, and whatever else a gate is set up by."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.dashboard.conftest import Office, office  # noqa: F401 -- a fixture


async def test_attack_a_copy_of_the_keys_into_a_share(office: Office, tmp_path: Path) -> None:  # noqa: F811
    """Neither a backup nor an anchor is written where visitors read, by whatever name the place is reached."""
    made = await office.share()
    share, shared = made["share"]["id"], office.folder / "week3"
    (shared / "inner").mkdir()
    (tmp_path / "link").symlink_to(shared / "inner")
    for place in (shared, shared / "inner", tmp_path / "link", office.folder / "week4" / ".." / "week3"):
        for path, body in (
            ("store/backup", {"to": str(place / "copy"), "with_keys": True}),
            ("store/backup", {"to": str(place / "copy")}),
            ("audit/anchor", {"to": str(place / "copy")}),
        ):
            status, answer = await office.ask("POST", path, body)
            assert (status, answer["error"]["field"]) == (400, "to") and share in answer["error"]["message"], place
    assert [path.name for path in shared.rglob("*")] == ["inner"]
    for path in ("store/backup", "audit/anchor"):
        await office.call("POST", path, {"to": str(office.folder / path.partition("/")[2])})
    await office.call("POST", f"shares/{share}/revoke")
    await office.call("POST", "store/backup", {"to": str(shared / "copy")})


async def test_attack_a_folder_with_a_copy_of_the_keys(office: Office) -> None:  # noqa: F811
    """It cannot be shared, nor what it lies in, nor its parts; the folder beside it can."""
    copy = office.folder / "week3" / "safe" / "2026"
    copy.parent.mkdir()
    await office.call("POST", "store/backup", {"to": str(copy), "with_keys": True})
    for path in (copy, copy.parent, copy.parent.parent, copy / "keys", copy / "keys" / "store.key"):
        status, answer = await office.ask("POST", "shares", {"path": str(path)})
        assert (status, answer["error"]["code"]) == (403, "protected_path"), path
    await office.share("week4")
    shutil.rmtree(copy / "keys")
    await office.share("week3")
