"""What may happen to a plan, what limits it, and what is accepted, as Prometheus metrics."""

from nodemix.operator.report.status_risk import HOURS_PER_DAY, chosen_option
from nodemix.optimizer.explain.types import Baseline
from nodemix.optimizer.fairness.types import Fairness
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.plan_risk import PlanOption, PoolRisk, Risk
from nodemix.optimizer.policy import Policy
from prometheus_client import CollectorRegistry, Gauge

BUDGET = "budget.usdPerHour"
MAX_SERIES = 10
"""Pools or limits of a policy that are shown; more would make series without end."""


class RiskMetrics:
    """Gauges by policy; what a decision does not know is absent, never 0."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._gauges: list[Gauge] = []
        self._make_scenario_gauges()
        self._make_interruption_gauges()
        self._make_money_gauges()
        self._make_sharing_gauges()
        self._of_decisions = tuple(self._gauges)
        self._make_accepted_gauges()

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        gauge = Gauge(f"nodemix_{name}", text, ("policy", *labels), registry=self._registry)
        self._gauges.append(gauge)
        return gauge

    def _make_scenario_gauges(self) -> None:
        self._cvar = self._gauge(
            "plan_cvar_ratio",
            "Mean share of demand without a place in the worst 5 % of scenarios.",
        )
        self._joint = self._gauge(
            "plan_joint_shortfall_probability",
            "Share of scenarios of demand and reclaims in which some pod finds no place.",
        )
        self._worst_loss = self._gauge(
            "plan_worst_pool_loss_ratio",
            "Share of requests without a place if the worst spot pool is taken back.",
        )
        self._pool_loss = self._gauge(
            "plan_pool_loss_ratio",
            "Likewise of each of the ten spot pools whose loss would hurt most.",
            *("instance_type", "zone"),
        )

    def _make_interruption_gauges(self) -> None:
        self._interruptions = self._gauge(
            "plan_interruptions_per_day",
            "Spot nodes expected to be taken back a day: the mean, and the 95 % interval's ends.",
            "estimate",
        )
        self._shocks = self._gauge(
            "plan_pool_shocks_per_day",
            "How often each of those pools is expected to lose nodes a day.",
            *("instance_type", "zone"),
        )

    def _make_money_gauges(self) -> None:
        self._expected = self._gauge(
            "plan_expected_cost_usd_per_hour",
            "What plans are compared by, in parts that sum to it: nodes, placing (nodes for pods "
            "that find no place on them), changes, interruptions, recourse (nodes bought later) "
            "and shortage (until then).",
            "part",
        )
        self._baseline = self._gauge(
            "plan_baseline_cost_usd_per_hour",
            "Cost of the same pods with another way to choose nodes.",
            "baseline",
        )
        self._limits = self._gauge(
            "plan_limit_price_usd_per_hour",
            "What one more unit of a limit that binds would save; the ten dearest.",
            "limit",
        )

    def _make_sharing_gauges(self) -> None:
        self._jain = self._gauge(
            "plan_fairness_jain_ratio",
            "Jain's index of what namespaces get where a limit binds; 1 is equal.",
        )
        self._fairness_cost = self._gauge(
            "plan_fairness_cost_usd_per_hour", "What fairness costs against the plan without it."
        )

    def _make_accepted_gauges(self) -> None:
        self._max_cvar = self._gauge("policy_max_cvar_ratio", "CVaR that the policy accepts.")
        self._max_pool_loss = self._gauge(
            "policy_max_pool_loss_ratio", "Loss of a whole spot pool that the policy accepts."
        )
        self._max_shortfall = self._gauge(
            "policy_max_shortfall_probability", "Shortfall probability that the policy accepts."
        )
        self._budget = self._gauge(
            "policy_budget_usd_per_hour", "What plans of the policy may cost."
        )

    def record(self, recommendation: Recommendation) -> None:
        """Publish what this decision knows, and nothing older."""
        policy = recommendation.policy
        for gauge in self._of_decisions:
            gauge.remove_by_labels({"policy": policy})
        if recommendation.risk.scenarios:
            self._record_scenarios(policy, recommendation.risk)
        if chosen := chosen_option(recommendation):
            self._record_expected(policy, chosen)
        self._record_limits(policy, recommendation.prices.caps)
        self._record_comparisons(policy, recommendation.baseline, recommendation.fairness)

    def _record_scenarios(self, policy: str, risk: Risk) -> None:
        self._cvar.labels(policy).set(risk.cvar)
        self._joint.labels(policy).set(risk.joint_shortfall_probability)
        self._worst_loss.labels(policy).set(risk.worst_pool_loss)
        estimates = {
            "mean": risk.interruptions_per_day,
            "low": risk.interruptions_per_day_low,
            "high": risk.interruptions_per_day_high,
        }
        for name, nodes in estimates.items():
            self._interruptions.labels(policy, name).set(nodes)
        worst_first = sorted(risk.pools, key=lambda pool: -pool.loss_if_reclaimed)
        for pool in worst_first[:MAX_SERIES]:
            self._record_pool(policy, pool)

    def _record_pool(self, policy: str, pool: PoolRisk) -> None:
        labels = (policy, pool.instance_type, pool.zone)
        self._pool_loss.labels(*labels).set(pool.loss_if_reclaimed)
        self._shocks.labels(*labels).set(HOURS_PER_DAY * pool.shocks_per_hour)

    def _record_expected(self, policy: str, chosen: PlanOption) -> None:
        parts = {
            "nodes": chosen.usd_per_hour,
            "placing": chosen.hosting_usd_per_hour,
            "changes": chosen.changes_usd_per_hour,
            "interruptions": chosen.risk.interruption_usd_per_hour,
            "recourse": chosen.risk.recourse_usd_per_hour,
            "shortage": chosen.risk.shortage_usd_per_hour,
        }
        for name, usd_per_hour in parts.items():
            self._expected.labels(policy, name).set(usd_per_hour)

    def _record_limits(self, policy: str, caps: tuple[tuple[str, float], ...]) -> None:
        """The budget first: it must not be pushed out by ten dearer quotas."""
        ordered = sorted(caps, key=lambda cap: (cap[0] != BUDGET, -cap[1]))
        for name, usd_per_hour in ordered[:MAX_SERIES]:
            self._limits.labels(policy, name).set(usd_per_hour)

    def _record_comparisons(
        self, policy: str, baseline: Baseline | None, fairness: Fairness | None
    ) -> None:
        if baseline is not None and baseline.usd_per_hour is not None:
            self._baseline.labels(policy, baseline.name).set(baseline.usd_per_hour)
        if fairness is not None:
            self._jain.labels(policy).set(fairness.jain)
            self._fairness_cost.labels(policy).set(fairness.price_usd_per_hour)

    def record_accepted(self, policy: Policy) -> None:
        """Publish what a policy accepts; what it does not limit is absent."""
        accepted = policy.service_level
        limits = {
            self._max_cvar: accepted.max_cvar,
            self._max_pool_loss: accepted.max_pool_loss,
            self._max_shortfall: accepted.shortfall_probability,
            self._budget: policy.budget_usd_per_hour,
        }
        for gauge, limit in limits.items():
            gauge.remove_by_labels({"policy": policy.name})
            if limit is not None:
                gauge.labels(policy.name).set(limit)

    def forget(self, policy: str) -> None:
        """Drop every series of a policy."""
        for gauge in self._gauges:
            gauge.remove_by_labels({"policy": policy})
