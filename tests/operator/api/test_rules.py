"""Each rule of the custom resources, broken in Python; the API server's half is tested there."""

from typing import Any

import pytest
from nodemix.operator.api.plan import NodeMixPlanSpec
from nodemix.operator.api.policy import NodeMixPolicySpec
from nodemix.operator.api.pricebook import PriceBookSpec
from nodemix.operator.api.rules import RULES_KEY, ApiModel, Rule
from pydantic import BaseModel, ValidationError

from tests.operator.api.broken import BROKEN_BOOKS, BROKEN_POLICIES, Broken

SPECS = (NodeMixPolicySpec, NodeMixPlanSpec, PriceBookSpec)


def models_of(model: type[BaseModel], found: set[type[ApiModel]]) -> set[type[ApiModel]]:
    """The model and all inside it."""
    if issubclass(model, ApiModel):
        found.add(model)
    for field in model.model_fields.values():
        pending = [field.annotation]
        while pending:
            kind = pending.pop()
            pending.extend(getattr(kind, "__args__", ()))
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in found:
                models_of(kind, found)
    return found


def all_rules() -> list[tuple[type[ApiModel], Rule]]:
    models = {m for spec in SPECS for m in models_of(spec, set())}
    ordered = sorted(models, key=lambda m: m.__name__)
    return [(model, rule) for model in ordered for rule in model.schema_rules()]


RULES = all_rules()
BROKEN = (*BROKEN_POLICIES, *BROKEN_BOOKS)


def errors_of(model: type[BaseModel], spec: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(spec)
    return str(caught.value)


@pytest.mark.parametrize("broken", BROKEN_POLICIES, ids=str)
def test_policy_that_breaks_a_rule_is_refused_with_what_to_do(broken: Broken) -> None:
    assert broken.message in errors_of(NodeMixPolicySpec, broken.spec)


@pytest.mark.parametrize("broken", BROKEN_BOOKS, ids=str)
def test_price_book_that_breaks_a_rule_is_refused_with_what_to_do(broken: Broken) -> None:
    assert broken.message in errors_of(PriceBookSpec, broken.spec)


def test_every_rule_with_a_python_half_is_broken_by_an_example() -> None:
    tried = {broken.message for broken in BROKEN}
    untried = [r.message for _, r in RULES if r.holds and not any(t in r.message for t in tried)]

    assert untried == []


def test_rules_without_a_python_half_compare_with_the_former_state() -> None:
    """Nothing else is for the API server alone: files are checked as strictly as the cluster."""
    one_sided = [rule for _, rule in RULES if rule.holds is None]

    assert one_sided
    assert all("oldSelf" in rule.cel for rule in one_sided)


@pytest.mark.parametrize(("model", "rule"), RULES, ids=lambda x: getattr(x, "__name__", "rule"))
def test_message_says_what_to_do(model: type[ApiModel], rule: Rule) -> None:
    assert "; " in rule.message or "; " in rule.message.replace(", ", "; ")
    assert not rule.field or rule.field in model.model_fields


def test_rules_are_in_the_schema_of_their_model() -> None:
    properties = NodeMixPolicySpec.model_json_schema()["$defs"]["LimitsSpec"]

    (rule,) = properties[RULES_KEY]
    assert rule["fieldPath"] == ".minNodes"
    assert rule["rule"].startswith("!has(self.minNodes)")


def test_everything_of_a_plan_but_its_approval_is_immutable() -> None:
    frozen = {rule.field for rule in NodeMixPlanSpec.schema_rules()}

    assert frozen == set(NodeMixPlanSpec.model_fields) - {"approved"}


def test_unknown_field_is_refused_by_name() -> None:
    assert "limts" in errors_of(NodeMixPolicySpec, {"limts": {}})


def test_fields_are_read_in_either_spelling_and_written_in_that_of_kubernetes() -> None:
    camel = NodeMixPolicySpec.model_validate({"searchSeconds": 7})
    snake = NodeMixPolicySpec.model_validate({"search_seconds": 7})

    assert camel == snake
    assert camel.to_object()["searchSeconds"] == 7


def test_what_is_absent_is_not_written() -> None:
    assert "catalogRef" not in NodeMixPolicySpec().to_object()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_no_field_takes_what_is_no_number(number: float) -> None:
    errors_of(NodeMixPolicySpec, {"objective": {"budget": {"usdPerHour": number}}})


def test_empty_policy_is_a_complete_one() -> None:
    spec = NodeMixPolicySpec.model_validate({})

    assert (spec.mode, spec.interval_seconds, spec.paused) == ("Recommend", 60, False)
    assert spec.objective.slo.shortfall_probability == 0.01
