"""What a visit keeps for itself."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Denied, Reason
from sharegate.lab.overlay import MAX_WORKSPACE_BYTES, Overlays, read_settings, visitor_settings
from sharegate.messages import Response
from sharegate.shares.model import Role, RootKind
from tests.lab.people import MemoryStore, grant
from tests.real.jupyter import JupyterServer

THEMES = "@jupyterlab/apputils-extension:themes"
DOCMANAGER = "@jupyterlab/docmanager-extension:plugin"


def body(answer: Response) -> Any:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


@pytest.fixture
def overlays() -> Overlays:
    return Overlays(MemoryStore())


class TestWorkspaces:
    async def test_a_first_load_is_an_empty_layout_in_the_shared_folder(self, overlays: Overlays) -> None:
        """Nothing of the owner's layout, and the file browser in the folder; a single file has no folder."""
        first = body(await overlays.workspace(grant(), "default"))
        file = body(await overlays.workspace(grant(kind=RootKind.FILE), "default"))

        assert first["data"] == {"file-browser-filebrowser:cwd": {"path": "sub/shared"}}
        assert file == {"data": {}, "metadata": {"id": "default"}}

    async def test_a_layout_comes_back_to_the_same_visit_only(self, overlays: Overlays) -> None:
        """Stored layouts are listed and read by their visit, under the name of the address."""
        put = {"data": {"layout": {"x": 10**30, "y": 1.5}}, "metadata": {"id": "other"}, "surprise": 1}
        answer = await overlays.put_workspace(grant(), "default", json.dumps(put).encode())
        mine = body(await overlays.workspace(grant(), "default"))
        listed = body(await overlays.workspaces(grant()))

        assert answer.status == 204
        assert mine == {"data": put["data"], "metadata": {"id": "default"}}
        assert listed == {"workspaces": {"ids": ["default"], "values": [mine]}}
        assert body(await overlays.workspaces(grant(visit="other34567"))) == {"workspaces": {"ids": [], "values": []}}

    async def test_deleting_starts_afresh(self, overlays: Overlays) -> None:
        """A deleted layout is a first load again."""
        await overlays.put_workspace(grant(), "auto-x", b'{"data":{"a":1}}')
        await overlays.delete_workspace(grant(), "auto-x")

        assert "a" not in body(await overlays.workspace(grant(), "auto-x"))["data"]

    @pytest.mark.parametrize(
        "data",
        [b"", b"[]", b"null", b"{}", b'{"data":[]}', b"{" * 9999, b'{"data":{"a":' + b"[" * 400 + b"]" * 400 + b"}}"],
    )
    async def test_attack_a_layout_that_is_none(self, overlays: Overlays, data: bytes) -> None:
        """Anything but an object of bounded depth with data is refused and nothing is stored."""
        with pytest.raises(Denied) as caught:
            await overlays.put_workspace(grant(), "default", data)

        assert caught.value.reason is Reason.BAD_BODY
        assert body(await overlays.workspaces(grant()))["workspaces"]["ids"] == []

    @pytest.mark.parametrize("name", ["", "a\x00b", "x" * 201, "a\nb"])
    async def test_attack_names(self, overlays: Overlays, name: str) -> None:
        """A name is short and without control characters."""
        with pytest.raises(Denied):
            await overlays.put_workspace(grant(), name, b'{"data":{}}')

    async def test_limits(self, overlays: Overlays) -> None:
        """Twenty layouts, one megabyte."""
        for number in range(20):
            await overlays.put_workspace(grant(), f"w{number}", b'{"data":{}}')
        with pytest.raises(Denied) as caught:
            await overlays.put_workspace(grant(), "w20", b'{"data":{}}')
        assert caught.value.reason is Reason.OVERLAY_LIMIT
        big = json.dumps({"data": {"x": "y" * MAX_WORKSPACE_BYTES}}).encode()
        with pytest.raises(Denied):
            await overlays.put_workspace(grant(), "w0", big)


class TestSettings:
    async def test_the_owners_values_go_and_the_visitors_come(self, overlays: Overlays) -> None:
        """Schema and version stay; raw and settings are what this visit stored."""
        upstream = {
            "id": THEMES,
            "schema": {"properties": {"theme": {}}},
            "version": "4.6.6",
            "raw": '{"theme": "owner"}',
            "settings": {"theme": "owner"},
            "warning": "/home/ann/x",
            "last_modified": "2026-01-01",
        }
        await overlays.put_settings(grant(), THEMES, b'{"raw":"{\\n// mine\\n\\"theme\\": \\"JupyterLab Dark\\",\\n}"}')
        mine = body(await overlays.settings(grant(), json.dumps(upstream).encode()))
        others = body(await overlays.settings(grant(visit="other34567"), json.dumps({"settings": [upstream]}).encode()))

        assert mine["settings"] == {"theme": "JupyterLab Dark"} == json.loads(mine["raw"])
        assert mine["schema"] == upstream["schema"]
        assert others["settings"][0]["settings"] == {}
        assert "owner" not in json.dumps([mine, others])
        assert "/home/ann" not in json.dumps([mine, others])

    def test_attack_overriding_what_the_role_enforces(self) -> None:
        """A visitor's own value for an enforced setting does not win."""
        upstream = json.dumps({"id": DOCMANAGER, "schema": {}}).encode()
        shown = visitor_settings(upstream, {DOCMANAGER: {"autosave": True, "other": 1}}, Role.VIEW)

        assert shown["settings"]["autosave"] is False
        assert shown["settings"]["other"] == 1

    def test_a_key_that_the_schema_does_not_know_is_left_out(self) -> None:
        """An older JupyterLab without an enforced setting is not broken by it."""
        schema = {"properties": {"a": {}}, "additionalProperties": False}
        upstream = json.dumps({"id": DOCMANAGER, "schema": schema}).encode()

        assert visitor_settings(upstream, {DOCMANAGER: {"a": 1}}, Role.VIEW)["settings"] == {"a": 1}

    def test_ids_only(self) -> None:
        """A list of ids stays a list of ids."""
        assert visitor_settings(b'{"settings":[{"id":"x:y"}]}', {}, Role.VIEW) == {"settings": [{"id": "x:y"}]}

    @pytest.mark.parametrize("upstream", [b"", b"[]", b'{"settings":[1]}', b'{"id":1}', b"[" * 99999])
    def test_an_unusable_answer_is_none(self, upstream: bytes) -> None:
        """What is no settings answer goes no further."""
        with pytest.raises(Denied) as caught:
            visitor_settings(upstream, {}, Role.VIEW)

        assert caught.value.reason is Reason.UPSTREAM_BAD_ANSWER

    @pytest.mark.parametrize("data", [b"x", b'{"raw":1}', b'{"raw":"[1]"}', b'{"raw":"{a:1}"}', b'{"raw":"{\\"a\\""}'])
    async def test_attack_settings_that_are_none(self, overlays: Overlays, data: bytes) -> None:
        """Text that is no JSON object is refused."""
        with pytest.raises(Denied) as caught:
            await overlays.put_settings(grant(), THEMES, data)

        assert caught.value.reason is Reason.BAD_BODY

    @pytest.mark.parametrize("plugin", ["x", "../x:y", "a b:c", "x:y/z", ":"])
    async def test_attack_plugin_names(self, overlays: Overlays, plugin: str) -> None:
        """A plugin's name has the shape of one."""
        with pytest.raises(Denied):
            await overlays.put_settings(grant(), plugin, b'{"raw":"{}"}')


class TestAnnotatedJson:
    @given(st.dictionaries(st.text(max_size=8), st.one_of(st.text(), st.lists(st.text(), max_size=3)), max_size=5))
    def test_comments_and_trailing_commas_change_nothing(self, value: dict[str, Any]) -> None:
        """Annotated text reads as the object it annotates, whatever its strings hold."""
        plain = json.dumps(value, indent=1)
        annotated = '// head , }\n/* [ , " */' + (plain[:-1].rstrip() + (",\n" if value else "")) + "// tail\n}"

        assert read_settings(annotated) == value == read_settings(plain)

    @pytest.mark.parametrize(
        "raw", ['"' * 200_000, '{"' + '\\"' * 130_000, "/*" * 130_000, "//" * 130_000, "," * 200_000]
    )
    def test_attack_text_made_to_be_slow(self, raw: str) -> None:
        """Text without an end to its strings or comments is read in one pass."""
        with contextlib.suppress(Denied):
            assert read_settings(raw) == {}


@pytest.mark.real
async def test_real_settings_keep_their_schemas(jupyter: JupyterServer, overlays: Overlays) -> None:
    """Of a real server's settings every schema arrives, and no path of the machine."""
    upstream = jupyter.get("lab/api/settings")
    shown = body(await overlays.settings(grant(), upstream))["settings"]

    assert len(shown) == len(json.loads(upstream)["settings"]) > 40
    assert all(entry["schema"]["type"] == "object" for entry in shown)
    assert str(jupyter.root.parent) not in json.dumps(shown)
