"""Errors as the command line tells them: field, problem, remedy, and one exit code for each kind."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sharegate.errors import (
    Ambiguous,
    Denied,
    Faults,
    Invalid,
    NotFound,
    Refused,
    SharegateError,
    StoreUnavailable,
    Unreachable,
)

DONE, FAILED, USAGE, REFUSED, NOT_FOUND, NOT_REACHABLE = range(6)

# Refusals that come from this computer and not from the rules: nothing was judged.
# What is refused because of something else that happened or happens.
_NOT_NOW = frozenset({"changed", "decided", "work_running"})
_CIRCUMSTANCES = frozenset({"gate_running", "port_taken", "no_address", "socket_path"})
_BY_STATUS = {400: USAGE, 403: REFUSED, 404: NOT_FOUND, 409: USAGE, 503: NOT_REACHABLE}


# What was typed may stand in it.
_LONGEST_MESSAGE = 2000


class ApiError(SharegateError):
    """What the owner's API refused. `error` is the object in its answer."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(status, error)
        self.status = status
        self.error = error

    def __str__(self) -> str:
        return str(self.error.get("message", ""))


class Usage(Invalid):
    """A command line that cannot mean anything; found before anything was asked or done."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error, ready to be told. `exit_code` is the command's."""

    exit_code: int
    code: str
    message: str
    field: str = ""
    remedy: str = ""
    candidates: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As `--json` prints it: the same object that the API answers."""
        shown = asdict(self) | {"candidates": list(self.candidates), "message": self.message[:_LONGEST_MESSAGE]}
        del shown["exit_code"]
        return {"error": shown}


def problems(error: SharegateError) -> list[Problem]:
    """What to tell about an error: one problem, or several for Faults."""
    if isinstance(error, Faults):
        return [problem for fault in error.faults for problem in problems(fault)]
    if isinstance(error, ApiError) and isinstance(faults := error.error.get("faults"), list) and faults:
        return [_fault(fault) for fault in faults]
    return [_problem(error)]


def _fault(fault: dict[str, Any]) -> Problem:
    message, field, remedy = (str(fault.get(name, "")) for name in ("message", "field", "remedy"))
    return Problem(USAGE, "invalid", message, field, remedy)


def _problem(error: SharegateError) -> Problem:
    if isinstance(error, ApiError):
        told = error.error
        code = str(told.get("code", "failed"))
        return Problem(
            FAILED if code in _CIRCUMSTANCES else REFUSED if code in _NOT_NOW else _BY_STATUS.get(error.status, FAILED),
            code,
            str(told.get("message", "")) or code,
            str(told.get("field", "")),
            str(told.get("remedy", "")),
            tuple(str(candidate) for candidate in told.get("candidates") or ()),
        )
    if isinstance(error, Invalid):
        return Problem(USAGE, "invalid", error.problem, error.field, error.remedy)
    if isinstance(error, Ambiguous):
        return Problem(USAGE, "ambiguous", f"{error.name!r} fits several", candidates=tuple(error.candidates))
    if isinstance(error, NotFound):
        return Problem(NOT_FOUND, "not_found", str(error))
    if isinstance(error, Refused):
        exit_code = FAILED if error.code in _CIRCUMSTANCES else REFUSED
        return Problem(exit_code, error.code, error.problem, remedy=error.remedy)
    if isinstance(error, Denied):
        return Problem(REFUSED, error.reason.value, error.detail or error.reason.value)
    if isinstance(error, StoreUnavailable):
        return Problem(
            NOT_REACHABLE,
            "store_unavailable",
            f"the records cannot be used: {error}",
            remedy=error.remedy or "Check disk space and locks, or the server that `store` names",
        )
    if isinstance(error, Unreachable):
        return Problem(NOT_REACHABLE, "unreachable", str(error) or "nobody answers")
    return Problem(FAILED, "failed", str(error) or type(error).__name__)
