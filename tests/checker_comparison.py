"""Whether blockers, the baseline and fairness follow from the nodes, prices and pods they name."""

from collections.abc import Callable, Iterator, Sequence

from scipy.optimize import brentq

from tests.checker_capacity import commitments_of, is_for, marginal
from tests.checker_market import Pool
from tests.checker_numbers import faults
from tests.checker_objects import Json
from tests.checker_plan import Plan
from tests.checker_risk import objective


def blockers_cost_what_their_nodes_do(plan: Plan) -> Iterator[str]:
    for blocker in plan.document.get("blockers") or ():
        where = f"blocker {blocker['subject']}: "
        for name in blocker["nodes"]:
            if name not in plan.cluster.nodes:
                yield f"{where}{name}: no such node"
        pools = [plan.cluster.nodes[n].pool for n in blocker["nodes"] if n in plan.cluster.nodes]
        prices = [_possible_prices(plan, pool) for pool in pools]
        least, most = sum(map(min, prices)), sum(map(max, prices))
        if least == most:
            yield from faults(where, blocker, {"usd_per_hour": most}, plan.usd)
        elif not least - plan.usd <= blocker["usd_per_hour"] <= most + plan.usd:
            yield f"{where}{blocker['usd_per_hour']} $/h is not within {least} and {most}"


def _possible_prices(plan: Plan, pool: Pool) -> list[float]:
    """What a node of the pool may add to the bill: the market's price, or a commitment's."""
    known = commitments_of(plan.spec, plan.market).values()
    terms = [marginal(commitment) for commitment in known if is_for(commitment, pool)]
    return [plan.market.usd_per_hour.get(pool, 0.0), *terms]


def shares_are_fair_as_said(plan: Plan) -> Iterator[str]:
    """Jain's index of what each namespace gets for what would be fair by its weight."""
    fairness = plan.document.get("fairness")
    if fairness is None:
        return
    wanting = [n for n in fairness["namespaces"] if n["wanted_share"] > 0]
    given = sum(n["dominant_share"] for n in wanting)
    level = _level(wanting, given)
    fair = [min(n["wanted_share"], n["weight"] * level) for n in wanting]
    satisfied = [n["dominant_share"] / f for n, f in zip(wanting, fair, strict=True) if f > 0]
    squares = sum(share**2 for share in satisfied)
    jain = sum(satisfied) ** 2 / (len(satisfied) * squares) if squares > 0 else 1.0
    yield from faults("fairness.", fairness, {"jain": jain})
    weights = objective(plan, "fairness").get("weights") or {}
    for entry in fairness["namespaces"]:
        own = {"weight": weights.get(entry["namespace"], 1.0)}
        yield from faults(f"fairness of {entry['namespace']}: ", entry, own)
        if entry["pods_given"] > entry["pods_wanted"]:
            yield f"fairness: {entry['namespace']} gets more pods than it wants"


def _level(wanting: Sequence[Json], given: float) -> float:
    """At which what is fair, the smaller of wanted and weight times level, adds up to ``given``."""

    def surplus(level: float) -> float:
        return float(sum(min(n["wanted_share"], n["weight"] * level) for n in wanting) - given)

    highest = max((n["wanted_share"] / n["weight"] for n in wanting), default=0.0)
    if surplus(highest) <= 0.0:
        return float(highest)
    return float(brentq(surplus, 0.0, highest, xtol=1e-15, rtol=1e-14))


RULES: Sequence[Callable[[Plan], Iterator[str]]] = (
    blockers_cost_what_their_nodes_do,
    shares_are_fair_as_said,
)
