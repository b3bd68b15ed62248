"""The checker of what placing costs and asks finds nothing wrong with good data, and each fault."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.checker_placing import placing_complaints

Json = dict[str, Any]
WEB, API = "default/Deployment/web", "default/Deployment/api"
USD = 2e-6


def entry(pool: str, count: int, cohort: str, pods: dict[str, int], **fields: Any) -> Json:
    kind, zone, market = pool.split("/")
    place = {"instance_type": kind, "zone": zone, "capacity_type": market}
    own = {"count": count, "cohort": cohort, "pods": pods, "headroom": {}, "kept_nodes": []}
    return {**place, **own, **fields}


TERMS: dict[str, dict[str, list[Json]]] = {
    "pool": {
        WEB: [
            {"node.kubernetes.io/instance-type": ["m5.large"],
             "topology.kubernetes.io/zone": ["a"],
             "karpenter.sh/capacity-type": ["spot"]},
        ],
        API: [
            {"node.kubernetes.io/instance-type": ["m5.large"],
             "topology.kubernetes.io/zone": ["a"],
             "karpenter.sh/capacity-type": ["spot"]},
        ],
    },
    "cohort": {
        WEB: [{"nodemix.dev/cohort": ["c0"]}],
        API: [{"nodemix.dev/cohort": ["c0", "c1"]}],
    },
}  # fmt: skip


def make_document(mode: str = "cohort") -> Json:
    """Three new nodes in two cohorts of one pool, beside one that stays."""
    modes = [("observe", 0.4, 8), ("pool", 0.36, 8), ("cohort", 0.31, 8), ("pinned", 0.3, 0)]
    by_mode = [
        {"mode": m, "usd_per_hour": usd, "standard_error_usd_per_hour": 0.0, "draws": draws}
        for m, usd, draws in modes
    ]
    usd = {name: cost for name, cost, _ in modes}[mode]
    steering: Json = {"mode": mode, "affinities": [], "release": [], "quotas": [], "pins": []}
    steering["affinities"] = [
        {"workload": w, "terms": terms} for w, terms in TERMS.get(mode, {}).items()
    ]
    if mode == "cohort":
        steering["release"] = [{"workload": API, "pods": 5}, {"workload": WEB, "pods": 6}]
        steering["quotas"] = [
            {"workload": API, "cohort": "c0", "pods": 2},
            {"workload": API, "cohort": "c1", "pods": 3},
            {"workload": WEB, "cohort": "c0", "pods": 6},
        ]
    if mode == "pinned":
        steering["pins"] = [
            {"cohort": "c0", "nodes": 2, "pods": {WEB: 3, API: 1}},
            {"cohort": "c1", "nodes": 1, "pods": {API: 3}},
        ]
    return {
        "is_change": True,
        "current_usd_per_hour": 0.5,
        "plan_usd_per_hour": 0.3,
        "saving_usd_per_hour": 0.2,
        "nodes": [
            entry("m5.large/a/spot", 1, "c0", {WEB: 3, API: 1}),
            entry("m5.large/a/spot", 1, "c0", {WEB: 1}, headroom={WEB: 2, API: 1}),
            entry("m5.large/a/spot", 1, "c1", {API: 3}),
            entry("m5.large/b/spot", 1, "", {"default/Deployment/db": 1}, kept_nodes=["n"]),
        ],
        "placed": {
            "mode": mode,
            "usd_per_hour": usd,
            "saving_kept_share": round((0.5 - usd) / 0.2, 6),
            "by_mode": by_mode,
        },
        "steering": steering,
    }


@pytest.mark.parametrize("mode", ["observe", "pool", "cohort", "pinned"])
def test_good_data_of_each_mode_raises_no_complaint(mode: str) -> None:
    assert placing_complaints(make_document(mode), USD) == []


def test_keeping_todays_nodes_places_nothing() -> None:
    kept = {**make_document(), "is_change": False}

    assert placing_complaints(kept, USD)
    assert placing_complaints({**kept, "placed": None, "steering": None}, USD) == []


def steering_of(part: str, index: int, **fields: Any) -> Callable[[Json], object]:
    return lambda document: document["steering"][part][index].update(fields)


def mode_costs(index: int, **fields: Any) -> Callable[[Json], object]:
    return lambda document: document["placed"]["by_mode"][index].update(fields)


FAULTS: dict[str, tuple[str, Callable[[Json], object]]] = {
    "nothing said": ("cohort", lambda d: d.update(placed=None)),
    "below the plan": ("cohort", mode_costs(1, usd_per_hour=0.29)),
    "pinned is dearer": ("cohort", mode_costs(3, usd_per_hour=0.32)),
    "another mode's cost": ("cohort", lambda d: d["placed"].update(usd_per_hour=0.4)),
    "chosen mode missing": ("cohort", lambda d: d["placed"]["by_mode"].pop(2)),
    "never drawn": ("cohort", mode_costs(0, draws=0)),
    "a wrong share": ("cohort", lambda d: d["placed"].update(saving_kept_share=0.5)),
    "another mode's steering": ("cohort", lambda d: d["steering"].update(mode="observe")),
    "unknown cohort": (
        "cohort",
        steering_of("affinities", 0, terms=[{"nodemix.dev/cohort": ["c0", "c9"]}]),
    ),
    "too many cohorts": (
        "cohort",
        steering_of("affinities", 0, terms=[{"nodemix.dev/cohort": ["c0", "c1"]}]),
    ),
    "a workload led nowhere": ("pool", lambda d: d["steering"]["affinities"].pop()),
    "a pool nobody buys from": (
        "pool",
        steering_of("affinities", 0, terms=[{"topology.kubernetes.io/zone": ["b"]}]),
    ),
    "too few let in": ("cohort", steering_of("release", 0, pods=4)),
    "a quota too large": ("cohort", steering_of("quotas", 2, pods=7)),
    "a quota missing": ("cohort", lambda d: d["steering"]["quotas"].pop()),
    "a pod pinned twice": ("pinned", steering_of("pins", 1, pods={API: 4})),
    "a node without pins": ("pinned", steering_of("pins", 0, nodes=1)),
    "cohort of unequal nodes": ("observe", lambda d: d["nodes"][2].update(cohort="c0")),
    "a new node without a cohort": ("observe", lambda d: d["nodes"][2].update(cohort="")),
    "a kept node in a cohort": ("observe", lambda d: d["nodes"][3].update(cohort="c0")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(fault: str) -> None:
    mode, spoil = FAULTS[fault]
    document = copy.deepcopy(make_document(mode))

    spoil(document)

    assert placing_complaints(document, USD)
