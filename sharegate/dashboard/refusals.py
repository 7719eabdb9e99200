"""Errors as the owner's API answers them: a status, and an object that names field, problem and remedy.

Over the socket the object is `{"error": …}`. At the dashboard's address the same is a problem document (RFC 9457).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec

from sharegate.errors import (
    Ambiguous,
    Denied,
    Faults,
    Invalid,
    NotFound,
    Refused,
    StoreUnavailable,
    Unreachable,
    Unsent,
)

# Of the owner's commands that are refused, those whose status is not 403.
_STATUS = {"stale": 412, "key_reused": 422, "changed": 409, "decided": 409, "work_running": 409}
_PATH = re.compile(r" - at `\$\.([^`.\[]+)[^`]*`\Z")
_NAMED = re.compile(r"(?:unknown|required) field `([^`]+)`")


def error_body(code: str, message: str, **more: Any) -> dict[str, Any]:
    """A `field` is as it was sent, so it may be of any length."""
    told = {"code": code, "message": message, "field": "", "remedy": "", "candidates": [], **more}
    return {"error": {**told, "field": str(told["field"])[:80]}}


def refusal_of(error: Exception) -> tuple[int, dict[str, Any]]:
    """Status and body of an error. None of these carries a secret: they are made of names and rules."""
    if isinstance(error, msgspec.ValidationError):
        return 400, _of_type(str(error))
    if isinstance(error, Faults):
        faults = [{"field": each.field, "message": each.problem, "remedy": each.remedy} for each in error.faults]
        return 400, error_body("invalid", str(error), faults=faults)
    if isinstance(error, Invalid):
        return 400, error_body("invalid", error.problem, field=error.field, remedy=error.remedy)
    if isinstance(error, NotFound):
        return 404, error_body("not_found", str(error))
    if isinstance(error, Ambiguous):
        return 409, error_body("ambiguous", str(error), candidates=error.candidates)
    if isinstance(error, Refused):
        status = _STATUS.get(error.code, 403)
        return status, error_body(error.code, error.problem, field=error.field, remedy=error.remedy)
    if isinstance(error, Denied):
        return 403, error_body(error.reason.value, error.detail or error.reason.value)
    if isinstance(error, Unreachable):
        return 503, error_body("unreachable", str(error))
    if isinstance(error, Unsent):
        return 503, error_body("mail_unsent", str(error), remedy=error.remedy)
    if isinstance(error, StoreUnavailable):
        return 503, error_body(
            "store_unavailable",
            "the records cannot be written",
            remedy=error.remedy or "Check disk space and locks, or the server that `store` names",
        )
    return 500, error_body("failed", type(error).__name__)


def _of_type(message: str) -> dict[str, Any]:
    """What a type does not permit; the library's sentence says where."""
    at, named = _PATH.search(message), _NAMED.search(message)
    field = named[1] if named else at[1] if at else ""
    problem = message[: at.start()] if at else message
    remedy = "docs/reference/api.md says what is taken"
    return error_body("invalid", problem[:1].lower() + problem[1:300], field=field[:80], remedy=remedy)


def problem_of(status: int, body: dict[str, Any]) -> dict[str, Any]:
    """The same as a problem document. Its type is `about:blank`: what is special about it is its `code`."""
    error = body["error"]
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error["message"],
        **{name: error[name] for name in ("code", "field", "remedy", "candidates")},
    }
    if "faults" in error:
        problem["errors"] = [
            {"field": each["field"], "detail": each["message"], "remedy": each["remedy"]} for each in error["faults"]
        ]
    return problem
