"""Whether the options of a plan cost and risk what they say, and whether its room is explained."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from tests.checker_capacity import bill_today, pool_of
from tests.checker_market import Pool
from tests.checker_numbers import differ, faults
from tests.checker_objects import Json
from tests.checker_plan import Plan
from tests.checker_risk import UNDER_COST_RATIO, objective, on_demand_usd, risk_faults

CHOSEN = "chosen"
NAMES = {CHOSEN, "cheaper", "safer", "steadier"}
SHORTFALL_PROBABILITY, MAX_CVAR, MAX_POOL_LOSS, LEAD_TIME_S = 0.01, 0.1, 0.2, 600
NODE_CHANGE_USD, EXPECTED_LIFE_HOURS = 0.05, 24.0
"""The policy's, where it does not say."""

ROUNDING = 1e-9


def options_are_sound(plan: Plan) -> Iterator[str]:
    options = plan.document.get("options") or ()
    if not options:
        return
    names = [option["name"] for option in options]
    if len({*names}) != len(names) or not {CHOSEN} <= {*names} <= NAMES:
        yield f"options are {names}"
    costs = [option["usd_per_hour"] for option in options]
    if costs != sorted(costs):
        yield "options: the cheapest is not first"
    for option in options:
        yield from _option(plan, option, f"option {option['name']}: ")
        if option["name"] == CHOSEN:
            yield from _is_the_plan(plan, option)


def _is_the_plan(plan: Plan, option: Json) -> Iterator[str]:
    nodes: Counter[Pool] = Counter()
    for entry in plan.entries:
        nodes[pool_of(entry)] += entry["count"]
    if nodes_of(option) != nodes:
        yield f"option chosen: has {dict(nodes_of(option))}, the plan {dict(nodes)}"
    if option["risk"] != plan.document["risk"]:
        yield "option chosen: has another risk than the plan"
    own = {"usd_per_hour": plan.document["plan_usd_per_hour"]}
    yield from faults("option chosen: ", option, own, plan.usd)
    yield from _is_placed_alike(plan, option)


def _is_placed_alike(plan: Plan, option: Json) -> Iterator[str]:
    """As the plan; today's nodes are not placed anew, and cost what they cost."""
    shown, placed = option["placed"], plan.document["placed"]
    if placed is None and differ(shown["usd_per_hour"], option["usd_per_hour"], plan.usd):
        yield f"option chosen: today's nodes stay, and cost {shown} once placed"
    if placed is not None and shown not in placed["by_mode"]:
        yield f"option chosen: costs {shown} once placed, the plan {placed['by_mode']}"


def nodes_of(option: Json) -> Counter[Pool]:
    """By pool; one that is listed twice counts twice."""
    nodes: Counter[Pool] = Counter()
    for pool in option["pools"]:
        nodes[pool_of(pool)] += pool["nodes"]
    return nodes


def _option(plan: Plan, option: Json, where: str) -> Iterator[str]:
    nodes = nodes_of(option)
    if len(nodes) != len(option["pools"]):
        yield f"{where}a pool is listed twice"
    yield from _money(plan, option, nodes, where)
    yield from _changes(plan, option, nodes, where)
    yield from _placed(plan, option, where)
    risk = option["risk"]
    later = (risk[f"{name}_usd_per_hour"] for name in ("interruption", "recourse", "shortage"))
    expected = option["placed"]["usd_per_hour"] + option["changes_usd_per_hour"] + sum(later)
    yield from faults(where, option, {"expected_usd_per_hour": expected}, plan.usd)
    yield from _slo(plan, option, where)
    if option["name"] != CHOSEN:  # whose risk is the plan's
        on_demand = on_demand_usd(plan.market, nodes)
        yield from risk_faults(plan, risk, nodes, on_demand, f"{where}risk.")


def _money(plan: Plan, option: Json, nodes: Counter[Pool], where: str) -> Iterator[str]:
    """Each node at the market's price, or under a commitment, of which most are used at best."""
    single = [pool for pool, n in nodes.items() for _ in range(n)]
    least = bill_today(single, plan.spec, plan.market)
    if not plan.spec.get("commitments"):
        yield from faults(where, option, {"usd_per_hour": least}, plan.usd)
    elif option["usd_per_hour"] < least - plan.usd:
        yield f"{where}usd_per_hour is {option['usd_per_hour']}, the nodes cost {least} at least"


def _changes(plan: Plan, option: Json, nodes: Counter[Pool], where: str) -> Iterator[str]:
    """Nodes that come and go, and what those that come cost by the policy."""
    now = Counter(node.pool for node in plan.cluster.nodes.values())
    changed = sum(abs(nodes[pool] - now[pool]) for pool in {*nodes, *now})
    if option["nodes_changed"] != changed:
        yield f"{where}nodes_changed is {option['nodes_changed']}, not {changed}"
    rules = objective(plan, "churn")
    life = rules.get("expectedLifeHours", EXPECTED_LIFE_HOURS)
    usd_of_one = rules.get("nodeChangeUsd", NODE_CHANGE_USD) / life
    shown = option["changes_usd_per_hour"]
    if usd_of_one == 0.0:
        yield from faults(where, option, {"changes_usd_per_hour": 0.0})
        return
    new = round(shown / usd_of_one)
    least = sum((nodes - now).values())
    if differ(shown, new * usd_of_one, plan.usd) or not least <= new <= nodes.total():
        yield f"{where}changes_usd_per_hour is {shown}, a new node costs {usd_of_one:.6f}"


def _placed(plan: Plan, option: Json, where: str) -> Iterator[str]:
    """In the policy's mode, never below the nodes' price; that price where no pod may stray."""
    placed, mode = option["placed"], plan.spec.get("placement", "Observe").lower()
    if placed["mode"] != mode:
        yield f"{where}is placed in mode {placed['mode']}, the policy's is {mode}"
    if placed["usd_per_hour"] < option["usd_per_hour"] - plan.usd:
        yield f"{where}costs {placed['usd_per_hour']} once placed, less than before"
    is_certain = mode == "pinned" or option["nodes_changed"] == 0
    if placed["draws"] == 0 and not is_certain:
        yield f"{where}was never placed"
    if placed["draws"] == 0:
        own = {"usd_per_hour": option["usd_per_hour"], "standard_error_usd_per_hour": 0.0}
        yield from faults(f"{where}placed.", placed, own, plan.usd)


def _slo(plan: Plan, option: Json, where: str) -> Iterator[str]:
    rules, risk = objective(plan, "slo"), option["risk"]
    is_kept = (
        (risk["shortfall_probability"] or 0.0)
        <= rules.get("shortfallProbability", SHORTFALL_PROBABILITY)
        and risk["cvar"] <= rules.get("maxCvar", MAX_CVAR)
        and risk["worst_pool_loss"] <= rules.get("maxPoolLoss", MAX_POOL_LOSS)
    )
    if option["meets_slo"] != is_kept:
        yield f"{where}meets_slo is {option['meets_slo']}"


def room_is_explained(plan: Plan) -> Iterator[str]:
    """By the policy's ratio of costs; without boots by its lead time."""
    capacity = plan.document.get("capacity")
    if capacity is None:
        return
    rules = objective(plan, "slo")
    ratio = rules.get("underCostRatio", UNDER_COST_RATIO)
    yield from faults("capacity.", capacity, {"critical_ratio": ratio / (1.0 + ratio)})
    if not capacity["critical_ratio"] - ROUNDING <= capacity["level"] <= 1.0:
        yield f"capacity.level is {capacity['level']}, below the critical ratio or above 1"
    if capacity["boots_seen"] == 0:
        lead_time_s = rules.get("leadTimeSeconds", LEAD_TIME_S)
        yield from faults("capacity.", capacity, {"lead_time_s": lead_time_s})


def front_falls(plan: Plan) -> Iterator[str]:
    """Whoever pays more risks less."""
    front = plan.document.get("front") or ()
    for before, after in pairwise(front):
        if not (
            after["usd_per_hour"] >= before["usd_per_hour"] and after["cvar"] <= before["cvar"]
        ):
            yield f"front: {after} is no better than {before}"


RULES: Sequence[Callable[[Plan], Iterator[str]]] = (
    options_are_sound,
    room_is_explained,
    front_falls,
)
