"""Where the numbers of a document are, by its schema and in an example."""

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
Step = str | int


def numeric_paths(schema: Json) -> Iterator[str]:
    """Of every field that is a number: ``nodes[].count``, ``nodes[].pods{}``, ``risk.cvar``."""
    yield from _paths_below(schema, "", schema.get("$defs", {}))


def _paths_below(node: Json, path: str, parts: Json) -> Iterator[str]:
    if "$ref" in node:
        yield from _paths_below(parts[node["$ref"].rpartition("/")[2]], path, parts)
    for choice in node.get("anyOf", ()):
        yield from _paths_below(choice, path, parts)
    if node.get("type") in {"number", "integer"}:
        yield path
    if isinstance(node.get("items"), Mapping):
        yield from _paths_below(node["items"], f"{path}[]", parts)
    if isinstance(node.get("additionalProperties"), Mapping):
        yield from _paths_below(node["additionalProperties"], f"{path}{{}}", parts)
    for name, field in node.get("properties", {}).items():
        yield from _paths_below(field, f"{path}.{name}".lstrip("."), parts)


def numbers_in(
    value: object, path: str = "", steps: tuple[Step, ...] = ()
) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """Path by the schema, and the steps that lead there, of each number that is not 0.

    Maps with owners as keys are told from parts by their keys, which have a slash.
    """
    if isinstance(value, Mapping):
        for key, below in value.items():
            name = "{}" if "/" in key else f".{key}"
            yield from numbers_in(below, f"{path}{name}".lstrip("."), (*steps, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from numbers_in(below, f"{path}[]", (*steps, index))
    elif isinstance(value, int | float) and not isinstance(value, bool) and value != 0:
        yield path, steps
