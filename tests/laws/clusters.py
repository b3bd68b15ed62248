"""Random clusters as Kubernetes objects: small, crowded and full of rules."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.api_objects import (
    make_budget_object,
    make_daemon_set_object,
    make_node_object,
    make_pod_object,
    make_workload_object,
)

Json = dict[str, Any]

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
MARKET, ARCH = "karpenter.sh/capacity-type", "kubernetes.io/arch"
TYPE = "node.kubernetes.io/instance-type"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"

CATALOG = """\
instance_type,family,category,generation,arch,vcpu,memory_mib,alloc_cpu_m,alloc_memory_mib,\
max_pods_eks,gpu_count,gpu_resource,gpu_name,alloc_ephemeral_gib,hypervisor
m5.large,m5,m,5,amd64,2,8192,1930,7000,8,0,,,20,nitro
m5.2xlarge,m5,m,5,amd64,8,32768,7910,29000,30,0,,,20,nitro
m7g.xlarge,m7g,m,7,arm64,4,16384,3920,14500,20,0,,,20,nitro
m3.xlarge,m3,m,3,amd64,4,15360,3920,13500,20,0,,,20,nitro
g4dn.xlarge,g4dn,g,4,amd64,4,16384,3920,14000,20,1,nvidia.com/gpu,t4,20,nitro
"""
ON_DEMAND_USD = {"m5.large": 0.1, "m5.2xlarge": 0.4, "m7g.xlarge": 0.17, "m3.xlarge": 0.27}
GPU_ZONES = {"us-east-1a": 0.5, "us-east-1c": 0.55}


def offers_csv() -> str:
    """Plain types in three zones, GPUs in two; spot costs a third."""
    prices = {(name, zone): usd for name, usd in ON_DEMAND_USD.items() for zone in ZONES}
    prices |= {("g4dn.xlarge", zone): usd for zone, usd in GPU_ZONES.items()}
    lines = ["instance_type,zone,capacity_type,usd_h,monthly_interruption_prob_mid"]
    for (name, zone), usd in prices.items():
        lines.append(f"{name},{zone},on-demand,{usd},0")
        lines.append(f"{name},{zone},spot,{round(usd / 3, 4)},0.1")
    return "\n".join(lines) + "\n"


def spread(app: str, key: str, max_skew: int, when: str) -> Json:
    selector = {"matchLabels": {"app": app}}
    rule = {"topologyKey": key, "maxSkew": max_skew, "whenUnsatisfiable": when}
    return {"topologySpreadConstraints": [{**rule, "labelSelector": selector}]}


def apart(app: str, *, required: bool = True) -> Json:
    term = {"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": {"app": app}}}
    if required:
        return {"affinity": {"podAntiAffinity": {REQUIRED: [term]}}}
    weighted = [{"weight": 1, "podAffinityTerm": term}]
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    return {"affinity": {"podAntiAffinity": {preferred: weighted}}}


def together(app: str) -> Json:
    term = {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": app}}}
    return {"affinity": {"podAffinity": {REQUIRED: [term]}}}


def on_types(*types: str) -> Json:
    term = {"matchExpressions": [{"key": TYPE, "operator": "In", "values": list(types)}]}
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}}


def rules_of(app: str) -> st.SearchStrategy[Json]:
    """One or no rule of a pod spec."""
    return st.sampled_from(
        [
            {},
            {},
            {"nodeSelector": {ARCH: "arm64"}},
            {"nodeSelector": {MARKET: "spot"}},
            {"nodeSelector": {MARKET: "on-demand", ZONE: ZONES[1]}},
            {"nodeSelector": {"team": "data"}},
            {"tolerations": [{"operator": "Exists"}]},
            spread(app, ZONE, 1, "DoNotSchedule"),
            spread(app, HOSTNAME, 2, "DoNotSchedule"),
            spread(app, ZONE, 1, "ScheduleAnyway"),
            apart(app),
            apart(app, required=False),
            together(app),
            on_types("m5.large", "m7g.xlarge"),
        ]
    )


@st.composite
def workloads(draw: st.DrawFn, app: str, nodes: tuple[str, ...]) -> list[Json]:
    """A Deployment with its ReplicaSet and pods, on random nodes or waiting."""
    replicas = draw(st.integers(1, 6))
    gpus = draw(st.sampled_from([0, 0, 0, 1]))
    cpu, memory = draw(st.sampled_from([50, 300, 1100, 3000, 20_000])), draw(st.integers(64, 9000))
    requests = {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}
    requests |= {"nvidia.com/gpu": str(gpus)} if gpus else {}
    rules = draw(rules_of(app)) if not gpus else {}
    metadata = {"labels": {"app": app, "pod-template-hash": "1"}}
    places = draw(st.lists(st.sampled_from([*nodes, None]), min_size=replicas, max_size=replicas))
    leaving = draw(st.sampled_from([{}, {}, {}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}]))
    pods = [
        make_pod_object(
            f"{app}-1-{number}",
            owner=("ReplicaSet", f"{app}-1"),
            node_name=place,
            metadata={**metadata, **(leaving if number == 0 else {})},
            requests=requests,
            **rules,
        )
        for number, place in enumerate(places)
    ]
    denied = draw(st.sampled_from([{}, {}, {"annotations": {"nodemix.dev/spot": "deny"}}]))
    budget = [make_budget_object(app, {"matchLabels": {"app": app}})]
    return [
        *pods,
        make_workload_object("Deployment", app, replicas=replicas, metadata=denied),
        make_workload_object("ReplicaSet", f"{app}-1", owner=("Deployment", app)),
        *(budget if draw(st.booleans()) else []),
    ]


@st.composite
def nodes(draw: st.DrawFn, name: str) -> Json:
    """A node of some type, sometimes unpriced, cordoned or not ready."""
    kind = draw(st.sampled_from(["m5.large", "m5.2xlarge", "m3.xlarge", "g4dn.xlarge", "z9.odd"]))
    labels = {
        TYPE: kind,
        ZONE: draw(st.sampled_from(ZONES if kind != "g4dn.xlarge" else tuple(GPU_ZONES))),
        MARKET: draw(st.sampled_from(["spot", "on-demand"])),
        ARCH: "amd64",
        HOSTNAME: name,
    }
    room: Mapping[str, str] = {"cpu": "7910m", "memory": "29000Mi", "pods": "30"}
    taint = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
    is_gpu = kind == "g4dn.xlarge"
    state = draw(st.sampled_from(["fine", "fine", "fine", "cordoned", "not ready"]))
    return make_node_object(
        name,
        labels=labels,
        allocatable={**room, **({"nvidia.com/gpu": "1"} if is_gpu else {})},
        taints=[taint] if is_gpu else [],
        is_ready=state != "not ready",
        unschedulable=state == "cordoned",
    )


@st.composite
def clusters(draw: st.DrawFn) -> list[Json]:
    """Up to four nodes and five workloads, with or without a DaemonSet."""
    names = tuple(f"node-{i}" for i in range(draw(st.integers(0, 4))))
    apps = [f"app-{i}" for i in range(draw(st.integers(1, 5)))]
    agent = make_daemon_set_object(
        requests={"cpu": "100m", "memory": "200Mi"}, tolerations=[{"operator": "Exists"}]
    )
    return [
        *(draw(nodes(name)) for name in names),
        *(obj for app in apps for obj in draw(workloads(app, names))),
        *([agent] if draw(st.booleans()) else []),
    ]
