"""From records to a snapshot: owners, node overhead, and rules between workloads."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from nodemix.operator.cluster.records import (
    DaemonSetRecord,
    NodeRecord,
    Owner,
    PodRecord,
    Record,
    RecordKey,
    WorkloadRecord,
)
from nodemix.operator.cluster.templates import PodShape
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import (
    DisruptionBudget,
    Note,
    Pod,
    PodTemplate,
    Selector,
    Snapshot,
    Workload,
    WorkloadKey,
)

Store = Mapping[str, Mapping[RecordKey, Record]]
_WORKLOAD_KINDS = ("Deployment", "StatefulSet", "Job", "ReplicaSet")
_NODE_BOUND = ("DaemonSet", "Node")
_QUANTITY_REMEDY = "correct the quantity; until then its pods stay where they are"
_ROOM_REMEDY = "see what the node's kubelet reports; until then this room counts as none"


def assemble(store: Store, now_s: float, notes: Iterable[Note]) -> Snapshot:
    """One consistent view of the records, everything sorted by name."""
    records = [r for r in store["Pod"].values() if isinstance(r, PodRecord)]
    movable = [r for r in records if not _is_node_bound(r)]
    nodes = [r for r in store["Node"].values() if isinstance(r, NodeRecord)]
    daemon_sets = [r for r in store["DaemonSet"].values() if isinstance(r, DaemonSetRecord)]
    budgets = store["PodDisruptionBudget"].values()
    owners = _Owners(store)
    found = (*notes, *_node_faults(nodes), *_daemon_faults(daemon_sets))
    pods = _pods(movable, owners)
    return Snapshot(
        taken_at_s=now_s,
        nodes=tuple(sorted((r.node for r in nodes), key=lambda n: n.name)),
        pods=tuple(sorted(pods, key=lambda pod: (pod.namespace, pod.name))),
        daemon_sets=tuple(sorted((r.daemon_set for r in daemon_sets), key=lambda d: d.key)),
        workloads=tuple(sorted(owners.workloads(), key=lambda w: w.key)),
        disruption_budgets=tuple(
            sorted(
                (b for b in budgets if isinstance(b, DisruptionBudget)),
                key=lambda b: (b.namespace, b.name),
            )
        ),
        overhead=_overhead((r for r in records if _is_node_bound(r)), {r.node.name for r in nodes}),
        notes=(*found, *_pod_faults(movable, owners)),
    )


class _Owners:
    """Who controls whom; answers are kept, since pods share few owners."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: dict[tuple[str, Owner], WorkloadKey] = {}

    def workload_of(self, pod: PodRecord) -> WorkloadKey:
        if pod.owner is None:
            return WorkloadKey(pod.namespace, "Pod", pod.name)
        at = (pod.namespace, pod.owner)
        if at not in self._keys:
            self._keys[at] = self._resolve(pod.namespace, pod.owner)
        return self._keys[at]

    def spot_denial(self, key: WorkloadKey) -> str | None:
        record = self._record(key.namespace, key.kind, key.name)
        return record.spot_denied if record else None

    def workloads(self) -> Iterator[Workload]:
        for kind in _WORKLOAD_KINDS:
            for record in self._store[kind].values():
                if isinstance(record, WorkloadRecord) and not _is_replica_set_of_another(record):
                    yield Workload(record.key, record.replicas, record.labels)

    def _resolve(self, namespace: str, owner: Owner) -> WorkloadKey:
        if owner.kind != "ReplicaSet":
            return WorkloadKey(namespace, owner.kind, owner.name)
        replica_set = self._record(namespace, "ReplicaSet", owner.name)
        if replica_set is not None and replica_set.owner is not None:
            return WorkloadKey(namespace, replica_set.owner.kind, replica_set.owner.name)
        if replica_set is None and owner.deployment is not None:
            return WorkloadKey(namespace, "Deployment", owner.deployment)
        return WorkloadKey(namespace, "ReplicaSet", owner.name)

    def _record(self, namespace: str, kind: str, name: str) -> WorkloadRecord | None:
        record = self._store.get(kind, {}).get((namespace, name))
        return record if isinstance(record, WorkloadRecord) else None


def _is_node_bound(pod: PodRecord) -> bool:
    """Whether the pod belongs to its node: a DaemonSet's or a static one."""
    return pod.owner is not None and pod.owner.kind in _NODE_BOUND


def _is_replica_set_of_another(record: WorkloadRecord) -> bool:
    return record.key.kind == "ReplicaSet" and record.owner is not None


def _overhead(
    pods: Iterable[PodRecord], nodes: Container[str]
) -> tuple[tuple[str, Resources], ...]:
    """What its node-bound pods take of each known node; a pod may outlive its node a while."""
    total: dict[str, Resources] = {}
    for pod in pods:
        if pod.node_name is not None and pod.node_name in nodes:
            requests = pod.shape.template.requests
            total[pod.node_name] = total.get(pod.node_name, Resources()) + requests
    return tuple(sorted(total.items()))


def _pods(records: Sequence[PodRecord], owners: _Owners) -> Iterator[Pod]:
    templates = _templates(records, owners)
    for r in records:
        workload = owners.workload_of(r)
        template = templates[workload, id(r.shape)]
        yield Pod(
            r.namespace,
            r.name,
            workload,
            template,
            r.node_name,
            r.is_terminating,
            r.shape.do_not_disrupt,
        )


def _templates(
    records: Sequence[PodRecord], owners: _Owners
) -> dict[tuple[WorkloadKey, int], PodTemplate]:
    """The template of each workload's shape, by the identity of the shape, which pods share."""
    shapes = {(owners.workload_of(r), id(r.shape)): r.shape for r in records}
    ties = _ties({(workload, shape) for (workload, _), shape in shapes.items()})
    return {
        (workload, at): _final_template(
            shape.template, owners.spot_denial(workload), sorted(ties.get(workload, ()))
        )
        for (workload, at), shape in shapes.items()
    }


def _final_template(
    template: PodTemplate, spot_denied: str | None, ties: Sequence[str]
) -> PodTemplate:
    if spot_denied and template.spot_denied is None:
        template = replace(template, spot_denied=spot_denied)
    if not ties:
        return template
    return replace(template, unsupported=(*template.unsupported, *ties))


def _ties(shapes: Iterable[tuple[WorkloadKey, PodShape]]) -> Mapping[WorkloadKey, set[str]]:
    """Rules that tie a workload to others, in words: the model places each one by itself."""
    by_namespace = defaultdict(list)
    for workload, shape in shapes:
        by_namespace[workload.namespace].append((workload, shape))
    ties: dict[WorkloadKey, set[str]] = defaultdict(set)
    for members in by_namespace.values():
        crowd = _Crowd(members)
        for holder, other in crowd.met_by((w, s) for w, shape in members for s in shape.repels):
            ties[holder].add(f"required pod anti-affinity with {other}")
            ties[other].add(f"required pod anti-affinity with {holder}")
        for holder, other in crowd.met_by((w, s) for w, shape in members for s in shape.counts):
            ties[holder].add(f"required topology spread that also counts {other}")
    return ties


class _Crowd:
    """The workloads of one namespace, found by a label of their pods."""

    def __init__(self, members: Iterable[tuple[WorkloadKey, PodShape]]) -> None:
        distinct = {(workload, shape.template.labels) for workload, shape in members}
        self._all = [(workload, dict(pairs)) for workload, pairs in distinct]
        self._by_label = defaultdict(list)
        for entry in self._all:
            for pair in entry[1].items():
                self._by_label[pair].append(entry)

    def met_by(
        self, holders: Iterable[tuple[WorkloadKey, Selector]]
    ) -> Iterator[tuple[WorkloadKey, WorkloadKey]]:
        """The holder of each selector and another workload that it selects."""
        for holder, selector in set(holders):
            for other, labels in self._candidates(selector):
                if other != holder and selector.matches(labels):
                    yield holder, other

    def _candidates(self, selector: Selector) -> Sequence[tuple[WorkloadKey, dict[str, str]]]:
        """Those that may match; nearly every selector names a label and its one value."""
        for requirement in selector.requirements:
            if requirement.operator == "In" and len(requirement.values) == 1:
                return self._by_label.get((requirement.key, requirement.values[0]), ())
        return self._all


def _pod_faults(records: Iterable[PodRecord], owners: _Owners) -> list[Note]:
    """One note for each fault of a workload, naming one of its pods."""
    pods: dict[tuple[WorkloadKey, str], list[str]] = defaultdict(list)
    for record in records:
        for fault in record.shape.faults:
            pods[owners.workload_of(record), fault].append(record.name)
    return [
        Note(str(workload), f"{fault} ({_some(names)})", _QUANTITY_REMEDY, "error")
        for (workload, fault), names in sorted(pods.items())
    ]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"pod {min(names)}{more}"


def _node_faults(nodes: Iterable[NodeRecord]) -> Iterator[Note]:
    for record in sorted(nodes, key=lambda r: r.node.name):
        for fault in record.faults:
            yield Note(f"Node/{record.node.name}", fault, _ROOM_REMEDY, "error")


def _daemon_faults(daemon_sets: Iterable[DaemonSetRecord]) -> Iterator[Note]:
    for record in sorted(daemon_sets, key=lambda r: r.daemon_set.key):
        for fault in record.faults:
            remedy = "correct the quantity; until then it counts as nothing"
            yield Note(str(record.daemon_set.key), fault, remedy, "error")
