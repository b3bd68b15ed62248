"""Whether blockers, rules, the baseline and fairness follow from what they name."""

import json
from collections.abc import Callable, Iterator, Sequence

from scipy.optimize import brentq

from tests.checker_capacity import commitments_of, is_for, marginal
from tests.checker_market import Pool
from tests.checker_numbers import faults
from tests.checker_objects import REQUIRED, Json, PodFacts
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


def rules_that_cost_are_there(plan: Plan) -> Iterator[str]:
    """Linear programs cannot be solved again from a document; what they speak of can be looked up.

    No rule costs more than all that the search counts: nodes, changes of nodes and reclaims.
    """
    costs = plan.document.get("rule_costs") or ()
    planned = {d["workload"]: d["pods_planned"] for d in plan.document.get("demand") or ()}
    if [c["usd_per_hour"] for c in costs] != sorted(
        (c["usd_per_hour"] for c in costs), reverse=True
    ):
        yield "rule_costs: the dearest is not first"
    for cost in costs:
        where = f"{cost['kind']} of {', '.join(cost['workloads'])}: "
        if cost["usd_per_hour"] <= 0.0:
            yield f"{where}{cost['usd_per_hour']} $/h is no cost"
        if plan.document["is_change"] and cost["usd_per_hour"] > _all_that_counts(plan) + plan.usd:
            yield f"{where}{cost['usd_per_hour']} $/h is more than the plan costs"
        if cost["pods"] > sum(planned.get(w, 0) for w in cost["workloads"]):
            yield f"{where}{cost['pods']} pods are more than are planned"
        for workload in cost["workloads"]:
            if not any(_has_rule(pod, cost["kind"]) for pod in plan.kinds.get(workload, ())):
                yield f"{where}{workload} has no such rule"


def _all_that_counts(plan: Plan) -> float:
    risk, churn = plan.document["risk"], plan.document.get("churn") or {}
    reclaims = risk.get("interruption_usd_per_hour") or 0.0
    return float(plan.document["plan_usd_per_hour"] + reclaims + churn.get("usd_per_hour", 0.0))


def _has_rule(pod: PodFacts, kind: str) -> bool:
    spec = pod.spec
    spreads = {
        s["topologyKey"]
        for s in spec.get("topologySpreadConstraints") or ()
        if s["whenUnsatisfiable"] == "DoNotSchedule"
    }
    affinity = spec.get("affinity") or {}
    labels = json.dumps([spec.get("nodeSelector"), affinity.get("nodeAffinity")])
    match kind:
        case "on-demand-only":
            # A single replica behind a budget is another reason, which the pod does not tell.
            return True
        case "zone-spread":
            return "topology.kubernetes.io/zone" in spreads
        case "pods-per-host":
            alone = REQUIRED in (affinity.get("podAntiAffinity") or {})
            return "kubernetes.io/hostname" in spreads or alone
        case "zone":
            return "topology.kubernetes.io/zone" in labels
        case "node-selector":
            return "nodeSelector" in spec or "nodeAffinity" in affinity
    return False


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
    rules_that_cost_are_there,
    shares_are_fair_as_said,
)
