"""Whether what a plan says of its risk follows from the pools, the losses and the prices it shows.

Drawn figures (losses of scenarios, rates of pools) are taken as they are; all that is made of them
is computed again.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincinv

from tests.checker_capacity import pool_of, price_of
from tests.checker_market import Market, Pool
from tests.checker_numbers import faults
from tests.checker_objects import Amounts, Json, total
from tests.checker_plan import Group, Plan, least, room_of

HOURS_PER_DAY, SECONDS_PER_HOUR = 24.0, 3600.0
TAIL = 0.025
SHAPES = (0.02, 1e8)
"""Of gamma laws that a pool's rate may have."""
SHARE_ROUNDING = 1e-6
UNDER_COST_RATIO, INTERRUPTION_USD = 19.0, 0.02
"""The policy's, where it does not say."""

UNITS = {"cpu": Fraction(1, 1000), "memory": Fraction(2**20), "ephemeral-storage": Fraction(2**20)}

SPOT = "spot"


def objective(plan: Plan, part: str) -> Json:
    """A part of the policy's objective; empty where the policy does not speak of it."""
    found: Json = (plan.spec.get("objective") or {}).get(part) or {}
    return found


def risk_is_right(plan: Plan) -> Iterator[str]:
    risk = plan.document.get("risk")
    if risk is None:
        return
    nodes: Counter[Pool] = Counter()
    for entry in plan.entries:
        nodes[pool_of(entry)] += entry["count"]
    bought = [(pool_of(e), e["count"], price_of(e, plan.spec, plan.market)) for e in plan.entries]
    on_demand = sum(n * _on_demand(plan.market, pool, own) for pool, n, own in bought)
    yield from risk_faults(plan, risk, nodes, on_demand, "risk.")


def risk_faults(
    plan: Plan, risk: Json, nodes: Mapping[Pool, int], on_demand_usd: float, where: str
) -> Iterator[str]:
    """What is wrong with the risk of these nodes.

    Args:
        on_demand_usd: an hour, of the nodes if each were bought on demand.
        where: begins the name of each figure.
    """
    yield from _shares(plan.market, risk, nodes, where)
    if not risk.get("scenarios"):
        return
    yield from _scenarios(risk, where)
    yield from _pools(plan, risk, nodes, where)
    yield from _interruptions(risk, where)
    recourse = risk["mean_loss"] * on_demand_usd
    ratio = objective(plan, "slo").get("underCostRatio", UNDER_COST_RATIO)
    money = {
        "on_demand_usd_per_hour": on_demand_usd,
        "recourse_usd_per_hour": recourse,
        "shortage_usd_per_hour": ratio * recourse,
    }
    yield from faults(where, risk, money)


def _on_demand(market: Market, pool: Pool, own: float | None) -> float:
    """Price of a node like one of ``pool`` on demand; its own where that is not sold."""
    return market.usd_per_hour.get((pool[0], pool[1], "on-demand"), own or 0.0)


def on_demand_usd(market: Market, nodes: Mapping[Pool, int]) -> float:
    """Of nodes at the market's prices, if each were bought on demand."""
    return sum(
        n * _on_demand(market, pool, market.usd_per_hour.get(pool)) for pool, n in nodes.items()
    )


def _shares(market: Market, risk: Json, nodes: Mapping[Pool, int], where: str) -> Iterator[str]:
    on_sale = {pool[0] for pool in market.usd_per_hour}
    vcpus = {
        pool: n * int(market.machines[pool[0]].labels["karpenter.k8s.aws/instance-cpu"])
        for pool, n in nodes.items()
        if pool[0] in on_sale and pool[0] in market.machines
    }
    all_vcpus = max(1, sum(vcpus.values()))
    on_spot = [number for pool, number in vcpus.items() if pool[2] == SPOT]
    shares = {
        "spot_share": sum(on_spot) / all_vcpus,
        "worst_pool_share": max(on_spot, default=0) / all_vcpus,
    }
    yield from faults(where, risk, shares, SHARE_ROUNDING)


def _scenarios(risk: Json, where: str) -> Iterator[str]:
    """The tail is as long as it has to be, and what is said of it is true of it."""
    worst, scenarios = risk["worst_losses"], risk["scenarios"]
    in_tail = max(1, round((1.0 - risk["alpha"]) * scenarios))
    if len(worst) != in_tail:
        yield f"{where}worst_losses are {len(worst)} of {scenarios} scenarios, not {in_tail}"
    if list(worst) != sorted(worst, reverse=True):
        yield f"{where}worst_losses do not fall"
    if sum(loss > 0 for loss in worst) > risk["scenarios_short"]:
        yield f"{where}scenarios_short is {risk['scenarios_short']}, and more have a loss"
    mean, edge = float(np.mean(worst)), min(worst)
    spread = float(np.var(worst)) + (1.0 - in_tail / scenarios) * (mean - edge) ** 2
    tail = {
        "joint_shortfall_probability": risk["scenarios_short"] / scenarios,
        "cvar": mean,
        "cvar_standard_error": (spread / in_tail) ** 0.5,
    }
    yield from faults(where, risk, tail)
    least = sum(worst) / scenarios
    most = least + edge * (1.0 - len(worst) / scenarios)
    if not least * (1 - 1e-9) <= risk["mean_loss"] <= most * (1 + 1e-9):
        yield f"{where}mean_loss is {risk['mean_loss']}, not between {least} and {most}"


def _pools(plan: Plan, risk: Json, nodes: Mapping[Pool, int], where: str) -> Iterator[str]:
    """Each spot pool is there once, and what it costs follows from its rates."""
    shown = {_spot_pool(pool): pool["nodes"] for pool in risk["pools"]}
    there = {pool: n for pool, n in nodes.items() if pool[2] == SPOT}
    if shown != there or len(shown) != len(risk["pools"]):
        yield f"{where}pools are {shown}, the spot nodes are {there}"
    losses = [pool["loss_if_reclaimed"] for pool in risk["pools"]]
    if losses != sorted(losses, reverse=True):
        yield f"{where}pools: the largest loss is not first"
    yield from faults(where, risk, {"worst_pool_loss": max(losses, default=0.0)})
    for pool in risk["pools"]:
        yield from _pool(plan, pool, f"{where}{'/'.join(_spot_pool(pool))}: ")


def _spot_pool(pool: Json) -> Pool:
    return (pool["instance_type"], pool["zone"], SPOT)


def _pool(plan: Plan, pool: Json, where: str) -> Iterator[str]:
    lost_per_hour = pool["nodes"] * pool["shocks_per_hour"] * pool["share_lost"]
    expected = {"interruption_usd_per_hour": lost_per_hour * pool["interruption_usd_per_node"]}
    capacity = plan.document.get("capacity")
    if capacity:
        price = plan.market.usd_per_hour.get(_spot_pool(pool))
        wait_h = capacity["lead_time_s"] / SECONDS_PER_HOUR
        own = objective(plan, "spot").get("interruptionUsd", INTERRUPTION_USD)
        loss = own + wait_h * _on_demand(plan.market, _spot_pool(pool), price)
        expected["interruption_usd_per_node"] = 0.0 if price is None else loss
    high = _gamma_interval(pool["shocks_per_hour"], _shape_of(pool))[1]
    expected["shocks_per_hour_high"] = high
    yield from faults(where, pool, expected)


def _shape_of(pool: Json) -> float:
    """Of the gamma law with the pool's mean rate and the lower end of its interval."""
    ratio = pool["shocks_per_hour_low"] / pool["shocks_per_hour"]
    least, most = math.log(SHAPES[0]), math.log(SHAPES[1])
    found = brentq(lambda log: _low_over_mean(math.exp(log)) - ratio, least, most, rtol=1e-14)
    return math.exp(found)


def _low_over_mean(shape: float) -> float:
    return float(gammaincinv(shape, TAIL)) / shape


def _gamma_interval(mean: float, shape: float) -> tuple[float, float]:
    low, high = (float(gammaincinv(shape, p)) * mean / shape for p in (TAIL, 1.0 - TAIL))
    return low, high


def _interruptions(risk: Json, where: str) -> Iterator[str]:
    """Their mean is the sum over the pools, their law the gamma law with its variance."""
    lost = [
        (HOURS_PER_DAY * p["nodes"] * p["share_lost"] * p["shocks_per_hour"], _shape_of(p))
        for p in risk["pools"]
    ]
    mean = sum(each for each, _ in lost)
    variance = sum(each**2 / shape for each, shape in lost)
    low, high = _gamma_interval(mean, mean**2 / variance) if mean > 0.0 else (0.0, 0.0)
    expected = {
        "interruptions_per_day": mean,
        "interruptions_per_day_low": low,
        "interruptions_per_day_high": high,
        "interruption_usd_per_hour": sum(p["interruption_usd_per_hour"] for p in risk["pools"]),
    }
    yield from faults(where, risk, expected)


def pool_losses_are_possible(plan: Plan) -> Iterator[str]:
    """Between what cannot find room on any other node, and all that the pool's nodes hold.

    Which of the homeless pods find room depends on the order in which they are placed, and that
    is not in the document.
    """
    pools = (plan.document.get("risk") or {}).get("pools") or ()
    if any(len(kinds) > 1 for kinds in plan.kinds.values()):
        return  # what a pod of such a workload asks for is not in the document
    if not plan.document["is_change"] and _is_growth_expected(plan):
        return  # today's nodes have room for what is forecast, but which of them is not shown
    needed = total(_asked(plan, group) for group in plan.groups)
    for pool in pools:
        low, high = _loss_between(plan, _spot_pool(pool), needed)
        if not low - SHARE_ROUNDING <= pool["loss_if_reclaimed"] <= high + SHARE_ROUNDING:
            name = "/".join(_spot_pool(pool))
            yield f"{name}: loss_if_reclaimed is {pool['loss_if_reclaimed']}, not {low} to {high}"


def _is_growth_expected(plan: Plan) -> bool:
    return any(d["pods_planned"] > d["pods_now"] for d in plan.document.get("demand") or ())


def _loss_between(plan: Plan, pool: Pool, needed: Amounts) -> tuple[float, float]:
    gone = [group for group in plan.groups if group.pool == pool]
    lost = total(_asked(plan, group) for group in gone)
    left = total(_free(plan, group) for group in plan.groups if group.pool != pool)
    shares = [
        (float(max(Fraction(0), amount - left.get(name, Fraction(0))) / all_), float(amount / all_))
        for name, amount in lost.items()
        if name != "pods" and (all_ := needed[name]) > 0
    ]
    return max((s[0] for s in shares), default=0.0), max((s[1] for s in shares), default=0.0)


def _asked(plan: Plan, group: Group) -> Amounts:
    """What the pods and the places for pods on all nodes of a group ask for."""
    return {name: group.count * amount for name, amount in _asked_of_one(plan, group).items()}


def _asked_of_one(plan: Plan, group: Group) -> Amounts:
    places = Counter(group.held) + Counter(group.headroom)
    pods = ((n, _whole(least(plan, workload, 1))) for workload, n in places.items())
    return total({name: n * amount for name, amount in pod.items()} for n, pod in pods)


def _whole(asked: Amounts) -> Amounts:
    """In whole milli-cores and MiB, as plans count."""
    units = {name: UNITS.get(name, Fraction(1)) for name in asked}
    return {name: unit * -(-asked[name] // unit) for name, unit in units.items()}


def _free(plan: Plan, group: Group) -> Amounts:
    """At most so much is free on all nodes of a group; one that stays as it is takes no pods."""
    is_kept = group.host is not None and not group.goes_on
    if not plan.is_described(group) or (is_kept and plan.document["is_change"]):
        return {}
    asked = _asked_of_one(plan, group)
    free: dict[str, Fraction] = {}
    for described in (group, replace(group, host=None)):
        if plan.is_described(described):
            room, taken = room_of(plan, described)
            for name, amount in room.items():
                left = amount - taken.get(name, Fraction(0)) - asked.get(name, Fraction(0))
                free[name] = max(free.get(name, Fraction(0)), group.count * left)
    return free


RULES: Sequence[Callable[[Plan], Iterator[str]]] = (risk_is_right, pool_losses_are_possible)
