"""From a snapshot, a catalog and a policy to the packing problem, and what stays out of it."""

from collections.abc import Mapping, Sequence

import pytest
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.decision import pods_by_workload
from nodemix.optimizer.errors import EmptyCatalogError
from nodemix.optimizer.policy import OfferFilter, SpotRules, WorkloadSelector
from nodemix.optimizer.problem.build import build_problem
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.snapshot import (
    DaemonSet,
    Node,
    Note,
    Pod,
    SpreadConstraint,
    Toleration,
    WorkloadKey,
)

from tests.builders import (
    SPOT,
    ZONES,
    make_catalog,
    make_node,
    make_offer,
    make_pod,
    make_pods,
    make_policy,
    make_resources,
    make_snapshot,
    make_template,
    make_workload_key,
)

WEB = make_workload_key("web")
API = make_workload_key("api")
SMALL = make_offer("m5.large", 0.1, vcpus=2, memory_gib=8)
LARGE = make_offer("m5.xlarge", 0.2)
OLD = make_offer("m3.xlarge", 0.3)
CHEAP = make_offer("m5.xlarge", 0.06, capacity_type=SPOT)
OFFERS = (SMALL, LARGE, OLD, CHEAP)
STUCK = ("required pod affinity on zone",)
OVER_ZONES = (SpreadConstraint("topology.kubernetes.io/zone", 1),)


def build(
    pods: Sequence[Pod],
    nodes: Sequence[Node] = (),
    offers: Sequence[Offer] = OFFERS,
    wanted: Mapping[WorkloadKey, int] | None = None,
    snapshot: Mapping[str, object] | None = None,
    **policy: object,
) -> BuiltProblem:
    observed = make_snapshot(pods, nodes, **(snapshot or {}))
    return build_problem(
        observed,
        make_catalog(*offers),
        make_policy(**policy),
        {**pods_by_workload(observed), **(wanted or {})},
    )


def rows(built: BuiltProblem) -> dict[str, int]:
    return {str(row.workload.name): row.pods for row in built.problem.rows}


def test_every_pod_of_a_movable_cluster_is_in_a_row() -> None:
    built = build([*make_pods(3, node_name="n"), make_pod("x", "api")], [make_node("n", LARGE)])

    assert rows(built) == {"web": 3, "api": 1}
    assert built.pods_now == built.pods_planned == ((API, 1), (WEB, 3))
    assert built.kept == ()
    assert built.unplaceable == ()


def test_what_is_wanted_beyond_todays_pods_is_in_the_row_and_marked() -> None:
    built = build(make_pods(3), wanted={WEB: 5})

    assert rows(built) == {"web": 5}
    assert built.rows_now == (3,)
    assert built.pods_now == ((WEB, 3),)
    assert built.pods_planned == ((WEB, 5),)


def test_terminating_pods_need_no_place() -> None:
    built = build([make_pod("a"), make_pod("b", is_terminating=True)])

    assert rows(built) == {"web": 1}
    assert any("being deleted (1)" in sentence for sentence in built.assumptions)


def test_pods_of_a_kept_node_stay_there_and_are_not_placed_again() -> None:
    nodes = [make_node("stays", LARGE), make_node("moves", OLD)]
    pods = [
        *make_pods(2, node_name="stays"),
        make_pod("stuck", "api", node_name="stays", unsupported=STUCK),
        *make_pods(4, node_name="moves"),
    ]

    built = build(pods, nodes)

    assert rows(built) == {"web": 4}
    (kept,) = built.kept
    assert (kept.kept_nodes, kept.pods) == (("stays",), ((API, 1), (WEB, 2)))
    assert built.pods_planned == ((API, 1), (WEB, 6))
    assert built.current_usd_per_hour == pytest.approx(0.5)
    assert built.kept_usd_per_hour == pytest.approx(0.2)
    assert "required pod affinity" in str(built.notes[0])


def test_a_waiting_pod_that_the_model_does_not_know_is_unplaceable_and_noted() -> None:
    built = build([make_pod(unsupported=STUCK), make_pod("x", "api")])

    (entry,) = built.unplaceable
    assert (entry.workload, entry.pods) == (WEB, 1)
    assert "required pod affinity on zone" in entry.why
    assert built.notes[0].severity == "error"
    assert built.problem.unplaceable == ()
    assert built.pods_planned == ((API, 1), (WEB, 1))


def test_a_pod_that_no_offer_holds_is_unplaceable_with_the_remedy() -> None:
    built = build(make_pods(2, cpu_milli=900_000))

    (entry,) = built.unplaceable
    assert entry.pods == 2
    assert "needs 900 vCPU" in entry.why
    assert "lower its request" in entry.why
    ((row, why),) = built.problem.unplaceable
    assert (row.pods, row.workload) == (2, WEB)
    assert why in entry.why


def test_a_pod_on_a_leaving_node_that_fits_nowhere_else_is_unplaceable() -> None:
    node = make_node("n", is_leaving=True)

    built = build([make_pod(node_name="n", unsupported=STUCK)], [node])

    assert [entry.pods for entry in built.unplaceable] == [1]
    assert [current.node for current in built.current] == [node]


def test_forecast_pods_never_make_more_pods_unplaceable_than_there_are() -> None:
    built = build(make_pods(2, cpu_milli=900_000), wanted={WEB: 7})

    assert [entry.pods for entry in built.unplaceable] == [2]
    assert built.pods_planned == ((WEB, 2),)


def test_an_empty_filter_buys_the_default_kinds_only() -> None:
    assert OLD not in build(make_pods(1)).problem.offers
    assert set(build(make_pods(1)).problem.offers) == {SMALL, LARGE, CHEAP}


def test_a_filter_that_names_families_is_taken_by_its_word() -> None:
    policy = make_policy(offers=OfferFilter(families=("m3",)))

    built = build_problem(make_snapshot(make_pods(1)), make_catalog(*OFFERS), policy, {WEB: 1})

    assert built.problem.offers == (OLD,)


def test_a_filter_that_leaves_nothing_is_an_error_that_names_the_remedy() -> None:
    with pytest.raises(EmptyCatalogError, match="widen the filter"):
        build_problem(
            make_snapshot(make_pods(1)),
            make_catalog(*OFFERS),
            make_policy(offers=OfferFilter(zones=("mars-1a",))),
            {WEB: 1},
        )


def test_a_node_that_the_filter_excludes_but_the_catalog_prices_is_movable() -> None:
    built = build(make_pods(1, node_name="n"), [make_node("n", OLD)])

    (current,) = built.current
    assert current.offer is None
    assert current.price_usd_per_hour == 0.3
    assert current.workloads == ((WEB, 1),)
    assert built.unpriced_nodes == ()


def test_a_node_without_a_price_is_kept_and_named() -> None:
    built = build(make_pods(1, node_name="n"), [make_node("n", make_offer("z9.large"))])

    assert built.unpriced_nodes == ("n",)
    assert built.kept[0].price_usd_per_hour is None
    assert built.current_usd_per_hour == 0.0


def test_current_nodes_point_to_offers_and_rows_of_the_problem() -> None:
    pods = [*make_pods(3, node_name="n"), *make_pods(2, workload="api", node_name="n")]

    built = build(pods, [make_node("n", LARGE)])

    (current,) = built.current
    assert current.offer is not None
    assert built.problem.offers[current.offer] == LARGE
    names = [row.workload for row in built.problem.rows]
    assert {names[row]: count for row, count in current.pods} == {WEB: 3, API: 2}
    assert built.movable == (current.node,)


def test_current_pods_of_a_spread_are_counted_in_the_row_of_their_zone() -> None:
    offers = [make_offer(zone=zone) for zone in ZONES]
    nodes = [make_node(zone, offer) for zone, offer in zip(ZONES, offers, strict=True)]
    pods = [
        *make_pods(2, node_name=ZONES[0], spreads=OVER_ZONES),
        *make_pods(1, node_name=ZONES[2], spreads=OVER_ZONES),
    ]

    built = build(pods, nodes, offers)

    held = {
        current.node.name: {built.problem.rows[row].zone: n for row, n in current.pods}
        for current in built.current
    }
    assert held == {ZONES[0]: {ZONES[0]: 2}, ZONES[1]: {}, ZONES[2]: {ZONES[2]: 1}}


def test_pods_that_stay_count_for_the_zone_spread_of_those_that_move() -> None:
    offers = [make_offer(zone=zone) for zone in ZONES]
    stays = make_node("stays", offers[0])
    pods = [
        make_pod("stuck", "api", node_name="stays", unsupported=STUCK),
        *make_pods(2, node_name="stays", spreads=OVER_ZONES),
        *make_pods(4, spreads=OVER_ZONES),
    ]

    built = build(pods, [stays], offers)

    assert {row.zone: row.pods for row in built.problem.rows} == {ZONES[1]: 2, ZONES[2]: 2}


def test_daemon_sets_take_their_room_of_every_offer() -> None:
    everything = Toleration("", "Exists", "", "")
    agent = DaemonSet(
        make_workload_key("agent", "DaemonSet"),
        make_template(300, 512, tolerations=(everything,)),
    )

    built = build(make_pods(1), snapshot={"daemon_sets": (agent,)}, offers=[LARGE])

    assert built.problem.room.tolist() == [[3700, 16_384 - 512, 109]]


def test_static_pods_take_their_room_of_every_offer_and_are_noted() -> None:
    node = make_node("n", LARGE)
    overhead = (("n", make_resources(cpu_milli=250, memory_mib=100)),)

    built = build(make_pods(1), [node], [LARGE], snapshot={"overhead": overhead})

    assert built.problem.room[0, 0] == 3750
    assert any("static pods" in note.fact for note in built.notes)


def test_kept_nodes_use_up_part_of_the_policys_limits() -> None:
    pods = [make_pod("stuck", "api", node_name="n", unsupported=STUCK), make_pod()]

    built = build(
        pods,
        [make_node("n", CHEAP)],
        budget_usd_per_hour=1.0,
        max_nodes=5,
        spot=SpotRules(max_share=0.5),
    )

    limits = {cap.name: cap.limit for cap in built.problem.caps}
    assert limits["budget.usdPerHour"] == pytest.approx(0.94)
    assert limits["maxNodes"] == 4
    assert limits["spot.maxShare"] == pytest.approx(-2.0)


def test_caps_are_about_the_offers_that_are_left() -> None:
    built = build(make_pods(1), budget_usd_per_hour=1.0)

    (cap,) = built.problem.caps
    assert cap.coefficients.shape == (len(built.problem.offers),)


def test_pods_of_other_policies_stay_and_are_not_planned_for() -> None:
    selector = WorkloadSelector(match_labels=(("app", "web"),))
    pods = [
        make_pod("a", labels=(("app", "web"),), node_name="moves"),
        make_pod("b", "api", node_name="stays"),
    ]

    built = build(pods, [make_node("moves"), make_node("stays")], selector=selector)

    assert rows(built) == {"web": 1}
    assert built.pods_now == ((WEB, 1),)
    assert built.kept[0].kept_nodes == ("stays",)


def test_notes_of_the_snapshot_and_the_catalog_are_passed_on() -> None:
    unread = Note("default/Deployment/x", "cannot be read", severity="error")

    built = build(make_pods(1, soft=("preferred node affinity",)), snapshot={"notes": (unread,)})

    assert unread in built.notes
    assert any("preferred node affinity" in note.fact for note in built.notes)


def test_an_empty_cluster_is_an_empty_problem() -> None:
    built = build([], [make_node("idle", LARGE)])

    assert built.problem.rows == ()
    assert built.problem.offers == ()
    assert built.current[0].pods == ()
    assert built.current_usd_per_hour == pytest.approx(0.2)


def test_the_same_cluster_in_another_order_is_the_same_problem() -> None:
    pods = [*make_pods(3), *make_pods(2, workload="api", cpu_milli=5, node_name="n1")]
    nodes = [make_node("n1"), make_node("n2")]

    forth, back = build(pods, nodes), build(pods[::-1], nodes[::-1])

    assert forth.problem.rows == back.problem.rows
    assert forth.problem.offers == back.problem.offers
    assert forth.current == back.current
