"""Why the plan is what it is: prices of resources, pool changes, and sentences."""

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.plan import (
    PlannedNodes,
    PoolChange,
    Prices,
    Recommendation,
    Result,
    Risk,
)
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.resources import GPU_RESOURCE
from nodemix.optimizer.snapshot import CapacityType, Node, WorkloadKey
from scipy.optimize import nnls

PoolKey = tuple[str, str, CapacityType]

MILLI_PER_CORE = 1000.0
MIB_PER_GIB = 1024.0
SMALLEST_PRICE_USD_PER_HOUR = 5e-5
"""Less is shown as 0.0000: a limit that costs so little does not bind in any sense of a reader."""

HOURS_PER_DAY = 24.0
NAMED_WORKLOADS = 2


def resource_prices(problem: Problem, result: Result) -> Prices:
    """Fit a price a core, a GiB and a GPU to the rows' duals, by non-negative least squares.

    Each row weighs as much as its pods, so the fit answers for what the cluster really holds.
    """
    caps = tuple(
        (cap.name, float(dual))
        for cap, dual in zip(problem.caps, result.cap_duals, strict=True)
        if dual > SMALLEST_PRICE_USD_PER_HOUR
    )
    if not problem.rows:
        return Prices(caps=caps)
    amounts = _amounts(problem)
    weights = problem.demand.astype(np.float64)
    fitted, _ = nnls(amounts * weights[:, None], result.row_duals * weights)
    asked = [bool(column.any()) for column in amounts.T]
    core, gib, gpu = (float(p) if known else None for p, known in zip(fitted, asked, strict=True))
    return Prices(core, gib, gpu, caps)


def _amounts(problem: Problem) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Cores, GiB and GPUs of each row's pod, shape (rows, 3)."""
    amounts = np.zeros((len(problem.rows), 3))
    units = (("cpu_milli", MILLI_PER_CORE), ("memory_mib", MIB_PER_GIB), (GPU_RESOURCE, 1.0))
    for column, (dimension, unit) in enumerate(units):
        if dimension in problem.dimensions:
            amounts[:, column] = problem.requests[:, problem.dimensions.index(dimension)] / unit
    return amounts


def plan_risk(
    nodes: Iterable[PlannedNodes], catalog: Catalog, shortfall_probability: float | None
) -> Risk:
    """Shares of vCPUs on spot and in one pool, and interruptions to expect."""
    offers = catalog.by_key()
    vcpus: Counter[PoolKey] = Counter()
    interruptions_per_hour = 0.0
    for group in nodes:
        offer = offers.get((group.instance_type, group.zone, group.capacity_type))
        if offer is not None:
            vcpus[offer.key] += group.count * offer.instance.vcpus
            interruptions_per_hour += group.count * offer.interruptions_per_hour
    total = max(1, sum(vcpus.values()))
    spot = [count for key, count in vcpus.items() if key[2] is CapacityType.SPOT]
    return Risk(
        shortfall_probability=shortfall_probability,
        spot_share=sum(spot) / total,
        worst_pool_share=max(spot, default=0) / total,
        interruptions_per_day=interruptions_per_hour * HOURS_PER_DAY,
    )


def pool_changes(
    now: Iterable[Node], plan: Iterable[PlannedNodes], catalog: Catalog
) -> tuple[PoolChange, ...]:
    """Each pool now and in the plan, the largest change of cost first."""
    counts_now: Counter[PoolKey] = Counter(_pool_of(node) for node in now)
    counts_plan: Counter[PoolKey] = Counter()
    pods: defaultdict[PoolKey, Counter[WorkloadKey]] = defaultdict(Counter)
    for group in plan:
        pool = (group.instance_type, group.zone, group.capacity_type)
        counts_plan[pool] += group.count
        pods[pool].update({key: n * group.count for key, n in group.pods})
    offers = catalog.by_key()
    changes = []
    for key in sorted({*counts_now, *counts_plan}):
        price = offers[key].price_usd_per_hour if key in offers else None
        why = _why(counts_now[key], counts_plan[key], price, pods[key])
        changes.append(PoolChange(*key, counts_now[key], counts_plan[key], price, why))
    return tuple(sorted(changes, key=_cost_of_change, reverse=True))


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


def reasons(recommendation: Recommendation) -> tuple[str, ...]:
    """Plain sentences, most important first."""
    sentences = [_headline(recommendation)]
    if recommendation.risk.shortfall_probability is not None:
        sentences.append(
            "on fresh demand paths some pod would lack a place within the lead time with "
            f"probability {recommendation.risk.shortfall_probability:.3f}"
        )
    sentences.append(
        f"{recommendation.risk.spot_share:.0%} of the vCPUs are on spot, "
        f"{recommendation.risk.worst_pool_share:.0%} in the largest spot pool; "
        f"about {recommendation.risk.interruptions_per_day:.2f} interruptions a day by the "
        "catalog's priors"
    )
    sentences.extend(
        f"{name} binds: one unit more would save {dual:.4f} $/h"
        for name, dual in recommendation.prices.caps
    )
    return tuple(sentences)


def _headline(recommendation: Recommendation) -> str:
    """Saving, bound and gap in one sentence."""
    plan = recommendation.plan_usd_per_hour
    bound = recommendation.lower_bound_usd_per_hour
    proof = f"no plan can cost less than {bound:.4f} $/h (gap {recommendation.gap:.1%})"
    if not recommendation.is_change:
        known = all(p.price_usd_per_hour is not None for p in recommendation.pools if p.nodes_now)
        nodes = "today's nodes" if known else "today's nodes (those of known price)"
        return f"{nodes} stay at {plan:.4f} $/h; {proof}"
    saving = recommendation.saving_usd_per_hour
    verb = "saves" if saving >= 0 else "costs"
    return f"{plan:.4f} $/h {verb} {abs(saving):.4f} $/h against today's nodes; {proof}"
