"""From counted pods to rows: joined where they share a limit, cut where they are spread."""

from collections.abc import Mapping, Sequence

from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.problem.demand import count_pods
from nodemix.optimizer.problem.places import Places
from nodemix.optimizer.problem.rows import (
    CutRow,
    Group,
    cut_rows,
    form_groups,
    narrow_spreads,
    to_problem,
)
from nodemix.optimizer.resources import GPU_RESOURCE, Resources
from nodemix.optimizer.snapshot import Note, Pod, SpreadConstraint, WorkloadKey

from tests.builders import (
    ZONES,
    make_offer,
    make_pod,
    make_pods,
    make_selector,
    make_snapshot,
    make_workload_key,
)

DIMENSIONS = ("cpu_milli", "memory_mib", "pods", GPU_RESOURCE)
OVER_ZONES = (SpreadConstraint("topology.kubernetes.io/zone", 1),)
EVERYWHERE = tuple(make_offer(zone=zone) for zone in ZONES)
NOWHERE: Mapping[WorkloadKey, Mapping[str, int]] = {}


def places_of(offers: Sequence[Offer]) -> Places:
    return Places(offers, (), Resources(), DIMENSIONS)


def groups_of(
    pods: Sequence[Pod], offers: Sequence[Offer] = EVERYWHERE, more: int = 0
) -> list[Group]:
    """Groups of waiting pods, with ``more`` forecast pods of each variant."""
    counts = count_pods(make_snapshot(pods), WorkloadSelector())
    now = dict(counts.waiting)
    planned = {variant: count + more for variant, count in now.items()}
    return form_groups(counts.variants, planned, now, places_of(offers))


def cut(
    pods: Sequence[Pod],
    offers: Sequence[Offer] = EVERYWHERE,
    in_place: Mapping[WorkloadKey, Mapping[str, int]] = NOWHERE,
    more: int = 0,
) -> list[CutRow]:
    return list(cut_rows(groups_of(pods, offers, more), places_of(offers), in_place))


def test_pods_of_one_template_are_one_row_for_all_zones() -> None:
    (only,) = cut(make_pods(7))

    assert (only.row.pods, only.row.zone) == (7, None)
    assert only.holding.tolist() == [True, True, True]


def test_a_zone_spread_becomes_a_row_a_zone_held_only_there() -> None:
    rows = cut(make_pods(8, spreads=OVER_ZONES))

    assert [(c.row.zone, c.row.pods) for c in rows] == list(zip(ZONES, (3, 3, 2), strict=True))
    assert [c.holding.tolist() for c in rows] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


def test_a_spread_uses_only_zones_that_can_hold_the_pods() -> None:
    rows = cut(make_pods(4, spreads=OVER_ZONES), EVERYWHERE[:2])

    assert [(c.row.zone, c.row.pods) for c in rows] == [(ZONES[0], 2), (ZONES[1], 2)]


def test_zones_without_pods_have_no_row() -> None:
    assert [c.row.zone for c in cut(make_pods(1, spreads=OVER_ZONES))] == [ZONES[0]]


def test_pods_in_place_count_for_the_spread() -> None:
    rows = cut(make_pods(4, spreads=OVER_ZONES), in_place={make_workload_key(): {ZONES[0]: 2}})

    assert {c.row.zone: c.row.pods for c in rows} == {ZONES[1]: 2, ZONES[2]: 2}


def test_two_templates_of_a_rollout_are_spread_together() -> None:
    pods = [*make_pods(4, spreads=OVER_ZONES), *make_pods(5, cpu_milli=5, spreads=OVER_ZONES)]

    totals = dict.fromkeys(ZONES, 0)
    for each in cut(pods):
        totals[str(each.row.zone)] += each.row.pods

    assert set(totals.values()) == {3}


def test_todays_pods_are_spread_evenly_by_themselves_and_with_those_to_come() -> None:
    rows = cut(make_pods(4, spreads=OVER_ZONES), more=5)

    assert [c.pods_now for c in rows] == [2, 1, 1]
    assert [c.row.pods for c in rows] == [3, 3, 3]


def test_a_spread_that_leaves_out_a_zone_warns_of_waiting_pods() -> None:
    gpus = [make_offer("g4dn.xlarge", zone=zone, gpus=1) for zone in ZONES[:2]]
    offers = (*gpus, make_offer(zone=ZONES[2]))

    def notes(pods: int, **rules: object) -> list[Note]:
        groups = groups_of(make_pods(pods, gpus=1, spreads=OVER_ZONES, **rules), offers)
        return list(narrow_spreads(groups, places_of(offers)))

    (note,) = notes(3)
    assert f"no allowed offer in {ZONES[2]} can hold it" in note.fact
    assert "more than 1 pods in any other zone wait" in note.fact
    assert notes(2) == []
    in_two = make_selector(**{"topology.kubernetes.io/zone": ZONES[:2]})
    assert notes(3, required_labels=in_two) == []


def test_templates_with_a_limit_per_node_are_joined_where_they_could_meet() -> None:
    pods = [
        *make_pods(2, cpu_milli=100, memory_mib=900, max_per_node=1),
        *make_pods(3, cpu_milli=300, memory_mib=200, max_per_node=2),
    ]

    (group,) = groups_of(pods)

    assert (group.pods, group.pods_now, group.limit) == (5, 5, 1)
    assert (group.requests.cpu_milli, group.requests.memory_mib) == (300, 900)
    assert len(group.variants) == 2


def test_templates_with_a_limit_that_never_meet_stay_apart() -> None:
    in_zone = [make_selector(**{"topology.kubernetes.io/zone": zone}) for zone in ZONES[:2]]
    pods = [
        make_pod("a", max_per_node=1, required_labels=in_zone[0]),
        make_pod("b", max_per_node=1, required_labels=in_zone[1]),
    ]

    assert len(groups_of(pods)) == 2


def test_templates_without_a_limit_stay_apart() -> None:
    assert len(groups_of([make_pod("a", cpu_milli=1), make_pod("b", cpu_milli=2)])) == 2


def test_a_joined_group_is_held_only_by_offers_with_room_for_what_covers_both() -> None:
    small, large = make_offer("m5.large", vcpus=2, memory_gib=4), make_offer("m5.xlarge")
    pods = [
        make_pod("a", cpu_milli=1800, memory_mib=100, max_per_node=1),
        make_pod("b", cpu_milli=100, memory_mib=8000, max_per_node=1),
        make_pod("c", cpu_milli=100, memory_mib=4096, max_per_node=1),
    ]

    (group,) = groups_of(pods, [small, large])

    assert group.holding.tolist() == [False, True]


def test_row_ids_are_stable_while_pods_come_and_go() -> None:
    few = cut([*make_pods(3, spreads=OVER_ZONES), make_pod("x", "api")])
    many = cut([make_pod("x", "api"), *make_pods(30, spreads=OVER_ZONES)])

    assert [c.row.row_id for c in few] == [c.row.row_id for c in many]


def test_the_problem_drops_offers_that_can_hold_no_row() -> None:
    offers = [make_offer("m5.large", vcpus=2), make_offer(), make_offer("g4dn.xlarge", gpus=1)]
    rows = cut(make_pods(2, cpu_milli=3000), offers)

    problem = to_problem(rows, (), places_of(offers))

    assert problem.offers == (offers[1],)
    assert problem.compatible.tolist() == [[True]]
    assert problem.room.tolist() == [[4000, 16_384, 110, 0]]
    assert problem.price_usd_per_hour.tolist() == [0.2]
    assert problem.requests.tolist() == [[3000, 1024, 1, 0]]


def test_a_row_without_a_limit_may_fill_a_node() -> None:
    rows = cut([*make_pods(9), *make_pods(5, workload="api", max_per_node=2)])

    problem = to_problem(rows, (), places_of(EVERYWHERE))

    assert dict(
        zip((r.workload.name for r in problem.rows), problem.max_per_node.tolist(), strict=True)
    ) == {"web": 9, "api": 2}


def test_a_problem_without_rows_has_no_offers() -> None:
    problem = to_problem([], (), places_of(EVERYWHERE))

    assert problem.offers == ()
    assert problem.compatible.shape == (0, 0)
    assert problem.demand.shape == (0,)
