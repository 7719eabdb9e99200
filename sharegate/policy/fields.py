"""The allowed query arguments and body fields of a rule.

type: [file, directory]      one of these texts
path: path                   a path of the server's root, confined
start: path+                 the same, an ancestor of the root too
hash: string                 or integer, boolean, object, any
ext: {pattern: "[.][a-z]+", required: true}
"""

from __future__ import annotations

import re

from sharegate.policy.model import Field, ValueType
from sharegate.policy.source import Reader, Value

_KEYS = frozenset({"type", "required", "nullable", "one_of", "pattern", "max_length", "path", "ancestors", "drop"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
# Never an allowed argument: it would select the upstream's identity.
_NEVER = frozenset({"token"})


def read_fields(value: Value | None, what: str, reader: Reader) -> tuple[Field, ...]:
    """The fields of a `query:` or `json:` mapping; faults go to the reader."""
    return tuple(_field(name, entry, f"{what} field {name!r}", reader) for name, entry in reader.entries(value, what))


def _field(name: str, value: Value, what: str, reader: Reader) -> Field:
    if not _NAME.fullmatch(name) or name in _NEVER:
        reader.faults.add(value.where, f"{name!r} cannot be a field")
    if value.items is not None:
        return _checked(Field(name, one_of=reader.texts(value, what)), value, what, reader)
    if value.text is not None:
        if value.text in ("path", "path+"):
            return Field(name, path=True, ancestors=value.text.endswith("+"))
        return Field(name, type=_type(value, what, reader))
    if not reader.known(value, _KEYS, what):
        return Field(name)
    field = Field(
        name,
        type=_type(value.get("type"), what, reader),
        required=reader.flag(value.get("required"), "required", False),
        nullable=reader.flag(value.get("nullable"), "nullable", False),
        one_of=reader.texts(value.get("one_of"), "one_of"),
        pattern=reader.text(value.get("pattern"), "pattern"),
        max_length=reader.number(value.get("max_length"), "max_length", Field(name).max_length),
        path=reader.flag(value.get("path"), "path", False),
        ancestors=reader.flag(value.get("ancestors"), "ancestors", False),
        drop=reader.flag(value.get("drop"), "drop", False),
    )
    return _checked(field, value, what, reader)


def _type(value: Value | None, what: str, reader: Reader) -> ValueType:
    if value is None:
        return ValueType.STRING
    try:
        return ValueType(reader.text(value, what))
    except ValueError:
        # Fails closed: the file is refused.
        known = ", ".join(["path", "path+", *ValueType])
        reader.faults.add(value.where, f"{what} cannot be {value.text!r}", f"Known: {known}")
        return ValueType.STRING


def _checked(field: Field, value: Value, what: str, reader: Reader) -> Field:
    if field.pattern:
        try:
            re.compile(field.pattern)
        except re.error as error:
            # Fails closed: the file is refused.
            reader.faults.add(value.where, f"the pattern of {what} is no regular expression: {error}")
    if (field.path or field.one_of or field.pattern) and field.type is not ValueType.STRING:
        reader.faults.add(value.where, f"{what} is a path, a choice or a pattern, so it is a string")
    if field.path and (field.one_of or field.pattern):
        reader.faults.add(value.where, f"{what} is a path: no choices, no pattern")
    if field.ancestors and not field.path:
        reader.faults.add(value.where, f"{what} has `ancestors` but is no path")
    if value.items is not None and not field.one_of:
        reader.faults.add(value.where, f"{what} has no choices")
    return field
