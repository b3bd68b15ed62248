"""Whether the money of a plan is right, and whether its sums add up."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tests.checker_capacity import (
    bill_today,
    commitments_of,
    fixed,
    is_for,
    pool_of,
    price_of,
    prices_today,
)
from tests.checker_market import Pool
from tests.checker_numbers import differ, faults
from tests.checker_objects import Json
from tests.checker_plan import Plan
from tests.checker_pods import pods_fit, pods_may_run_there

EXACT = 1e-6
SHAPE = ("instance_type", "zone", "capacity_type")


def money_is_right(plan: Plan) -> Iterator[str]:
    document = plan.document
    prices = [price_of(entry, plan.spec, plan.market) for entry in plan.entries]
    for entry, price in zip(plan.entries, prices, strict=True):
        shown = entry["price_usd_per_hour"]
        if (price is None) != (shown is None) or abs((price or 0.0) - (shown or 0.0)) > plan.usd:
            yield f"{'/'.join(pool_of(entry))}: costs {price} USD/h, shown as {shown}"
    cost = sum(e["count"] * (usd or 0.0) for e, usd in zip(plan.entries, prices, strict=True))
    paid_anyway = fixed(plan.spec, plan.market)
    if "fixed_usd_per_hour" in document:
        yield from faults("", document, {"fixed_usd_per_hour": paid_anyway}, plan.usd)
    cost += paid_anyway
    now = bill_today([n.pool for n in plan.cluster.nodes.values()], plan.spec, plan.market)
    for name, true in (("plan", cost), ("current", now)):
        shown = document[f"{name}_usd_per_hour"]
        if abs(shown - true) > plan.usd:
            yield f"{name}_usd_per_hour is {shown}, the nodes cost {true:.6f}"
    saving = document["current_usd_per_hour"] - document["plan_usd_per_hour"]
    if abs(document["saving_usd_per_hour"] - saving) > plan.usd:
        yield f"saving_usd_per_hour is {document['saving_usd_per_hour']}, not {saving:.6f}"


def savings_add_up(plan: Plan) -> Iterator[str]:
    """Only a change has sources of its saving, and new places are no saving."""
    savings = plan.document.get("savings")
    if savings is None:
        return
    if not plan.document["is_change"]:
        yield "savings are split by source, and nothing changes"
    saving = plan.document["saving_usd_per_hour"]
    if not abs(sum(savings.values()) - saving) <= plan.usd:  # so that NaN is a fault too
        yield f"savings sum to {sum(savings.values()):.6f}, the saving is {saving}"
    if "prices" in plan.document:
        yield from faults("savings.", savings, _sources(plan, savings), plan.usd)
    spare = any(entry.get("headroom") for entry in plan.entries)
    for name, may_cost in (("headroom", spare), ("waiting", True)):
        usd = savings[f"{name}_usd_per_hour"]
        if usd > 0 or (usd < 0 and not may_cost):
            yield f"savings of {name} are {usd}"


@dataclass(frozen=True)
class _Fleet:
    """Nodes in sum, USD per hour.

    Args:
        market: the cost if none of them were under a commitment.
        on_demand: the cost if none of them were spot either.
        worth: of all they can hold, at the document's prices of cores, GiB and GPUs.
    """

    cost: float
    market: float
    on_demand: float
    worth: float


def _sources(plan: Plan, savings: Json) -> dict[str, float]:
    """Spot, commitments and shape; what is charged for new places is taken as it is."""
    new = [entry for entry in plan.entries if not entry.get("kept_nodes")]
    prices = [price_of(entry, plan.spec, plan.market) for entry in new]
    bought = _fleet(
        plan, [(pool_of(e), e["count"], usd) for e, usd in zip(new, prices, strict=True)]
    )
    today = _fleet(plan, [(pool, 1, usd) for pool, usd in _movable_today(plan)])
    places = savings["waiting_usd_per_hour"] + savings["headroom_usd_per_hour"]
    if bought.cost <= 0:
        return {}  # then it is open which share of the worth is that of new places
    held = 1.0 + places / bought.cost
    sources = {
        "spot_usd_per_hour": held * (bought.on_demand - bought.market)
        - (today.on_demand - today.market),
        "shape_usd_per_hour": 0.0,
    }
    if min(today.worth, held * bought.worth) > 0:
        rates = today.on_demand / today.worth - bought.on_demand / bought.worth
        sources["shape_usd_per_hour"] = held * bought.worth * rates
    if not _may_cover_kept_nodes(plan):
        sources["commitments_usd_per_hour"] = held * (bought.market - bought.cost) - (
            today.market - today.cost
        )
    return sources


def _kept_names(plan: Plan) -> set[str]:
    return {name for entry in plan.entries for name in entry.get("kept_nodes") or ()}


def _movable_today(plan: Plan) -> list[tuple[Pool, float | None]]:
    """Pool and price of each node of today that does not stay as it is."""
    kept = _kept_names(plan)
    pools = [node.pool for node in plan.cluster.nodes.values()]
    prices = prices_today(pools, plan.spec, plan.market)
    return [
        (pool, usd)
        for name, pool, usd in zip(plan.cluster.nodes, pools, prices, strict=True)
        if name not in kept
    ]


def _may_cover_kept_nodes(plan: Plan) -> bool:
    """Then it is open which of today's nodes a commitment pays for."""
    kept = [plan.cluster.nodes[n].pool for n in _kept_names(plan) if n in plan.cluster.nodes]
    own = commitments_of(plan.spec, plan.market).values()
    return any(is_for(commitment, pool) for commitment in own for pool in kept)


def _fleet(plan: Plan, nodes: Iterable[tuple[Pool, int, float | None]]) -> _Fleet:
    """Of (pool, number, what one adds to the bill); those of unknown price do not count."""
    cost = market = on_demand = worth = 0.0
    for pool, number, price in nodes:
        if price is None:
            continue
        listed = plan.market.usd_per_hour.get(pool, price)
        cost += number * price
        market += number * listed
        on_demand += number * plan.market.usd_per_hour.get((*pool[:2], "on-demand"), listed)
        worth += number * _worth(plan, pool)
    return _Fleet(cost, market, on_demand, worth)


def _worth(plan: Plan, pool: Pool) -> float:
    room, prices = plan.market.machines[pool[0]].room, plan.document["prices"]
    units = (("cpu", "core", 1), ("memory", "gib", 2**30), ("nvidia.com/gpu", "gpu", 1))
    return sum(
        float(room.get(name, 0)) / size * (prices[f"usd_per_{unit}_hour"] or 0.0)
        for name, unit, size in units
    )


def margins_are_of_bought_pools(plan: Plan) -> Iterator[str]:
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


def runner_ups_could_do(plan: Plan) -> Iterator[str]:
    """In the place of the nodes they are compared with, pods and all."""
    others = {pool_of(pool): pool.get("runner_up") for pool in plan.document["pools"]}
    swapped = [
        {**entry, **{name: other[name] for name in SHAPE}, "in_place": ()}
        for entry in plan.entries
        if not entry.get("kept_nodes") and (other := others.get(pool_of(entry)))
    ]
    stand_in = replace(plan, document={**plan.document, "nodes": swapped})
    for complaint in (*pods_fit(stand_in), *pods_may_run_there(stand_in)):
        yield f"as a runner-up, {complaint}"


def bound_and_gap_agree(plan: Plan) -> Iterator[str]:
    cost, bound = (plan.document[f"{n}_usd_per_hour"] for n in ("plan", "lower_bound"))
    if not math.isfinite(bound) or not 0 <= bound <= cost + plan.usd:
        yield f"lower_bound_usd_per_hour is {bound}, not between 0 and {cost}"
    gap = max(0.0, cost - bound) / cost if cost > 0 else 0.0
    # Where cost and bound are rounded more coarsely than the gap, it need not be theirs.
    slack = plan.usd if plan.usd <= EXACT else plan.usd + plan.usd / max(cost, plan.usd)
    if not abs(plan.document["gap"] - gap) <= slack:
        yield f"gap is {plan.document['gap']}, not {gap:.6f}"


def pools_have_the_markets_price(plan: Plan) -> Iterator[str]:
    """Or that of a commitment, where only a commitment has such nodes."""
    committed = {
        pool_of(entry): price_of(entry, plan.spec, plan.market)
        for entry in plan.entries
        if entry.get("terms")
    }
    for pool in plan.document["pools"]:
        shown = pool.get("price_usd_per_hour")
        true = plan.market.usd_per_hour.get(pool_of(pool), committed.get(pool_of(pool)))
        if shown is not None and (true is None or differ(shown, true, plan.usd)):
            yield f"{'/'.join(pool_of(pool))}: costs {true}, its pool says {shown}"


def pools_add_up(plan: Plan) -> Iterator[str]:
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


def demand_adds_up(plan: Plan) -> Iterator[str]:
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


RULES: Sequence[Callable[[Plan], Iterator[str]]] = (
    money_is_right,
    savings_add_up,
    margins_are_of_bought_pools,
    runner_ups_could_do,
    bound_and_gap_agree,
    pools_have_the_markets_price,
    pools_add_up,
    demand_adds_up,
)
