"""*Admin*: the rules in force, the keys that sign links, and how the gate is doing. What a change would end is shown
before it is made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sharegate.dashboard.pages.filters import kind_of_field
from sharegate.dashboard.pages.source import Json, NotShown, Source
from sharegate.policy.sentences import sentences

_HERE = {"here": "admin"}


async def rules(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin/rules`; with `preview` in the address, what reading the files again would change and end."""
    shown = await source.get("rules")
    preview, faults = None, None
    if "preview" in source.query:
        try:
            preview = await source.dry_run("rules/reload")
        except NotShown as refused:
            if refused.status != 400:
                raise
            faults = refused.error.get("faults") or [refused.error]
    before = sentences(shown["rules"])
    after = sentences(preview["rules"]) if preview else before
    return _HERE | {
        "tab": "rules",
        "sentences": list(zip(before, after, strict=True)),
        "differed": shown["differed"],
        "preview": preview,
        "faults": faults,
        "applied": "applied" in source.query,
    }


async def keys(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin/keys`; with `stolen` in the address, what giving the keys up would end. `since` says when it was."""
    preview, fault, body = None, None, None
    if "stolen" in source.query:
        try:
            body = _stolen(source.query)
            preview = await source.dry_run("keys/rotate", **body)
        except ValueError:
            fault = {"message": "That is no day or moment", "remedy": "Write it like 2026-11-28T09:30"}
        except NotShown as refused:
            if refused.status != 400:
                raise
            fault = refused.error
    return _HERE | {
        "tab": "keys",
        "keys": (await source.get("keys"))["keys"],
        "preview": preview,
        "body": body,
        "fault": fault,
        "since": source.query.get("since", ""),
        "since_kind": kind_of_field(source.query.get("since", "")),
        "replace": source.query.get("replace") == "1",
        "asking": "stolen" in source.query,
    }


def _stolen(query: dict[str, str]) -> dict[str, Any]:
    """The body of `keys/rotate`. Raises ValueError for a moment that is none; without a zone it is UTC."""
    body: dict[str, Any] = {"compromised": True, "replace": query.get("replace") == "1"}
    if text := query.get("since", "").strip():
        moment = datetime.fromisoformat(text)
        body["since"] = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return body


async def health(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin/health`: how the gate is doing, what is wrong with what, the records, mail and settings."""
    gate = await source.get("gate")
    return _HERE | {
        "tab": "health",
        "gate": gate,
        "findings": list(reversed((await source.get("doctor", recent="1"))["findings"])),
        "health": await source.get("health"),
        "mail": (await source.get("offers"))["mail"],
        "config": await source.get("config"),
        **_records(await source.get("store/work")),
        "copy_name": datetime.fromtimestamp(source.now, UTC).strftime("%Y-%m-%d-%H%M"),
    }


def _records(found: Json) -> Json:
    work = found["work"]
    return {
        "work": work,
        "working": work is not None and work["state"] == "running",
        "work_words": _STEPS.get(work["step"], work["step"]) if work else "",
        "folder": found["folder"],
    }


# What the look through the records and the copying are at.
_STEPS = {
    "": "It begins",
    "file": "Looking at the file",
    "records": "Looking at the records",
    "references": "Looking at what refers to what",
    "servers' tokens": "Opening what is sealed of servers",
    "kept versions": "Opening the kept versions",
    "kept changes": "Opening the kept changes",
    "history": "Reading the history",
    "copying": "Copying",
}
