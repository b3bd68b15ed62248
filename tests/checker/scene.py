"""A small cluster, its market, and good plans for it, which the tests of the checkers corrupt."""

import copy
from pathlib import Path
from typing import Any

from tests.api_objects import (
    make_budget_object,
    make_daemon_set_object,
    make_node_object,
    make_pod_object,
    make_workload_object,
)
from tests.checker_market import Market

Json = dict[str, Any]

CATALOG = """\
instance_type,family,category,generation,arch,vcpu,memory_mib,alloc_cpu_m,alloc_memory_mib,\
max_pods_eks,gpu_count,gpu_resource,gpu_name,alloc_ephemeral_gib,hypervisor
m5.large,m5,m,5,amd64,2,8192,2000,8192,20,0,,,20,nitro
m7g.large,m7g,m,7,arm64,2,8192,2000,8192,20,0,,,20,nitro
g4dn.xlarge,g4dn,g,4,amd64,4,16384,4000,16384,20,1,nvidia.com/gpu,t4,20,nitro
"""
OFFERS = """\
instance_type,zone,capacity_type,usd_h
m5.large,us-east-1a,on-demand,0.10
m5.large,us-east-1a,spot,0.03
m5.large,us-east-1b,on-demand,0.10
m5.large,us-east-1b,spot,0.03
m7g.large,us-east-1a,spot,0.03
g4dn.xlarge,us-east-1a,on-demand,0.50
g4dn.xlarge,us-east-1a,spot,0.20
"""
ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
WEB, API, DB, TRAIN, STUCK, CART, TINY, CACHE, GIANT = (
    f"default/Deployment/{name}"
    for name in ("web", "api", "db", "train", "stuck", "cart", "tiny", "cache", "giant")
)


def spread(key: str, app: str, when: str = "DoNotSchedule") -> list[Json]:
    selector = {"matchLabels": {"app": app}}
    rule = {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": when}
    return [{**rule, "labelSelector": selector}]


def pod_rule(key: str, app: str) -> Json:
    return {REQUIRED: [{"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}]}


def in_zone(zone: str) -> Json:
    term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}
    return {REQUIRED: {"nodeSelectorTerms": [term]}}


FREE_CHANGES: Json = {"objective": {"churn": {"nodeChangeUsd": 0}}}
"""A policy to which a change costs nothing, as to the plans here."""


def make_pods(app: str, cpu: str, memory: str, *nodes: str | None, **spec: Any) -> list[Json]:
    """A pod of Deployment ``app`` on each of ``nodes``; None waits."""
    gpus = {"nvidia.com/gpu": "1"} if app == "train" else {}
    metadata = {"labels": {"app": app, "pod-template-hash": "1"}}
    return [
        make_pod_object(
            f"{app}-1-{number}",
            owner=("ReplicaSet", f"{app}-1"),
            node_name=node,
            metadata=metadata,
            requests={"cpu": cpu, "memory": memory, **gpus},
            **copy.deepcopy(spec),
        )
        for number, node in enumerate(nodes)
    ]


def make_node(name: str, instance_type: str, zone: str) -> Json:
    labels = {
        "node.kubernetes.io/instance-type": instance_type,
        ZONE: zone,
        "karpenter.sh/capacity-type": "on-demand",
        "kubernetes.io/arch": "amd64",
    }
    room = {"cpu": "2", "memory": "8Gi", "pods": "20"}
    return make_node_object(name, labels=labels, allocatable=room)


def make_objects() -> list[Json]:
    """Four nodes bought on demand, one of which cannot be let go."""
    anti = {"podAntiAffinity": pod_rule(HOSTNAME, "api")}
    with_web = {"podAffinity": pod_rule(ZONE, "web")}
    here = {"nodeAffinity": in_zone("us-east-1b")}
    leaving = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    pods = [
        *make_pods("web", "500m", "1Gi", *["old-1", "old-1", "old-2"],
                   topologySpreadConstraints=spread(ZONE, "web")),
        *make_pods("api", "300m", "256Mi", "old-1", "old-2", affinity=anti,
                   nodeSelector={"kubernetes.io/arch": "amd64"}),
        *make_pods("db", "0.5", "1Gi", "old-2"),
        *make_pods("train", "1", "1Gi", "old-gpu"),
        *make_pods("stuck", "100m", "128Mi", "keep-1", affinity=with_web),
        *make_pods("cart", "200m", "5Gi", "old-2", affinity=here),
        *make_pods("tiny", "1m", "1Mi", "old-1",
                   topologySpreadConstraints=spread(ZONE, "tiny", "ScheduleAnyway")),
        *make_pods("cache", "10m", "10Mi", "old-1", "old-2",
                   topologySpreadConstraints=spread(HOSTNAME, "cache")),
        *make_pods("giant", "900", "1Gi", None),
        make_pod_object("done", phase="Succeeded", node_name="old-1"),
        make_pod_object("going", metadata=leaving, node_name="old-1"),
        make_pod_object("agent-1", owner=("DaemonSet", "agent"), node_name="old-1"),
    ]  # fmt: skip
    replicas = {"web": 3, "api": 2, "cache": 2}
    apps = ("web", "api", "db", "train", "stuck", "cart", "tiny", "cache", "giant")
    denied = {"annotations": {"nodemix.dev/spot": "deny"}}
    return [
        make_node("old-1", "m5.large", "us-east-1a"),
        make_node("old-2", "m5.large", "us-east-1b"),
        make_node("old-gpu", "g4dn.xlarge", "us-east-1a"),
        make_node("keep-1", "m5.large", "us-east-1b"),
        *pods,
        *(
            make_workload_object(
                "Deployment", app, replicas=replicas.get(app, 1),
                metadata=denied if app == "tiny" else None,
            )
            for app in apps
        ),
        *(
            make_workload_object("ReplicaSet", f"{app}-1", owner=("Deployment", app))
            for app in apps
        ),
        make_daemon_set_object(
            requests={"cpu": "100m", "memory": "100Mi"}, tolerations=[{"operator": "Exists"}]
        ),
        make_budget_object("db", {"matchLabels": {"app": "db"}}),
    ]  # fmt: skip


def nodes_entry(pool: str, pods: dict[str, int], price: float, **fields: Any) -> Json:
    instance_type, zone, market = pool.split("/")
    return {
        "instance_type": instance_type,
        "zone": zone,
        "capacity_type": market,
        "count": 1,
        "pods": pods,
        "price_usd_per_hour": price,
        "kept_nodes": [],
        "headroom": {},
        "cohort": "" if "kept_nodes" in fields else pool,
        **fields,
    }


def pool_entry(pool: str, now: int, then: int, price: float, **fields: Any) -> Json:
    instance_type, zone, market = pool.split("/")
    return {
        "instance_type": instance_type,
        "zone": zone,
        "capacity_type": market,
        "nodes_now": now,
        "nodes_plan": then,
        "price_usd_per_hour": price,
        "why": "cheapest",
        **fields,
    }


def runner_up_entry(pool: str, price: float, break_even: float) -> Json:
    instance_type, zone, market = pool.split("/")
    return {
        "instance_type": instance_type,
        "zone": zone,
        "capacity_type": market,
        "price_usd_per_hour": price,
        "break_even_usd_per_hour": break_even,
    }


def mode_entry(mode: str, usd_per_hour: float, draws: int) -> Json:
    cost = {"usd_per_hour": usd_per_hour, "standard_error_usd_per_hour": 0.0}
    return {"mode": mode, **cost, "draws": draws}


A, B, GPU = "m5.large/us-east-1a", "m5.large/us-east-1b", "g4dn.xlarge/us-east-1a"


SHAPE_USD = 0.34 * (0.7 / 0.292 - 0.8 / 0.34)
"""A plain node is worth 0.048 $/h and a GPU node 0.196: the new ones 0.34 for 0.80 $/h on demand,
those of today that may go 0.292 for 0.70."""


def make_document() -> Json:
    """A good plan for the cluster: entries 0 to 3 are new, entry 4 stays."""
    now = {WEB: 3, API: 2, DB: 1, TRAIN: 1, STUCK: 1, CART: 1, TINY: 1, CACHE: 2, GIANT: 1}
    spot_a = {WEB: 2, API: 1, CACHE: 1}
    spot_b = {WEB: 1, API: 1, CART: 1, CACHE: 1}
    return {
        "schemaVersion": "nodemix.dev/plan/v1",
        "policy": "default",
        "made_at": "2026-11-25T00:00:00Z",
        "is_change": True,
        "current_usd_per_hour": 0.8,
        "plan_usd_per_hour": 0.46,
        "saving_usd_per_hour": 0.34,
        "fixed_usd_per_hour": 0.0,
        "lower_bound_usd_per_hour": 0.4,
        "gap": 0.130435,
        "nodes": [
            nodes_entry(f"{A}/spot", spot_a, 0.03),
            nodes_entry(f"{B}/spot", spot_b, 0.03),
            nodes_entry(f"{A}/on-demand", {DB: 1, TINY: 1}, 0.1),
            nodes_entry(f"{GPU}/spot", {TRAIN: 1}, 0.2),
            nodes_entry(f"{B}/on-demand", {STUCK: 1}, 0.1, kept_nodes=["keep-1"]),
        ],
        "unplaceable": [{"workload": GIANT, "pods": 1, "why": "needs 900 vCPU"}],
        "pools": [
            pool_entry(
                f"{A}/spot",
                0,
                1,
                0.03,
                node_more_usd_per_hour=0.0,
                node_less_usd_per_hour=-0.01,
                runner_up=runner_up_entry(f"{A}/on-demand", 0.1, 0.03),
            ),
            pool_entry(f"{B}/spot", 0, 1, 0.03),
            pool_entry(f"{A}/on-demand", 1, 1, 0.1),
            pool_entry(f"{B}/on-demand", 2, 1, 0.1),
            pool_entry(f"{GPU}/spot", 0, 1, 0.2),
            pool_entry(f"{GPU}/on-demand", 1, 0, 0.5),
        ],
        "risk": {
            "shortfall_probability": None,
            "spot_share": 0.666667,
            "worst_pool_share": 0.333333,
            "interruptions_per_day": 0.0,
            "scenarios": 0,
        },
        "prices": {
            "usd_per_core_hour": 0.02,
            "usd_per_gib_hour": 0.001,
            "usd_per_gpu_hour": 0.1,
            "caps": [],
        },
        "savings": {
            "spot_usd_per_hour": 0.44,
            "shape_usd_per_hour": SHAPE_USD,
            "packing_usd_per_hour": -0.1 - SHAPE_USD,
            "waiting_usd_per_hour": 0.0,
            "headroom_usd_per_hour": 0.0,
            "commitments_usd_per_hour": 0.0,
        },
        "demand": [
            {"workload": w, "pods_now": n, "pods_planned": n, "source": "requests"}
            for w, n in now.items()
        ],
        "placed": {
            "mode": "observe",
            "usd_per_hour": 0.5,
            "saving_kept_share": 0.882353,
            "by_mode": [mode_entry("observe", 0.5, 1), mode_entry("pinned", 0.46, 0)],
        },
        "steering": {
            "mode": "observe",
            "affinities": [],
            "release": [],
            "quotas": [],
            "pins": [],
        },
        "reasons": [],
        "assumptions": [],
        "notes": [
            {"subject": TINY, "fact": "a preference", "remedy": "", "severity": "info"},
        ],
        "forecast_model": "",
        "search_seconds": 1.0,
    }


def make_unchanged() -> Json:
    """The document that keeps today's nodes."""
    document = make_document()
    today = {
        "old-1": (f"{A}/on-demand", {WEB: 2, API: 1, TINY: 1, CACHE: 1}),
        "old-2": (f"{B}/on-demand", {WEB: 1, API: 1, DB: 1, CART: 1, CACHE: 1}),
        "old-gpu": (f"{GPU}/on-demand", {TRAIN: 1}),
        "keep-1": (f"{B}/on-demand", {STUCK: 1}),
    }
    prices = {"old-gpu": 0.5}
    pools = [(f"{A}/on-demand", 1, 0.1), (f"{B}/on-demand", 2, 0.1), (f"{GPU}/on-demand", 1, 0.5)]
    document |= {
        "is_change": False,
        "plan_usd_per_hour": 0.8,
        "saving_usd_per_hour": 0.0,
        "savings": None,
        "placed": None,
        "steering": None,
        "lower_bound_usd_per_hour": 0.8,
        "gap": 0.0,
        "nodes": [
            nodes_entry(pool, pods, prices.get(name, 0.1), kept_nodes=[name])
            for name, (pool, pods) in today.items()
        ],
        "pools": [pool_entry(pool, nodes, nodes, price) for pool, nodes, price in pools],
        "risk": document["risk"] | {"spot_share": 0.0, "worst_pool_share": 0.0},
    }
    return document


def make_market(folder: Path) -> Market:
    """What is on sale, by way of files in ``folder``."""
    (folder / "catalog.csv").write_text(CATALOG)
    (folder / "offers.csv").write_text(OFFERS)
    return Market.from_csv(folder / "catalog.csv", folder / "offers.csv")
