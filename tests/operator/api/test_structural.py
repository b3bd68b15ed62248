"""The schema dialect of custom resources: what it must and must not contain."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Literal

import pytest
from nodemix.operator.api.crd import KINDS, Kind, build_crd
from nodemix.operator.api.rules import ApiModel
from nodemix.operator.api.structural import structural_schema
from pydantic import Field

Json = dict[str, Any]

# apiextensions.k8s.io/v1 JSONSchemaProps, as far as these models may use it.
KNOWN = {
    *("type", "format", "description", "default", "enum", "pattern", "required"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("items", "properties", "additionalProperties"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"),
}


class Colour(StrEnum):
    RED = "Red"
    BLUE = "Blue"


class Inner(ApiModel):
    """What is inside."""

    size: int = Field(default=3, gt=1)
    note: str = ""


class Outer(ApiModel):
    """What is outside."""

    inner: Inner = Field(default_factory=Inner)
    maybe: Inner | None = None
    needed: Inner
    colour: Colour = Colour.RED
    fixed: Literal["on"] = "on"
    names: tuple[str, ...] = ()
    share: float | None = Field(default=None, gt=0, lt=1)
    labels: dict[str, int] = Field(default_factory=dict)
    is_on: bool = False


def nodes(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every schema inside a schema, with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


def schema_of(kind: Kind) -> Json:
    (version,) = build_crd(kind)["spec"]["versions"]
    schema: Json = version["schema"]["openAPIV3Schema"]
    return schema


@pytest.fixture(scope="module")
def outer() -> Json:
    properties: Json = structural_schema(Outer)["properties"]
    return properties


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_only_words_that_custom_resources_know_are_used(kind: Kind) -> None:
    for path, schema in nodes(schema_of(kind)):
        assert set(schema) <= KNOWN, path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_part_has_one_type(kind: Kind) -> None:
    for path, schema in nodes(schema_of(kind)):
        assert schema.get("type") in {
            *("object", "array", "string", "integer", "number", "boolean")
        }, path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_list_map_and_text_of_a_spec_is_bounded(kind: Kind) -> None:
    """The API server refuses rules whose cost it cannot bound, and etcd refuses large objects."""
    bounds = {"array": "maxItems", "string": "maxLength"}
    unbounded = [
        path
        for path, schema in nodes(schema_of(kind)["properties"]["spec"])
        if (bound := bounds.get(schema["type"])) and bound not in schema
        if "enum" not in schema and schema.get("format") != "date-time"
    ]

    assert unbounded == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("part", ["spec", "status"])
def test_every_field_is_explained_in_plain_text(kind: Kind, part: str) -> None:
    """`kubectl explain` is the manual that people have at hand."""
    described = dict(nodes(schema_of(kind)["properties"][part]))
    silent = [p for p, s in described.items() if "description" not in s and not p.endswith("[]")]

    assert silent == []
    assert [p for p, s in described.items() if "``" in s.get("description", "")] == []


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.spec.model_fields], ids=lambda kind: kind.name
)
def test_every_bound_and_rule_of_the_models_survives(kind: Kind) -> None:
    schemas = dict(nodes(schema_of(kind)["properties"]["spec"]))

    assert any("x-kubernetes-validations" in schema for schema in schemas.values())


def test_reference_is_written_out_with_the_fields_own_description(outer: Json) -> None:
    assert outer["needed"]["properties"]["size"]["type"] == "integer"
    assert outer["needed"]["description"] == "What is inside."


def test_optional_field_may_be_absent_and_has_no_default(outer: Json) -> None:
    assert outer["maybe"]["type"] == "object"
    assert "default" not in outer["maybe"]
    assert "anyOf" not in outer["maybe"]
    assert outer["share"]["type"] == "number"


def test_exclusive_bounds_are_flags(outer: Json) -> None:
    share, size = outer["share"], outer["inner"]["properties"]["size"]

    assert (share["minimum"], share["exclusiveMinimum"]) == (0, True)
    assert (share["maximum"], share["exclusiveMaximum"]) == (1, True)
    assert (size["minimum"], size["exclusiveMinimum"]) == (1, True)


def test_object_made_by_a_factory_gets_the_defaults_of_its_fields(outer: Json) -> None:
    """The API server evaluates an object's rules on its default as written, so {} would not do."""
    assert outer["inner"]["default"] == {"size": 3}
    assert "default" not in outer["needed"]


def test_defaults_that_say_nothing_are_left_out(outer: Json) -> None:
    assert "default" not in outer["names"]
    assert "default" not in outer["inner"]["properties"]["note"]
    assert outer["is_on" if "is_on" in outer else "isOn"]["default"] is False


def test_enum_and_constant_are_enums(outer: Json) -> None:
    assert (outer["colour"]["enum"], outer["colour"]["default"]) == (["Red", "Blue"], "Red")
    assert outer["fixed"]["enum"] == ["on"]


def test_map_keeps_the_type_of_its_values(outer: Json) -> None:
    assert outer["labels"]["additionalProperties"] == {"type": "integer"}


def test_unknown_fields_are_left_to_pruning_and_required_ones_are_named() -> None:
    schema = structural_schema(Outer)

    assert "additionalProperties" not in schema
    assert schema["required"] == ["needed"]


def test_union_of_two_types_is_refused_where_it_is_written() -> None:
    class Torn(ApiModel):
        value: int | str

    with pytest.raises(TypeError, match="a structural schema has no unions"):
        structural_schema(Torn)
