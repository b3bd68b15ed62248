"""NodeMixPlans for the independent checker."""

from collections import Counter
from typing import Any

from tests.checker.scene import FREE_CHANGES
from tests.control_plane.scene import Scene
from tests.plan_checker import Market, check_plan

KINDS = (
    "nodes,pods,deployments.apps,replicasets.apps,statefulsets.apps,daemonsets.apps,jobs,"
    "poddisruptionbudgets"
)

USD = 1e-4
"""A NodeMixPlan rounds money to this."""

Json = dict[str, Any]


def complaints(scene: Scene, plan: Json, market: Market) -> list[str]:
    """What is wrong with a plan for the scene as it is now; nothing if it is right."""
    objects = scene.cluster.get(KINDS, "-A")["items"]
    document = to_document(plan["spec"])  # which does not say what changes cost
    return check_plan(document, objects, market, [scene.namespace], USD, FREE_CHANGES)


def to_document(spec: Json) -> Json:
    """The spec of a NodeMixPlan in the words of ``nodemix plan -o json``."""
    now, planned = spec["usdPerHourNow"], spec["usdPerHourPlan"]
    nodes = [to_entry(group) for group in spec["nodes"]]
    return {
        "is_change": any(pool["nodesNow"] != pool["nodesPlan"] for pool in spec["pools"]),
        "current_usd_per_hour": now,
        "plan_usd_per_hour": planned,
        "saving_usd_per_hour": now - planned,
        "lower_bound_usd_per_hour": spec["usdPerHourLowerBound"],
        "gap": spec["gapPercent"] / 100,
        "nodes": nodes,
        "pools": [to_pool(pool) for pool in spec["pools"]],
        "demand": to_demand(nodes),
        "notes": [{"subject": note.split(": ")[0]} for note in spec.get("notes", [])],
        "unplaceable": spec.get("unplaceable", []),
        "placed": to_placed(spec["placed"], now, planned) if "placed" in spec else None,
        "steering": to_steering(spec["steering"]) if "steering" in spec else None,
    }


def to_placed(placed: Json, now: float, planned: float) -> Json:
    """The share of the saving that is left comes in percent, rounded."""
    kept = placed.get("savingKeptPercent")
    if kept is not None:
        exact = (now - placed["usdPerHour"]) / (now - planned)
        kept = exact if abs(exact - kept / 100) < 0.001 else kept / 100
    return {
        "mode": placed["mode"].lower(),
        "usd_per_hour": placed["usdPerHour"],
        "saving_kept_share": kept,
        "by_mode": [
            {"mode": of["mode"].lower(), "usd_per_hour": of["usdPerHour"], "draws": of["draws"]}
            for of in placed["modes"]
        ],
    }


def to_steering(steering: Json) -> Json:
    """Lists that are empty are absent in a NodeMixPlan."""
    lists = {part: steering.get(part, []) for part in ("affinities", "release", "quotas", "pins")}
    return {"mode": steering["mode"].lower(), **lists}


def to_pool(pool: Json) -> Json:
    return {
        "instance_type": pool["instanceType"],
        "zone": pool["zone"],
        "capacity_type": pool["capacityType"],
        "nodes_now": pool["nodesNow"],
        "nodes_plan": pool["nodesPlan"],
    }


def to_demand(nodes: list[Json]) -> list[Json]:
    """A NodeMixPlan says what each node holds, not the sums."""
    held: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for entry in nodes:
        for workload, pods in entry["pods"].items():
            held[workload] += pods * entry["count"]
        for workload, pods in [*entry["pods"].items(), *entry["headroom"].items()]:
            places[workload] += pods * entry["count"]
    return [
        {"workload": workload, "pods_now": held[workload], "pods_planned": planned}
        for workload, planned in places.items()
    ]


def to_entry(group: Json) -> Json:
    return {
        "instance_type": group["instanceType"],
        "zone": group["zone"],
        "capacity_type": group["capacityType"],
        "count": group["count"],
        "price_usd_per_hour": group.get("priceUsdPerHour"),
        "pods": group.get("pods", {}),
        "headroom": group.get("headroom", {}),
        "kept_nodes": group.get("keptNodes", []),
        "cohort": group.get("cohort", ""),
    }
