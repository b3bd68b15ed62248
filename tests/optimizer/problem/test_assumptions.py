"""What a plan takes for granted, in sentences."""

from collections.abc import Iterable

from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.policy import OfferFilter, Policy, SpotRules, WorkloadSelector
from nodemix.optimizer.problem.assumptions import assumptions, unselected_notes
from nodemix.optimizer.problem.demand import count_pods
from nodemix.optimizer.problem.kept import NodeFate, Obstacle
from nodemix.optimizer.snapshot import Pod, SpreadConstraint

from tests.builders import (
    ON_DEMAND,
    ZONE,
    make_node,
    make_pod,
    make_policy,
    make_selector,
    make_snapshot,
)

DENIED = "nodemix.dev/spot: deny"


def said(
    pods: Iterable[Pod], policy: Policy | None = None, kept: tuple[PlannedNodes, ...] = ()
) -> str:
    policy = policy or make_policy()
    counts = count_pods(make_snapshot(pods), policy.selector)
    return "\n".join(assumptions(counts, policy, kept))


def test_workloads_that_nobody_denied_spot_are_counted_and_named() -> None:
    text = said(make_pod(name, name) for name in "abcd")

    assert (
        "spot is allowed for 4 workloads (default/Deployment/a, default/Deployment/b, "
        "default/Deployment/c and 1 more) because nothing denies it"
    ) in text
    assert "nodemix.dev/spot: deny to keep it on demand" in text


def test_each_reason_that_denies_spot_lists_its_workloads() -> None:
    text = said(
        [
            make_pod("a", "a", spot_denied=DENIED),
            make_pod("b", "b", spot_denied=DENIED),
            make_pod("c", "c", spot_denied="other"),
        ]
    )

    assert f"on demand only, {DENIED}: 2 workloads (default/Deployment/a, default" in text
    assert "on demand only, other: 1 workload (default/Deployment/c)" in text
    assert "spot is allowed" not in text


def test_workloads_that_name_their_market_are_no_assumption() -> None:
    on_spot = make_selector(**{"karpenter.sh/capacity-type": "spot"})

    text = said([make_pod(required_labels=on_spot)])

    assert "the market their selectors name: 1 workload (default/Deployment/web)" in text
    assert "spot is allowed" not in text


def test_a_policy_without_spot_says_so_instead() -> None:
    text = said([make_pod()], make_policy(spot=SpotRules(max_share=0.0)))

    assert "spot.maxShare lets nothing run on spot" in text
    assert "spot is allowed" not in text


def test_workloads_that_are_not_selected_are_not_spoken_of() -> None:
    policy = make_policy(selector=WorkloadSelector(namespaces=("shop",)))

    assert "spot" not in said([make_pod()], policy)


def test_offers_bought_by_default_are_an_assumption_and_named_ones_are_not() -> None:
    named = make_policy(offers=OfferFilter(families=("m5",)))

    assert "c, m, r, g, p may be bought, from generation 4 on" in said([])
    assert "may be bought" not in said([], named)


def test_an_even_split_over_zones_is_an_assumption() -> None:
    over_zones = (SpreadConstraint("topology.kubernetes.io/zone", 2),)

    assert "planned as an even split" in said([make_pod(spreads=over_zones)])
    assert "even split" not in said([make_pod()])


def test_nodes_that_stay_are_counted() -> None:
    kept = PlannedNodes("m5.xlarge", ZONE, ON_DEMAND, 2, (), 0.2, ("a", "b"))

    assert "nodes that stay as they are (2) take no further pods" in said([], kept=(kept,))


def test_pods_that_are_being_deleted_are_counted() -> None:
    assert "being deleted (1)" in said([make_pod(is_terminating=True)])


def test_pods_outside_of_the_policy_that_lose_their_place_are_noted() -> None:
    nodes = [make_node("stays"), make_node("leaves", is_leaving=True)]
    pods = [make_pod("a", node_name="stays"), make_pod("b", node_name="leaves"), make_pod("c")]
    fates = [NodeFate(nodes[0], None, Obstacle("foreign pods")), NodeFate(nodes[1], None)]
    elsewhere = WorkloadSelector(namespaces=("shop",))

    (note,) = unselected_notes(count_pods(make_snapshot(pods, nodes), elsewhere), fates)

    assert note.fact.startswith("2 pods that the policy does not select")


def test_where_all_pods_are_selected_nothing_is_noted() -> None:
    counts = count_pods(make_snapshot([make_pod()]), WorkloadSelector())

    assert unselected_notes(counts, ()) == ()


def test_architectures_of_the_nodes_are_an_assumption_that_can_be_widened() -> None:
    counts = count_pods(make_snapshot([make_pod()]), WorkloadSelector(), ("amd64", "arm64"))

    text = "\n".join(assumptions(counts, make_policy(), ()))

    assert "run on amd64 or arm64, like today's nodes" in text
    assert "spec.offers.architectures" in text
