"""Pod specs to pod templates, equal for all pods of a rollout."""

from dataclasses import dataclass
from typing import Any, Final

from nodemix.operator.cluster.placement import placement_rules
from nodemix.operator.cluster.pod_requests import RequestReader
from nodemix.operator.cluster.selectors import exact_selector, node_terms, tolerations
from nodemix.optimizer.snapshot import PodTemplate, Selector

Json = dict[str, Any]
Pairs = tuple[tuple[str, str], ...]

# They tell pods of one workload apart, or repeat where a pod landed.
PER_POD_LABELS: Final = frozenset(
    {
        "pod-template-hash",
        "pod-template-generation",
        "controller-revision-hash",
        "controller-uid",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
    }
)
_DISRUPTION_DENIALS: Final = (
    ("karpenter.sh/do-not-disrupt", "true"),
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ("cluster-autoscaler.kubernetes.io/scale-down-disabled", "true"),  # of a node
)
_SPOT_DENIALS: Final = (("nodemix.dev/spot", "deny"), *_DISRUPTION_DENIALS[:2])


@dataclass(frozen=True, slots=True)
class PodShape:
    """A template with what only the snapshot needs.

    Args:
        repels: selectors of required anti-affinity, to be compared with other workloads.
        counts: selectors of required topology spreads, likewise.
        faults: quantities that could not be read.
        do_not_disrupt: the annotation that keeps autoscalers from moving the pod.
    """

    template: PodTemplate
    repels: tuple[Selector, ...] = ()
    counts: tuple[Selector, ...] = ()
    faults: tuple[str, ...] = ()
    do_not_disrupt: str | None = None


def pod_shape(metadata: Json, spec: Json, namespace: str) -> PodShape:
    """The shape of a pod, or of a workload's pod template.

    A pod with an unreadable quantity keeps what could be read and is marked unsupported, so that
    it stays where it is and is never lost.
    """
    labels = {str(k): str(v) for k, v in (metadata.get("labels") or {}).items()}
    reader = RequestReader()
    requests = reader.effective_requests(spec)
    rules = placement_rules(spec, labels, namespace)
    template = PodTemplate(
        requests=requests,
        labels=tuple(sorted((k, v) for k, v in labels.items() if k not in PER_POD_LABELS)),
        required_labels=exact_selector(spec.get("nodeSelector")),
        required_terms=node_terms((spec.get("affinity") or {}).get("nodeAffinity") or {}),
        tolerations=tolerations(spec),
        spreads=tuple(sorted(rules.spreads, key=lambda s: (s.topology_key, s.max_skew))),
        max_per_node=min(rules.per_node, default=None),
        priority=int(spec.get("priority") or 0),
        unsupported=(*reader.faults, *dict.fromkeys(rules.unsupported)),
        soft=tuple(dict.fromkeys(rules.soft)),
        spot_denied=spot_denial(metadata),
    )
    return PodShape(
        template,
        tuple(rules.repels),
        tuple(rules.counts),
        tuple(reader.faults),
        disruption_denial(metadata),
    )


def disruption_denial(metadata: Json) -> str | None:
    """The annotation that keeps autoscalers off a pod or node; None if there is none."""
    return _first_mark(metadata.get("annotations") or {}, _DISRUPTION_DENIALS)


def spot_denial(metadata: Json) -> str | None:
    """The annotation or label that keeps an object's pods off spot; None if there is none."""
    own = (metadata.get("annotations") or {}, metadata.get("labels") or {})
    return next(filter(None, (_first_mark(marks, _SPOT_DENIALS) for marks in own)), None)


def _first_mark(marks: Json, wanted: Pairs) -> str | None:
    found = (f"{k}: {value}" for k, value in wanted if str(marks.get(k, "")).lower() == value)
    return next(found, None)
