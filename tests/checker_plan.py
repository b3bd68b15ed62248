"""A plan document beside the cluster and the market it was made for, as the checkers read it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from tests.checker_capacity import pool_of
from tests.checker_market import Market, Pool
from tests.checker_objects import (
    Amounts,
    Cluster,
    Json,
    NodeFacts,
    PodFacts,
    total,
    unmet_labels,
    untolerated,
)

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class Group:
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
class Plan:
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
    def groups(self) -> list[Group]:
        return [group for entry in self.entries for group in self._groups_of(entry)]

    def _groups_of(self, entry: Json) -> Iterator[Group]:
        held, headroom = entry["pods"], entry.get("headroom") or {}
        new = Group(pool_of(entry), entry["count"], held, held, headroom)
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

    def labels(self, group: Group) -> Mapping[str, str]:
        return group.host.labels if group.host else self.market.labels(group.pool)

    def is_described(self, group: Group) -> bool:
        return group.host is not None or group.pool[0] in self.market.machines


def room_of(plan: Plan, group: Group) -> tuple[Amounts, Amounts]:
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


def least(plan: Plan, workload: str, pods: int) -> Amounts:
    """What so many pods of a workload ask for, at the least."""
    kinds = plan.kinds.get(workload, [])
    names = {name for kind in kinds for name in kind.requests}
    return {n: pods * min(k.requests.get(n, Fraction(0)) for k in kinds) for n in names}
