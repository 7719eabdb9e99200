"""Tests of upstream/mounts.py: what counts as near."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharegate.upstream.mounts import FRESH, Mount, NearFolders, near, read_mounts
from tests.conftest import Clock

LAPTOP: list[Mount] = [
    ("/proc", "proc"),
    ("/", "ext4"),
    ("/home", "btrfs"),
    ("/home/ann/hub", "nfs4"),
    ("/run/user/1000/doc", "fuse.portal"),
    ("/srv", "nfs4"),
    ("/srv/fast", "xfs"),
]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/", False),
        ("/var/lib", True),
        ("/home/bo/lectures", True),
        ("/home/ann", False),
        ("/home/ann/hub", False),
        ("/home/ann/hub/deep", False),
        ("/home/ann/hubbub", True),
        ("/srv", False),
        ("/srv/fast/data", True),
        ("/proc/self", False),
    ],
)
def test_near_is_a_disk_of_this_machine_and_all_below_it(folder: str, expected: bool) -> None:
    """The innermost mount around a folder decides, and a foreign one below it spoils it."""
    assert near(folder, LAPTOP) is expected


def test_a_later_mount_covers_an_earlier_one_at_the_same_place() -> None:
    """As the kernel sees it."""
    assert near("/mnt/x", [("/", "ext4"), ("/mnt", "nfs"), ("/mnt", "xfs")])
    assert not near("/mnt/x", [("/", "ext4"), ("/mnt", "xfs"), ("/mnt", "nfs")])


def test_where_the_system_does_not_tell_nothing_is_near(tmp_path: Path) -> None:
    """No file, or one of another shape."""
    assert read_mounts(tmp_path / "mountinfo") == []
    (tmp_path / "mountinfo").write_text("nonsense\n\n1 2 3\n")
    assert read_mounts(tmp_path / "mountinfo") == []
    assert not near("/home", [])


def test_names_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    """Spaces stand as octal numbers, and optional fields before the dash vary in number (proc(5))."""
    (tmp_path / "mountinfo").write_text(
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        "36 27 0:40 / /mnt/my\\040files rw shared:1 master:2 - nfs4 host:/x rw\n"
    )
    assert read_mounts(tmp_path / "mountinfo") == [("/", "ext4"), ("/mnt/my files", "nfs4")]


async def test_a_judgement_stands_for_a_while(tmp_path: Path, clock: Clock) -> None:
    """Somebody may mount something: after five seconds it is looked at again."""
    real = str(tmp_path.resolve())
    mounts: list[Mount] = [("/", "ext4")]
    folders = NearFolders(lambda: mounts, clock)
    assert await folders.real(real) == real
    mounts.append((real, "nfs"))
    assert await folders.real(real) == real
    clock.forward(FRESH)
    assert await folders.real(real) is None


async def test_a_folder_behind_a_link_is_judged_where_it_really_is(tmp_path: Path) -> None:
    """By its real path; what is not there is not near."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    real = str((tmp_path / "real").resolve())
    folders = NearFolders(lambda: [("/", "ext4")])
    assert await folders.real(str(tmp_path / "link")) == real
    assert await folders.real(str(tmp_path / "none")) is None
    assert await folders.real("a\0b") is None
