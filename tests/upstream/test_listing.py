"""Listings of a server that the gate reaches by its address only, and of a real one."""

from __future__ import annotations

import pytest

from sharegate.errors import Invalid
from sharegate.paths import CanonicalPath
from sharegate.upstream.disk import DiskByUpstream
from sharegate.upstream.forward import AiohttpForwarder, Timeouts
from sharegate.upstream.listing import Folders, above
from sharegate.upstream.model import Credential, Upstream
from tests.real.jupyter import JupyterServer


class One:
    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream

    async def find(self, id: str) -> Upstream:
        return self.upstream


def path(text: str) -> CanonicalPath:
    return CanonicalPath.from_body(text)


@pytest.mark.real
@pytest.mark.parametrize("near", [True, False])
async def test_a_folder_is_listed_from_the_disk_or_as_the_server_lists_it(jupyter: JupyterServer, near: bool) -> None:
    """The same names, but hidden ones and links as such are known on this disk only."""
    root = str(jupyter.root.resolve()) if near else ""
    upstream = Upstream(
        id="srv", name="main", owner="Olga", url=jupyter.url, root_dir=root, token=Credential(jupyter.token)
    )
    async with AiohttpForwarder(timeouts=Timeouts()) as forwarder:
        folders = Folders(One(upstream), forwarder, DiskByUpstream())  # type: ignore[arg-type]  # one method of it
        listing = await folders.look("srv", path("sub/shared"))
        kinds = {entry.name: entry.kind for entry in listing.entries}
        assert kinds["inner"] == "directory" and kinds["nb.ipynb"] == "notebook" and kinds["data.csv"] == "file"
        assert (".hidden.txt" in kinds) is near
        assert (kinds.get("link_dir") == "link") is near
        assert (await folders.look("srv", path("sub/shared"), 1)).more == len(listing.entries) - 1
        for wrong in ("sub/nothing", "sub/shared/data.csv"):
            with pytest.raises(Invalid):
                await folders.look("srv", path(wrong))
        found = await folders.inside("srv", path("sub/shared"), ["data.csv", "link_dir"])
        assert found == ({"data.csv"} if near else {"data.csv", "link_dir"})


def test_the_way_to_a_root_begins_at_the_servers_own() -> None:
    """Each folder above it, from the top down."""
    assert [str(each) for each in above(path("a/b/c"))] == ["", "a", "a/b"]
