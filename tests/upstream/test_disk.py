"""Symbolic links, on a real disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharegate.errors import Denied, Reason
from sharegate.upstream.disk import DiskByUpstream, LocalDisk, NoDisk
from sharegate.upstream.model import Upstream
from sharegate.upstream.mounts import NearFolders

ROOT = ("sub", "shared")
NEAR, FAR = LocalDisk(NearFolders(lambda: [("/", "ext4")])), LocalDisk(NearFolders(list))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A server's root directory with a shared folder, and things beside it that nobody shared."""
    base = tmp_path.resolve() / "home"
    shared = base / "sub" / "shared"
    for directory in (
        shared / "inner",
        shared / ".hid",
        base / "secret",
        base / "sub" / "shared2",
        base.parent / "beyond",
    ):
        directory.mkdir(parents=True)
    for file in (shared / "data.csv", shared / "inner" / "deep.txt", shared / ".hid" / "x.txt", shared / ".hidden.txt"):
        file.write_text("shared\n")
    for file in (base / "secret" / "s.txt", base / "sub" / "shared2" / "s.txt", base.parent / "beyond" / "s.txt"):
        file.write_text("SECRET\n")
    return base


def upstream(home: Path) -> Upstream:
    return Upstream(id="u", name="u", owner="ann", url="http://127.0.0.1:8888/", root_dir=str(home))


async def inside(home: Path, path: str, root: tuple[str, ...] = ROOT) -> bool:
    """Whether a path (relative to the server's root) is found to be inside; every refusal must be `link_out`. A disk
    that is near and one that may be far are looked at differently, and come to the same."""
    found = [await _found(disk, home, path, root) for disk in (NEAR, FAR)]
    assert found[0] == found[1], path
    return found[0]


async def identity(home: Path, root: tuple[str, ...]) -> tuple[int, int, bool] | None:
    """By both ways, which come to the same."""
    found = [await disk.identity(upstream(home), root) for disk in (NEAR, FAR)]
    assert found[0] == found[1]
    return found[0]


async def _found(disk: LocalDisk, home: Path, path: str, root: tuple[str, ...]) -> bool:
    try:
        await disk.check_inside(upstream(home), root, tuple(path.split("/")))
    except Denied as denied:
        if denied.reason is not Reason.LINK_OUT:
            raise
        return False
    return True


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/data.csv",
        "/inner",
        "/inner/deep.txt",
        "/new.txt",
        "/newdir/new.txt",
        "/data.csv/x",
        "/a.b..c",
        "/" + "ü" * 100,
    ],
)
async def test_path_without_links_is_inside(home: Path, path: str) -> None:
    """Files, directories and what does not exist yet."""
    assert await inside(home, f"sub/shared{path}")


@pytest.mark.parametrize(
    "target",
    [
        "data.csv",
        "./inner/../data.csv",
        "inner/deep.txt",
        "../shared/data.csv",
        "../../sub/shared/data.csv",
        "inner",
        "inner/",
        ".",
        "not_yet.txt",
        "ABSOLUTE/sub/shared/data.csv",
        "ABSOLUTE/sub/shared",
    ],
)
async def test_link_to_something_inside_is_inside(home: Path, target: str) -> None:
    """Relative and absolute links within the root are followed."""
    (home / "sub/shared/link").symlink_to(target.replace("ABSOLUTE", str(home)))
    assert await inside(home, "sub/shared/link")


@pytest.mark.parametrize(
    "target",
    [
        "../../secret/s.txt",
        "../../secret",
        "../shared2/s.txt",
        "../shared2",
        "..",
        "../..",
        "/",
        "/etc/passwd",
        "inner/../../../secret/s.txt",
        "../../../beyond/s.txt",
        "../../secret/not_yet.txt",
        "/nowhere/at/all",
        "nowhere/../../../secret/s.txt",
        "ABSOLUTE/secret/s.txt",
        "ABSOLUTE/sub",
        "ABSOLUTE/sub/shared2",
        "ABSOLUTE/sub/shared/../shared2/s.txt",
        "/proc/self/cwd",
        "/proc/self/root",
    ],
)
async def test_attack_link_out_of_the_root(home: Path, target: str) -> None:
    """A link to a secret, a sibling, an ancestor, a system file or a file that does not exist yet is `link_out`."""
    (home / "sub/shared/link").symlink_to(target.replace("ABSOLUTE", str(home)))
    assert not await inside(home, "sub/shared/link")
    assert not await inside(home, "sub/shared/link/more")


@pytest.mark.parametrize("target", [".hid/x.txt", ".hid", ".hidden.txt", "ABSOLUTE/sub/shared/.hid/x.txt", ".not_yet"])
async def test_attack_link_through_a_hidden_name(home: Path, target: str) -> None:
    """What is hidden stays so under another name."""
    (home / "sub/shared/link").symlink_to(target.replace("ABSOLUTE", str(home)))
    assert not await inside(home, "sub/shared/link")


async def test_attack_hidden_link_in_the_middle_of_a_chain(home: Path) -> None:
    """A chain is judged by every name that it crosses, not only by its end."""
    (home / "sub/shared/.through").symlink_to("data.csv")
    (home / "sub/shared/link").symlink_to(".through")
    assert os.path.realpath(home / "sub/shared/link") == str(home / "sub/shared/data.csv")
    assert not await inside(home, "sub/shared/link")


async def test_hidden_directory_above_the_root_does_not_matter(tmp_path: Path) -> None:
    """Only what lies below the root is hidden from its visitors."""
    base = tmp_path.resolve() / ".cache" / "home"
    (base / "shared").mkdir(parents=True)
    (base / "shared" / "a").write_text("")
    (base / "shared" / "link").symlink_to(base / "shared" / "a")
    assert await inside(base, "shared/link", ("shared",))


async def test_links_to_links(home: Path) -> None:
    """Chains are followed to their end, in directories as well."""
    shared = home / "sub/shared"
    (shared / "one").symlink_to("two")
    (shared / "two").symlink_to("inner/three")
    (shared / "inner/three").symlink_to("../data.csv")
    assert await inside(home, "sub/shared/one")
    (shared / "inner/three").unlink()
    (shared / "inner/three").symlink_to("../../../secret/s.txt")
    assert not await inside(home, "sub/shared/one")
    (shared / "way").symlink_to("inner")
    assert await inside(home, "sub/shared/way/deep.txt")
    assert not await inside(home, "sub/shared/way/three")


@pytest.mark.parametrize("target", ["link", "./link", "other", "link/x"])
async def test_attack_links_in_circles(home: Path, target: str) -> None:
    """A loop is refused, not followed for ever."""
    (home / "sub/shared/link").symlink_to(target)
    (home / "sub/shared/other").symlink_to("link")
    assert not await inside(home, "sub/shared/link")
    assert not await inside(home, "sub/shared/link/deeper")


async def test_attack_chain_longer_than_the_kernel_follows(home: Path) -> None:
    """As many links as the kernel follows, and not one more."""
    shared = home / "sub/shared"
    (shared / "l0").symlink_to("data.csv")
    for number in range(1, 60):
        (shared / f"l{number}").symlink_to(f"l{number - 1}")
    assert await inside(home, "sub/shared/l39")
    assert not await inside(home, "sub/shared/l40")


async def test_attack_link_swapped_between_two_requests(home: Path) -> None:
    """Each request looks anew. A swap between the look and the upstream's own opening is not seen: see the module."""
    link = home / "sub/shared/link"
    link.symlink_to("data.csv")
    assert await inside(home, "sub/shared/link")
    link.unlink()
    link.symlink_to("../../secret/s.txt")
    assert not await inside(home, "sub/shared/link")


async def test_attack_directory_swapped_for_a_link(home: Path) -> None:
    """A directory that becomes a link takes what is below it along."""
    assert await inside(home, "sub/shared/inner/deep.txt")
    (home / "sub/shared/inner").rename(home / "sub/shared/old")
    (home / "sub/shared/inner").symlink_to("../../secret")
    assert not await inside(home, "sub/shared/inner/s.txt")


async def test_shared_file_that_becomes_a_link(home: Path) -> None:
    """A shared file is itself, not where a link in its place points."""
    root = (*ROOT, "data.csv")
    assert await inside(home, "sub/shared/data.csv", root)
    (home / "sub/shared/data.csv").unlink()
    (home / "sub/shared/data.csv").symlink_to("inner/deep.txt")
    assert not await inside(home, "sub/shared/data.csv", root)


async def test_attack_root_that_becomes_a_link(home: Path) -> None:
    """A root replaced by a link leads nowhere: no path, no name, no identity."""
    (home / "sub/shared").rename(home / "sub/moved")
    (home / "sub/shared").symlink_to(home / "secret")
    assert not await inside(home, "sub/shared/s.txt")
    assert not await inside(home, "sub/shared")
    assert await NEAR.inside_names(upstream(home), ROOT, ROOT, ["s.txt"]) == set()
    assert await identity(home, ROOT) is None


async def test_root_that_is_gone(home: Path) -> None:
    """A root whose directory is gone has no inside."""
    (home / "sub").rename(home / "elsewhere")
    assert not await inside(home, "sub/shared/data.csv")
    assert await identity(home, ROOT) is None


async def test_root_below_a_link_is_judged_by_its_real_place(home: Path) -> None:
    """A folder that the owner reaches through a link of their own can be shared; links in it are judged from there."""
    (home / "through").symlink_to(home.parent / "beyond")
    (home.parent / "beyond/folder").mkdir()
    (home.parent / "beyond/folder/a").write_text("")
    (home.parent / "beyond/folder/link").symlink_to("../s.txt")
    root = ("through", "folder")
    assert await inside(home, "through/folder/a", root)
    assert not await inside(home, "through/folder/link", root)


async def test_identity_follows_the_directory_not_the_name(home: Path) -> None:
    """Another directory of the same name, or a file, is another thing."""
    before = await identity(home, ROOT)
    found = os.stat(home / "sub/shared")
    assert before == (found.st_dev, found.st_ino, True)
    (home / "sub/shared").rename(home / "sub/moved")
    (home / "sub/shared").mkdir()
    assert await identity(home, ROOT) not in (None, before)
    assert await identity(home, ("sub", "moved")) == before
    assert (await identity(home, ("secret", "s.txt")) or (0, 0, True))[2] is False
    # An ancestor turned elsewhere shows as another inode.
    (home / "sub").rename(home / "before")
    (home / "other/shared").mkdir(parents=True)
    (home / "sub").symlink_to("other")
    assert await identity(home, ROOT) not in (None, before)


async def test_names_of_a_listing(home: Path) -> None:
    """Of a directory's names, those stay whose real path is inside; of a directory outside, none."""
    shared = home / "sub/shared"
    (shared / "link_in").symlink_to("data.csv")
    (shared / "link_out").symlink_to("../../secret/s.txt")
    (shared / "link_dir").symlink_to("../../secret")
    (shared / "loop").symlink_to("loop")
    names = [*os.listdir(shared), "vanished"]
    kept = await NEAR.inside_names(upstream(home), ROOT, ROOT, names)
    assert kept == {"data.csv", "inner", "link_in", "vanished"}
    (shared / "inner/out").symlink_to("../../../secret")
    assert await NEAR.inside_names(upstream(home), ROOT, (*ROOT, "inner"), ["deep.txt", "out"]) == {"deep.txt"}
    assert await NEAR.inside_names(upstream(home), ROOT, (*ROOT, "link_dir"), ["s.txt"]) == set()
    assert await NEAR.inside_names(upstream(home), ROOT, ("secret",), ["s.txt"]) == set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root sees everything")
async def test_what_cannot_be_looked_at_is_refused(home: Path) -> None:
    """A directory that the gate may not enter fails closed."""
    (home / "sub/shared/inner").chmod(0)
    try:
        assert not await inside(home, "sub/shared/inner/deep.txt")
    finally:
        (home / "sub/shared/inner").chmod(0o700)


async def test_name_that_no_disk_can_hold(home: Path) -> None:
    """NUL and endless names are refused, not raised."""
    for name in ("a\0b", "a" * 300):
        assert not await inside(home, f"sub/shared/{name}")
        assert await NEAR.inside_names(upstream(home), ROOT, ROOT, [name]) == set()


async def test_path_outside_the_root_is_refused(home: Path) -> None:
    """The disk does not trust that its caller asked about the root."""
    assert not await inside(home, "secret/s.txt")
    assert not await inside(home, "sub/shared2/s.txt")


async def test_where_a_path_really_is(home: Path) -> None:
    """Relative to the server's root, spelled below the share's: through links, to nowhere, and of the root itself."""
    shared = home / "sub" / "shared"
    (shared / "to_file").symlink_to("inner/deep.txt")
    (shared / "to_folder").symlink_to(shared / "inner")
    (shared / "to_nowhere").symlink_to("inner/new.py")
    (shared / "out").symlink_to(home / "secret")
    real = {
        "data.csv": "data.csv",
        "new/x.txt": "new/x.txt",
        "to_file": "inner/deep.txt",
        "to_folder/deep.txt": "inner/deep.txt",
        "to_nowhere": "inner/new.py",
    }
    for asked, found in real.items():
        path = await NEAR.real_path(upstream(home), ROOT, (*ROOT, *asked.split("/")))
        assert path == (*ROOT, *found.split("/"))
    assert await NEAR.real_path(upstream(home), ROOT, ROOT) == ROOT
    assert await NEAR.real_path(upstream(home), (*ROOT, "data.csv"), (*ROOT, "data.csv")) == (*ROOT, "data.csv")
    (home / "way").symlink_to(home / "sub")
    assert await NEAR.real_path(upstream(home), ("way", "shared"), ("way", "shared", "to_file")) == (
        *("way", "shared", "inner", "deep.txt"),
    )
    for outside in ((*ROOT, "out"), (*ROOT, "out", "s.txt"), ("secret", "s.txt")):
        with pytest.raises(Denied):
            await NEAR.real_path(upstream(home), ROOT, outside)


async def test_what_is_hidden_in_a_folder(home: Path) -> None:
    """At any depth; not what programs put there, nor what a link leads to. What cannot be seen counts as hidden."""
    top = home / "sub" / "shared" / "top"
    (top / "deep" / ".ipynb_checkpoints").mkdir(parents=True)
    for name in (".DS_Store", "deep/a.txt", "deep/.ipynb_checkpoints/a-checkpoint.txt", "deep/a.pyc"):
        (top / name).write_text("")
    (top / "link").symlink_to(home / "sub" / "shared")
    (home / "sub" / "shared" / "to_top").symlink_to(top)

    async def hidden(name: str) -> bool:
        return await NEAR.hidden_inside(upstream(home), ROOT, (*ROOT, *name.split("/")))

    assert not await hidden("top") and not await hidden("to_top/deep")
    for name in (".env", "x~", ".ipynb_checkpoints/.env", os.fsdecode(b"b\xff.txt")):
        made = top / "deep" / name
        made.write_text("")
        assert await hidden("top") and await hidden("top/deep") and await hidden("to_top/deep")
        assert not await hidden("to_top"), "only the link goes"
        assert await DiskByUpstream().hidden_inside(upstream(home), ROOT, (*ROOT, "top"))
        made.unlink()
    assert not await hidden("top")
    assert await hidden("missing") and await hidden("data.csv")
    assert not await NoDisk().hidden_inside(upstream(home), ROOT, ROOT)


async def test_attack_a_folder_too_large_to_look_through(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts as one with something hidden."""
    monkeypatch.setattr("sharegate.upstream.disk.MAX_NAMES", 3)
    top = home / "sub" / "shared" / "many"
    top.mkdir()
    for at in range(4):
        assert not await NEAR.hidden_inside(upstream(home), ROOT, (*ROOT, "many"))
        (top / f"{at}").write_text("")
    assert await NEAR.hidden_inside(upstream(home), ROOT, (*ROOT, "many"))
    with pytest.raises(Denied) as refused:
        await NEAR.names_below(upstream(home), ROOT, (*ROOT, "many"), copied=False)
    assert refused.value.reason is Reason.BODY_TOO_LARGE


async def test_all_names_in_a_folder(home: Path) -> None:
    """Hidden ones too, and those behind a link to a folder of the root, each folder once; nothing from outside."""
    top = home / "sub" / "shared" / "top"
    (top / ".git").mkdir(parents=True)
    for name in ("a.pyc", ".git/HEAD", os.fsdecode(b"b\xff.py")):
        (top / name).write_text("")
    (top / "again").symlink_to(top)
    (top / "inner").symlink_to("../inner")
    (top / "out").symlink_to(home / "secret")
    names = {"a.pyc", ".git", "HEAD", os.fsdecode(b"b\xff.py"), "again", "inner", "deep.txt", "out"}

    assert await NEAR.names_below(upstream(home), ROOT, (*ROOT, "top"), copied=False) == names
    assert await DiskByUpstream().names_below(upstream(home), ROOT, (*ROOT, "top", "again"), copied=False) == names
    assert await NoDisk().names_below(upstream(home), ROOT, (*ROOT, "top"), copied=False) is None
    for wrong in ((*ROOT, "top", "out"), (*ROOT, "missing"), (*ROOT, "data.csv"), ("secret",)):
        with pytest.raises(Denied):
            await NEAR.names_below(upstream(home), ROOT, wrong, copied=False)


async def test_what_may_not_be_copied_with_a_folder(home: Path) -> None:
    """Links that lead out, through a hidden name, to a folder or to nothing; what is neither file nor folder."""
    top = home / "sub" / "shared" / "top"
    top.mkdir()
    (top / "to_data").symlink_to("../data.csv")
    assert await NEAR.names_below(upstream(home), ROOT, (*ROOT, "top"), copied=True) == {"to_data"}
    for number, target in enumerate(
        (home / "secret", home / "secret" / "s.txt", "../.hidden.txt", "../.hid/x.txt", "../inner", "nothing", top)
    ):
        (top / f"{number}~").symlink_to(target)
        with pytest.raises(Denied) as refused:
            await NEAR.names_below(upstream(home), ROOT, (*ROOT, "top"), copied=True)
        assert refused.value.reason is Reason.LINK_OUT, target
        (top / f"{number}~").unlink()
    os.mkfifo(top / "pipe")
    with pytest.raises(Denied):
        await NEAR.names_below(upstream(home), ROOT, (*ROOT, "top"), copied=True)


async def test_which_names_are_links(home: Path) -> None:
    """Whatever they lead to; a folder outside is not looked at."""
    shared = home / "sub" / "shared"
    (shared / "out").symlink_to(home / "secret")
    (shared / "to_inner").symlink_to("inner")
    (shared / "to_nothing").symlink_to("nothing")
    names = ["out", "to_inner", "to_nothing", "inner", "data.csv", "missing", os.fsdecode(b"b\xff")]

    assert await NEAR.links(upstream(home), ROOT, ROOT, names) == {"out", "to_inner", "to_nothing"}
    assert await DiskByUpstream().links(upstream(home), ROOT, ROOT, names) == {"out", "to_inner", "to_nothing"}
    assert await NoDisk().links(upstream(home), ROOT, ROOT, names) == set()
    for wrong in ((*ROOT, "out"), ("secret",)):
        with pytest.raises(Denied):
            await NEAR.links(upstream(home), ROOT, wrong, ["s.txt"])


async def test_server_whose_disk_cannot_be_seen(home: Path) -> None:
    """A remote server's links are not checked; asking the local look about it fails closed."""
    (home / "sub/shared/link").symlink_to("/etc/passwd")
    far = Upstream(id="f", name="f", owner="ann", url="https://hub.example/user/ann/")
    path = (*ROOT, "link")
    for disk in (NoDisk(), DiskByUpstream()):
        await disk.check_inside(far, ROOT, path)
        assert await disk.inside_names(far, ROOT, ROOT, ["link"]) == {"link"}
        assert await disk.identity(far, ROOT) is None
        assert await disk.real_path(far, ROOT, path) == path
    with pytest.raises(Denied):
        await NEAR.check_inside(far, ROOT, path)
    near = DiskByUpstream()
    with pytest.raises(Denied):
        await near.check_inside(upstream(home), ROOT, path)
    assert await near.inside_names(upstream(home), ROOT, ROOT, ["link"]) == set()
    with pytest.raises(Denied):
        await near.real_path(upstream(home), ROOT, path)
    assert await near.identity(upstream(home), ROOT) == await identity(home, ROOT)


TARGETS = st.lists(st.sampled_from(["..", ".", "a", "b", "l0", "l1", "l2", "", "new"]), min_size=1, max_size=6).map(
    "/".join
)


@given(st.lists(TARGETS, min_size=3, max_size=3), st.sampled_from(["l0", "l1", "l2", "a/l2", "l0/b", "l1/new/x"]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_whatever_is_found_inside_the_kernel_finds_inside(tmp_path: Path, links: list[str], asked: str) -> None:
    """For any tangle of links, what passes really lies inside by the kernel's own reading, and links within pass."""
    base = tmp_path.resolve() / "tangle"
    shared = base / "sub" / "shared"
    if not shared.exists():
        (shared / "a/b").mkdir(parents=True)
        (shared / "b").mkdir()
    for number, target in enumerate(links):
        link = (shared / "a" / "l2") if number == 2 else shared / f"l{number}"
        link.unlink(missing_ok=True)
        link.symlink_to(target.lstrip("/") or ".")
    passed = await inside(base, f"sub/shared/{asked}")
    try:
        real: str | None = os.path.realpath(shared / asked, strict=True)
    except OSError:
        real = None
    if real is not None:
        assert passed is (real == str(shared) or real.startswith(f"{shared}/"))
