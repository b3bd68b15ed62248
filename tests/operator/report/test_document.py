import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml
from nodemix.operator.report.comparison import (
    BaselineEntry,
    BlockerEntry,
    FairnessEntry,
    NamespaceEntry,
    RuleCostEntry,
)
from nodemix.operator.report.document import (
    PlanDocument,
    PoolEntry,
    RunnerUpEntry,
    SavingsEntry,
    document_schema,
    to_document,
)
from nodemix.operator.report.options import (
    CapacityChoiceEntry,
    FrontPointEntry,
    OptionEntry,
    OptionPool,
)
from nodemix.operator.report.placing import (
    AffinityEntry,
    ModeEntry,
    PinsEntry,
    PlacedEntry,
    QuotaEntry,
    ReleaseEntry,
    SteeringEntry,
)
from nodemix.operator.report.risk import PoolRiskEntry, RiskEntry
from pydantic import BaseModel, ValidationError

from tests.operator.report.examples import a_recommendation, a_weighed_recommendation

SCHEMA_FILE = Path("docs/reference/plan-document.schema.json")
PAGE = Path("docs/reference/plan-document.md")


def as_json() -> dict[str, object]:
    document: dict[str, object] = json.loads(to_document(a_recommendation()).to_json())
    return document


def test_document_survives_a_round_trip_through_json() -> None:
    document = to_document(a_recommendation())

    assert PlanDocument.model_validate_json(document.to_json()) == document


def test_yaml_is_the_same_document_as_json() -> None:
    document = to_document(a_weighed_recommendation())

    assert yaml.safe_load(document.to_yaml()) == json.loads(document.to_json())


def test_document_names_its_schema_version() -> None:
    assert as_json()["schemaVersion"] == "nodemix.dev/plan/v1"


def test_document_of_another_version_is_refused() -> None:
    with pytest.raises(ValidationError, match="schemaVersion"):
        PlanDocument.model_validate(as_json() | {"schemaVersion": "nodemix.dev/plan/v9"})


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        PlanDocument.model_validate(as_json() | {"extra": 1})


def test_nodes_say_what_each_of_them_holds() -> None:
    assert as_json()["nodes"][0] == {  # type: ignore[index]  # JSON
        "instance_type": "c7g.xlarge",
        "zone": "us-east-1b",
        "capacity_type": "spot",
        "count": 2,
        "pods": {"shop/Deployment/cart": 5},
        "price_usd_per_hour": 0.06,
        "kept_nodes": [],
        "headroom": {"shop/Deployment/cart": 1},
        "cohort": "c0",
        "terms": "",
        "in_place": [],
    }


def test_an_unknown_price_is_null() -> None:
    assert as_json()["nodes"][1]["price_usd_per_hour"] is None  # type: ignore[index]  # JSON


def test_unplaceable_pods_are_named_with_the_reason() -> None:
    assert as_json()["unplaceable"] == [
        {"workload": "ml/Job/train", "pods": 3, "why": "asks for 16 GPUs, the largest offer has 8"}
    ]


def test_saving_is_now_minus_plan() -> None:
    assert to_document(a_recommendation()).saving_usd_per_hour == 0.648
    assert to_document(a_recommendation()).saving_share == pytest.approx(0.84375)


def test_saving_share_of_an_empty_cluster_is_zero() -> None:
    empty = replace(a_recommendation(), current_usd_per_hour=0.0)

    assert to_document(empty).saving_share == 0.0


def test_sources_of_the_saving_sum_to_it_in_spite_of_rounding() -> None:
    document = to_document(a_recommendation())
    assert document.savings is not None

    parts = document.savings.model_dump()

    assert parts["spot_usd_per_hour"] == 0.1640000004
    assert sum(parts.values()) == pytest.approx(document.saving_usd_per_hour, abs=1e-12)


def test_a_plan_that_keeps_todays_nodes_has_no_sources_of_a_saving() -> None:
    assert to_document(replace(a_recommendation(), savings=None)).savings is None


def test_placed_cost_is_given_for_each_mode_and_the_chosen_one_again() -> None:
    placed = to_document(a_recommendation()).placed
    assert placed is not None

    assert (placed.mode, placed.usd_per_hour) == ("cohort", 0.1236)
    assert placed.saving_kept_share == pytest.approx((0.768 - 0.1236) / 0.648, abs=1e-6)
    assert [(entry.mode, entry.usd_per_hour) for entry in placed.by_mode] == [
        ("observe", 0.18), ("pool", 0.1512), ("cohort", 0.1236), ("pinned", 0.12),
    ]  # fmt: skip


def test_steering_names_labels_workloads_and_cohorts() -> None:
    assert as_json()["steering"] == {
        "mode": "cohort",
        "affinities": [
            {"workload": "shop/Deployment/cart", "terms": [{"nodemix.dev/cohort": ["c0"]}]}
        ],
        "release": [{"workload": "shop/Deployment/cart", "pods": 12}],
        "quotas": [{"workload": "shop/Deployment/cart", "cohort": "c0", "pods": 12}],
        "pins": [],
    }


def test_a_plan_that_keeps_todays_nodes_places_nothing() -> None:
    document = to_document(replace(a_recommendation(), placed=None, steering=None))

    assert (document.placed, document.steering) == (None, None)


def test_a_pool_names_its_runner_up_and_what_a_node_would_change() -> None:
    pool = as_json()["pools"][1]  # type: ignore[index]  # JSON

    assert pool["node_more_usd_per_hour"] == 0.0031
    assert pool["node_less_usd_per_hour"] == -0.0124
    assert pool["runner_up"] == {
        "instance_type": "c6g.xlarge",
        "zone": "us-east-1a",
        "capacity_type": "spot",
        "price_usd_per_hour": 0.0712,
        "break_even_usd_per_hour": 0.06,
    }


def test_a_pool_that_ends_has_no_runner_up() -> None:
    pool = as_json()["pools"][0]  # type: ignore[index]  # JSON

    assert (pool["node_more_usd_per_hour"], pool["runner_up"]) == (None, None)


def test_a_document_from_before_these_fields_is_still_read() -> None:
    document = as_json()
    del document["savings"]
    for pool in document["pools"]:  # type: ignore[attr-defined]  # JSON
        for field in ("node_more_usd_per_hour", "node_less_usd_per_hour", "runner_up"):
            del pool[field]

    assert PlanDocument.model_validate(document).savings is None


def test_the_bound_is_never_rounded_up() -> None:
    assert to_document(a_recommendation()).lower_bound_usd_per_hour == 0.118765


def test_a_bound_of_whole_micro_dollars_stays_as_it_is() -> None:
    exact = replace(a_recommendation(), lower_bound_usd_per_hour=0.1 + 0.2)

    assert to_document(exact).lower_bound_usd_per_hour == 0.3


def test_without_a_forecast_the_shortfall_is_null() -> None:
    calm = a_recommendation()
    calm = replace(calm, risk=replace(calm.risk, shortfall_probability=None))

    assert to_document(calm).risk.shortfall_probability is None


def test_the_risk_is_as_exact_as_it_was_computed() -> None:
    risk = a_weighed_recommendation().risk

    entry = to_document(a_weighed_recommendation()).risk

    assert entry.interruptions_per_day == risk.interruptions_per_day
    assert entry.recourse_usd_per_hour == risk.recourse_usd_per_hour
    assert entry.worst_losses == risk.worst_losses
    assert [pool.shocks_per_hour for pool in entry.pools] == [0.004, 0.011, 0.0008]


def test_an_options_expected_cost_is_the_sum_of_what_is_shown() -> None:
    for option in to_document(a_weighed_recommendation()).options:
        risk = option.risk
        assert option.placed is not None
        later = risk.interruption_usd_per_hour + risk.recourse_usd_per_hour
        shown = option.placed.usd_per_hour + option.changes_usd_per_hour + later

        assert option.expected_usd_per_hour == pytest.approx(
            shown + risk.shortage_usd_per_hour, abs=6e-7
        )


def test_gap_and_saving_kept_are_those_of_the_figures_as_they_are_shown() -> None:
    document = to_document(a_recommendation())
    assert document.placed is not None

    assert document.gap == round((0.12 - 0.118765) / 0.12, 6)
    assert document.placed.saving_kept_share == round((0.768 - 0.1236) / 0.648, 6)


def test_document_names_the_cluster_it_is_given() -> None:
    assert to_document(a_recommendation(), "cluster.yaml").cluster == "cluster.yaml"


def test_a_document_from_before_risk_was_weighed_is_still_read() -> None:
    document = as_json()
    new = ("cluster", "capacity", "options", "front", "fairness", "baseline")
    new_lists = ("blockers", "rule_costs")
    for field in (*new, *new_lists):
        del document[field]
    document["risk"] = {
        "shortfall_probability": None,
        "spot_share": 0.5,
        "worst_pool_share": 0.25,
        "interruptions_per_day": 0.1,
    }

    read = PlanDocument.model_validate(document)

    assert (read.options, read.capacity, read.risk.scenarios) == ((), None, 0)


def test_time_is_written_in_utc() -> None:
    assert as_json()["made_at"] == "2026-11-18T11:06:40Z"


def test_document_obeys_its_schema() -> None:
    jsonschema.validate(as_json(), document_schema())
    weighed = json.loads(to_document(a_weighed_recommendation()).to_json())
    jsonschema.validate(weighed, document_schema())


def test_schema_refuses_a_document_without_its_proof() -> None:
    document = as_json()
    del document["lower_bound_usd_per_hour"]

    with pytest.raises(jsonschema.ValidationError, match="lower_bound_usd_per_hour"):
        jsonschema.validate(document, document_schema())


def test_committed_schema_is_the_generated_one() -> None:
    assert json.loads(SCHEMA_FILE.read_text()) == document_schema()


@pytest.mark.parametrize(
    "field",
    sorted([*SavingsEntry.model_fields, *PoolEntry.model_fields, *RunnerUpEntry.model_fields]),
)
def test_every_field_of_a_pool_and_of_the_savings_is_documented(field: str) -> None:
    assert re.search(rf"[`\"]{field}[`\"]", PAGE.read_text())


PARTS: tuple[type[BaseModel], ...] = (
    *(PlacedEntry, ModeEntry, SteeringEntry, AffinityEntry, ReleaseEntry, QuotaEntry, PinsEntry),
    *(RiskEntry, PoolRiskEntry, CapacityChoiceEntry, OptionEntry, OptionPool, FrontPointEntry),
    *(FairnessEntry, NamespaceEntry, BaselineEntry, BlockerEntry),
    RuleCostEntry,
)


@pytest.mark.parametrize("field", sorted({f for part in PARTS for f in part.model_fields}))
def test_every_field_of_these_parts_is_documented(field: str) -> None:
    assert re.search(rf"[`\"]{field}[`\"]", PAGE.read_text())


@pytest.mark.parametrize("field", sorted(PlanDocument.model_fields))
def test_every_field_is_documented(field: str) -> None:
    name = PlanDocument.model_fields[field].alias or field

    assert f"`{name}`" in PAGE.read_text()
