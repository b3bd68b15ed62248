"""The expected cost once placed: every mode there is time for, the policy's one always."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.explain.placed import MOST_DRAWS, Placer, draw_time_s
from nodemix.optimizer.packed import PackedNodes, Packing, PlacedCost
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.problem.types import Problem

from tests.builders import SPOT, make_offer, make_pods, make_problem

COST = 1.0
SEED = 3
READINGS_S = 0.1
"""A round of modes that are refused for lack of time reads the clock of a test so far."""
PACKING = Packing(
    (
        PackedNodes(0, ((0, 1), (1, 4)), 2),
        PackedNodes(0, ((0, 2),), 1),
        PackedNodes(1, ((1, 5), (2, 1)), 2),
    ),
    COST,
)
"""Full nodes of three patterns; a large pod finds no place once small ones are spread."""


def crowded() -> Problem:
    pods = [
        *make_pods(4, workload="large", cpu_milli=2000, memory_mib=1024),
        *make_pods(18, workload="small", cpu_milli=500, memory_mib=1024),
        *make_pods(2, workload="middle", cpu_milli=1500, memory_mib=1024),
    ]
    return make_problem(pods, [make_offer(), make_offer(price=0.1, capacity_type=SPOT)])


def clock_of(step_s: float) -> Callable[[], float]:
    """A clock that moves by ``step_s`` each time it is read."""
    readings = count()
    return lambda: next(readings) * step_s


def costs(
    chosen: PlacementMode = PlacementMode.OBSERVE, seconds: float = 1e9, step_s: float = 0.0
) -> dict[PlacementMode, PlacedCost]:
    clock = clock_of(step_s)
    placer = Placer(chosen, SEED, clock, search_s=1.0)
    found = placer.by_mode(crowded(), PACKING, COST, Deadline.after(clock, seconds))
    return {cost.mode: cost for cost in found}


def test_with_time_every_mode_is_drawn_as_often_as_is_worth_it() -> None:
    draws = {mode: cost.draws for mode, cost in costs().items()}

    assert list(draws) == list(PlacementMode)
    assert draws.pop(PlacementMode.PINNED) == 0
    assert set(draws.values()) == {MOST_DRAWS}


def test_no_mode_costs_less_than_the_plan_and_pinned_pods_cost_what_it_says() -> None:
    found = costs()

    assert min(cost.usd_per_hour for cost in found.values()) >= COST
    assert found[PlacementMode.PINNED].usd_per_hour == COST


def test_pods_that_nobody_leads_need_further_nodes() -> None:
    found = costs()

    assert found[PlacementMode.OBSERVE].usd_per_hour > COST
    assert found[PlacementMode.COHORT].usd_per_hour < found[PlacementMode.OBSERVE].usd_per_hour


@pytest.mark.parametrize("chosen", PlacementMode)
def test_without_time_the_chosen_mode_is_drawn_once_and_pins_need_no_draw(
    chosen: PlacementMode,
) -> None:
    found = costs(chosen, seconds=0.0, step_s=1.0)

    assert set(found) == {chosen, PlacementMode.PINNED}
    assert found[chosen].draws == (0 if chosen is PlacementMode.PINNED else 1)


def test_draws_end_with_the_deadline() -> None:
    clock = clock_of(0.01)
    deadline = Deadline.after(clock, 0.5)

    Placer(PlacementMode.POOL, SEED, clock, 1.0).by_mode(crowded(), PACKING, COST, deadline)

    assert deadline.left_s > -READINGS_S


def test_one_seed_gives_one_answer() -> None:
    assert costs() == costs()


@pytest.mark.parametrize(
    ("search_s", "pods", "kept_s"),
    [(10.0, 100, 1.3), (1.0, 10_000, 0.21), (0.1, 10_000, 0.05)],
    ids=["a share of a long search", "the time of a draw", "never more than half"],
)
def test_a_search_leaves_time_to_the_draws(search_s: float, pods: int, kept_s: float) -> None:
    assert draw_time_s(search_s, pods) == pytest.approx(kept_s)


def placer_of(mode: PlacementMode, search_s: float = 1e9, step_s: float = 0.0) -> Placer:
    return Placer(mode, SEED, clock_of(step_s), search_s)


def test_one_mode_is_drawn_as_among_all_modes() -> None:
    problem = crowded()

    alone = placer_of(PlacementMode.OBSERVE).cost(problem, PACKING, COST)

    assert alone == costs()[PlacementMode.OBSERVE]


def test_a_packing_is_placed_once_and_an_equal_one_costs_the_same() -> None:
    problem, placer = crowded(), placer_of(PlacementMode.OBSERVE)
    first = placer.by_mode(problem, PACKING, COST, Deadline.after(placer.clock, 0.0))

    again = placer.cost(problem, replace(PACKING), COST)

    assert (first[0].mode, first[0].draws) == (PlacementMode.OBSERVE, 1)
    assert again is first[0]


def test_nodes_beside_the_packing_add_their_price() -> None:
    problem = crowded()

    alone, beside = (
        placer_of(PlacementMode.OBSERVE).cost(problem, PACKING, usd) for usd in (COST, COST + 2.0)
    )

    assert beside.usd_per_hour - alone.usd_per_hour == pytest.approx(2.0)
    assert beside.standard_error_usd_per_hour == alone.standard_error_usd_per_hour


def test_pinned_pods_cost_what_the_plan_says_without_a_draw() -> None:
    found = placer_of(PlacementMode.PINNED).cost(crowded(), PACKING, COST)

    assert found == PlacedCost(PlacementMode.PINNED, COST, 0.0, draws=0)


def test_with_nothing_to_place_kept_nodes_cost_what_they_cost() -> None:
    nothing = make_problem([], [make_offer()])

    found = placer_of(PlacementMode.OBSERVE).cost(nothing, Packing((), 0.0), COST)

    assert (found.usd_per_hour, found.standard_error_usd_per_hour) == (COST, 0.0)


def test_an_option_without_time_is_drawn_once() -> None:
    placer = placer_of(PlacementMode.POOL, search_s=1.0, step_s=1.0)

    assert placer.cost(crowded(), PACKING, COST).draws == 1
