from collections.abc import Iterator, Mapping
from dataclasses import replace

import httpx
import pytest
from nodemix.operator.report.exporter import Exporter, ForecastPods
from nodemix.optimizer.packed import PlacedCost
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.plan import (
    PlacedCosts,
    PlannedNodes,
    PoolChange,
    Recommendation,
    Unplaceable,
    WorkloadDemand,
)
from nodemix.optimizer.plan_risk import Risk
from nodemix.optimizer.snapshot import CapacityType, WorkloadKey

CART = WorkloadKey("shop", "Deployment", "cart")

NAMES = {
    "nodemix_cluster_cost_usd_per_hour",
    "nodemix_plan_cost_usd_per_hour",
    "nodemix_plan_placed_cost_usd_per_hour",
    "nodemix_plan_lower_bound_usd_per_hour",
    "nodemix_plan_gap_ratio",
    "nodemix_plan_saving_usd_per_hour",
    "nodemix_plan_spot_share_ratio",
    "nodemix_plan_worst_pool_share_ratio",
    "nodemix_plan_shortfall_probability",
    "nodemix_plan_unplaceable_pods",
    "nodemix_nodes",
    "nodemix_demand_pods",
    "nodemix_decisions_total",
    "nodemix_decision_duration_seconds_bucket",
    "nodemix_cluster_view_age_seconds",
    "nodemix_informer_relists_total",
    "nodemix_informer_objects",
    "nodemix_forecast_model_info",
    "nodemix_condition",
    "nodemix_price_age_seconds",
}


def make_recommendation(policy: str = "web") -> Recommendation:
    return Recommendation(
        policy=policy,
        made_at_s=0.0,
        is_change=True,
        nodes=(
            PlannedNodes("m7i.large", "a", CapacityType.SPOT, 3, ((CART, 2),), 0.1),
            PlannedNodes("m7i.large", "b", CapacityType.ON_DEMAND, 1, ((CART, 2),), 0.5),
        ),
        pools=(
            PoolChange("m7i.large", "a", CapacityType.SPOT, 0, 3, 0.1, "cheap"),
            PoolChange("m7i.large", "b", CapacityType.ON_DEMAND, 4, 1, 0.5, "dear"),
        ),
        current_usd_per_hour=2.0,
        plan_usd_per_hour=0.8,
        lower_bound_usd_per_hour=0.6,
        risk=Risk(0.004, spot_share=0.75, worst_pool_share=0.5, interruptions_per_day=0.1),
        placed=PlacedCosts(
            PlacementMode.OBSERVE,
            (
                PlacedCost(PlacementMode.OBSERVE, 0.9, 0.01, draws=8),
                PlacedCost(PlacementMode.PINNED, 0.8, 0.0, draws=0),
            ),
        ),
        demand=(WorkloadDemand(CART, pods_now=6, pods_planned=8, source="forecast"),),
        unplaceable=(Unplaceable(CART, 2, "too large"),),
        forecast_model="ets",
        seconds=1.5,
    )


class FakeCluster:
    age_s: float | None = 0.5

    def view_age_s(self) -> float | None:
        return self.age_s

    def objects(self) -> Mapping[str, int]:
        return {"pods": 5000, "nodes": 40}

    def relists(self) -> Mapping[str, int]:
        return {"pods": 2}


class FakePrices:
    def ages_s(self) -> Mapping[str, float]:
        return {"aws": 60.0}


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    exporter = Exporter()
    yield exporter
    exporter.close()


def value(exporter: Exporter, name: str, **labels: str) -> float | None:
    return exporter.registry.get_sample_value(name, labels)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nodemix_cluster_cost_usd_per_hour", 2.0),
        ("nodemix_plan_cost_usd_per_hour", 0.8),
        ("nodemix_plan_lower_bound_usd_per_hour", 0.6),
        ("nodemix_plan_gap_ratio", 0.25),
        ("nodemix_plan_saving_usd_per_hour", 1.2),
        ("nodemix_plan_spot_share_ratio", 0.75),
        ("nodemix_plan_worst_pool_share_ratio", 0.5),
        ("nodemix_plan_shortfall_probability", 0.004),
        ("nodemix_plan_unplaceable_pods", 2),
        ("nodemix_decision_duration_seconds_count", 1),
        ("nodemix_decision_duration_seconds_sum", 1.5),
    ],
)
def test_a_decision_sets_the_figure(exporter: Exporter, name: str, expected: float) -> None:
    exporter.record(make_recommendation())

    assert value(exporter, name, policy="web") == pytest.approx(expected)


def test_a_placed_cost_is_shown_for_each_mode_there_was_time_for(exporter: Exporter) -> None:
    name = "nodemix_plan_placed_cost_usd_per_hour"
    exporter.record(make_recommendation())

    assert value(exporter, name, policy="web", mode="observe") == 0.9
    assert value(exporter, name, policy="web", mode="pinned") == 0.8
    assert value(exporter, name, policy="web", mode="cohort") is None


def test_keeping_todays_nodes_leaves_no_older_placed_cost(exporter: Exporter) -> None:
    name = "nodemix_plan_placed_cost_usd_per_hour"
    exporter.record(make_recommendation())

    exporter.record(replace(make_recommendation(), is_change=False, placed=None))

    assert value(exporter, name, policy="web", mode="observe") is None


def test_nodes_are_counted_now_and_in_the_plan(exporter: Exporter) -> None:
    exporter.record(make_recommendation())

    assert value(exporter, "nodemix_nodes", policy="web", state="now") == 4
    assert value(exporter, "nodemix_nodes", policy="web", state="plan") == 4


def test_demand_is_shown_now_forecast_and_planned(exporter: Exporter) -> None:
    exporter.record(make_recommendation(), ForecastPods(p05=4.5, p50=6.5, p95=7.9))

    quantities = ("now", "forecast_p05", "forecast_p50", "forecast_p95", "planned")
    shown = [
        value(exporter, "nodemix_demand_pods", policy="web", quantity=quantity)
        for quantity in quantities
    ]
    assert shown == [6, 4.5, 6.5, 7.9, 8]


def test_without_a_forecast_the_older_forecast_does_not_stay(exporter: Exporter) -> None:
    exporter.record(make_recommendation(), ForecastPods(p05=4.5, p50=6.5, p95=7.9))

    exporter.record(make_recommendation())

    assert value(exporter, "nodemix_demand_pods", policy="web", quantity="forecast_p50") is None


def test_an_unknown_shortfall_is_absent_and_not_zero(exporter: Exporter) -> None:
    known = make_recommendation()
    exporter.record(known)

    exporter.record(replace(known, risk=replace(known.risk, shortfall_probability=None)))

    assert value(exporter, "nodemix_plan_shortfall_probability", policy="web") is None


def test_only_the_model_that_spoke_last_is_shown(exporter: Exporter) -> None:
    exporter.record(make_recommendation())

    exporter.record(replace(make_recommendation(), forecast_model="flow"))

    assert value(exporter, "nodemix_forecast_model_info", policy="web", model="flow") == 1
    assert value(exporter, "nodemix_forecast_model_info", policy="web", model="ets") is None


def test_decisions_are_counted_by_outcome(exporter: Exporter) -> None:
    exporter.record(make_recommendation())
    exporter.record(replace(make_recommendation(), is_change=False))
    exporter.count_decision("web", "failed")
    exporter.count_decision("web", "failed")

    counted = {
        outcome: value(exporter, "nodemix_decisions_total", policy="web", outcome=outcome)
        for outcome in ("change", "keep", "failed")
    }
    assert counted == {"change": 1, "keep": 1, "failed": 2}


def test_conditions_read_true_false_and_unknown(exporter: Exporter) -> None:
    exporter.record_conditions("web", {"Ready": "True", "DataFresh": "False", "Applied": "Unknown"})

    shown = [
        value(exporter, "nodemix_condition", policy="web", type=name)
        for name in ("Ready", "DataFresh", "Applied")
    ]
    assert shown == [1, 0, -1]


def test_a_condition_that_went_away_is_not_shown(exporter: Exporter) -> None:
    exporter.record_conditions("web", {"Ready": "True", "Paused": "True"})

    exporter.record_conditions("web", {"Ready": "True"})

    assert value(exporter, "nodemix_condition", policy="web", type="Paused") is None


def test_a_forgotten_policy_leaves_no_series_and_others_stay(exporter: Exporter) -> None:
    for policy in ("web", "batch"):
        exporter.record(make_recommendation(policy), ForecastPods(p05=4.5, p50=1.0, p95=2.0))
        exporter.record_conditions(policy, {"Ready": "True"})

    exporter.forget("web")

    policies = {
        sample.labels["policy"]
        for metric in exporter.registry.collect()
        for sample in metric.samples
    }
    assert policies == {"batch"}


def test_forgetting_an_unknown_policy_changes_nothing(exporter: Exporter) -> None:
    exporter.record(make_recommendation())

    exporter.forget("nobody")

    assert value(exporter, "nodemix_plan_cost_usd_per_hour", policy="web") == 0.8


def test_the_age_of_the_view_is_asked_at_each_scrape(exporter: Exporter) -> None:
    cluster = FakeCluster()
    exporter.watch_cluster(cluster)
    cluster.age_s = 42.0

    assert value(exporter, "nodemix_cluster_view_age_seconds") == 42.0
    assert value(exporter, "nodemix_informer_objects", resource="pods") == 5000
    assert value(exporter, "nodemix_informer_relists_total", resource="pods") == 2


def test_a_view_that_was_never_listed_has_no_age(exporter: Exporter) -> None:
    cluster = FakeCluster()
    cluster.age_s = None
    exporter.watch_cluster(cluster)

    assert value(exporter, "nodemix_cluster_view_age_seconds") is None


def test_two_exporters_live_side_by_side(exporter: Exporter) -> None:
    other = Exporter()
    exporter.record(make_recommendation())

    assert value(other, "nodemix_plan_cost_usd_per_hour", policy="web") is None


def test_a_scrape_over_http_shows_every_name_of_the_dashboard(exporter: Exporter) -> None:
    exporter.watch_cluster(FakeCluster())
    exporter.watch_prices(FakePrices())
    exporter.record(make_recommendation(), ForecastPods(p05=4.5, p50=6.5, p95=7.9))
    exporter.record_conditions("web", {"Ready": "True"})
    exporter.serve(0, "127.0.0.1")

    text = httpx.get(f"http://127.0.0.1:{exporter.port}/metrics").text

    shown = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[0] != "#"}
    assert shown >= NAMES


def test_a_closed_exporter_gives_its_port_back(exporter: Exporter) -> None:
    exporter.serve(0, "127.0.0.1")
    port = exporter.port
    exporter.close()

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert exporter.port == 0
