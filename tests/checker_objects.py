"""Kubernetes objects as the plan checker reads them.

It shares no code with nodemix on purpose: two readers that agree are worth more than one.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Json = Mapping[str, Any]
Amounts = Mapping[str, Fraction]

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_UNITS = {
    "": Fraction(1),
    **{unit: Fraction(1, 1000**power) for power, unit in enumerate("mun", start=1)},
    **{unit: Fraction(1000**power) for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", start=1)},
}
_QUANTITY = re.compile(r"^([+-]?[0-9.]+(?:[eE][+-]?\d+)?)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?)$")
_LABELS_OF_A_REVISION = {"pod-template-hash", "controller-revision-hash"}
_LEAVING_TAINTS = ("karpenter.sh/disrupt", "ToBeDeletedByClusterAutoscaler")
_SPOT_DENIALS = (
    ("nodemix.dev/spot", "deny"),
    ("karpenter.sh/do-not-disrupt", "true"),
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
)


def amount(quantity: object) -> Fraction:
    """A quantity in cores, bytes or pieces."""
    match = _QUANTITY.match(str(quantity))
    if match is None:
        raise ValueError(f"{quantity!r} is no quantity")
    return Fraction(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True, eq=False)
class PodFacts:
    """What decides where a pod may run.

    Args:
        workload: ``<namespace>/<Kind>/<name>`` of the owner.
        spot_denied: why it must not run on spot; empty if it may.
    """

    workload: str
    namespace: str
    node: str | None
    requests: Amounts
    labels: Mapping[str, str]
    spec: Json
    spot_denied: str = ""

    @property
    def likeness(self) -> str:
        """Equal for pods that a plan need not tell apart."""
        rules = [self.spec.get(key) for key in ("nodeSelector", "affinity", "tolerations")]
        spreads = self.spec.get("topologySpreadConstraints")
        labels = {k: v for k, v in self.labels.items() if k not in _LABELS_OF_A_REVISION}
        requests = {name: str(value) for name, value in self.requests.items()}
        return json.dumps([rules, spreads, labels, requests, self.spot_denied], sort_keys=True)


@dataclass(frozen=True, eq=False)
class NodeFacts:
    """A node of today.

    Args:
        taken: by the pods that belong to the node.
        pods: of each workload, those that are being deleted left out.
    """

    name: str
    labels: Mapping[str, str]
    taints: Sequence[Json]
    room: Amounts
    taken: Amounts
    pods: Counter[str]
    is_staying: bool

    @property
    def pool(self) -> tuple[str, str, str]:
        """Instance type, zone and market."""
        spot = {"karpenter.sh/capacity-type": "spot", "eks.amazonaws.com/capacityType": "SPOT"}
        is_spot = any(self.labels.get(key) == value for key, value in spot.items())
        return (
            self.labels.get("node.kubernetes.io/instance-type", "unknown"),
            self.labels.get("topology.kubernetes.io/zone", "unknown"),
            "spot" if is_spot else "on-demand",
        )


@dataclass(frozen=True, eq=False)
class Cluster:
    """A cluster as it is.

    Args:
        pods: all that need a place.
        daemon_sets: a pod of each.
    """

    pods: Sequence[PodFacts]
    nodes: Mapping[str, NodeFacts]
    daemon_sets: Sequence[PodFacts]

    def kinds(self) -> dict[str, list[PodFacts]]:
        """One pod of each kind, by workload; several where a rollout is under way."""
        found: dict[str, dict[str, PodFacts]] = defaultdict(dict)
        for pod in self.pods:
            found[pod.workload].setdefault(pod.likeness, pod)
        return {workload: list(kinds.values()) for workload, kinds in found.items()}


def read_cluster(objects: Iterable[Json], namespaces: Collection[str] = ()) -> Cluster:
    """The cluster of these objects; only pods of ``namespaces`` need a place, if any are given.

    Nodes that run only pods of other namespaces do not count then.
    """
    by_kind: dict[str, list[Json]] = defaultdict(list)
    for obj in objects:
        by_kind[obj["kind"]].append(obj)
    owners = _Owners(by_kind)
    alive = [pod for pod in by_kind["Pod"] if _is_alive(pod)]
    bound = [pod for pod in alive if _is_node_bound(pod)]
    free = [owners.facts(pod) for pod in alive if not _is_node_bound(pod) and not _leaves(pod)]
    taken: dict[str | None, list[Amounts]] = defaultdict(list)
    for pod in bound:
        taken[pod["spec"].get("nodeName")].append(pod_requests(pod["spec"]))
    pods_on: dict[str | None, Counter[str]] = defaultdict(Counter)
    for facts in free:
        pods_on[facts.node][facts.workload] += 1
    own = [pod for pod in free if not namespaces or pod.namespace in namespaces]
    foreign = {pod.node for pod in free} - {pod.node for pod in own}
    nodes = {n["metadata"]["name"]: n for n in by_kind["Node"]}
    nodes = {name: node for name, node in nodes.items() if name not in foreign}
    return Cluster(
        pods=own,
        nodes={name: _node(n, total(taken[name]), pods_on[name]) for name, n in nodes.items()},
        daemon_sets=[_template(obj) for obj in by_kind["DaemonSet"]],
    )


def _is_alive(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}


def _leaves(obj: Json) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def _controller(obj: Json) -> Json | None:
    references: Sequence[Json] = obj["metadata"].get("ownerReferences") or ()
    return next((r for r in references if r.get("controller")), None)


def _is_node_bound(pod: Json) -> bool:
    controller = _controller(pod)
    return controller is not None and controller["kind"] in {"DaemonSet", "Node"}


class _Owners:
    """Workloads of pods, and what is said about spot around them."""

    def __init__(self, by_kind: Mapping[str, Sequence[Json]]) -> None:
        self._objects = {
            (_namespace(obj), kind, obj["metadata"]["name"]): obj
            for kind, objects in by_kind.items()
            for obj in objects
        }
        self._budgets = by_kind.get("PodDisruptionBudget", ())
        alive = (p for p in by_kind.get("Pod", ()) if _is_alive(p) and not _leaves(p))
        self._sizes = Counter(self.key(pod) for pod in alive)

    def key(self, pod: Json) -> tuple[str, str, str]:
        namespace, controller = _namespace(pod), _controller(pod)
        if controller is None:
            return (namespace, "Pod", pod["metadata"]["name"])
        kind, name = controller["kind"], controller["name"]
        if kind == "ReplicaSet":
            return self._of_replica_set(namespace, name, pod)
        return (namespace, kind, name)

    def _of_replica_set(self, namespace: str, name: str, pod: Json) -> tuple[str, str, str]:
        replica_set = self._objects.get((namespace, "ReplicaSet", name))
        controller = _controller(replica_set) if replica_set else None
        if controller is not None:
            return (namespace, controller["kind"], controller["name"])
        suffix = "-" + (pod["metadata"].get("labels") or {}).get("pod-template-hash", "?")
        if replica_set is None and name.endswith(suffix):
            return (namespace, "Deployment", name.removesuffix(suffix))
        return (namespace, "ReplicaSet", name)

    def facts(self, pod: Json) -> PodFacts:
        spec, metadata = pod["spec"], pod["metadata"]
        return PodFacts(
            workload="/".join(self.key(pod)),
            namespace=_namespace(pod),
            node=spec.get("nodeName"),
            requests=pod_requests(spec),
            labels=metadata.get("labels") or {},
            spec=spec,
            spot_denied=self._spot_denied(pod),
        )

    def _spot_denied(self, pod: Json) -> str:
        key = self.key(pod)
        for obj in filter(None, (pod, self._objects.get(key))):
            for marks in ("annotations", "labels"):
                said = obj["metadata"].get(marks) or {}
                for name, value in _SPOT_DENIALS:
                    if str(said.get(name)).lower() == value:
                        return f"{name}: {value}"
        return "a single replica behind a budget" if self._is_guarded(pod, key) else ""

    def _is_guarded(self, pod: Json, key: tuple[str, str, str]) -> bool:
        wanted = (self._objects.get(key, {}).get("spec") or {}).get("replicas", self._sizes[key])
        labels = pod["metadata"].get("labels") or {}
        return wanted == 1 and any(
            _namespace(budget) == key[0] and selects(budget["spec"].get("selector"), labels)
            for budget in self._budgets
        )


def _namespace(obj: Json) -> str:
    return str(obj["metadata"].get("namespace") or "default")


def _template(daemon_set: Json) -> PodFacts:
    template = daemon_set["spec"]["template"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    namespace, name = _namespace(daemon_set), daemon_set["metadata"]["name"]
    spec = template["spec"]
    workload = f"{namespace}/DaemonSet/{name}"
    return PodFacts(workload, namespace, None, pod_requests(spec), labels, spec)


def _node(node: Json, taken: Amounts, pods: Counter[str]) -> NodeFacts:
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    taints = spec.get("taints") or ()
    is_ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()
    )
    disrupted = any(taint["key"].startswith(_LEAVING_TAINTS) for taint in taints)
    return NodeFacts(
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        taints=taints,
        room={key: amount(value) for key, value in (status.get("allocatable") or {}).items()},
        taken=taken,
        pods=pods,
        is_staying=is_ready and not (spec.get("unschedulable") or _leaves(node) or disrupted),
    )


def total(parts: Iterable[Amounts]) -> Amounts:
    """The sum, by resource."""
    result: dict[str, Fraction] = defaultdict(Fraction)
    for part in parts:
        for name, value in part.items():
            result[name] += value
    return dict(result)


def pod_requests(spec: Json) -> Amounts:
    """What a pod asks of its node, its slot included."""
    running = [_of_container(c) for c in spec.get("containers") or ()]
    peaks: list[Amounts] = []
    sidecars: list[Amounts] = []
    for container in spec.get("initContainers") or ():
        wanted = _of_container(container)
        peaks.append(total([*sidecars, wanted]))
        if container.get("restartPolicy") == "Always":
            sidecars.append(wanted)
    peaks.append(total([*running, *sidecars]))
    names = {name for peak in peaks for name in peak}
    most = {name: max(peak.get(name, Fraction(0)) for peak in peaks) for name in names}
    of_pod = _of_container(spec)
    overhead = {name: amount(value) for name, value in (spec.get("overhead") or {}).items()}
    return {**total([{**most, **of_pod}, overhead]), "pods": Fraction(1)}


def _of_container(container: Json) -> Amounts:
    resources = container.get("resources") or {}
    wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: amount(value) for name, value in wanted.items()}


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector picks these labels; an absent one picks nothing."""
    if selector is None:
        return False
    exact = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        holds(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def holds(expression: Json, labels: Mapping[str, str]) -> bool:
    """Whether one expression of a selector is true of these labels."""
    value = labels.get(expression["key"])
    values: Sequence[str] = expression.get("values") or []
    operator = expression["operator"]
    if operator in {"Gt", "Lt"}:
        if value is None:
            return False
        return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[operator]


def unmet_labels(spec: Json, labels: Mapping[str, str]) -> Iterator[str]:
    """What the node selector and the required node affinity ask of a node and do not get."""
    for key, value in (spec.get("nodeSelector") or {}).items():
        if labels.get(key) != value:
            yield f"{key}={value}"
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED) or {}
    terms = affinity.get("nodeSelectorTerms") or ()
    if terms and not any(
        all(holds(e, labels) for e in term.get("matchExpressions") or ()) for term in terms
    ):
        yield f"one of {json.dumps(terms)}"


def untolerated(pod: PodFacts, taints: Iterable[Json]) -> Iterator[str]:
    """Keys of the taints that keep the pod off; a request for a resource tolerates its taint."""
    tolerations = pod.spec.get("tolerations") or ()
    for taint in taints:
        if taint["effect"] == "PreferNoSchedule" or pod.requests.get(taint["key"]):
            continue
        if not any(_tolerates(toleration, taint) for toleration in tolerations):
            yield str(taint["key"])


def _tolerates(toleration: Json, taint: Json) -> bool:
    if (toleration.get("effect") or taint["effect"]) != taint["effect"]:
        return False
    exists = toleration.get("operator") == "Exists"
    if not toleration.get("key"):
        return exists
    same_value = (toleration.get("value") or "") == (taint.get("value") or "")
    return bool(toleration["key"] == taint["key"] and (exists or same_value))
