"""The operator's own Prometheus metrics, on a port of their own.

The dashboard and the alert rules are written to these names.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Thread
from typing import Protocol
from wsgiref.simple_server import WSGIServer

from nodemix.forecasting.calibrate import CalibrationReport
from nodemix.operator.beliefs.report import BeliefsReport
from nodemix.operator.report.belief_metrics import BeliefCollector
from nodemix.operator.report.forecast_quality import ForecastQuality
from nodemix.operator.report.risk_metrics import RiskMetrics
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.policy import Policy
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

DURATION_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0)
"""Around the decision's time limit: a search takes seconds, a stuck worker a minute."""

CONDITION_VALUES = {"True": 1.0, "False": 0.0, "Unknown": -1.0}


class ClusterFigures(Protocol):
    """What the informer says about itself; asked at each scrape, so it must not block.

    A gauge that a loop writes freezes with the loop; these stay true when nothing decides any more.
    """

    def view_age_s(self) -> float | None:
        """Seconds since the API server was last heard; None before the first full list."""
        ...

    def objects(self) -> Mapping[str, int]:
        """Objects held, by resource, e.g. ``pods``."""
        ...

    def relists(self) -> Mapping[str, int]:
        """Full lists since the start, by resource; never falls."""
        ...


class PriceFigures(Protocol):
    """What the price books say about themselves; asked at each scrape."""

    def ages_s(self) -> Mapping[str, float]:
        """Seconds since each source's prices were last read well, by source."""
        ...


@dataclass(frozen=True, slots=True)
class ForecastPods:
    """Highest forecast demand within the lead time, in pods of all workloads of a policy."""

    p05: float
    p50: float
    p95: float


class ClusterCollector(Collector):
    """The informer's figures, read when Prometheus asks."""

    def __init__(self, figures: ClusterFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """Age of the view, objects and relists."""
        age = GaugeMetricFamily(
            "nodemix_cluster_view_age_seconds", "Seconds since the API server was last heard."
        )
        age_s = self._figures.view_age_s()
        if age_s is not None:
            age.add_metric([], age_s)
        yield age
        objects = GaugeMetricFamily(
            "nodemix_informer_objects", "Objects the informer holds.", labels=["resource"]
        )
        for resource, count in self._figures.objects().items():
            objects.add_metric([resource], count)
        yield objects
        relists = CounterMetricFamily(
            "nodemix_informer_relists", "Full lists since the start.", labels=["resource"]
        )
        for resource, count in self._figures.relists().items():
            relists.add_metric([resource], count)
        yield relists


class PriceCollector(Collector):
    """The price books' ages, read when Prometheus asks."""

    def __init__(self, figures: PriceFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """Age of the prices of each source."""
        family = GaugeMetricFamily(
            "nodemix_price_age_seconds",
            "Seconds since the prices were last read well.",
            labels=["source"],
        )
        for source, age_s in self._figures.ages_s().items():
            family.add_metric([source], age_s)
        yield family


class Exporter:
    """Metrics of every policy, on a registry of their own (nothing global, so tests can have many).

    Values that a decision does not have (a shortfall probability without a forecast) are absent,
    never 0 and never those of an older decision.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._make_money_gauges()
        self._make_plan_gauges()
        self._make_decision_metrics()
        self._quality = ForecastQuality(self.registry)
        self._risk = RiskMetrics(self.registry)
        self._server: WSGIServer | None = None
        self._thread: Thread | None = None

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, ("policy", *labels), registry=self.registry)

    def _make_money_gauges(self) -> None:
        self._cluster_cost = self._gauge(
            "nodemix_cluster_cost_usd_per_hour", "Cost of today's nodes whose price is known."
        )
        self._plan_cost = self._gauge("nodemix_plan_cost_usd_per_hour", "Cost of the plan.")
        self._placed_cost = self._gauge(
            "nodemix_plan_placed_cost_usd_per_hour",
            "Expected cost of the plan once kube-scheduler has placed its pods, by placement mode.",
            "mode",
        )
        self._bound = self._gauge(
            "nodemix_plan_lower_bound_usd_per_hour", "No plan for the same demand is cheaper."
        )
        self._gap = self._gauge(
            "nodemix_plan_gap_ratio",
            "(cost - lower bound) / cost: at most this far above the optimum.",
        )
        self._saving = self._gauge(
            "nodemix_plan_saving_usd_per_hour", "Cost of today's nodes less cost of the plan."
        )

    def _make_plan_gauges(self) -> None:
        self._spot_share = self._gauge(
            "nodemix_plan_spot_share_ratio", "Share of the plan's vCPUs on spot."
        )
        self._pool_share = self._gauge(
            "nodemix_plan_worst_pool_share_ratio", "Largest share of vCPUs in one spot pool."
        )
        self._shortfall = self._gauge(
            "nodemix_plan_shortfall_probability",
            "Probability that some pod finds no place within the lead time; absent if unknown.",
        )
        self._unplaceable = self._gauge(
            "nodemix_plan_unplaceable_pods", "Pods that no allowed offer can hold."
        )
        self._nodes = self._gauge("nodemix_nodes", "Nodes now and in the plan.", "state")
        self._demand = self._gauge("nodemix_demand_pods", "Pods of the policy.", "quantity")

    def _make_decision_metrics(self) -> None:
        self._model = self._gauge(
            "nodemix_forecast_model_info", "1 for the model that spoke last.", "model"
        )
        self._condition = self._gauge(
            "nodemix_condition", "Status of a condition: True 1, False 0, Unknown -1.", "type"
        )
        self._decisions = Counter(
            "nodemix_decisions_total",
            "Decisions made, by outcome.",
            ("policy", "outcome"),
            registry=self.registry,
        )
        self._duration = Histogram(
            "nodemix_decision_duration_seconds",
            "Time a decision took, from snapshot to recommendation.",
            ("policy",),
            buckets=DURATION_BUCKETS_S,
            registry=self.registry,
        )

    def record(self, recommendation: Recommendation, forecast: ForecastPods | None = None) -> None:
        """Publish a decision; counts it as ``change`` or ``keep``."""
        policy = recommendation.policy
        self._record_costs(recommendation)
        self._record_plan(recommendation)
        self._risk.record(recommendation)
        self._nodes.labels(policy, "now").set(sum(p.nodes_now for p in recommendation.pools))
        self._nodes.labels(policy, "plan").set(sum(n.count for n in recommendation.nodes))
        self._record_demand(recommendation, forecast)
        self._record_model(policy, recommendation.forecast_model)
        self._duration.labels(policy).observe(recommendation.seconds)
        self.count_decision(policy, "change" if recommendation.is_change else "keep")

    def _record_costs(self, recommendation: Recommendation) -> None:
        policy = recommendation.policy
        self._cluster_cost.labels(policy).set(recommendation.current_usd_per_hour)
        self._plan_cost.labels(policy).set(recommendation.plan_usd_per_hour)
        self._bound.labels(policy).set(recommendation.lower_bound_usd_per_hour)
        self._gap.labels(policy).set(recommendation.gap)
        self._saving.labels(policy).set(recommendation.saving_usd_per_hour)
        self._placed_cost.remove_by_labels({"policy": policy})
        if recommendation.placed is not None:
            for cost in recommendation.placed.by_mode:
                self._placed_cost.labels(policy, str(cost.mode)).set(cost.usd_per_hour)

    def _record_plan(self, recommendation: Recommendation) -> None:
        policy, risk = recommendation.policy, recommendation.risk
        self._spot_share.labels(policy).set(risk.spot_share)
        self._pool_share.labels(policy).set(risk.worst_pool_share)
        self._unplaceable.labels(policy).set(sum(u.pods for u in recommendation.unplaceable))
        self._shortfall.remove_by_labels({"policy": policy})
        if risk.shortfall_probability is not None:
            self._shortfall.labels(policy).set(risk.shortfall_probability)

    def _record_demand(self, recommendation: Recommendation, forecast: ForecastPods | None) -> None:
        policy = recommendation.policy
        self._demand.remove_by_labels({"policy": policy})
        demand = recommendation.demand
        self._demand.labels(policy, "now").set(sum(d.pods_now for d in demand))
        self._demand.labels(policy, "planned").set(sum(d.pods_planned for d in demand))
        if forecast is not None:
            self._demand.labels(policy, "forecast_p05").set(forecast.p05)
            self._demand.labels(policy, "forecast_p50").set(forecast.p50)
            self._demand.labels(policy, "forecast_p95").set(forecast.p95)

    def _record_model(self, policy: str, model: str) -> None:
        self._model.remove_by_labels({"policy": policy})
        if model:
            self._model.labels(policy, model).set(1)

    def record_accepted(self, policy: Policy) -> None:
        """Publish what a policy accepts of risk and cost."""
        self._risk.record_accepted(policy)

    def record_calibration(self, policy: str, report: CalibrationReport | None) -> None:
        """Publish how well the forecasts of a policy keep their word; None where none is made."""
        self._quality.record(policy, report or CalibrationReport())

    def count_decision(self, policy: str, outcome: str) -> None:
        """Count a decision that ended as ``outcome``: ``change``, ``keep`` or ``failed``."""
        self._decisions.labels(policy, outcome).inc()

    def record_conditions(self, policy: str, statuses: Mapping[str, str]) -> None:
        """Publish the conditions of a policy: type to ``True``, ``False`` or ``Unknown``."""
        self._condition.remove_by_labels({"policy": policy})
        for name, status in statuses.items():
            self._condition.labels(policy, name).set(CONDITION_VALUES[status])

    def watch_cluster(self, figures: ClusterFigures) -> None:
        """From now on, ask ``figures`` at each scrape."""
        self.registry.register(ClusterCollector(figures))

    def watch_prices(self, figures: PriceFigures) -> None:
        """From now on, ask ``figures`` at each scrape."""
        self.registry.register(PriceCollector(figures))

    def watch_beliefs(self, report: Callable[[], BeliefsReport]) -> None:
        """From now on, ask for the report at each scrape; it must not block."""
        self.registry.register(BeliefCollector(report))

    def forget(self, policy: str) -> None:
        """Drop every series of a deleted policy; a plan nobody follows must not stay on a chart."""
        metrics = (
            *(self._cluster_cost, self._plan_cost, self._bound, self._gap, self._saving),
            *(self._spot_share, self._pool_share, self._shortfall, self._unplaceable),
            *(self._placed_cost, self._nodes, self._demand, self._model, self._condition),
            *(self._decisions, self._duration),
        )
        for metric in metrics:
            metric.remove_by_labels({"policy": policy})
        self._quality.forget(policy)
        self._risk.forget(policy)

    @property
    def port(self) -> int:
        """The port served on; 0 before :meth:`serve`."""
        return 0 if self._server is None else int(self._server.server_port)

    def serve(self, port: int, address: str = "0.0.0.0") -> None:  # noqa: S104 - scraped from other pods
        """Answer scrapes on ``port`` (0 takes any free one) from a daemon thread."""
        self._server, self._thread = start_http_server(port, address, self.registry)

    def close(self) -> None:
        """Stop answering; harmless when nothing is served."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None
