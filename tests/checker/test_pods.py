"""A pod in a place where it must not be is found."""

import copy

import pytest

from tests.api_objects import make_pod_object
from tests.checker.faults import Corrupt, move, set_entry, set_field, strand
from tests.checker.scene import (
    API,
    CACHE,
    CART,
    DB,
    FREE_CHANGES,
    GIANT,
    STUCK,
    TINY,
    TRAIN,
    WEB,
    make_document,
    make_objects,
    make_pods,
    make_unchanged,
)
from tests.plan_checker import Market, check_plan

FAULTS: dict[str, tuple[Corrupt, str]] = {
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

    complaints = check_plan(document, make_objects(), market, spec=FREE_CHANGES)
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
        document,
        [*make_objects(), *make_pods("late", "500m", "128Mi", None)],
        market,
        spec=FREE_CHANGES,
    )

    assert [words in complaint for complaint in complaints] == ([True] if words else [])


def test_a_node_of_today_may_not_lose_its_pods_to_another(market: Market) -> None:
    document = make_unchanged()
    move(DB, 1, 0)(document)

    complaints = check_plan(document, make_objects(), market, spec=FREE_CHANGES)

    assert any("old-2: keeps 1 pods" in complaint for complaint in complaints)


def test_headroom_that_fits_and_is_announced_is_right(market: Market) -> None:
    document = make_document()
    document["nodes"][0]["headroom"] = {WEB: 1}
    document["demand"][0]["pods_planned"] = 4

    assert check_plan(document, make_objects(), market, spec=FREE_CHANGES) == []


def test_only_the_pods_of_the_given_namespaces_need_a_place(market: Market) -> None:
    other = make_pod_object("x", namespace="other", node_name="keep-1")
    objects = [*make_objects(), other]
    document = make_document()

    assert check_plan(document, objects, market, spec=FREE_CHANGES) != []
    document["nodes"][4]["pods"]["other/Pod/x"] = 1
    assert check_plan(document, objects, market, ["default"], spec=FREE_CHANGES) == []
