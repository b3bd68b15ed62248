"""Each pool now and in the plan, with a sentence why."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from nodemix.optimizer.catalog.types import Catalog, Offer, PoolKey
from nodemix.optimizer.plan import PlannedNodes, PoolChange, PoolMargins
from nodemix.optimizer.snapshot import Node, WorkloadKey

NAMED_WORKLOADS = 2


def pool_changes(
    now: Iterable[Node],
    plan: Iterable[PlannedNodes],
    catalog: Catalog,
    committed: Iterable[Offer] = (),
) -> tuple[PoolChange, ...]:
    """Each pool now and in the plan, the largest change of cost first.

    Args:
        committed: offers of commitments; their price counts for pools that no market sells.
    """
    counts_now: Counter[PoolKey] = Counter(_pool_of(node) for node in now)
    counts_plan: Counter[PoolKey] = Counter()
    pods: defaultdict[PoolKey, Counter[WorkloadKey]] = defaultdict(Counter)
    for group in plan:
        pool = (group.instance_type, group.zone, group.capacity_type)
        counts_plan[pool] += group.count
        pods[pool].update({key: n * group.count for key, n in group.pods})
    offers = {**{offer.key: offer for offer in committed}, **catalog.by_key()}
    changes = []
    for key in sorted({*counts_now, *counts_plan}):
        price = offers[key].price_usd_per_hour if key in offers else None
        why = _why(counts_now[key], counts_plan[key], price, pods[key])
        changes.append(PoolChange(*key, counts_now[key], counts_plan[key], price, why))
    return tuple(sorted(changes, key=_cost_of_change, reverse=True))


def with_margins(
    pools: Iterable[PoolChange], margins: Mapping[PoolKey, PoolMargins]
) -> tuple[PoolChange, ...]:
    """The pools in their order, each with its margins where there are some."""
    return tuple(replace(pool, margins=margins.get(pool.key)) for pool in pools)


def _pool_of(node: Node) -> PoolKey:
    return (node.instance_type or "unknown", node.zone or "unknown", node.capacity_type)


def _cost_of_change(change: PoolChange) -> float:
    return abs(change.delta_nodes * (change.price_usd_per_hour or 0.0))


def _why(now: int, plan: int, price: float | None, pods: Counter[WorkloadKey]) -> str:
    """One sentence on one pool."""
    if price is None:
        return "no price in the catalog, so the nodes stay as they are"
    if plan == 0:
        return "its pods fit on cheaper nodes"
    if now == plan:
        return f"stays as it is for {_listed(pods)}"
    if plan < now:
        return f"fewer nodes do for {_listed(pods)}"
    return f"cheapest place for {_listed(pods)}"


def _listed(pods: Counter[WorkloadKey]) -> str:
    """The workloads with most pods by name, the others as a number."""
    if not pods:
        return "pods to come"
    largest = sorted(pods.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{n} {key.namespace}/{key.name}" for key, n in largest[:NAMED_WORKLOADS])
    others = sum(n for _, n in largest[NAMED_WORKLOADS:])
    return named + (f" and {others} more" if others else "")
