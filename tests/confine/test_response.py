"""The other answers that are written anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sharegate.confine.response import ANSWER_LIMITS, FILTERS, filter_answer
from sharegate.errors import Denied, Reason
from sharegate.policy.model import FILTERS as POLICY_FILTERS
from tests.confine.rules import setting


async def answer(name: str, given: Any, **more: Any) -> Any:
    return json.loads(await filter_answer(name, json.dumps(given).encode(), setting("sub/shared/nb.ipynb", **more)))


async def refused(name: str, given: Any, **more: Any) -> Reason:
    with pytest.raises(Denied) as caught:
        await answer(name, given, **more)
    return caught.value.reason


def test_every_filter_is_one_that_rules_can_name() -> None:
    """The names are the route table's, and each has a limit."""
    assert set(FILTERS) <= POLICY_FILTERS
    assert set(FILTERS) == set(ANSWER_LIMITS)


async def test_unknown_filter_fails_closed() -> None:
    """A rule with a filter that nobody wrote lets nothing through."""
    assert await refused("sessions", []) is Reason.UPSTREAM_BAD_ANSWER


SESSION = {"format": "json", "type": "notebook", "fileId": "0b4c-1", "sessionId": "9f-2"}


async def test_document_session_keeps_four_fields() -> None:
    """Format, type, file id and session id, as they were asked for."""
    asked = {"format": "json", "type": "notebook"}
    assert await answer("session", SESSION | {"path": "/home/ann"}, fields=asked) == SESSION


@pytest.mark.parametrize(
    "broken",
    [
        {"format": "text"},
        {"type": "file"},
        {"fileId": "a:b"},
        {"fileId": "a/b"},
        {"fileId": ""},
        {"sessionId": 5},
        {"sessionId": "a b"},
    ],
)
async def test_attack_session_that_opens_another_room(broken: dict[str, Any]) -> None:
    """Another format, or an id that would name another room, is unusable."""
    asked = {"format": "json", "type": "notebook"}
    assert await refused("session", SESSION | broken, fields=asked) is Reason.UPSTREAM_BAD_ANSWER


KERNEL = {
    "name": "python3",
    "spec": {
        "argv": ["/home/ann/venv/bin/python", "-m", "ipykernel_launcher"],
        "env": {"TOKEN": "SECRET"},
        "display_name": "Python 3",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"debugger": True, "path": "/home/ann"},
    },
    "resources": {
        "logo-64x64": "/user/ann/kernelspecs/python3/logo-64x64.png",
        "logo-svg": "http://evil.example/user/ann/logo.svg",
        "logo-32x32": "/user/ann/../bob/logo.png",
        "kernel.js": "/user/ann/kernelspecs/python3/kernel.js",
    },
}


async def test_kernelspecs_name_language_and_logo() -> None:
    """Neither command line, environment nor metadata of a kernel are shown, and its logo lies below the visit."""
    found = await answer("kernelspecs", {"default": "python3", "kernelspecs": {"python3": KERNEL, "a/b": KERNEL}})
    clean = {
        "name": "python3",
        "spec": {
            "argv": [],
            "env": {},
            "display_name": "Python 3",
            "language": "python",
            "metadata": {},
            "interrupt_mode": "signal",
        },
        "resources": {"logo-64x64": "/s/k7f2k7f2k7/~v9v9v9v9v9/kernelspecs/python3/logo-64x64.png"},
    }
    assert found == {"default": "python3", "kernelspecs": {"python3": clean}}
    assert await answer("kernelspecs", KERNEL) == clean


async def test_kernelspecs_without_the_default() -> None:
    """A default that is not in the list is replaced by one that is."""
    assert (await answer("kernelspecs", {"default": "/x", "kernelspecs": {"python3": KERNEL}}))["default"] == "python3"
    assert (await answer("kernelspecs", {"default": "x", "kernelspecs": {}})) == {"default": "", "kernelspecs": {}}
    assert await refused("kernelspecs", {"kernelspecs": []}) is Reason.UPSTREAM_BAD_ANSWER


async def test_translations_come_without_the_servers_message() -> None:
    """The message beside the texts may quote an error with a path."""
    texts = {"jupyterlab": {"Cut": ["Ausschneiden"]}}
    found = await answer("translations", {"data": texts, "message": "no such file /home/olga/x"})

    assert found == {"data": texts, "message": ""}
    assert await answer("translations", {"message": "broken"}) == {"data": {}, "message": ""}
