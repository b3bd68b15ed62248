"""Rules of a custom resource, written once and enforced twice.

The API server checks the CEL expression when an object is applied; the same rule in Python checks
a file that the command line reads without a cluster.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

JsonSchema = dict[str, Any]
RULES_KEY = "x-kubernetes-validations"
NAMED_FIELDS = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement about an object.

    Args:
        cel: what the API server evaluates, with ``self`` the object.
        message: names the field and the remedy; the API server puts the path in front.
        holds: the same statement about the parsed model; None where only the API server can
            know, as in a comparison with the object's former state.
        field: attribute the message belongs to; empty for the object as a whole.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None
    field: str = ""

    def to_schema(self) -> JsonSchema:
        """The entry of ``x-kubernetes-validations``."""
        schema = {"rule": self.cel, "message": self.message}
        if self.field:
            schema["fieldPath"] = f".{to_camel(self.field)}"
        return schema


def field_rule(field: str, cel: str, holds: Callable[[Any], bool], message: str) -> Rule:
    """A rule about one field that holds as long as the field is absent.

    Args:
        cel: the condition, with ``{}`` in the place of the field.
        holds: the condition on the field's value.
    """
    path = f"self.{to_camel(field)}"

    def holds_or_absent(model: object) -> bool:
        value = getattr(model, field)
        return value is None or holds(value)

    return Rule(f"!has({path}) || {cel.format(path)}", message, holds_or_absent, field)


def positive(field: str, remedy: str) -> Rule:
    """The number is above 0."""
    message = f"{to_camel(field)} must be above 0; {remedy}"
    return field_rule(field, "{} > 0.0", lambda value: value > 0, message)


def share(field: str, remedy: str = "give a share, e.g. 0.3 for 30 percent") -> Rule:
    """The number is a share of a whole."""
    message = f"{to_camel(field)} must lie in [0, 1]; {remedy}"
    cel = "({0} >= 0.0 && {0} <= 1.0)"
    return field_rule(field, cel, lambda value: 0 <= value <= 1, message)


class ApiModel(BaseModel):
    """Something inside a custom resource: camelCase outside, frozen inside, nothing unknown."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _obeys_its_rules(self) -> "ApiModel":
        for rule in self.rules:
            if rule.holds is not None and not rule.holds(self):
                raise ValueError(rule.message)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        """The model's schema together with its rules."""
        schema = handler(core_schema)
        if rules := cls.schema_rules():
            resolved = handler.resolve_ref_schema(schema)
            resolved[RULES_KEY] = [rule.to_schema() for rule in rules]
        return schema

    @classmethod
    def schema_rules(cls) -> tuple[Rule, ...]:
        """The rules that the API server enforces."""
        return cls.rules

    def to_object(self) -> dict[str, Any]:
        """The object as it is sent to the API server; what is None is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusModel(ApiModel):
    """A status: read leniently, since a later version may have written it."""

    model_config = ConfigDict(extra="ignore")

    def to_patch(self) -> dict[str, Any]:
        """A merge patch; null takes away what an earlier decision wrote and this one lacks."""
        return self.model_dump(mode="json", by_alias=True)


def complaint(err: ValidationError) -> str:
    """What is wrong with a spec, field by field, in one line."""
    found = err.errors(include_url=False)[:NAMED_FIELDS]
    return "; ".join(f"{_path(error['loc'])}: {_words(error['msg'])}" for error in found)


def _path(place: tuple[int | str, ...]) -> str:
    return ".".join(("spec", *(str(part) for part in place)))


def _words(message: str) -> str:
    """The message without pydantic's own words in front of those of a rule."""
    return message.removeprefix("Value error, ")
