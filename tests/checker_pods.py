"""Whether every pod of a plan has one place that Kubernetes would let it have."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from tests.checker_capacity import pool_of
from tests.checker_objects import (
    REQUIRED,
    Json,
    NodeFacts,
    PodFacts,
    selects,
    total,
    unmet_labels,
    untolerated,
)
from tests.checker_plan import HOSTNAME, ZONE, Group, Plan, least, room_of


def each_pod_has_one_place(plan: Plan) -> Iterator[str]:
    needed = Counter(pod.workload for pod in plan.cluster.pods)
    shown: Counter[str] = Counter()
    for entry in plan.entries:
        for workload, pods in entry["pods"].items():
            shown[workload] += pods * entry["count"]
    for entry in plan.document["unplaceable"]:
        shown[entry["workload"]] += entry["pods"]
    staying = {w for g in plan.groups if g.host and not g.goes_on for w in g.host.pods}
    for workload in sorted({*needed, *shown}):
        if shown[workload] == needed[workload]:
            continue
        # Pods that nobody plans for are shown where they stay, and only there.
        if needed[workload] or workload not in staying:
            yield f"{workload}: {needed[workload]} pods need a place, {shown[workload]} have one"


def counts_are_sound(plan: Plan) -> Iterator[str]:
    for entry in plan.entries:
        numbers = [*entry["pods"].values(), *(entry.get("headroom") or {}).values()]
        if entry["count"] < 1 or any(number < 1 for number in numbers):
            yield f"{'/'.join(pool_of(entry))}: a count is below one"


def kept_nodes_are_as_they_are(plan: Plan) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for entry in plan.entries:
        names = entry.get("kept_nodes") or ()
        if names and len(names) != entry["count"]:
            yield f"{names[0]}: {entry['count']} nodes are kept, {len(names)} are named"
        seen.update(names)
        yield from (f"{n}: kept, but no such node" for n in names if n not in plan.cluster.nodes)
    yield from (f"{name}: kept {times} times" for name, times in seen.items() if times > 1)
    for group in plan.groups:
        if group.host is not None and not group.goes_on:
            yield from _kept_node(group, group.host, plan.document["is_change"])


def _kept_node(group: Group, host: NodeFacts, is_change: bool) -> Iterator[str]:
    if group.pool != host.pool:
        yield f"{host.name}: is {'/'.join(host.pool)}, shown as {'/'.join(group.pool)}"
    if is_change and dict(group.held) != dict(host.pods):
        yield f"{host.name}: kept with other pods than it has"
    if not is_change and host.is_staying:
        for workload, pods in host.pods.items():
            if group.held.get(workload, 0) < pods:
                yield f"{host.name}: keeps {pods} pods of {workload}, not all are shown"


def pods_fit(plan: Plan) -> Iterator[str]:
    for group in filter(plan.is_described, plan.groups):
        if group.host is not None and not group.placed:
            continue  # nothing is put there: it is as full as it is
        room, taken = room_of(plan, group)
        places = Counter(group.held) + Counter(group.headroom)
        used = total([taken, *(least(plan, w, pods) for w, pods in places.items())])
        for name, needed in used.items():
            if needed > room.get(name, 0):
                free = float(room.get(name, 0))
                yield f"{group}: {float(needed):g} of {name} is used, {free:g} is there"


def pods_may_run_there(plan: Plan) -> Iterator[str]:
    for group in plan.groups:
        if not plan.is_described(group):
            yield f"{group}: no such instance type"
            continue
        for workload in {**group.placed, **group.headroom}:
            refusals = [refusal(plan, group, kind) for kind in plan.kinds.get(workload, [])]
            if refusals and all(refusals):
                yield f"{workload} on {group}: {refusals[0]}"


def refusal(plan: Plan, group: Group, pod: PodFacts) -> str:
    """Why a pod must not be put on a node; empty if it may."""
    if unmet := next(unmet_labels(pod.spec, plan.labels(group)), ""):
        return f"needs a node with {unmet}"
    machine = plan.market.machines.get(group.pool[0])
    taints = group.host.taints if group.host else machine.taints if machine else ()
    if taint := next(untolerated(pod, taints), ""):
        return f"does not tolerate {taint}"
    if pod.spot_denied and group.pool[2] == "spot":
        return f"must not run on spot ({pod.spot_denied})"
    if rule := next(_rules_nobody_models(pod.spec), ""):
        return f"is moved in spite of {rule}"
    return ""


def _rules_nobody_models(spec: Json) -> Iterator[str]:
    """Rules that this checker cannot follow; pods under them have to stay where they are."""
    affinity = spec.get("affinity") or {}
    if (affinity.get("podAffinity") or {}).get(REQUIRED):
        yield "a required pod affinity"
    terms = ((affinity.get("nodeAffinity") or {}).get(REQUIRED) or {}).get("nodeSelectorTerms")
    if any(term.get("matchFields") for term in terms or ()):
        yield "an affinity to a node's name"
    if any("persistentVolumeClaim" in volume for volume in spec.get("volumes") or ()):
        yield "a persistent volume"
    for key in ("resourceClaims", "schedulingGates"):
        if spec.get(key):
            yield key
    if spec.get("schedulerName", "default-scheduler") != "default-scheduler":
        yield "a scheduler of its own"


def zone_spreads_hold(plan: Plan) -> Iterator[str]:
    for workload, pod, spread in _spreads(plan, ZONE):
        counts: Counter[str] = Counter()
        for group in filter(plan.is_described, plan.groups):
            labels = plan.labels(group)
            if not any(unmet_labels(pod.spec, labels)):
                counts[labels[ZONE]] += group.count * _peers(plan, group, pod, spread)
        least = min(counts.values(), default=0)
        for zone in sorted({g.pool[1] for g in plan.groups if workload in g.placed}):
            if counts[zone] - least > spread["maxSkew"]:
                yield f"{workload}: {dict(counts)} pods by zone, maxSkew is {spread['maxSkew']}"
                break


def _spreads(plan: Plan, key: str) -> Iterator[tuple[str, PodFacts, Json]]:
    """Required spreads over ``key`` of workloads that are alike in all their pods."""
    for workload, (pod, *others) in plan.kinds.items():
        for spread in pod.spec.get("topologySpreadConstraints") or ():
            required = spread.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
            own = selects(spread.get("labelSelector"), pod.labels)
            if spread["topologyKey"] == key and required and own and not others:
                yield workload, pod, spread


def _peers(plan: Plan, group: Group, pod: PodFacts, rule: Json) -> int:
    """Pods on a node of the group that a rule of ``pod`` counts, it included."""
    namespaces = {*(rule.get("namespaces") or (pod.namespace,))}
    return sum(
        pods
        for workload, pods in group.held.items()
        for kind in plan.kinds.get(workload, [])[:1]
        if kind.namespace in namespaces and selects(rule.get("labelSelector"), kind.labels)
    )


def hostname_spreads_hold(plan: Plan) -> Iterator[str]:
    """No node has more than maxSkew: an empty node may join at any time."""
    for workload, pod, spread in _spreads(plan, HOSTNAME):
        for group in plan.groups:
            peers = _peers(plan, group, pod, spread)
            if workload in group.placed and peers > spread["maxSkew"]:
                yield f"{workload}: {peers} pods on a node ({group}), not {spread['maxSkew']}"


def anti_affinities_hold(plan: Plan) -> Iterator[str]:
    for workload, (pod, *others) in plan.kinds.items():
        affinity = (pod.spec.get("affinity") or {}).get("podAntiAffinity") or {}
        for term in affinity.get(REQUIRED) or () if not others else ():
            yield from _anti_affinity(plan, workload, pod, term)


def _anti_affinity(plan: Plan, workload: str, pod: PodFacts, term: Json) -> Iterator[str]:
    own = selects(term.get("labelSelector"), pod.labels)
    in_zone: Counter[str] = Counter()
    for group in plan.groups:
        in_zone[group.pool[1]] += group.count * _peers(plan, group, pod, term)
    for group in plan.groups:
        on_node = _peers(plan, group, pod, term)
        near = {HOSTNAME: on_node, ZONE: in_zone[group.pool[1]]}.get(term["topologyKey"], 0)
        if workload in group.placed and near > own:
            yield f"{workload}: meets {near - own} pods on {group} that it must not meet"


def unplaceable_is_the_last_resort(plan: Plan) -> Iterator[str]:
    """What is bought anyway could hold none of the pods that are said to fit nowhere."""
    bought = [g for g in plan.groups if g.host is None and plan.is_described(g)]
    for entry in plan.document["unplaceable"]:
        if not entry["why"]:
            yield f"{entry['workload']}: has no place, and no word why"
        for kind in plan.kinds.get(entry["workload"], []):
            homes = [str(g) for g in bought if _would_hold(plan, g, kind)]
            if homes and len(plan.kinds[entry["workload"]]) == 1:
                yield f"{entry['workload']}: is said to fit nowhere, but fits {homes[0]}"


def _would_hold(plan: Plan, group: Group, pod: PodFacts) -> bool:
    if refusal(plan, group, pod):
        return False
    room, taken = room_of(plan, group)
    used = total([taken, pod.requests])
    return all(needed <= room.get(name, 0) for name, needed in used.items())


def nothing_is_ignored_in_silence(plan: Plan) -> Iterator[str]:
    """Whatever the plan does not weigh about a workload is in a note that names it."""
    noted = {note["subject"] for note in plan.document["notes"]}
    for workload, kinds in plan.kinds.items():
        if workload not in noted and any(map(_has_preferences, kinds)):
            yield f"{workload}: its preferences are left out, and no note says so"


def _has_preferences(pod: PodFacts) -> bool:
    affinity = json.dumps(pod.spec.get("affinity") or {})
    spreads = pod.spec.get("topologySpreadConstraints") or ()
    return "preferredDuringScheduling" in affinity or any(
        spread.get("whenUnsatisfiable") == "ScheduleAnyway" for spread in spreads
    )


RULES: Sequence[Callable[[Plan], Iterator[str]]] = (
    each_pod_has_one_place,
    counts_are_sound,
    kept_nodes_are_as_they_are,
    pods_fit,
    pods_may_run_there,
    zone_spreads_hold,
    hostname_spreads_hold,
    anti_affinities_hold,
    unplaceable_is_the_last_resort,
    nothing_is_ignored_in_silence,
)
