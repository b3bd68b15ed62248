"""Whatever the quotas, commitments and costs of a change: no plan breaks or forgets one."""

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodemix.operator.api.policy import NodeMixPolicySpec
from nodemix.operator.api.translate import to_policy
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.errors import InfeasiblePlanError

from tests.laws.clusters import ON_DEMAND_USD, ZONES, clusters
from tests.laws.test_plans import document_of
from tests.plan_checker import Market, check_plan

Json = dict[str, Any]

SEARCH_S = 0.1
EXAMPLES = 40
HUGE_USD = 1e6

sound = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def commitments() -> st.SearchStrategy[list[Json]]:
    """Of plain types, some in one zone, some paid anyway, one that no catalog knows."""
    one = st.builds(
        lambda kind, count, usd, zone, market, paid: {
            "instanceType": kind,
            "count": count,
            "usdPerHour": usd,
            "capacityType": market,
            "paidAnyway": paid,
            **({"zone": zone} if zone else {}),
        },
        st.sampled_from([*ON_DEMAND_USD, "z9.odd"]),
        st.integers(1, 3),
        st.sampled_from([0.0, 0.02, 0.3]),
        st.sampled_from([None, *ZONES]),
        st.sampled_from(["on-demand", "on-demand", "spot"]),
        st.booleans(),
    )
    return st.lists(one, min_size=1, max_size=3).map(
        lambda found: [{**c, "name": f"own-{i}"} for i, c in enumerate(found)]
    )


def quotas() -> st.SearchStrategy[list[Json]]:
    """Such that nodes of one market at least are never limited."""
    selections: list[Json] = [
        {"families": ["m5"]},
        {"categories": ["m"]},
        {"instanceTypes": ["m5.large"], "unit": "nodes"},
        {"zones": [ZONES[0]]},
        {"categories": ["g"], "unit": "gpus"},
    ]
    one = st.builds(
        lambda selection, limit: {**selection, "capacityType": "spot", "limit": limit},
        st.sampled_from(selections),
        st.integers(0, 12),
    )
    return st.lists(one, min_size=1, max_size=2).map(
        lambda found: [{**q, "name": f"quota-{i}"} for i, q in enumerate(found)]
    )


def changes() -> st.SearchStrategy[Json]:
    """Costs of a change, from none to one that no saving pays for."""
    return st.sampled_from([0.0, 0.2, 5.0, HUGE_USD]).map(
        lambda usd: {"nodeChangeUsd": usd, "expectedLifeHours": 12, "minSavingShare": 0}
    )


def planned(objects: list[Json], catalog: Catalog, spec: Json) -> Json | None:
    """The document; None where the caps leave no plan."""
    policy = to_policy("default", NodeMixPolicySpec.model_validate(spec))
    policy = replace(policy, search_s=SEARCH_S)
    try:
        return document_of(objects, catalog, policy)
    except InfeasiblePlanError as err:
        assert "quotas" in str(err)  # noqa: PT017 - pods may ask for spot, and it may be used up
        return None


@sound
@given(objects=clusters(), own=commitments())
def test_commitments_are_never_overdrawn_and_the_bill_is_right(
    catalog: Catalog, market: Market, objects: list[Json], own: list[Json]
) -> None:
    spec = {"commitments": own}

    document = planned(objects, catalog, spec)

    assert document is not None
    assert check_plan(document, objects, market, spec=spec) == []


@sound
@given(objects=clusters(), limits=quotas())
def test_quotas_hold(
    catalog: Catalog, market: Market, objects: list[Json], limits: list[Json]
) -> None:
    spec = {"limits": {"quotas": limits}}

    document = planned(objects, catalog, spec)

    assert document is None or check_plan(document, objects, market, spec=spec) == []


@sound
@given(objects=clusters(), churn=changes())
def test_nodes_that_go_on_can_and_the_cost_of_changes_is_right(
    catalog: Catalog, market: Market, objects: list[Json], churn: Json
) -> None:
    spec = {"objective": {"churn": churn}}

    document = planned(objects, catalog, spec)

    assert document is not None
    assert check_plan(document, objects, market, spec=spec) == []


@sound
@given(objects=clusters(), churn=changes(), own=commitments(), limits=quotas())
def test_all_of_it_together_is_sound(
    catalog: Catalog,
    market: Market,
    objects: list[Json],
    churn: Json,
    own: list[Json],
    limits: list[Json],
) -> None:
    spec = {"objective": {"churn": churn}, "commitments": own, "limits": {"quotas": limits}}

    document = planned(objects, catalog, spec)

    assert document is None or check_plan(document, objects, market, spec=spec) == []
