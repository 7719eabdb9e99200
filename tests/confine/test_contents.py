"""What a visitor sees of the contents API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sharegate.confine.contents import Setting
from sharegate.confine.response import answer_locally, filter_answer
from sharegate.errors import Denied, Reason
from sharegate.paths import Place
from sharegate.shares.model import Capability, RootKind
from tests.confine.rules import grant, setting

FILE_GRANT = grant(root="sub/shared/nb.ipynb", kind=RootKind.FILE)
KEYS = {"name", "path", "last_modified", "created", "format", "mimetype", "size", "writable", "type", "content"}


def model(path: str, kind: str = "file", **more: Any) -> dict[str, Any]:
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "last_modified": "2026-01-02T03:04:05.123456Z",
        "created": "2026-01-02T03:04:05Z",
        "content": None,
        "format": None,
        "mimetype": None,
        "size": 5,
        "writable": True,
        "hash": None,
        "hash_algorithm": None,
        "type": kind,
        **more,
    }


async def shown(given: dict[str, Any], around: Setting) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await filter_answer("contents", json.dumps(given).encode(), around))
    return found


async def refused(given: dict[str, Any], around: Setting) -> Reason:
    with pytest.raises(Denied) as caught:
        await shown(given, around)
    return caught.value.reason


async def test_model_goes_through_an_allow_list() -> None:
    """Only known keys pass, and a viewer's model says that nothing can be written."""
    given = model(
        "sub/shared/a.txt", content="text", format="text", mimetype="text/plain", hash="ab12", hash_algorithm="sha256"
    )
    given |= {"message": "/home/ann/secret", "os_path": "/home/ann/sub/shared/a.txt"}
    found = await shown(given, setting("sub/shared/a.txt"))
    assert set(found) == KEYS | {"hash", "hash_algorithm"}
    assert found == {key: given[key] for key in found} | {"writable": False}
    editor = setting("sub/shared/a.txt", who=grant(Capability.CONTENTS_WRITE))
    assert (await shown(given, editor))["writable"] is True
    assert (await shown(given | {"writable": False}, editor))["writable"] is False
    assert (await shown(given | {"writable": "yes"}, editor))["writable"] is False


async def test_attack_absolute_path_in_an_odd_value() -> None:
    """A value that is not what Jupyter writes there is null."""
    path = "/home/ann/secret/x"
    given = model(
        "sub/shared/a.txt", last_modified=path, created=path, format=path, mimetype=path, size=path, hash=f" {path}"
    )
    found = await shown(given, setting("sub/shared/a.txt"))
    assert path not in json.dumps(found)


async def test_notebook_content_is_not_touched() -> None:
    """The bytes of a notebook are the owner's, digit by digit."""
    content = b'{"cells":[{"outputs":[1e400,123456789012345678901234567890]}],"nbformat":4}'
    outer = json.dumps(model("sub/shared/nb.ipynb", "notebook", content="HERE", format="json")).encode()
    answer = await filter_answer("contents", outer.replace(b'"HERE"', content), setting("sub/shared/nb.ipynb"))
    assert b'"content":' + content in answer


async def test_listing_shows_only_what_can_be_reached() -> None:
    """Dotfiles, links out, names that cannot be asked for and entries of other directories are not listed."""
    base = "sub/shared"
    listed = [
        model(f"{base}/data.csv"),
        model(f"{base}/inner", "directory"),
        model(f"{base}/link_secret.txt"),
        model(f"{base}/.hidden.txt"),
        model(f"{base}/.hid", "directory"),
        model(f"{base}/back\\slash"),
        model(f"{base}/line\nbreak"),
        model(f"{base}/right\u202eleft"),
        model(f"{base}/percent%2e"),
        model(f"{base}/lone\udcff"),
        model(f"{base}/inner/deep.txt"),
        model("secret/secret.txt"),
        model("sub/shared2/sibling.txt"),
        model(f"{base}/../secret"),
        model(""),
        model(f"{base}/drive", "drive"),
    ]
    given = model(base, "directory", content=listed, format="json", mimetype=None, size=None)
    found = await shown(given, setting(base, gone=frozenset({"link_secret.txt"})))
    assert [entry["name"] for entry in found["content"]] == ["data.csv", "inner"]
    assert all(
        set(entry) <= KEYS | {"hash", "hash_algorithm"} and entry["content"] is None for entry in found["content"]
    )
    assert not any(entry["writable"] for entry in found["content"])


async def test_entry_of_a_listing_has_no_content() -> None:
    """Nothing nested comes along with an entry."""
    inner = model("sub/shared/inner", "directory", content=[model("secret/x")])
    found = await shown(model("sub/shared", "directory", content=[inner], format="json"), setting("sub/shared"))
    assert found["content"][0]["content"] is None


async def test_directory_without_content() -> None:
    """`content=0` stays without content."""
    assert (await shown(model("sub/shared", "directory"), setting("sub/shared")))["content"] is None


@pytest.mark.parametrize(
    "path", ["secret/secret.txt", "sub/shared2/x", "sub", "", "sub/shared/../x", "sub/shared/.x", "sub/shared/b.txt"]
)
async def test_attack_answer_about_something_else(path: str) -> None:
    """A model of another path than was asked for never passes."""
    assert await refused(model(path), setting("sub/shared/a.txt")) is Reason.UPSTREAM_BAD_ANSWER


async def test_answer_to_a_write_may_name_a_new_path_inside() -> None:
    """A new file is named by the server: inside passes, outside does not."""
    around = setting("sub/shared", method="POST")
    assert (await shown(model("sub/shared/untitled.txt"), around))["path"] == "sub/shared/untitled.txt"
    assert await refused(model("secret/untitled.txt"), around) is Reason.UPSTREAM_BAD_ANSWER


async def test_root_that_is_another_kind_of_thing() -> None:
    """A directory where a file was shared, or the reverse, is `root_changed`."""
    assert await refused(model("sub/shared"), setting("sub/shared")) is Reason.ROOT_CHANGED
    around = setting("sub/shared/nb.ipynb", who=FILE_GRANT)
    listing = model("sub/shared/nb.ipynb", "directory", content=[])
    assert await refused(listing, around) is Reason.ROOT_CHANGED


@pytest.mark.parametrize(
    "broken",
    [
        {"path": 7},
        {"type": "drive"},
        {"type": None},
        {"content": 5, "type": "directory"},
        {"content": [5], "type": "directory"},
    ],
)
async def test_answer_that_is_no_model(broken: dict[str, Any]) -> None:
    """What is no model is unusable."""
    assert await refused(model("sub/shared/a") | broken, setting("sub/shared/a")) is Reason.UPSTREAM_BAD_ANSWER


@pytest.mark.parametrize(("path", "step"), [("", "sub"), ("sub", "sub/shared")])
def test_ancestor_shows_only_the_next_step(path: str, step: str) -> None:
    """The way to the root is shown, and nothing beside it; the upstream is not asked."""
    found = json.loads(answer_locally("contents", setting(path)) or b"")
    assert (found["path"], found["type"], found["format"], found["writable"]) == (path, "directory", "json", False)
    assert [(entry["path"], entry["type"]) for entry in found["content"]] == [(step, "directory")]
    assert set(found) == KEYS and set(found["content"][0]) == KEYS


def test_ancestor_without_content() -> None:
    """`content=0` is honoured for ancestors, and a directory is no file."""
    found = json.loads(answer_locally("contents", setting("", fields={"content": False})) or b"")
    assert (found["content"], found["format"]) == (None, None)
    with pytest.raises(Denied) as caught:
        answer_locally("contents", setting("", fields={"type": "file"}))
    assert caught.value.reason is Reason.NOT_FOUND


def test_directory_of_a_shared_file_shows_only_the_file() -> None:
    """A shared file has no siblings, also in the listing."""
    around = setting("sub/shared", who=FILE_GRANT)
    assert around.confined.place is Place.ANCESTOR
    found = json.loads(answer_locally("contents", around) or b"")
    assert [(entry["path"], entry["type"]) for entry in found["content"]] == [("sub/shared/nb.ipynb", "notebook")]


def test_only_ancestors_are_answered_without_the_upstream() -> None:
    """What is inside, and what is no listing, is asked."""
    assert answer_locally("contents", setting("sub/shared")) is None
    assert answer_locally("kernelspecs", setting("sub")) is None
