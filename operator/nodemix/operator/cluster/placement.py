"""Where a pod may run: the rules of its spec, sorted into modelled, unsupported and soft.

Whatever the model cannot express is put into words; nothing is left out in silence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nodemix.operator.cluster.selectors import label_selector
from nodemix.optimizer.snapshot import Selector, SpreadConstraint

Json = dict[str, Any]

HOSTNAME: Final = "kubernetes.io/hostname"
ZONE: Final = "topology.kubernetes.io/zone"
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_ZONAL_VOLUMES: Final = ("awsElasticBlockStore", "gcePersistentDisk", "azureDisk", "cinder")


@dataclass(slots=True)
class PlacementRules:
    """The rules of one pod spec.

    Args:
        per_node: each an upper limit of peers on one node.
        repels: selectors of the pods this one refuses to share a node or zone with.
        counts: selectors of the pods that the modelled spreads count.
        unsupported: hard rules the model cannot express.
        soft: preferences the model leaves out.
    """

    spreads: list[SpreadConstraint] = field(default_factory=list)
    per_node: list[int] = field(default_factory=list)
    repels: list[Selector] = field(default_factory=list)
    counts: list[Selector] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    soft: list[str] = field(default_factory=list)


def placement_rules(spec: Json, labels: Mapping[str, str], namespace: str) -> PlacementRules:
    """The rules of a pod spec, for a pod with these ``labels`` in this ``namespace``."""
    rules = PlacementRules()
    affinity = spec.get("affinity") or {}
    _read_node_affinity(affinity.get("nodeAffinity") or {}, rules)
    _read_pod_affinity(affinity.get("podAffinity") or {}, rules)
    anti = affinity.get("podAntiAffinity") or {}
    _read_anti_affinity(anti, labels, namespace, rules)
    for constraint in spec.get("topologySpreadConstraints") or ():
        _read_spread(constraint, labels, rules)
    _read_host_ports(spec, rules)
    for volume in spec.get("volumes") or ():
        _read_volume(volume, rules)
    rules.unsupported.extend(_special_scheduling(spec))
    if spec.get("runtimeClassName"):
        rules.soft.append(f"runtime class {spec['runtimeClassName']}")
    return rules


def _read_node_affinity(affinity: Json, rules: PlacementRules) -> None:
    terms = (affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ()
    if any(term.get("matchFields") for term in terms):
        rules.unsupported.append("required node affinity to a node's name")
    elif terms and not any(term.get("matchExpressions") for term in terms):
        rules.unsupported.append("required node affinity that matches no node")
    if affinity.get(_PREFERRED):
        rules.soft.append("preferred node affinity")


def _read_pod_affinity(affinity: Json, rules: PlacementRules) -> None:
    for term in affinity.get(_REQUIRED) or ():
        rules.unsupported.append(f"required pod affinity on {term.get('topologyKey')}")
    if affinity.get(_PREFERRED):
        rules.soft.append("preferred pod affinity")


def _read_anti_affinity(
    affinity: Json, labels: Mapping[str, str], namespace: str, rules: PlacementRules
) -> None:
    for term in affinity.get(_REQUIRED) or ():
        selector = label_selector(term.get("labelSelector"))
        if selector is not None:
            _read_anti_affinity_term(term, selector, labels, namespace, rules)
    if affinity.get(_PREFERRED):
        rules.soft.append("preferred pod anti-affinity")


def _read_anti_affinity_term(
    term: Json,
    selector: Selector,
    labels: Mapping[str, str],
    namespace: str,
    rules: PlacementRules,
) -> None:
    key = term.get("topologyKey")
    rules.repels.append(selector)
    if key != HOSTNAME:
        rules.unsupported.append(f"required pod anti-affinity on {key}")
    elif term.get("mismatchLabelKeys") or not selector.matches(labels):
        rules.unsupported.append("required pod anti-affinity to pods of other workloads")
    elif not _only_own_namespace(term, namespace):
        rules.unsupported.append("required pod anti-affinity across namespaces")
    else:
        rules.per_node.append(1)


def _only_own_namespace(term: Json, namespace: str) -> bool:
    listed = set(term.get("namespaces") or (namespace,))
    return term.get("namespaceSelector") is None and listed == {namespace}


def _read_spread(constraint: Json, labels: Mapping[str, str], rules: PlacementRules) -> None:
    key = str(constraint.get("topologyKey"))
    selector = label_selector(constraint.get("labelSelector"))
    if constraint.get("whenUnsatisfiable") == "ScheduleAnyway":
        rules.soft.append(f"preferred topology spread over {key}")
    elif selector is None:
        rules.soft.append(f"topology spread over {key} without a selector, which counts no pod")
    elif key not in (ZONE, HOSTNAME):
        rules.unsupported.append(f"required topology spread over {key}")
    elif not selector.matches(labels):
        rules.unsupported.append(f"required spread over {key} of pods of other workloads")
    elif key == ZONE and (constraint.get("minDomains") or 1) > 1:
        rules.unsupported.append(f"required spread over {key} with minDomains")
    else:
        rules.counts.append(selector)
        _add_spread(constraint, key, rules)


def _add_spread(constraint: Json, key: str, rules: PlacementRules) -> None:
    """A hostname spread of skew k holds surely where no node has more than k of the pods."""
    max_skew = int(constraint.get("maxSkew") or 1)
    rules.spreads.append(SpreadConstraint(key, max_skew))
    if key == HOSTNAME:
        rules.per_node.append(max_skew)
    if constraint.get("nodeTaintsPolicy") == "Honor":
        rules.soft.append(f"nodeTaintsPolicy Honor of the spread over {key}")
    if constraint.get("nodeAffinityPolicy") == "Ignore":
        rules.soft.append(f"nodeAffinityPolicy Ignore of the spread over {key}")


def _read_host_ports(spec: Json, rules: PlacementRules) -> None:
    ports = sorted({port["hostPort"] for port in _ports(spec) if port.get("hostPort")})
    if ports:
        rules.per_node.append(1)
        rules.soft.append(f"host ports {ports}: conflicts with other workloads are not modelled")


def _ports(spec: Json) -> Iterator[Json]:
    for group in ("containers", "initContainers"):
        for container in spec.get(group) or ():
            yield from container.get("ports") or ()


def _read_volume(volume: Json, rules: PlacementRules) -> None:
    if "persistentVolumeClaim" in volume:
        rules.unsupported.append("uses a PersistentVolumeClaim, whose zone is not known")
    elif any(kind in volume for kind in _ZONAL_VOLUMES):
        rules.unsupported.append("uses a disk that is bound to one zone")
    elif "ephemeral" in volume:
        rules.soft.append("uses an ephemeral volume claim, made anew where the pod lands")
    elif "hostPath" in volume:
        rules.soft.append("uses a hostPath volume, whose content stays on the node")


def _special_scheduling(spec: Json) -> Iterator[str]:
    scheduler = spec.get("schedulerName") or "default-scheduler"
    if scheduler != "default-scheduler":
        yield f"is placed by the scheduler {scheduler}"
    if spec.get("resourceClaims"):
        yield "uses dynamic resource claims"
    if spec.get("schedulingGates"):
        names = sorted(str(gate.get("name")) for gate in spec["schedulingGates"])
        yield f"is held by scheduling gates {', '.join(names)}"
