"""What is asked of Prometheus, as data."""

from collections.abc import Sequence
from dataclasses import dataclass

from nodemix.operator.api.policy import QuerySpec
from nodemix.operator.metrics.history import PODS

STEP_PLACEHOLDER = "$step"
"""Stands for the grid's step in a query, so that a window covers a step without holes."""


@dataclass(frozen=True, slots=True)
class DemandQuery:
    """A PromQL expression whose series are workloads.

    Args:
        indicator: what it measures, unit in the name: ``pods``, ``cpu_milli``, ``memory_mib``.
        kind: of the workload, e.g. ``Deployment``.
        promql: may hold ``$step``, which becomes the grid's step, e.g. ``900s``.
        namespace_label, name_label: labels of the answer that name the workload.
    """

    indicator: str
    kind: str
    promql: str
    namespace_label: str = "namespace"
    name_label: str = "name"

    def text(self, step_s: float) -> str:
        """The expression as Prometheus gets it."""
        return self.promql.replace(STEP_PLACEHOLDER, f"{step_s:.0f}s")

    def series(self, labels: dict[str, str]) -> str | None:
        """The workload a series belongs to, as ``namespace/Kind/name``; None if it names none."""
        namespace, name = labels.get(self.namespace_label), labels.get(self.name_label)
        return f"{namespace}/{self.kind}/{name}" if namespace and name else None


def _replicas(kind: str, metric: str, label: str) -> DemandQuery:
    # The peak of each step, so that a rush between two steps is seen; `max by` also folds the
    # copies of a highly available kube-state-metrics and the pod labels of the scrape.
    promql = f"max by (namespace, {label}) (max_over_time({metric}[{STEP_PLACEHOLDER}]))"
    return DemandQuery(PODS, kind, promql, name_label=label)


KUBE_STATE_METRICS = (
    _replicas("Deployment", "kube_deployment_status_replicas", "deployment"),
    _replicas("StatefulSet", "kube_statefulset_status_replicas", "statefulset"),
)
"""Pods of each workload that exist, waiting ones included, as kube-state-metrics reports them."""


def queries_with(specs: Sequence[QuerySpec]) -> tuple[DemandQuery, ...]:
    """The default queries, those of the same indicator and kind replaced by the policy's own."""
    own = tuple(
        DemandQuery(
            indicator=str(spec.indicator),
            kind=spec.kind,
            promql=spec.query,
            namespace_label=spec.labels.namespace,
            name_label=spec.labels.name,
        )
        for spec in specs
    )
    replaced = {(query.indicator, query.kind) for query in own}
    defaults = (q for q in KUBE_STATE_METRICS if (q.indicator, q.kind) not in replaced)
    return (*defaults, *own)
