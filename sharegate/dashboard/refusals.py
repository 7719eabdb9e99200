"""Errors as the owner's API answers them: a status, and an object that names field, problem and remedy."""

from __future__ import annotations

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


def error_body(code: str, message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "field": "", "remedy": "", "candidates": [], **more}}


def refusal_of(error: Exception) -> tuple[int, dict[str, Any]]:
    """Status and body of an error. None of these carries a secret: they are made of names and rules."""
    if isinstance(error, msgspec.ValidationError):
        return 400, error_body("invalid", str(error))
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
        return 403, error_body(error.code, error.problem, remedy=error.remedy)
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
