"""Risk, limits and what is accepted, as metrics of a policy."""

from dataclasses import replace

import pytest
from nodemix.operator.report.risk_metrics import BUDGET, MAX_SERIES, RiskMetrics
from nodemix.optimizer.plan import Prices, Recommendation
from nodemix.optimizer.policy import Policy, ServiceLevel
from prometheus_client import CollectorRegistry

from tests.operator.report.examples import a_recommendation, a_weighed_recommendation

WEIGHED = "frugal"


class Shown:
    """The metrics after some decisions."""

    def __init__(self, *decisions: Recommendation) -> None:
        self.registry = CollectorRegistry()
        self.metrics = RiskMetrics(self.registry)
        for decision in decisions:
            self.metrics.record(decision)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"nodemix_{name}", {"policy": WEIGHED, **labels})

    def labels(self, name: str, label: str) -> list[str]:
        """Values of a label over the samples of a metric."""
        return [
            sample.labels[label]
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == f"nodemix_{name}"
        ]

    def policies(self) -> set[str]:
        samples = (s for family in self.registry.collect() for s in family.samples)
        return {sample.labels["policy"] for sample in samples}


@pytest.fixture
def shown() -> Shown:
    return Shown(a_weighed_recommendation())


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("plan_cvar_ratio", {}, 0.0375),
        ("plan_joint_shortfall_probability", {}, 0.025),
        ("plan_worst_pool_loss_ratio", {}, 0.18),
        ("plan_interruptions_per_day", {"estimate": "mean"}, 1.04832),
        ("plan_interruptions_per_day", {"estimate": "low"}, 0.26208),
        ("plan_interruptions_per_day", {"estimate": "high"}, 3.14496),
        ("plan_pool_loss_ratio", {"instance_type": "m6g.large", "zone": "us-east-1a"}, 0.02),
        ("plan_pool_shocks_per_day", {"instance_type": "c7g.xlarge", "zone": "us-east-1b"}, 0.264),
        ("plan_expected_cost_usd_per_hour", {"part": "nodes"}, 0.8796),
        ("plan_expected_cost_usd_per_hour", {"part": "placing"}, 0.04398),
        ("plan_expected_cost_usd_per_hour", {"part": "changes"}, 0.06),
        ("plan_baseline_cost_usd_per_hour", {"baseline": "karpenter-like"}, 1.184),
        ("plan_limit_price_usd_per_hour", {"limit": "budget.usdPerHour"}, 0.5),
        ("plan_fairness_jain_ratio", {}, 0.9),
        ("plan_fairness_cost_usd_per_hour", {}, 0.0),
    ],
)
def test_a_decision_sets_the_figure(
    shown: Shown, name: str, labels: dict[str, str], expected: float
) -> None:
    assert shown.value(name, **labels) == pytest.approx(expected)


def test_parts_of_the_expected_cost_sum_to_what_options_are_compared_by(shown: Shown) -> None:
    chosen = a_weighed_recommendation().options[1]
    parts = shown.labels("plan_expected_cost_usd_per_hour", "part")

    costs = [shown.value("plan_expected_cost_usd_per_hour", part=part) or 0.0 for part in parts]

    assert sorted(parts) == [
        *("changes", "interruptions", "nodes", "placing", "recourse", "shortage"),
    ]
    assert sum(costs) == pytest.approx(chosen.expected_usd_per_hour)


def test_what_the_next_decision_does_not_know_goes_away() -> None:
    unknown = replace(a_recommendation(), policy=WEIGHED, prices=Prices())

    shown = Shown(a_weighed_recommendation(), unknown)

    assert shown.policies() == set()


def test_a_baseline_without_a_place_has_no_cost() -> None:
    plan = a_weighed_recommendation()
    assert plan.baseline is not None

    shown = Shown(replace(plan, baseline=replace(plan.baseline, usd_per_hour=None)))

    assert shown.labels("plan_baseline_cost_usd_per_hour", "baseline") == []


def test_of_many_pools_the_ten_worst_are_shown() -> None:
    plan = a_weighed_recommendation()
    pool = plan.risk.pools[0]
    pools = tuple(replace(pool, zone=f"z{i}", loss_if_reclaimed=i / 100) for i in range(40))

    shown = Shown(replace(plan, risk=replace(plan.risk, pools=pools)))

    zones = shown.labels("plan_pool_loss_ratio", "zone")
    assert zones == [f"z{i}" for i in range(39, 39 - MAX_SERIES, -1)]
    assert shown.labels("plan_pool_shocks_per_day", "zone") == zones


def test_of_many_limits_the_ten_dearest_are_shown_and_the_budget_always() -> None:
    quotas = tuple((f"quota-{i}", float(i)) for i in range(1, 40))
    prices = Prices(caps=(*quotas, (BUDGET, 0.001)))

    shown = Shown(replace(a_weighed_recommendation(), prices=prices))

    limits = shown.labels("plan_limit_price_usd_per_hour", "limit")
    assert limits == [BUDGET, *(f"quota-{i}" for i in range(39, 30, -1))]


def test_what_a_policy_accepts_is_shown_until_it_limits_it_no_more() -> None:
    shown = Shown()
    limits = ("policy_max_cvar_ratio", "policy_budget_usd_per_hour")

    shown.metrics.record_accepted(Policy(WEIGHED, budget_usd_per_hour=12.5))
    before = [shown.value(name) for name in limits]
    shown.metrics.record_accepted(Policy(WEIGHED, service_level=ServiceLevel(max_cvar=None)))

    assert before == [0.1, 12.5]
    assert [shown.value(name) for name in limits] == [None, None]
    assert shown.value("policy_max_pool_loss_ratio") == 0.2
    assert shown.value("policy_max_shortfall_probability") == 0.01


def test_a_decision_does_not_take_away_what_the_policy_accepts() -> None:
    shown = Shown()
    shown.metrics.record_accepted(Policy(WEIGHED))

    shown.metrics.record(a_weighed_recommendation())

    assert shown.value("policy_max_cvar_ratio") == 0.1


def test_a_forgotten_policy_leaves_nothing_and_others_stay() -> None:
    shown = Shown(a_weighed_recommendation(), replace(a_weighed_recommendation(), policy="other"))
    for policy in (WEIGHED, "other"):
        shown.metrics.record_accepted(Policy(policy))

    shown.metrics.forget(WEIGHED)

    assert shown.policies() == {"other"}
