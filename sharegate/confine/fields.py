"""Query arguments and body fields against the allow-list of a rule."""

from __future__ import annotations

import re
from typing import Any

from sharegate.confine.query import is_cache_buster
from sharegate.errors import Denied, Reason
from sharegate.policy.model import Field, ValueType

_INTEGER = re.compile(r"-?[0-9]{1,15}\Z")
_BOOLEANS = {"0": False, "1": True, "false": False, "true": True}
_LARGEST = 2**53
# Taken by the authenticating step where a program's address allows it; never sent on (the query wins over the header).
_CREDENTIALS = frozenset({"token"})


def check_arguments(given: dict[str, str], allowed: tuple[Field, ...]) -> list[tuple[Field, str, Any]]:
    """The arguments that a rule names, in the given order, as (field, text, value). Raises Denied(`bad_query`).

    Cache busters and `token` are left out. An argument has the type of its field: integers in decimal, booleans as
    0, 1, true or false; `nullable` admits the empty value.
    """
    fields = {field.name: field for field in allowed}
    found: list[tuple[Field, str, Any]] = []
    for name, text in given.items():
        field = fields.get(name)
        if field is not None:
            found.append((field, text, _argument(field, text)))
        elif name not in _CREDENTIALS and not is_cache_buster(name, text):
            raise Denied(Reason.BAD_QUERY, "an argument that the rule does not name")
    missing = [field.name for field in allowed if field.required and field.name not in given]
    if missing:
        raise Denied(Reason.BAD_QUERY, f"{missing[0]} is missing")
    return found


def check_body(given: dict[str, Any], allowed: tuple[Field, ...]) -> list[tuple[Field, Any]]:
    """The fields that a rule names, as (field, value). Raises Denied(`bad_body`).

    A dotted name is a path through nested objects; a JSON name that itself contains a dot matches nothing.
    """
    fields = {tuple(field.name.split(".")): field for field in allowed}
    found: dict[tuple[str, ...], Any] = {}
    _walk(given, (), fields, found)
    for at, field in fields.items():
        if field.required and at not in found:
            raise Denied(Reason.BAD_BODY, f"{field.name} is missing")
    return [(fields[at], value) for at, value in found.items()]


def put(body: dict[str, Any], name: str, value: Any) -> None:
    """Set the field with a dotted name in a nested object."""
    *way, last = name.split(".")
    for step in way:
        body = body.setdefault(step, {})
    body[last] = value


def _walk(
    value: dict[str, Any],
    at: tuple[str, ...],
    fields: dict[tuple[str, ...], Field],
    found: dict[tuple[str, ...], Any],
) -> None:
    for name, item in value.items():
        here = (*at, name)
        field = fields.get(here)
        nested = any(len(other) > len(here) and other[: len(here)] == here for other in fields)
        if nested and isinstance(item, dict):
            _walk(item, here, fields, found)
        elif field is not None:
            _check_value(field, item)
            found[here] = item
        else:
            raise Denied(Reason.BAD_BODY, "a field that the rule does not name")


def _argument(field: Field, text: str) -> Any:
    if text == "" and field.nullable:
        return None
    if field.type is ValueType.INTEGER:
        if not _INTEGER.match(text):
            raise Denied(Reason.BAD_QUERY, f"{field.name} is not a whole number")
        value: Any = int(text)
    elif field.type is ValueType.BOOLEAN:
        if text not in _BOOLEANS:
            raise Denied(Reason.BAD_QUERY, f"{field.name} is not 0, 1, true or false")
        value = _BOOLEANS[text]
    elif field.type is ValueType.OBJECT:
        raise Denied(Reason.BAD_QUERY, f"{field.name} cannot be an argument")
    else:
        value = text
    _check_text(field, text, Reason.BAD_QUERY)
    return value


def _check_value(field: Field, value: Any) -> None:
    if value is None:
        # No type but the untyped one holds null by itself.
        if field.nullable or (field.type is ValueType.ANY and not field.path):
            return
        raise Denied(Reason.BAD_BODY, f"{field.name} is null")
    if field.type is ValueType.ANY and not field.path:
        fits = True
    elif field.type is ValueType.OBJECT:
        fits = isinstance(value, dict)
    elif field.type is ValueType.BOOLEAN:
        fits = isinstance(value, bool)
    elif field.type is ValueType.INTEGER:
        fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST
    else:
        fits = isinstance(value, str)
    if not fits:
        raise Denied(Reason.BAD_BODY, f"{field.name} is not of type {field.type.value}")
    if isinstance(value, bool):
        _check_text(field, "true" if value else "false", Reason.BAD_BODY)
    elif isinstance(value, (str, int)):
        _check_text(field, str(value), Reason.BAD_BODY)
    elif field.one_of or field.pattern:
        raise Denied(Reason.BAD_BODY, f"{field.name} is not one of the permitted values")


def _check_text(field: Field, text: str, reason: Reason) -> None:
    if field.one_of and text not in field.one_of:
        raise Denied(reason, f"{field.name} is not one of the permitted values")
    if field.pattern and not re.fullmatch(field.pattern, text):
        raise Denied(reason, f"{field.name} does not have the permitted form")
    # `any` may be a whole file: the size of the body bounds it.
    if field.type is not ValueType.ANY and len(text) > field.max_length:
        raise Denied(reason, f"{field.name} is too long")
