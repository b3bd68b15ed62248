"""Checks a plan document against the cluster and the market it was made for.

It shares no code with nodemix: it reads the raw Kubernetes objects, the raw price lists and the
JSON that ``nodemix plan -o json`` prints, and complains in words. No complaint means: every pod
has one place that Kubernetes would let it have, and the money is right.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from tests.checker_capacity import (
    bill_today,
    churn_faults,
    commitment_faults,
    fixed,
    pool_of,
    price_of,
    quota_faults,
)
from tests.checker_market import Market, Pool
from tests.checker_objects import (
    REQUIRED,
    Amounts,
    Cluster,
    Json,
    NodeFacts,
    PodFacts,
    read_cluster,
    selects,
    total,
    unmet_labels,
    untolerated,
)
from tests.checker_placing import placing_complaints

__all__ = ["Market", "check_plan"]

USD = 2e-6
"""Amounts are rounded to a micro-USD; two of them may differ by two roundings."""

SHAPE = ("instance_type", "zone", "capacity_type")
HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


def check_plan(
    document: Mapping[str, Any],
    objects: Sequence[Json],
    market: Market,
    namespaces: Collection[str] = (),
    usd: float = USD,
    spec: Mapping[str, Any] | None = None,
) -> list[str]:
    """Complaints about a plan; none if it is right.

    Pods of one workload with different templates cannot be told apart in a document: of these,
    the least demanding is checked.

    Args:
        document: JSON of the plan.
        objects: of the cluster the plan was made for, as the API server lists them.
        namespaces: only their pods are planned for; all if empty.
        usd: difference of two amounts that rounding explains.
        spec: of the policy: its quotas, commitments and cost of a change.
    """
    plan = _Plan(document, read_cluster(objects, namespaces), market, usd, spec or {})
    complaints = [complaint for rule in RULES for complaint in rule(plan)]
    return complaints + placing_complaints(document, usd)


@dataclass(frozen=True)
class _Group:
    """``count`` equal nodes, or one node of today that stays.

    Args:
        placed: pods that the plan puts there, by workload; without those that are there already.
        held: all pods there.
        headroom: places for further pods.
        host: the node of today; None for new nodes.
        goes_on: the host takes the pods of a new node.
    """

    pool: Pool
    count: int
    placed: Mapping[str, int]
    held: Mapping[str, int]
    headroom: Mapping[str, int]
    host: NodeFacts | None = None
    goes_on: bool = False

    def __str__(self) -> str:
        return self.host.name if self.host else "/".join(self.pool)


@dataclass(frozen=True, eq=False)
class _Plan:
    document: Mapping[str, Any]
    cluster: Cluster
    market: Market
    usd: float
    spec: Mapping[str, Any]

    @cached_property
    def kinds(self) -> dict[str, list[PodFacts]]:
        return self.cluster.kinds()

    @property
    def entries(self) -> Sequence[Json]:
        entries: Sequence[Json] = self.document["nodes"]
        return entries

    @cached_property
    def groups(self) -> list[_Group]:
        return [group for entry in self.entries for group in self._groups_of(entry)]

    def _groups_of(self, entry: Json) -> Iterator[_Group]:
        held, headroom = entry["pods"], entry.get("headroom") or {}
        new = _Group(pool_of(entry), entry["count"], held, held, headroom)
        if not (entry.get("kept_nodes") or entry.get("in_place")):
            yield new
        for name in entry.get("in_place") or ():
            if name in self.cluster.nodes:
                yield replace(new, count=1, host=self.cluster.nodes[name], goes_on=True)
        for name in entry.get("kept_nodes") or ():
            host = self.cluster.nodes.get(name)
            if host is not None:
                placed = {w: n - host.pods[w] for w, n in held.items() if n > host.pods[w]}
                yield replace(new, count=1, placed=placed, host=host)

    def labels(self, group: _Group) -> Mapping[str, str]:
        return group.host.labels if group.host else self.market.labels(group.pool)

    def is_described(self, group: _Group) -> bool:
        return group.host is not None or group.pool[0] in self.market.machines


def _each_pod_has_one_place(plan: _Plan) -> Iterator[str]:
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


def _counts_are_sound(plan: _Plan) -> Iterator[str]:
    for entry in plan.entries:
        numbers = [*entry["pods"].values(), *(entry.get("headroom") or {}).values()]
        if entry["count"] < 1 or any(number < 1 for number in numbers):
            yield f"{'/'.join(pool_of(entry))}: a count is below one"


def _kept_nodes_are_as_they_are(plan: _Plan) -> Iterator[str]:
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


def _kept_node(group: _Group, host: NodeFacts, is_change: bool) -> Iterator[str]:
    if group.pool != host.pool:
        yield f"{host.name}: is {'/'.join(host.pool)}, shown as {'/'.join(group.pool)}"
    if is_change and dict(group.held) != dict(host.pods):
        yield f"{host.name}: kept with other pods than it has"
    if not is_change and host.is_staying:
        for workload, pods in host.pods.items():
            if group.held.get(workload, 0) < pods:
                yield f"{host.name}: keeps {pods} pods of {workload}, not all are shown"


def _pods_fit(plan: _Plan) -> Iterator[str]:
    for group in filter(plan.is_described, plan.groups):
        if group.host is not None and not group.placed:
            continue  # nothing is put there: it is as full as it is
        room, taken = _room(plan, group)
        places = Counter(group.held) + Counter(group.headroom)
        used = total([taken, *(_least(plan, w, pods) for w, pods in places.items())])
        for name, needed in used.items():
            if needed > room.get(name, 0):
                free = float(room.get(name, 0))
                yield f"{group}: {float(needed):g} of {name} is used, {free:g} is there"


def _room(plan: _Plan, group: _Group) -> tuple[Amounts, Amounts]:
    """What there is on a node, and what its own pods take of it."""
    if group.host is not None:
        return group.host.room, group.host.taken
    machine = plan.market.machines[group.pool[0]]
    labels = plan.labels(group)
    own = [
        pod.requests
        for pod in plan.cluster.daemon_sets
        if not any(unmet_labels(pod.spec, labels))
        and not any(untolerated(pod, machine.taints))
        and all(machine.room.get(name) for name, asked in pod.requests.items() if asked)
    ]
    return machine.room, total(own)


def _least(plan: _Plan, workload: str, pods: int) -> Amounts:
    """What so many pods of a workload ask for, at the least."""
    kinds = plan.kinds.get(workload, [])
    names = {name for kind in kinds for name in kind.requests}
    return {n: pods * min(k.requests.get(n, Fraction(0)) for k in kinds) for n in names}


def _pods_may_run_there(plan: _Plan) -> Iterator[str]:
    for group in plan.groups:
        if not plan.is_described(group):
            yield f"{group}: no such instance type"
            continue
        for workload in {**group.placed, **group.headroom}:
            refusals = [_refusal(plan, group, kind) for kind in plan.kinds.get(workload, [])]
            if refusals and all(refusals):
                yield f"{workload} on {group}: {refusals[0]}"


def _refusal(plan: _Plan, group: _Group, pod: PodFacts) -> str:
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


def _zone_spreads_hold(plan: _Plan) -> Iterator[str]:
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


def _spreads(plan: _Plan, key: str) -> Iterator[tuple[str, PodFacts, Json]]:
    """Required spreads over ``key`` of workloads that are alike in all their pods."""
    for workload, (pod, *others) in plan.kinds.items():
        for spread in pod.spec.get("topologySpreadConstraints") or ():
            required = spread.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
            own = selects(spread.get("labelSelector"), pod.labels)
            if spread["topologyKey"] == key and required and own and not others:
                yield workload, pod, spread


def _peers(plan: _Plan, group: _Group, pod: PodFacts, rule: Json) -> int:
    """Pods on a node of the group that a rule of ``pod`` counts, it included."""
    namespaces = {*(rule.get("namespaces") or (pod.namespace,))}
    return sum(
        pods
        for workload, pods in group.held.items()
        for kind in plan.kinds.get(workload, [])[:1]
        if kind.namespace in namespaces and selects(rule.get("labelSelector"), kind.labels)
    )


def _hostname_spreads_hold(plan: _Plan) -> Iterator[str]:
    """No node has more than maxSkew: an empty node may join at any time."""
    for workload, pod, spread in _spreads(plan, HOSTNAME):
        for group in plan.groups:
            peers = _peers(plan, group, pod, spread)
            if workload in group.placed and peers > spread["maxSkew"]:
                yield f"{workload}: {peers} pods on a node ({group}), not {spread['maxSkew']}"


def _anti_affinities_hold(plan: _Plan) -> Iterator[str]:
    for workload, (pod, *others) in plan.kinds.items():
        affinity = (pod.spec.get("affinity") or {}).get("podAntiAffinity") or {}
        for term in affinity.get(REQUIRED) or () if not others else ():
            yield from _anti_affinity(plan, workload, pod, term)


def _anti_affinity(plan: _Plan, workload: str, pod: PodFacts, term: Json) -> Iterator[str]:
    own = selects(term.get("labelSelector"), pod.labels)
    in_zone: Counter[str] = Counter()
    for group in plan.groups:
        in_zone[group.pool[1]] += group.count * _peers(plan, group, pod, term)
    for group in plan.groups:
        on_node = _peers(plan, group, pod, term)
        near = {HOSTNAME: on_node, ZONE: in_zone[group.pool[1]]}.get(term["topologyKey"], 0)
        if workload in group.placed and near > own:
            yield f"{workload}: meets {near - own} pods on {group} that it must not meet"


def _money_is_right(plan: _Plan) -> Iterator[str]:
    document = plan.document
    prices = [price_of(entry, plan.spec, plan.market) for entry in plan.entries]
    for entry, price in zip(plan.entries, prices, strict=True):
        shown = entry["price_usd_per_hour"]
        if (price is None) != (shown is None) or abs((price or 0.0) - (shown or 0.0)) > plan.usd:
            yield f"{'/'.join(pool_of(entry))}: costs {price} USD/h, shown as {shown}"
    cost = sum(e["count"] * (usd or 0.0) for e, usd in zip(plan.entries, prices, strict=True))
    cost += fixed(plan.spec, plan.market)
    now = bill_today([n.pool for n in plan.cluster.nodes.values()], plan.spec, plan.market)
    for name, true in (("plan", cost), ("current", now)):
        shown = document[f"{name}_usd_per_hour"]
        if abs(shown - true) > plan.usd:
            yield f"{name}_usd_per_hour is {shown}, the nodes cost {true:.6f}"
    saving = document["current_usd_per_hour"] - document["plan_usd_per_hour"]
    if abs(document["saving_usd_per_hour"] - saving) > plan.usd:
        yield f"saving_usd_per_hour is {document['saving_usd_per_hour']}, not {saving:.6f}"


def _savings_add_up(plan: _Plan) -> Iterator[str]:
    """Only a change has sources of its saving, and new places are no saving."""
    savings = plan.document.get("savings")
    if savings is None:
        return
    if not plan.document["is_change"]:
        yield "savings are split by source, and nothing changes"
    saving = plan.document["saving_usd_per_hour"]
    if not abs(sum(savings.values()) - saving) <= plan.usd:  # so that NaN is a fault too
        yield f"savings sum to {sum(savings.values()):.6f}, the saving is {saving}"
    spare = any(entry.get("headroom") for entry in plan.entries)
    for name, may_cost in (("headroom", spare), ("waiting", True)):
        usd = savings[f"{name}_usd_per_hour"]
        if usd > 0 or (usd < 0 and not may_cost):
            yield f"savings of {name} are {usd}"


def _margins_are_of_bought_pools(plan: _Plan) -> Iterator[str]:
    """Runner-ups are on sale at the price shown, and are another type or market."""
    bought = {group.pool for group in plan.groups if group.host is None or group.goes_on}
    for pool in plan.document["pools"]:
        own, other = pool_of(pool), pool.get("runner_up")
        margins = [pool.get(f"node_{which}_usd_per_hour") for which in ("more", "less")]
        if own not in bought and [*margins, other] != [None, None, None]:
            yield f"{'/'.join(own)}: has margins, and no node of it is bought"
        if other is None:
            continue
        price = plan.market.usd_per_hour.get(pool_of(other))
        if price is None or abs(price - other["price_usd_per_hour"]) > plan.usd:
            yield f"{'/'.join(pool_of(other))}: costs {price}, as a runner-up {other}"
        if (own[0], own[2]) == (other["instance_type"], other["capacity_type"]):
            yield f"{'/'.join(own)}: is its own runner-up"


def _runner_ups_could_do(plan: _Plan) -> Iterator[str]:
    """In the place of the nodes they are compared with, pods and all."""
    others = {pool_of(pool): pool.get("runner_up") for pool in plan.document["pools"]}
    swapped = [
        {**entry, **{name: other[name] for name in SHAPE}, "in_place": ()}
        for entry in plan.entries
        if not entry.get("kept_nodes") and (other := others.get(pool_of(entry)))
    ]
    stand_in = replace(plan, document={**plan.document, "nodes": swapped})
    for complaint in (*_pods_fit(stand_in), *_pods_may_run_there(stand_in)):
        yield f"as a runner-up, {complaint}"


def _bound_and_gap_agree(plan: _Plan) -> Iterator[str]:
    cost, bound = (plan.document[f"{n}_usd_per_hour"] for n in ("plan", "lower_bound"))
    if not math.isfinite(bound) or not 0 <= bound <= cost + plan.usd:
        yield f"lower_bound_usd_per_hour is {bound}, not between 0 and {cost}"
    gap = (cost - bound) / cost if cost > 0 else 0.0
    if abs(plan.document["gap"] - gap) > plan.usd + plan.usd / max(cost, plan.usd):
        yield f"gap is {plan.document['gap']}, not {gap:.6f}"


def _pools_add_up(plan: _Plan) -> Iterator[str]:
    now = Counter(node.pool for node in plan.cluster.nodes.values())
    then: Counter[Pool] = Counter()
    for entry in plan.entries:
        then[pool_of(entry)] += entry["count"]
    shown = {
        pool_of(pool): (pool["nodes_now"], pool["nodes_plan"]) for pool in plan.document["pools"]
    }
    for pool in sorted({*now, *then, *shown}):
        if shown.get(pool) != (now[pool], then[pool]):
            yield f"{'/'.join(pool)}: {(now[pool], then[pool])} nodes, shown {shown.get(pool)}"


def _demand_adds_up(plan: _Plan) -> Iterator[str]:
    needed = Counter(pod.workload for pod in plan.cluster.pods)
    spare: Counter[str] = Counter()
    for entry in plan.entries:
        for workload, places in (entry.get("headroom") or {}).items():
            spare[workload] += places * entry["count"]
    shown = {entry["workload"]: entry for entry in plan.document["demand"]}
    for workload in sorted({*needed, *shown, *spare}):
        entry = shown.get(workload, {"pods_now": 0, "pods_planned": 0})
        if entry["pods_now"] != needed[workload]:
            yield f"{workload}: {needed[workload]} pods, demand says {entry['pods_now']}"
        planned = needed[workload] + spare[workload]
        if plan.document["is_change"] and entry["pods_planned"] != planned:
            yield f"{workload}: places for {planned} pods, demand says {entry['pods_planned']}"


def _unplaceable_is_the_last_resort(plan: _Plan) -> Iterator[str]:
    """What is bought anyway could hold none of the pods that are said to fit nowhere."""
    bought = [g for g in plan.groups if g.host is None and plan.is_described(g)]
    for entry in plan.document["unplaceable"]:
        if not entry["why"]:
            yield f"{entry['workload']}: has no place, and no word why"
        for kind in plan.kinds.get(entry["workload"], []):
            homes = [str(g) for g in bought if _would_hold(plan, g, kind)]
            if homes and len(plan.kinds[entry["workload"]]) == 1:
                yield f"{entry['workload']}: is said to fit nowhere, but fits {homes[0]}"


def _would_hold(plan: _Plan, group: _Group, pod: PodFacts) -> bool:
    if _refusal(plan, group, pod):
        return False
    room, taken = _room(plan, group)
    used = total([taken, pod.requests])
    return all(needed <= room.get(name, 0) for name, needed in used.items())


def _nothing_is_ignored_in_silence(plan: _Plan) -> Iterator[str]:
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


def _capacity_is_kept(plan: _Plan) -> Iterator[str]:
    yield from commitment_faults(plan.document, plan.spec, plan.market)
    yield from quota_faults(plan.document, plan.spec, plan.market)
    yield from churn_faults(plan.document, plan.spec, plan.cluster, plan.usd)


RULES: Sequence[Callable[[_Plan], Iterator[str]]] = (
    _each_pod_has_one_place,
    _counts_are_sound,
    _kept_nodes_are_as_they_are,
    _pods_fit,
    _pods_may_run_there,
    _zone_spreads_hold,
    _hostname_spreads_hold,
    _anti_affinities_hold,
    _money_is_right,
    _savings_add_up,
    _margins_are_of_bought_pools,
    _runner_ups_could_do,
    _bound_and_gap_agree,
    _pools_add_up,
    _demand_adds_up,
    _unplaceable_is_the_last_resort,
    _nothing_is_ignored_in_silence,
    _capacity_is_kept,
)
