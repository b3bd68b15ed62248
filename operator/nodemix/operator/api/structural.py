"""pydantic's JSON schema rewritten into a structural schema, the dialect of custom resources.

Kubernetes accepts no ``$ref``, no ``anyOf`` with null, no ``const`` and no ``title``, prunes
unknown fields by itself, knows the exclusive bounds only as flags of OpenAPI 3.0, and gives nested
defaults only where the parent object has a default of its own.
"""

from typing import Any

from pydantic import BaseModel

JsonSchema = dict[str, Any]

_DROPPED = ("title", "additionalProperties", "$defs")


def structural_schema(model: type[BaseModel]) -> JsonSchema:
    """The structural schema of ``model``, fields by their JSON names."""
    raw = model.model_json_schema(by_alias=True, mode="validation")
    return _rewrite(raw, raw.get("$defs", {}))


def _rewrite(node: JsonSchema, definitions: JsonSchema) -> JsonSchema:
    schema = _bounds(_const(_without_null(_inlined(node, definitions), definitions)))
    result = {key: value for key, value in schema.items() if key not in _DROPPED}
    if "description" in result:
        result["description"] = result["description"].replace("``", "`")
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        result["additionalProperties"] = _rewrite(values, definitions)
    if "items" in schema:
        result["items"] = _rewrite(schema["items"], definitions)
    if "properties" in schema:
        result["properties"] = _properties(schema, definitions)
    return result


def _inlined(node: JsonSchema, definitions: JsonSchema) -> JsonSchema:
    """The node with its reference resolved; what stands beside ``$ref`` wins."""
    if "$ref" not in node:
        return node
    target = definitions[node["$ref"].rsplit("/", 1)[-1]]
    beside = {key: value for key, value in node.items() if key != "$ref"}
    return {**_inlined(target, definitions), **beside}


def _without_null(node: JsonSchema, definitions: JsonSchema) -> JsonSchema:
    """``anyOf [X, null]`` as X: an optional field is one that may be absent."""
    if "anyOf" not in node:
        return node
    kinds = [kind for kind in node["anyOf"] if kind.get("type") != "null"]
    if len(kinds) != 1:
        raise TypeError(f"{node}: a structural schema has no unions; use one type or None")
    beside = {key: value for key, value in node.items() if key != "anyOf"}
    return {**_inlined(kinds[0], definitions), **beside}


def _const(node: JsonSchema) -> JsonSchema:
    if "const" not in node:
        return node
    rest = {key: value for key, value in node.items() if key != "const"}
    return {**rest, "enum": [node["const"]]}


def _bounds(node: JsonSchema) -> JsonSchema:
    """Numeric exclusive bounds as a bound and a flag."""
    result = dict(node)
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if flag in result:
            result[bound], result[flag] = result[flag], True
    return result


def _properties(schema: JsonSchema, definitions: JsonSchema) -> JsonSchema:
    required = schema.get("required", [])
    return {
        name: _with_default(_rewrite(child, definitions), name in required)
        for name, child in schema["properties"].items()
    }


def _with_default(child: JsonSchema, is_required: bool) -> JsonSchema:
    """The field with its default; an object built by a factory gets the defaults of its fields.

    ``{}`` would not do: the API server evaluates the rules of an object on its default as written.
    A null default and an empty string or list say nothing that absence does not say.
    """
    rest = {key: value for key, value in child.items() if key != "default"}
    if "default" in child:
        empty = child["default"] in (None, "", [])
        return rest if empty else child
    if is_required or "properties" not in child:
        return rest
    fields = child["properties"].items()
    return {**rest, "default": {n: f["default"] for n, f in fields if "default" in f}}
