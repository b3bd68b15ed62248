"""Whatever the cluster, a checker that shares no code with nodemix finds no fault in the plan."""

import json
from time import monotonic
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodemix.forecasting.types import DemandForecast
from nodemix.operator.cluster.snapshot import snapshot_of
from nodemix.operator.report.document import to_document
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.planner import decide
from nodemix.optimizer.policy import Churn, Policy
from nodemix.optimizer.snapshot import Snapshot

from tests.laws.clusters import clusters
from tests.plan_checker import Market, check_plan

Objects = list[dict[str, Any]]

# A search of a tenth of a second finds a plan of thirty pods; the law is about its soundness.
SEARCH_S = 0.1
EXAMPLES = 40

sound = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def document_of(
    objects: Objects, catalog: Catalog, policy: Policy, growth: float | None = None
) -> dict[str, Any]:
    snapshot = snapshot_of(objects, now_s=0.0)
    forecast = None if growth is None else growing(snapshot, growth)
    recommendation = decide(
        snapshot, forecast, policy, catalog, np.random.default_rng(0), monotonic
    )
    document: dict[str, Any] = json.loads(to_document(recommendation).to_json())
    return document


def spec_of(placement: PlacementMode) -> dict[str, Any]:
    """Of the policy, as far as the checker has to know it."""
    return {"placement": placement.capitalize()}


def growing(snapshot: Snapshot, growth: float) -> DemandForecast:
    """Ten equal paths in which each workload has ``growth`` times its pods."""
    pods = [str(pod.workload) for pod in snapshot.pods]
    series = tuple(sorted(set(pods)))
    wanted = np.array([pods.count(name) * growth for name in series], dtype=np.float32)
    samples = np.tile(wanted[None, :, None, None], (10, 1, 2, 1))
    return DemandForecast(series, ("pods",), 0.0, 300.0, samples)


@sound
@given(objects=clusters(), placement=st.sampled_from(PlacementMode))
def test_a_plan_for_the_pods_as_they_are_is_sound(
    catalog: Catalog, market: Market, objects: Objects, placement: PlacementMode
) -> None:
    document = document_of(objects, catalog, Policy(search_s=SEARCH_S, placement=placement))

    assert check_plan(document, objects, market, spec=spec_of(placement)) == []


@sound
@given(
    objects=clusters(),
    growth=st.sampled_from([1.0, 1.5, 3.0]),
    placement=st.sampled_from(PlacementMode),
)
def test_a_plan_with_room_for_forecast_pods_is_sound(
    catalog: Catalog, market: Market, objects: Objects, growth: float, placement: PlacementMode
) -> None:
    policy = Policy(search_s=SEARCH_S, placement=placement)

    document = document_of(objects, catalog, policy, growth)

    assert check_plan(document, objects, market, spec=spec_of(placement)) == []


@sound
@given(objects=clusters())
def test_keeping_todays_nodes_is_sound_wherever_it_is_proposed(
    catalog: Catalog, market: Market, objects: Objects
) -> None:
    hesitant = Policy(search_s=SEARCH_S, churn=Churn(min_saving_share=1.0))

    document = document_of(objects, catalog, hesitant)

    assert check_plan(document, objects, market) == []
