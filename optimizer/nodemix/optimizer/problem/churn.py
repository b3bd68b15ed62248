"""What it costs to change nodes: the running ones a plan may go on with, and the search's prices.

Where a policy gives a cost for a change, each new node costs the search its money and that cost
spread over the node's life. A node that runs and is movable costs its money alone: its pool is
offered once more, as nodes *in place*, as many as there are. The sum of both is the *objective*;
what is shown as a plan's cost is the money. The two have a bound each:

* the engine's bound holds for the objective of every plan;
* `money_bound` derives one for the money of every plan, changes disregarded. That of a search in
  which changes are free is nearly tight, so the planner spends a part of its time on one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.catalog.labels import HOSTNAME_LABEL, offer_labels
from nodemix.optimizer.catalog.types import InstanceType, Offer
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.problem.types import FloatArray, Problem
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import Node

LEAST_USD_PER_HOUR = 1e-6
"""What the search counts for a node that costs nothing: the engine divides by prices."""


@dataclass(frozen=True, slots=True)
class InPlace:
    """Running nodes of one pool with the same room, which a plan may go on with.

    Args:
        names: of the nodes, sorted.
        offers: at the prices that a node of the pool may have, its own room in each.
    """

    names: tuple[str, ...]
    offers: tuple[Offer, ...]

    def __str__(self) -> str:
        return f"{'/'.join(self.offers[0].key)} in place"


def nodes_in_place(
    nodes: Iterable[Node],
    offers: Sequence[Offer],
    asked_labels: Iterable[str],
    unplanned_load: Callable[[Node], Resources],
) -> tuple[InPlace, ...]:
    """The nodes that a plan may go on with, by pool and room.

    A node must take the same pods as a new one: it is ready and not leaving, its taints are those
    of its type, and it agrees with the offer on all labels that are asked for.

    Args:
        nodes: the movable ones.
        offers: that may be bought.
        asked_labels: keys that some pod or DaemonSet speaks of.
        unplanned_load: what holds room on a node beside its pods and what every node carries.
    """
    pools: defaultdict[tuple[str, ...], list[Offer]] = defaultdict(list)
    for offer in offers:
        pools[offer.key].append(offer)
    keys = sorted({*asked_labels} - {HOSTNAME_LABEL})
    groups: defaultdict[tuple[tuple[str, ...], Resources], list[str]] = defaultdict(list)
    for node in nodes:
        pool = (node.instance_type or "", node.zone or "", node.capacity_type)
        if pool in pools and _may_go_on(node, pools[pool][0], keys):
            groups[pool, node.allocatable - unplanned_load(node)].append(node.name)
    return tuple(
        InPlace(tuple(sorted(names)), _with_room(pools[pool], room))
        for (pool, room), names in sorted(groups.items(), key=lambda item: min(item[1]))
    )


def _may_go_on(node: Node, offer: Offer, keys: Sequence[str]) -> bool:
    if not node.is_ready or node.is_leaving:
        return False
    hard = {taint for taint in node.taints if taint.effect != "PreferNoSchedule"}
    mine, theirs = dict(node.labels), offer_labels(offer)
    agrees = all(mine.get(key) == theirs.get(key) for key in keys)
    return agrees and hard <= set(offer.instance.taints)


def _with_room(offers: Sequence[Offer], room: Resources) -> tuple[Offer, ...]:
    """The offers as nodes in place; those of one type share it, which keeps look-ups cheap."""
    instances: dict[InstanceType, InstanceType] = {}
    for offer in offers:
        instances.setdefault(offer.instance, replace(offer.instance, allocatable=room))
    return tuple(
        replace(offer, instance=instances[offer.instance], is_in_place=True) for offer in offers
    )


def price_extras(problem: Problem, usd_per_node_hour: float) -> Problem:
    """The problem with all that is counted beside money in its prices.

    That is the cost of a change, for every node that does not run yet, and of reclaims.
    """
    change = np.array([0.0 if o.is_in_place else usd_per_node_hour for o in problem.offers])
    reclaims = np.array([offer.interruption_usd_per_hour for offer in problem.offers])
    return _counted(problem, problem.money_usd_per_hour + change + reclaims)


def price_money(problem: Problem) -> Problem:
    """The problem with nothing but money in its prices."""
    return _counted(problem, problem.money_usd_per_hour)


def _counted(problem: Problem, usd_per_hour: FloatArray) -> Problem:
    return replace(problem, price_usd_per_hour=np.maximum(usd_per_hour, LEAST_USD_PER_HOUR))


def has_extras(problem: Problem) -> bool:
    """Whether anything is counted beside money."""
    return bool((problem.price_usd_per_hour > problem.money_usd_per_hour + 1e-12).any())


def money_of(problem: Problem, packing: Packing) -> float:
    """What the nodes of a packing add to the bill, USD per hour."""
    money = problem.money_usd_per_hour
    return float(sum(nodes.count * money[nodes.offer] for nodes in packing.nodes))


def new_nodes(problem: Problem, packing: Packing) -> int:
    """Nodes of a packing that do not run yet."""
    return sum(n.count for n in packing.nodes if not problem.offers[n.offer].is_in_place)


def money_bound(problem: Problem, bound: float, limits: Sequence[tuple[str, int]]) -> float:
    """No plan's money is below this, given that no plan's objective is below ``bound``.

    Let ``m`` and ``c >= m`` be money and objective of a node, and ``t`` the least ``m / c`` of the
    offers without a commitment. Of these, ``m >= t c``; of a committed one ``m >= t (c - d)`` with
    ``d = max(0, c - m / t)``. Summed over a plan that uses each commitment at most as often as its
    limit: ``money >= t (objective - sum of limits x d) >= t (bound - sum of limits x d)``.

    Args:
        limits: (commitment, most nodes of it in a plan).
    """
    money, counted = problem.money_usd_per_hour, problem.price_usd_per_hour
    if np.array_equal(money, counted):
        return bound
    terms = np.array([offer.terms for offer in problem.offers])
    free = terms == ""
    t = float((money[free] / counted[free]).min(initial=1.0))
    excess = np.maximum(counted - money / t, 0.0)
    most = sum(n * float(excess[terms == name].max(initial=0.0)) for name, n in limits)
    return max(0.0, t * (bound - most))
