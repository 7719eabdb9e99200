"""What lies inside what, looked at together, is what it is one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharegate.upstream.inside import copy_with_keys, held, held_among


def plant(folder: Path) -> list[str]:
    """Names of every kind in a folder."""
    for name in ("plain", "keys", "linked", "deep/inner", "copy/keys", "copied/below/keys", "far/a/b/c/keys"):
        (folder / name).mkdir(parents=True)
    for name in ("copy", "copied/below", "far/a/b/c"):
        (folder / name / "keys" / "ring.json").write_text("{}")
        (folder / name / "sharegate.db").write_text("")
    (folder / "file.txt").write_text("")
    (folder / "plain" / "to-keys").symlink_to(folder / "keys")
    return [*sorted(each.name for each in folder.iterdir()), "gone"]


@pytest.mark.parametrize(
    "protected",
    [[], ["keys"], ["keys/ring"], ["file.txt"], ["deep/inner/not-there-yet"], ["plain/to-keys/x"], ["plain/to-keys"]],
    ids=str,
)
def test_each_name_is_judged_as_by_itself(tmp_path: Path, protected: list[str]) -> None:
    """Names that are protected, or hold something that is, also where a link leads; copies with keys; and the rest."""
    folder = tmp_path / "root"
    names = plant(folder)
    paths = [folder / each for each in protected]
    together = held_among(folder, names, paths)
    for name in names:
        one = held(folder / name, paths) or copy_with_keys((folder / name).resolve())
        assert bool(together.get(name)) is bool(one), name
    assert {"copy", "copied"} <= set(together) and "far" not in together


@pytest.mark.parametrize("protected", ["", "..", "../..", "../keys", "."])
def test_a_folder_that_lies_in_something_protected_has_nothing_to_share(tmp_path: Path, protected: str) -> None:
    """Whatever is protected is so with all that is in it."""
    folder = tmp_path / "root" / "week3"
    names = plant(folder)
    (tmp_path / "root" / "keys").mkdir()
    paths = [folder / protected]
    together = held_among(folder, names, paths)
    for name in names:
        assert bool(together.get(name)) is bool(held(folder / name, paths) or copy_with_keys(folder / name)), name


def test_a_folder_that_is_a_copy_with_keys(tmp_path: Path) -> None:
    """Or that lies in one: nothing in it."""
    folder = tmp_path / "copy" / "keys"
    folder.mkdir(parents=True)
    (folder / "ring.json").write_text("{}")
    (tmp_path / "copy" / "sharegate.db").write_text("")
    assert set(held_among(tmp_path / "copy", ["keys", "sharegate.db"], [])) == {"keys", "sharegate.db"}
    assert set(held_among(folder, ["ring.json"], [])) == {"ring.json"}
