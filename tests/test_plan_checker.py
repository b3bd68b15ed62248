"""The plan checker finds nothing wrong with a good plan, and each kind of fault in a bad one."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.api_objects import (
    make_budget_object,
    make_daemon_set_object,
    make_node_object,
    make_pod_object,
    make_workload_object,
)
from tests.checker_objects import amount
from tests.plan_checker import Market, check_plan

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
            "spot_share": 0.5,
            "worst_pool_share": 0.3,
            "interruptions_per_day": 0.1,
        },
        "prices": {
            "usd_per_core_hour": 0.02,
            "usd_per_gib_hour": 0.001,
            "usd_per_gpu_hour": 0.1,
            "caps": [],
        },
        "savings": {
            "spot_usd_per_hour": 0.44,
            "shape_usd_per_hour": 0.0,
            "packing_usd_per_hour": -0.1,
            "waiting_usd_per_hour": 0.0,
            "headroom_usd_per_hour": 0.0,
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
    }
    return document


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    folder = tmp_path_factory.mktemp("market")
    (folder / "catalog.csv").write_text(CATALOG)
    (folder / "offers.csv").write_text(OFFERS)
    return Market.from_csv(folder / "catalog.csv", folder / "offers.csv")


def test_a_good_plan_raises_no_complaint(market: Market) -> None:
    assert check_plan(make_document(), make_objects(), market) == []


def test_a_plan_that_keeps_todays_nodes_raises_no_complaint(market: Market) -> None:
    assert check_plan(make_unchanged(), make_objects(), market) == []


def test_the_plans_of_these_tests_have_the_form_of_real_ones(repository: Path) -> None:
    schema = json.loads((repository / "docs/reference/plan-document.schema.json").read_text())

    for document in (make_document(), make_unchanged()):
        jsonschema.validate(document, schema)


def set_field(name: str, value: object) -> Callable[[Json], object]:
    return lambda document: document.update({name: value})


def set_entry(index: int, **fields: object) -> Callable[[Json], object]:
    return lambda document: document["nodes"][index].update(fields)


def set_runner_up(**fields: object) -> Callable[[Json], object]:
    return lambda document: document["pools"][0]["runner_up"].update(fields)


def move(workload: str, source: int, target: int, pods: int = 1) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        giver, taker = (document["nodes"][i]["pods"] for i in (source, target))
        giver[workload] -= pods
        if giver[workload] == 0:
            del giver[workload]
        taker[workload] = taker.get(workload, 0) + pods

    return change


def strand(document: Json) -> None:
    """Says that a pod fits nowhere that fits an on-demand node that is bought anyway."""
    del document["nodes"][2]["pods"][DB]
    document["unplaceable"].append({"workload": DB, "pods": 1, "why": "too large"})


FAULTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "a pod is lost": (
        lambda d: d["nodes"][0]["pods"].update({WEB: 1}),
        f"{WEB}: 3 pods need a place, 2 have one",
    ),
    "a pod is shown twice": (
        lambda d: d["nodes"][3]["pods"].update({TRAIN: 2}),
        f"{TRAIN}: 1 pods need a place, 2 have one",
    ),
    "a placed pod is also unplaceable": (
        lambda d: d["unplaceable"].append({"workload": DB, "pods": 1, "why": "so"}),
        f"{DB}: 1 pods need a place, 2 have one",
    ),
    "a finished pod has a place": (
        lambda d: d["nodes"][0]["pods"].update({"default/Pod/done": 1}),
        "default/Pod/done: 0 pods need a place, 1 have one",
    ),
    "a pod that is being deleted has a place": (
        lambda d: d["nodes"][0]["pods"].update({"default/Pod/going": 1}),
        "default/Pod/going: 0 pods need a place",
    ),
    "nodes are multiplied": (set_entry(1, count=2), f"{WEB}: 3 pods need a place, 4 have one"),
    "an entry has no nodes": (set_entry(3, count=0), "a count is below one"),
    "there is too little cpu": (set_entry(0, headroom={WEB: 2}), "of cpu is used"),
    "the daemon set is forgotten": (
        set_entry(2, headroom={WEB: 2, API: 1, CACHE: 10}),
        "2.001 of cpu is used",
    ),
    "there is too little memory": (set_entry(1, headroom={CART: 1}), "of memory is used"),
    "there are too few pod slots": (set_entry(2, headroom={TINY: 30}), "of pods is used"),
    "a pod with a GPU request is on a plain node": (move(TRAIN, 3, 0), "of nvidia.com/gpu is used"),
    "a plain pod is on a GPU node": (move(DB, 2, 3), "does not tolerate nvidia.com/gpu"),
    "a node selector is ignored": (
        set_entry(0, instance_type="m7g.large"),
        "needs a node with kubernetes.io/arch=amd64",
    ),
    "a required affinity is ignored": (move(CART, 1, 2), "needs a node with one of"),
    "an annotation against spot is ignored": (
        move(TINY, 2, 0),
        "must not run on spot (nodemix.dev/spot: deny)",
    ),
    "a single replica behind a budget is on spot": (
        set_entry(2, capacity_type="spot", price_usd_per_hour=0.03),
        "must not run on spot (a single replica",
    ),
    "a zone spread is broken": (move(WEB, 1, 0), "maxSkew is 1"),
    "a hostname spread is broken": (move(CACHE, 1, 0), "2 pods on a node"),
    "an anti-affinity is broken": (move(API, 1, 0), "that it must not meet"),
    "a pod with an unknown rule is moved": (
        move(STUCK, 4, 2),
        "is moved in spite of a required pod affinity",
    ),
    "an instance type does not exist": (set_entry(0, instance_type="m9.zero"), "no such instance"),
    "a kept node does not exist": (set_entry(4, kept_nodes=["gone"]), "gone: kept, but no such"),
    "a kept node is another one": (set_entry(4, kept_nodes=["old-1"]), "old-1: is m5.large"),
    "a node is kept twice": (
        lambda d: d["nodes"].append(copy.deepcopy(d["nodes"][4])),
        "keep-1: kept 2 times",
    ),
    "a kept node gets a pod": (move(DB, 2, 4), "keep-1: kept with other pods than it has"),
    "more nodes are kept than named": (set_entry(4, count=2), "2 nodes are kept, 1 are named"),
    "a price is wrong": (set_entry(0, price_usd_per_hour=0.01), "costs 0.03 USD/h, shown as 0.01"),
    "a price is withheld": (set_entry(0, price_usd_per_hour=None), "shown as None"),
    "the plan's cost is wrong": (set_field("plan_usd_per_hour", 0.45), "plan_usd_per_hour is 0.45"),
    "today's cost is wrong": (set_field("current_usd_per_hour", 0.9), "current_usd_per_hour is"),
    "the saving is wrong": (set_field("saving_usd_per_hour", 0.4), "saving_usd_per_hour is 0.4"),
    "the sources do not sum to the saving": (
        lambda d: d["savings"].update(spot_usd_per_hour=0.43),
        "savings sum to 0.330000, the saving is 0.34",
    ),
    "a source of the saving is no number": (
        lambda d: d["savings"].update(spot_usd_per_hour=float("nan")),
        "savings sum to nan",
    ),
    "headroom is charged that nobody has": (
        lambda d: d["savings"].update(headroom_usd_per_hour=-0.1, packing_usd_per_hour=0.0),
        "savings of headroom are -0.1",
    ),
    "pods that wait are a saving": (
        lambda d: d["savings"].update(waiting_usd_per_hour=0.1, packing_usd_per_hour=-0.2),
        "savings of waiting are 0.1",
    ),
    "a saving of no change has sources": (set_field("is_change", False), "nothing changes"),
    "a pool that ends has margins": (
        lambda d: d["pools"][-1].update(node_less_usd_per_hour=0.1),
        "has margins, and no node of it is bought",
    ),
    "a runner-up has another price": (set_runner_up(price_usd_per_hour=0.2), "costs 0.1, as a"),
    "a runner-up is not on sale": (set_runner_up(zone="us-west-2a"), "costs None, as a"),
    "a runner-up is the same offer": (
        set_runner_up(capacity_type="spot", price_usd_per_hour=0.03),
        "is its own runner-up",
    ),
    "a runner-up cannot hold the pods": (
        set_runner_up(instance_type="m7g.large", capacity_type="spot", price_usd_per_hour=0.03),
        "as a runner-up, default/Deployment/api on m7g.large/us-east-1a/spot",
    ),
    "the bound is above the cost": (set_field("lower_bound_usd_per_hour", 0.47), "not between 0"),
    "the bound is negative": (set_field("lower_bound_usd_per_hour", -0.1), "not between 0"),
    "the bound is no number": (set_field("lower_bound_usd_per_hour", float("nan")), "not between"),
    "the gap is wrong": (set_field("gap", 0.1), "gap is 0.1, not 0.13"),
    "a pool is miscounted": (
        lambda d: d["pools"][0].update(nodes_plan=2),
        "(0, 1) nodes, shown (0, 2)",
    ),
    "a pool is left out": (lambda d: d["pools"].pop(), "shown None"),
    "today's demand is wrong": (
        lambda d: d["demand"][0].update(pods_now=4),
        f"{WEB}: 3 pods, demand says 4",
    ),
    "planned demand has no places": (
        lambda d: d["demand"][0].update(pods_planned=5),
        f"{WEB}: places for 3 pods, demand says 5",
    ),
    "a pod that fits is given up": (strand, f"{DB}: is said to fit nowhere, but fits"),
    "nothing is said about an unplaceable pod": (
        lambda d: d["unplaceable"][0].update(why=""),
        f"{GIANT}: has no place, and no word why",
    ),
    "a preference is ignored in silence": (set_field("notes", []), f"{TINY}: its preferences"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_fault_is_found(market: Market, fault: str) -> None:
    document = make_document()
    corrupt, words = FAULTS[fault]

    corrupt(document)

    complaints = check_plan(document, make_objects(), market)
    assert any(words in complaint for complaint in complaints), complaints


@pytest.mark.parametrize(("node", "words"), [(3, ""), (1, "of cpu is used")])
def test_a_waiting_pod_may_join_a_node_of_today_only_where_it_fits(
    market: Market, node: int, words: str
) -> None:
    # Its ReplicaSet is not listed; the hash in its name tells the Deployment.
    late = "default/Deployment/late"
    document = make_unchanged()
    document["nodes"][node]["pods"][late] = 1
    document["demand"].append(
        {"workload": late, "pods_now": 1, "pods_planned": 1, "source": "requests"}
    )

    complaints = check_plan(
        document, [*make_objects(), *make_pods("late", "500m", "128Mi", None)], market
    )

    assert [words in complaint for complaint in complaints] == ([True] if words else [])


def test_a_node_of_today_may_not_lose_its_pods_to_another(market: Market) -> None:
    document = make_unchanged()
    move(DB, 1, 0)(document)

    complaints = check_plan(document, make_objects(), market)

    assert any("old-2: keeps 1 pods" in complaint for complaint in complaints)


def test_headroom_that_fits_and_is_announced_is_right(market: Market) -> None:
    document = make_document()
    document["nodes"][0]["headroom"] = {WEB: 1}
    document["demand"][0]["pods_planned"] = 4

    assert check_plan(document, make_objects(), market) == []


def test_only_the_pods_of_the_given_namespaces_need_a_place(market: Market) -> None:
    other = make_pod_object("x", namespace="other", node_name="keep-1")
    objects = [*make_objects(), other]
    document = make_document()

    assert check_plan(document, objects, market) != []
    document["nodes"][4]["pods"]["other/Pod/x"] = 1
    assert check_plan(document, objects, market, namespaces=["default"]) == []


def test_the_bundled_market_is_read_from_the_package() -> None:
    market = Market.bundled()

    assert market.usd_per_hour["m5.large", "us-east-1a", "on-demand"] == 0.096
    assert market.machines["g4dn.xlarge"].room["nvidia.com/gpu"] == 1


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("250m", 0.25), ("1.5", 1.5), ("2Ki", 2048), ("1e3", 1000), ("3k", 3000), ("100n", 1e-7)],
)
def test_quantities_are_read_in_cores_and_bytes(quantity: str, expected: float) -> None:
    assert float(amount(quantity)) == pytest.approx(expected)


def test_what_is_no_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="no quantity"):
        amount("many")
