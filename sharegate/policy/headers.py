"""Named allow-lists of header fields (policies/headers.yaml), and the fields that no list may hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sharegate.policy.source import FaultList, Reader, Value

_FIELD = re.compile(r"[a-z][a-z0-9-]{0,63}")
# From a visitor: credentials, what the gate itself says about connection and body, and identity in any spelling.
_NEVER_SENT = re.compile(
    r"cookie2?|(proxy-)?authorization|host|forwarded|via|x-forwarded-.*|x-real-ip|x-original-.*|x-rewrite-.*|x-xsrftoken"
    r"|x-csrftoken|x-remote-.*|remote-.*|x-auth-.*|x-user.*|x-jupyter.*|origin|referer|connection|keep-alive|upgrade"
    r"|transfer-encoding|te|trailer|content-length|expect|x-http-method.*|sec-.*|service-worker"
)
# From an upstream: what would act on the visitor's browser or is the gate's to say.
_NEVER_PASSED = re.compile(
    r"set-cookie2?|access-control-.*|service-worker-allowed|(proxy-|www-)?authenticate|www-authenticate"
    r"|clear-site-data|refresh|alt-svc|link|content-security-policy.*|x-frame-options|referrer-policy|permissions-policy"
    r"|cross-origin-.*|strict-transport-security|server|x-jupyterhub-.*|connection|keep-alive|upgrade|transfer-encoding"
    r"|trailer|report-to|reporting-endpoints|nel|sourcemap|x-sourcemap|origin-agent-cluster|public-key-pins.*|date"
)


@dataclass(frozen=True, slots=True)
class Profile:
    """Lower-case names of the fields that pass, towards the upstream and back."""

    request: frozenset[str] = frozenset()
    response: frozenset[str] = frozenset()


def read_profiles(document: Value | None, faults: FaultList) -> dict[str, Profile]:
    """The mapping `profiles: {name: {request: [...], response: [...]}}`."""
    reader = Reader(faults)
    profiles: dict[str, Profile] = {}
    if document is None or not reader.known(document, frozenset({"profiles"}), "the file", frozenset({"profiles"})):
        return profiles
    for name, value in reader.entries(document.get("profiles"), "profiles"):
        if not reader.known(value, frozenset({"request", "response"}), f"profile {name!r}"):
            continue
        profiles[name] = Profile(
            _fields(value.get("request"), "request", _NEVER_SENT, reader),
            _fields(value.get("response"), "response", _NEVER_PASSED, reader),
        )
    return profiles


def _fields(value: Value | None, what: str, never: re.Pattern[str], reader: Reader) -> frozenset[str]:
    names = reader.texts(value, what)
    for name in names:
        where = value.where if value else ""
        if not _FIELD.fullmatch(name):
            reader.faults.add(where, f"{name!r} is no header field in lower case")
        elif never.fullmatch(name):
            reader.faults.add(where, f"the {what} header {name!r} never passes the gate")
    return frozenset(names)
