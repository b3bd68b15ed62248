"""Good plans of the small scene in which every kind of figure occurs, with their policies."""

import math
from dataclasses import dataclass, field
from typing import Any

from scipy.stats import gamma

from tests.checker.scene import (
    API,
    CACHE,
    CART,
    DB,
    FREE_CHANGES,
    GPU,
    TINY,
    TRAIN,
    WEB,
    A,
    B,
    Json,
    make_document,
    mode_entry,
)

LEAD_TIME_S = 600.0
UNDER_COST_RATIO = 9.0
CHANGE_USD_PER_HOUR = 0.01
SPEC: Json = {
    "objective": {
        "slo": {"underCostRatio": UNDER_COST_RATIO, "maxPoolLoss": 1.0},
        "spot": {"interruptionUsd": 0.05},
        "churn": {"nodeChangeUsd": 0.24, "expectedLifeHours": 24},
        "fairness": {"weights": {"default": 2.0}},
    }
}
ON_DEMAND = {A: 0.10, B: 0.10, GPU: 0.50}
VCPUS = {A: 2, B: 2, GPU: 4}


@dataclass(frozen=True)
class Case:
    """A plan, and the policy it was made for."""

    document: Json
    spec: Json = field(default_factory=lambda: FREE_CHANGES)


def make_pool_risk(place: str, shocks: float, loss: float) -> Json:
    """One node; the posterior is an exponential law, whose quantiles are logarithms."""
    instance_type, zone = place.split("/")
    usd_of_one = 0.05 + ON_DEMAND[place] * LEAD_TIME_S / 3600.0
    return {
        "instance_type": instance_type,
        "zone": zone,
        "nodes": 1,
        "shocks_per_hour": shocks,
        "shocks_per_hour_low": -math.log(0.975) * shocks,
        "shocks_per_hour_high": -math.log(0.025) * shocks,
        "share_lost": 0.7,
        "loss_if_reclaimed": loss,
        "interruption_usd_per_node": usd_of_one,
        "interruption_usd_per_hour": shocks * 0.7 * usd_of_one,
    }


def make_risk(pools: list[Json], spot_vcpus: int, on_demand_usd: float) -> Json:
    """Of 12 vCPUs and 80 scenarios, of which two have a loss."""
    lost = [24.0 * 0.7 * pool["shocks_per_hour"] for pool in pools]
    mean, variance = sum(lost), sum(each**2 for each in lost)
    law = gamma(mean**2 / variance, scale=variance / mean)
    largest = max(VCPUS[f"{pool['instance_type']}/{pool['zone']}"] for pool in pools)
    recourse = on_demand_usd * 0.05 / 80
    return {
        "shortfall_probability": 0.0025,
        "spot_share": round(spot_vcpus / 12, 6),
        "worst_pool_share": round(largest / 12, 6),
        "interruptions_per_day": mean,
        "interruptions_per_day_low": float(law.ppf(0.025)),
        "interruptions_per_day_high": float(law.ppf(0.975)),
        "joint_shortfall_probability": 2 / 80,
        "cvar": 0.0125,
        # Losses of 4, 1, 0 and 0 %: their variance is 0.00026875.
        "cvar_standard_error": math.sqrt((0.00026875 + 0.95 * 0.0125**2) / 4),
        "alpha": 0.95,
        "worst_pool_loss": max(pool["loss_if_reclaimed"] for pool in pools),
        "mean_loss": 0.05 / 80,
        "interruption_usd_per_hour": sum(pool["interruption_usd_per_hour"] for pool in pools),
        "on_demand_usd_per_hour": on_demand_usd,
        "recourse_usd_per_hour": recourse,
        "shortage_usd_per_hour": UNDER_COST_RATIO * recourse,
        "scenarios": 80,
        "scenarios_short": 2,
        "worst_losses": [0.04, 0.01, 0.0, 0.0],
        "pools": pools,
    }


def make_option(
    name: str, nodes: dict[str, int], usd: float, placed_usd: float, risk: Json, **fields: Any
) -> Json:
    pools = [
        dict(zip(("instance_type", "zone", "capacity_type"), pool.split("/"), strict=True))
        | {"nodes": count}
        for pool, count in nodes.items()
    ]
    later = sum(risk[f"{part}_usd_per_hour"] for part in ("interruption", "recourse", "shortage"))
    changes = fields["changes_usd_per_hour"]
    return {
        "name": name,
        "pools": pools,
        "usd_per_hour": usd,
        "placed": mode_entry("observe", placed_usd, 1),
        "expected_usd_per_hour": round(placed_usd + changes + later, 6),
        "risk": risk,
        "meets_slo": True,
        "why": "so",
        **fields,
    }


def weighed() -> Case:
    """With risk, options and all that is compared; a change of a node costs 1 cent an hour.

    Only one pod of the GPU pool asks for a GPU, so that losing that pool is losing all GPUs.
    """
    gpu, plain_a, plain_b = (
        make_pool_risk(GPU, 0.02, 1.0),
        make_pool_risk(A, 0.01, 0.2),
        make_pool_risk(B, 0.005, 0.1),
    )
    risk = make_risk([gpu, plain_a, plain_b], spot_vcpus=8, on_demand_usd=0.9)
    safer = make_risk([gpu, plain_a], spot_vcpus=6, on_demand_usd=0.9)
    document = make_document() | {
        "risk": risk,
        "capacity": {
            "critical_ratio": 0.9,
            "level": 0.95,
            "over_provision": 0.05,
            "lead_time_s": LEAD_TIME_S,
            "boots_seen": 0,
            "max_pool_share": 0.5,
            "max_spot_share": 0.8,
            "why": "so",
        },
        "options": [
            make_option(
                "chosen",
                {f"{A}/spot": 1, f"{B}/spot": 1, f"{A}/on-demand": 1, f"{GPU}/spot": 1,
                 f"{B}/on-demand": 1},
                0.46, 0.5, risk, changes_usd_per_hour=0.04, nodes_changed=5,
            ),
            make_option(
                "safer",
                {f"{A}/spot": 1, f"{A}/on-demand": 1, f"{GPU}/spot": 1, f"{B}/on-demand": 2},
                0.53, 0.55, safer, changes_usd_per_hour=0.03, nodes_changed=3,
            ),
        ],
        "front": [
            {"usd_per_hour": 0.44, "cvar": 0.2, "nodes_changed": 5},
            {"usd_per_hour": 0.5, "cvar": 0.01, "nodes_changed": 3},
        ],
        "fairness": {
            "mode": "report",
            "binding_caps": ["budget.usdPerHour"],
            # Fair at the level 4/15 were 8/15 and 4/15: 1.875^2 / (2 x (1.125^2 + 0.75^2)).
            "jain": 25 / 26,
            "price_usd_per_hour": 0.01,
            "namespaces": [
                {"namespace": "default", "weight": 2.0, "pods_wanted": 13, "pods_given": 12,
                 "dominant_resource": "cpu", "dominant_share": 0.6, "wanted_share": 0.9},
                {"namespace": "other", "weight": 1.0, "pods_wanted": 2, "pods_given": 1,
                 "dominant_resource": "cpu", "dominant_share": 0.2, "wanted_share": 0.3},
            ],
        },
        "baseline": {
            "name": "karpenter-like", "headroom": 0.1, "usd_per_hour": 0.6, "nodes": 6, "why": "so",
        },
        "blockers": [
            {"kind": "unsupported", "subject": "default/Deployment/stuck", "nodes": ["keep-1"],
             "usd_per_hour": 0.1, "remedy": "so"},
        ],
        "rule_costs": [
            {"kind": "zone-spread", "workloads": [WEB], "pods": 3, "usd_per_hour": 0.02,
             "remedy": "so"},
            {"kind": "pods-per-host", "workloads": [API, CACHE], "pods": 4, "usd_per_hour": 0.01,
             "remedy": "so"},
        ],
        "churn": {
            "nodes_in_place": [], "nodes_let_go": ["old-1", "old-2", "old-gpu"], "nodes_new": 4,
            "change_usd": 0.96, "usd_per_hour": 0.04,
            "objective_usd_per_hour": 0.5 + risk["interruption_usd_per_hour"],
            "objective_lower_bound_usd_per_hour": 0.45,
        },
    }  # fmt: skip
    return Case(document, SPEC)


def committed() -> Case:
    """A commitment that is used, one that was, and one that is paid for though nobody uses it."""
    own = {"name": "own", "instanceType": "m5.large", "zone": "us-east-1b", "count": 1}
    old = {"name": "old", "instanceType": "g4dn.xlarge", "zone": "us-east-1a", "count": 1}
    paid = {"name": "paid", "instanceType": "g4dn.xlarge", "zone": "us-east-1b", "count": 1}
    spec = {
        "commitments": [
            own | {"capacityType": "spot", "usdPerHour": 0.02},
            old | {"usdPerHour": 0.45},
            paid | {"usdPerHour": 0.3, "paidAnyway": True},
        ]
    }
    document = make_document()
    document["nodes"][1] |= {"price_usd_per_hour": 0.02, "terms": "own"}
    document |= {
        "current_usd_per_hour": 1.05,
        "plan_usd_per_hour": 0.75,
        "saving_usd_per_hour": 0.3,
        "fixed_usd_per_hour": 0.3,
        "gap": 0.466667,
        "savings": document["savings"] | {"commitments_usd_per_hour": 0.01 - 0.05},
        "placed": {
            "mode": "observe",
            "usd_per_hour": 0.8,
            "saving_kept_share": 0.833333,
            "by_mode": [mode_entry("observe", 0.8, 1), mode_entry("pinned", 0.75, 0)],
        },
        "commitments": [
            make_commitment("own", f"{B}/spot", 0.02, now=0, then=1),
            make_commitment("old", f"{GPU}/on-demand", 0.45, now=1, then=0),
            make_commitment("paid", "g4dn.xlarge/us-east-1b/on-demand", 0.3, now=0, then=0),
        ],
    }
    return Case(document, FREE_CHANGES | spec)


def make_commitment(name: str, pool: str, usd: float, *, now: int, then: int) -> Json:
    instance_type, zone, market = pool.split("/")
    return {
        "name": name,
        "instance_type": instance_type,
        "zone": zone,
        "capacity_type": market,
        "count": 1,
        "nodes_now": now,
        "nodes_plan": then,
        "price_usd_per_hour": usd,
        "paid_anyway": name == "paid",
    }


PLACES = (
    (f"{A}/spot", WEB, 3), (f"{A}/spot", API, 1), (f"{A}/spot", CACHE, 1),
    (f"{B}/spot", WEB, 1), (f"{B}/spot", API, 1), (f"{B}/spot", CART, 1), (f"{B}/spot", CACHE, 1),
    (f"{A}/on-demand", DB, 1), (f"{A}/on-demand", TINY, 1), (f"{GPU}/spot", TRAIN, 1),
)  # fmt: skip
"""Cohort, workload and pods of the new nodes, the place for a forecast pod of web included."""


def roomier() -> Case:
    """With a place for one more pod of web, which is charged 1 cent."""
    document = make_document()
    document["nodes"][0]["headroom"] = {WEB: 1}
    document["demand"][0]["pods_planned"] = 4
    held = 1.0 - (0.01 + 0.005) / 0.36
    shape = held * 0.34 * (0.7 / 0.292 - 0.8 / 0.34)
    document["savings"] |= {
        "spot_usd_per_hour": held * 0.44,
        "shape_usd_per_hour": shape,
        "packing_usd_per_hour": 0.34 - held * 0.44 - shape + 0.015,
        "headroom_usd_per_hour": -0.01,
        "waiting_usd_per_hour": -0.005,
    }
    return Case(document)


def led_to_cohorts() -> Case:
    case = roomier()
    pods = {w: sum(n for _, own, n in PLACES if own == w) for _, w, _ in PLACES}
    case.document["steering"] = {
        "mode": "cohort",
        "affinities": [
            {
                "workload": workload,
                "terms": [{"nodemix.dev/cohort": [c for c, w, _ in PLACES if w == workload]}],
            }
            for workload in pods
        ],
        "release": [{"workload": workload, "pods": count} for workload, count in pods.items()],
        "quotas": [{"workload": w, "cohort": c, "pods": n} for c, w, n in PLACES],
        "pins": [],
    }
    case.document["placed"] = {
        "mode": "cohort",
        "usd_per_hour": 0.48,
        "saving_kept_share": 0.941176,
        "by_mode": [mode_entry("cohort", 0.48, 4), mode_entry("pinned", 0.46, 0)],
    }
    return case


def pinned() -> Case:
    case = roomier()
    cohorts = dict.fromkeys(cohort for cohort, _, _ in PLACES)
    case.document["steering"] = {
        "mode": "pinned",
        "affinities": [],
        "release": [],
        "quotas": [],
        "pins": [
            {"cohort": cohort, "nodes": 1, "pods": {w: n for c, w, n in PLACES if c == cohort}}
            for cohort in cohorts
        ],
    }
    case.document["placed"] = {
        "mode": "pinned",
        "usd_per_hour": 0.46,
        "saving_kept_share": 1.0,
        "by_mode": [mode_entry("observe", 0.5, 1), mode_entry("pinned", 0.46, 0)],
    }
    return case


CASES = {case.__name__: case for case in (weighed, committed, roomier, led_to_cohorts, pinned)}
