from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.operator.beliefs.watch import NodeWatch, boot_s, spot_pool_of
from nodemix.operator.cluster.departures import Departure
from nodemix.operator.cluster.look import Look
from nodemix.optimizer.risk.hazard import PoolKey

from tests.operator.beliefs.looks import OTHER, POOL, START_S, at, bought, losses, seen, spot

LET_GO, RECLAIMED = Departure.LET_GO, Departure.RECLAIMED
SPOT_POOL = ("m5.xlarge", "us-east-1a", "spot")
KEEPS = bought("keeps")
"""Without it, an empty cluster is no evidence."""


def test_node_that_vanishes_without_a_word_was_taken_back() -> None:
    assert losses(at(0, KEEPS, spot("a"), spot("b")), at(1, KEEPS, spot("a"))) == [{POOL: 1}]


def test_notice_counts_at_once_and_the_vanishing_after_it_not_again() -> None:
    noticed = spot("a", RECLAIMED)

    assert losses(
        at(0, KEEPS, spot("a")), at(1, KEEPS, noticed), at(2, KEEPS, noticed), at(3, KEEPS)
    ) == [{POOL: 1}, {}, {}]


def test_node_that_was_let_go_before_it_left_is_no_loss() -> None:
    before = (at(0, KEEPS, spot("a")), at(1, KEEPS, spot("a", LET_GO)))
    stopped = spot("a", LET_GO, ready_since_s=None)

    assert losses(*before, at(2, KEEPS)) == [{}, {}]
    assert losses(*before, at(2, KEEPS, stopped), at(3, KEEPS)) == [{}, {}, {}]


def test_node_that_was_marked_and_deleted_between_two_looks_is_judged_by_its_last_state() -> None:
    start = at(0, KEEPS, spot("a"), spot("b"))
    end = at(1, KEEPS, departed=[spot("a", LET_GO), spot("b")])

    assert losses(start, end) == [{POOL: 1}]


def test_node_that_stopped_before_anybody_let_it_go_was_taken_back() -> None:
    """Karpenter deletes, and thereby marks, a node whose machine is gone."""
    stopped = spot("a", ready_since_s=None)
    swept = spot("a", LET_GO, ready_since_s=None)

    found = losses(
        at(0, KEEPS, spot("a")), at(1, KEEPS, stopped), at(2, KEEPS, swept), at(3, KEEPS)
    )

    assert found == [{}, {}, {POOL: 1}]


def test_node_that_recovered_and_is_let_go_later_is_no_loss() -> None:
    stopped = spot("a", ready_since_s=None)
    looks = [spot("a"), stopped, spot("a", ready_since_s=9.0), spot("a", LET_GO)]

    assert losses(*(at(i, KEEPS, node) for i, node in enumerate(looks)), at(4, KEEPS)) == [{}] * 4


def test_node_that_never_worked_and_is_let_go_is_no_loss() -> None:
    booting = spot("a", ready_since_s=None)
    given_up = spot("a", LET_GO, ready_since_s=None)

    assert losses(at(0, KEEPS, booting), at(1, KEEPS, given_up), at(2, KEEPS)) == [{}, {}]


def test_on_demand_nodes_are_never_lost() -> None:
    nodes = [bought(str(i)) for i in range(5)]

    assert losses(at(0, *nodes), at(1, *nodes[1:]), at(2, bought("1", RECLAIMED), *nodes[2:])) == [
        {},
        {},
    ]


def test_unreadable_pool_is_not_watched() -> None:
    node = spot("a")
    nameless = replace(node, node=replace(node.node, zone=None))

    assert spot_pool_of(nameless) is None
    assert losses(at(0, KEEPS, nameless), at(1, KEEPS)) == [{}]


def test_every_pool_counts_its_own_nodes() -> None:
    before = [spot("a"), spot("b"), spot("c", pool=OTHER), spot("d", pool=OTHER)]
    (told,) = seen(at(0, KEEPS, *before), at(1, KEEPS, spot("d", pool=OTHER)))

    assert told.lost == {POOL: 2, OTHER: 1}
    assert told.spot_nodes == {POOL: 2, OTHER: 2}


# --- what must not look like a reclaim


def test_looks_too_far_apart_say_nothing() -> None:
    """The API server was away, or another process led."""
    near, far = at(12, KEEPS), at(13, KEEPS)  # 60 and 65 seconds

    assert losses(at(0, KEEPS, spot("a")), near) == [{POOL: 1}]
    (told,) = seen(at(0, KEEPS, spot("a")), far)
    assert (told.lost, told.exposures) == ({}, ())


def test_clock_that_was_set_back_says_nothing() -> None:
    told = seen(at(2, KEEPS, spot("a")), at(0, KEEPS))

    assert (told[0].lost, told[0].exposures) == ({}, ())


def test_view_that_lost_its_on_demand_nodes_too_is_wrong() -> None:
    full = [bought("x"), bought("y"), spot("a"), spot("b")]

    assert losses(at(0, *full), at(1, bought("x"))) == [{}]
    assert losses(at(0, *full, bought("z")), at(1, bought("x"), bought("z"))) == [{POOL: 2}]


def test_on_demand_nodes_that_were_let_go_do_not_make_the_view_wrong() -> None:
    start = at(0, KEEPS, bought("x", LET_GO), spot("a"))

    assert losses(start, at(1, KEEPS)) == [{POOL: 1}]


def test_empty_view_is_wrong() -> None:
    assert losses(at(0, spot("a"), spot("b")), at(1)) == [{}]


def test_nodes_that_come_back_after_a_wrong_view_neither_join_nor_boot() -> None:
    full = [bought("x"), spot("a")]
    told = seen(at(0, *full), at(1), at(2, *full))

    assert (told[1].entered, told[1].boots_s) == (frozenset(), ())


def test_mark_that_was_there_at_the_first_look_was_told_by_an_earlier_process() -> None:
    noticed = spot("a", RECLAIMED)

    assert losses(at(0, KEEPS, noticed), at(1, KEEPS, noticed), at(2, KEEPS)) == [{}, {}]


def test_machine_that_stopped_and_was_started_again_is_watched_again() -> None:
    """Azure can stop a spot machine and keep its node."""
    stopped = spot("a", RECLAIMED, ready_since_s=None)
    told = seen(*(at(i, KEEPS, n) for i, n in enumerate([spot("a"), stopped, stopped, spot("a")])))

    assert [what.lost for what in told] == [{POOL: 1}, {}, {}]
    assert [len(what.exposures) for what in told] == [1, 0, 0]
    assert losses(at(0, KEEPS, stopped), at(1, KEEPS, spot("a")), at(2, KEEPS)) == [{}, {POOL: 1}]


# --- exposure


def test_pool_is_exposed_while_it_has_a_node() -> None:
    told = seen(at(0, KEEPS, spot("a")), at(1, KEEPS, spot("a")), at(2, KEEPS), at(3, KEEPS))
    hours = [{e.pool: e.end_h - e.start_h for e in what.exposures} for what in told]

    assert [list(each) for each in hours] == [[POOL], [POOL], []]
    assert hours[0][POOL] == pytest.approx(5 / 3600)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=12))
def test_exposure_is_the_time_between_looks_with_a_node(counts: list[int]) -> None:
    looks = [at(i, KEEPS, *(spot(f"{n}") for n in range(c))) for i, c in enumerate(counts)]
    total = sum(e.end_h - e.start_h for what in seen(*looks) for e in what.exposures)

    assert total == pytest.approx(sum(5 for c in counts[:-1] if c) / 3600)


@given(st.lists(st.sets(st.integers(0, 5)), max_size=10))
def test_every_node_that_goes_is_lost_once(going: list[set[int]]) -> None:
    alive, looks = set(range(6)), [at(0, KEEPS, *(spot(str(n)) for n in range(6)))]
    for step, gone in enumerate(going, start=1):
        alive -= gone
        looks.append(at(step, KEEPS, *(spot(str(n)) for n in sorted(alive))))

    assert sum(sum(nodes.values()) for nodes in losses(*looks)) == 6 - len(alive)


# --- boots, and who joined and left


def test_boot_lasts_from_joining_to_ready() -> None:
    booting = spot("a", created_at_s=START_S + 3, ready_since_s=None)
    ready = spot("a", created_at_s=START_S + 3, ready_since_s=START_S + 31)
    told = seen(at(0, KEEPS), at(1, KEEPS, booting), at(6, KEEPS, ready), at(7, KEEPS, ready))

    assert [what.boots_s for what in told] == [(), (28.0,), ()]
    assert [what.entered for what in told] == [{SPOT_POOL}, frozenset(), frozenset()]


def test_boot_between_two_looks_is_timed_too() -> None:
    ready = spot("a", created_at_s=START_S + 1, ready_since_s=START_S + 4)

    assert seen(at(0, KEEPS), at(1, KEEPS, ready))[0].boots_s == (3.0,)


def test_node_that_was_there_before_the_watch_tells_no_boot() -> None:
    booting = spot("a", created_at_s=START_S - 10, ready_since_s=None)
    ready = spot("a", created_at_s=START_S - 10, ready_since_s=START_S + 4)

    assert seen(at(0, KEEPS, booting), at(1, KEEPS, ready))[0].boots_s == ()


def test_second_readiness_is_no_boot() -> None:
    first = spot("a", created_at_s=START_S + 1, ready_since_s=START_S + 2)
    stopped = spot("a", created_at_s=START_S + 1, ready_since_s=None)
    again = spot("a", created_at_s=START_S + 1, ready_since_s=START_S + 14)
    told = seen(*(at(i, KEEPS, *n) for i, n in enumerate([(), (first,), (stopped,), (again,)])))

    assert [what.boots_s for what in told] == [(1.0,), (), ()]


@pytest.mark.parametrize(
    ("created", "ready"), [(None, 5.0), (5.0, None), (5.0, 4.0), (0.0, 3601.0)]
)
def test_contradicting_clocks_tell_no_boot(created: float | None, ready: float | None) -> None:
    assert boot_s(spot("a", created_at_s=created, ready_since_s=ready)) is None


def test_nodes_let_go_leave_their_pool_and_reclaimed_ones_do_not() -> None:
    start = at(0, KEEPS, spot("a", LET_GO), spot("b", pool=OTHER), bought("c"), bought("d"))
    (told,) = seen(start, at(1, KEEPS, bought("d")))

    assert told.left == {SPOT_POOL, ("m5.xlarge", "us-east-1a", "on-demand")}
    assert told.lost == {OTHER: 1}


def test_family_is_read_from_the_name_as_price_books_read_it() -> None:
    strange = spot("a", pool=PoolKey("", "z", "n2-standard-4"))

    assert spot_pool_of(strange) == PoolKey("n2-standard-4", "z", "n2-standard-4")


def test_pools_of_a_watch_are_those_with_a_node_that_is_not_lost() -> None:
    watch, _ = NodeWatch().after(
        Look(START_S, (KEEPS, spot("a"), spot("b", RECLAIMED, pool=OTHER)))
    )

    assert watch.spot_nodes == {POOL: 1}
