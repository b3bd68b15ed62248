"""Quotas, commitments and changes of nodes as the plan checker counts them; no code of nodemix.

All of it is read from the raw spec of the policy and the JSON of the plan.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from tests.checker_market import Market, Pool
from tests.checker_numbers import faults
from tests.checker_objects import Cluster, Json

_LABEL = "karpenter.k8s.aws/instance-"
UNPRICED = 1e6
ROUNDING_USD = 1e-6


def pool_of(entry: Json) -> Pool:
    return (entry["instance_type"], entry["zone"], entry["capacity_type"])


def commitments_of(spec: Mapping[str, Any], market: Market) -> dict[str, Json]:
    """Those whose type and zone are on sale, by name."""
    types = {pool[0] for pool in market.usd_per_hour}
    zones = {pool[1] for pool in market.usd_per_hour}
    return {
        c["name"]: c
        for c in spec.get("commitments") or ()
        if c["instanceType"] in types and c.get("zone") in {None, *zones}
    }


def marginal(commitment: Json) -> float:
    return 0.0 if commitment.get("paidAnyway") else float(commitment["usdPerHour"])


def fixed(spec: Mapping[str, Any], market: Market) -> float:
    """What is paid whether it is used or not."""
    paid = (c for c in commitments_of(spec, market).values() if c.get("paidAnyway"))
    return float(sum(c["count"] * c["usdPerHour"] for c in paid))


def price_of(entry: Json, spec: Mapping[str, Any], market: Market) -> float | None:
    """What a node of an entry adds to the bill; None if nobody knows."""
    commitment = commitments_of(spec, market).get(entry.get("terms") or "")
    return marginal(commitment) if commitment else market.usd_per_hour.get(pool_of(entry))


def is_for(commitment: Json, pool: Pool) -> bool:
    own = (commitment["instanceType"], commitment.get("capacityType", "on-demand"))
    return (pool[0], pool[2]) == own and commitment.get("zone") in {None, pool[1]}


def bill_today(pools: Sequence[Pool], spec: Mapping[str, Any], market: Market) -> float:
    """Today's cost with the commitments where they save most."""
    own = prices_today(pools, spec, market)
    return sum(price or 0.0 for price in own) + fixed(spec, market)


def prices_today(
    pools: Sequence[Pool], spec: Mapping[str, Any], market: Market
) -> list[float | None]:
    """What each node adds to the bill, with the commitments where they save most."""
    prices = [market.usd_per_hour.get(pool) for pool in pools]
    for node, commitment in committed_today(pools, spec, market).items():
        prices[node] = marginal(commitment)
    return prices


def committed_today(
    pools: Sequence[Pool], spec: Mapping[str, Any], market: Market
) -> dict[int, Json]:
    """Commitments of nodes, by the nodes' places in ``pools``: where they save most."""
    listed = [market.usd_per_hour.get(pool) for pool in pools]
    units = [
        c for c in commitments_of(spec, market).values() for _ in range(min(c["count"], len(pools)))
    ]
    if not units or not pools:
        return {}
    saved = np.array(
        [
            [
                max(0.0, (UNPRICED if price is None else price) - marginal(unit))
                if is_for(unit, pool)
                else 0.0
                for unit in units
            ]
            for pool, price in zip(pools, listed, strict=True)
        ]
    )
    pairs = zip(*linear_sum_assignment(saved, maximize=True), strict=True)
    return {int(i): units[u] for i, u in pairs if saved[i, u] > 0.0}


def commitment_faults(
    document: Mapping[str, Any], spec: Mapping[str, Any], market: Market, today: Sequence[Pool]
) -> Iterator[str]:
    """Each is used by nodes like it, not too often, and before the same nodes at a higher price.

    Args:
        today: the pools of today's nodes.
    """
    known = commitments_of(spec, market)
    used: Counter[str] = Counter()
    for entry in document["nodes"]:
        name = entry.get("terms") or ""
        used[name] += entry["count"]
        if name and (name not in known or not is_for(known[name], pool_of(entry))):
            yield f"{'/'.join(pool_of(entry))}: is said to be under {name}, which is not for it"
    shown = {c["name"]: c for c in document.get("commitments") or ()}
    if shown.keys() != known.keys():
        yield f"commitments {sorted(shown)} are shown, {sorted(known)} can be used"
    now = len(committed_today(today, spec, market))
    if shown and sum(commitment["nodes_now"] for commitment in shown.values()) != now:
        yield f"commitments pay for {now} nodes today, shown are {list(shown.values())}"
    for name, commitment in known.items():
        if used[name] > commitment["count"]:
            yield f"commitment {name}: {used[name]} nodes, {commitment['count']} are there"
        if name in shown:
            expected = {
                "count": commitment["count"],
                "price_usd_per_hour": commitment["usdPerHour"],
                "nodes_plan": used[name],
            }
            yield from faults(f"commitment {name}: ", shown[name], expected, ROUNDING_USD)
        for entry in document["nodes"] if used[name] < commitment["count"] else ():
            price = price_of(entry, spec, market)
            if is_for(commitment, pool_of(entry)) and (
                price is None or price > marginal(commitment) + 1e-9
            ):
                yield f"{'/'.join(pool_of(entry))}: costs {price}, and {name} has nodes left"


def quota_faults(
    document: Mapping[str, Any], spec: Mapping[str, Any], market: Market
) -> Iterator[str]:
    """What is bought keeps each quota; nodes that stay may be above it, and then nothing is."""
    if not document["is_change"]:
        return
    for quota in (spec.get("limits") or {}).get("quotas") or ():
        use = [
            (entry["count"] * quota_use(quota, pool_of(entry), market), entry.get("kept_nodes"))
            for entry in document["nodes"]
        ]
        kept = sum(amount for amount, names in use if names)
        most = max(quota["limit"], kept)
        if sum(amount for amount, _ in use) > most + 1e-6:
            yield f"quota {quota['name']}: {use} of {quota['limit']}"


def quota_use(quota: Json, pool: Pool, market: Market) -> float:
    """Of one node; 0 for a type that nobody knows."""
    machine = market.machines.get(pool[0])
    if machine is None:
        return 0.0
    facts = {
        "categories": machine.labels[f"{_LABEL}category"],
        "families": machine.labels[f"{_LABEL}family"],
        "instanceTypes": pool[0],
        "zones": pool[1],
    }
    if any(quota.get(field) and value not in quota[field] for field, value in facts.items()):
        return 0.0
    if quota.get("capacityType") not in {None, pool[2]}:
        return 0.0
    unit = quota.get("unit", "vcpus")
    if unit == "nodes":
        return 1.0
    return float(
        machine.labels[f"{_LABEL}cpu"] if unit == "vcpus" else machine.room.get("nvidia.com/gpu", 0)
    )


def churn_faults(
    document: Mapping[str, Any], spec: Mapping[str, Any], cluster: Cluster, usd: float
) -> Iterator[str]:
    """Nodes go on once, as what they are; new ones are counted; the objective is the sum."""
    rules = (spec.get("objective") or {}).get("churn") or {}
    cost, life = rules.get("nodeChangeUsd", 0.05), rules.get("expectedLifeHours", 24.0)
    churn = document.get("churn")
    if (churn is not None) != (cost > 0):
        yield f"a change costs {cost}, and the plan says {churn}"
    names = [name for e in document["nodes"] for name in e.get("in_place") or ()]
    names += [name for e in document["nodes"] for name in e.get("kept_nodes") or ()]
    if len({*names}) != len(names):
        yield f"a node goes on twice: {sorted(names)}"
    for entry in document["nodes"]:
        going_on = entry.get("in_place") or ()
        if going_on and len(going_on) != entry["count"]:
            yield f"{going_on[0]}: {entry['count']} nodes go on, {len(going_on)} are named"
        for name in going_on:
            node = cluster.nodes.get(name)
            if node is None or node.pool != pool_of(entry) or not node.is_staying:
                yield f"{name}: cannot go on as {'/'.join(pool_of(entry))}"
    if churn is not None:
        yield from _churn_sums(document, churn, {*names}, cost, life, usd)


def _churn_sums(
    document: Mapping[str, Any],
    churn: Json,
    going_on: set[str],
    cost: float,
    life: float,
    usd: float,
) -> Iterator[str]:
    new = sum(
        e["count"] for e in document["nodes"] if not (e.get("in_place") or e.get("kept_nodes"))
    )
    reclaims = (document.get("risk") or {}).get("interruption_usd_per_hour", 0.0)
    objective = document["plan_usd_per_hour"] + new * cost / life + reclaims
    true = {
        "nodes_new": new,
        "change_usd": new * cost,
        "usd_per_hour": new * cost / life,
        "objective_usd_per_hour": objective,
    }
    for name, amount in true.items():
        if abs(churn[name] - amount) > usd:
            yield f"churn.{name} is {churn[name]}, not {amount:.6f}"
    if churn["objective_lower_bound_usd_per_hour"] > objective + usd:
        yield f"the bound on the objective is above it: {churn}"
    if lost := going_on & {*churn["nodes_let_go"]}:
        yield f"{sorted(lost)} are let go and go on"
    if strange := {*churn["nodes_in_place"]} - going_on:
        yield f"{sorted(strange)} are said to go on, and no entry has them"
