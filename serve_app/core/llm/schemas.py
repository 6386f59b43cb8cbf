"""JSON Schemas of clients, for answers of language models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from referencing import Registry

_MAX_CHARACTERS = 20_000
# Patterns could take for ever; references would be fetched.
_REFUSED = {"pattern", "patternProperties", "$ref", "$dynamicRef", "$schema", "$id"}


def check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, if it is one of an object that is safe to check answers against.

    Raises:
        ValueError: as it says.
    """
    if len(json.dumps(schema)) > _MAX_CHARACTERS:
        raise ValueError(f"at most {_MAX_CHARACTERS:,} characters")
    if schema.get("type") != "object":
        raise ValueError('must have "type": "object"')
    if refused := _REFUSED.intersection(_keys(schema)):
        raise ValueError(f"{min(refused)!r} is not taken")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"is no JSON Schema: {error.message[:200]}") from error
    return schema


def first_violation(schema: Mapping[str, Any], value: object) -> str | None:
    """Where a value is not of the schema; None: it is."""
    errors = Draft202012Validator(schema, registry=Registry()).iter_errors(value)
    wrong = next(iter(errors), None)
    return None if wrong is None else str(wrong.json_path)


def _keys(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, part in node.items():
            yield str(key)
            yield from _keys(part)
    elif isinstance(node, list):
        for part in node:
            yield from _keys(part)
