import json
from typing import Any

import pytest
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.risk.beliefs import (
    PLAIN_SHARE,
    REMEMBERED_H,
    UNADVISED_PER_HOUR,
    Beliefs,
    Move,
    pool_of,
)
from nodemix.optimizer.risk.hazard import Exposure, HazardBook, Shock, StockOut
from nodemix.optimizer.risk.replacement import BootTimes
from nodemix.optimizer.snapshot import CapacityType

from tests.builders import make_catalog, make_offer

GPU = {"gpus": 1, "gpu_name": "v100"}
SPOT = make_offer("p3.2xlarge", 0.9, "us-east-1a", CapacityType.SPOT, 2e-4, **GPU)
UNADVISED = make_offer("c5.large", capacity_type=CapacityType.SPOT)
ON_DEMAND = make_offer()
CATALOG = make_catalog(SPOT, UNADVISED, ON_DEMAND)
POOL, NEWCOMER = pool_of(SPOT), pool_of(UNADVISED)
M5 = ("m5.xlarge", "a", "spot")
C5 = ("c5.large", "a", "on-demand")


def watched() -> HazardBook:
    """Hit three times in ten hours; then there was nothing to buy."""
    return HazardBook.opened(0.0, {POOL: 2e-4}).observed(
        10.0,
        [Exposure(POOL, 0.0, 10.0)],
        [Shock(POOL, float(at_h), 4, 2) for at_h in (3, 6, 9)],
        [StockOut(POOL, 9.5)],
    )


def move(at_h: float) -> Move:
    return Move(at_h, left=(M5,), entered=(C5,))


def test_before_anything_was_watched_the_catalog_is_all_that_is_known() -> None:
    hazards = Beliefs().hazards_of(CATALOG, now_h=5.0)

    assert {pool: hazard.shocks_per_hour for pool, hazard in hazards.items()} == {
        POOL: pytest.approx(1_000.0 * 2e-4),
        NEWCOMER: pytest.approx(1_000.0 * PLAIN_SHARE * UNADVISED_PER_HOUR),
    }


def test_what_was_watched_speaks_and_pools_that_came_later_lean_on_it() -> None:
    before = Beliefs().hazards_of(CATALOG, 10.0)

    after = Beliefs(hazards=watched()).hazards_of(CATALOG, 10.0)

    assert set(after) == set(before)
    assert after[POOL].shocks_per_hour > 1.2 * before[POOL].shocks_per_hour
    assert after[NEWCOMER].shocks_per_hour > 1.2 * before[NEWCOMER].shocks_per_hour


def test_beliefs_fade_until_the_time_of_the_decision() -> None:
    known = Beliefs(hazards=watched())

    now, later, long_after = (known.hazards_of(CATALOG, now_h)[POOL] for now_h in (10.0, 16.0, 1e4))

    assert now.unrest.ratio > later.unrest.ratio > 1.0
    assert long_after.unrest.ratio == pytest.approx(1.0)
    assert long_after.shocks_per_hour == pytest.approx(0.2)
    with_a_slow_clock = known.hazards_of(CATALOG, 9.0)[POOL]
    assert with_a_slow_clock == now


def test_pools_that_moves_left_are_named_while_the_hours_last() -> None:
    known = Beliefs().moved(move(10.0))

    assert known.left_within(24.0, now_h=20.0) == {M5}
    assert known.left_within(24.0, now_h=34.5) == frozenset()
    assert known.left_within(24.0, now_h=9.0) == frozenset()


def test_very_old_moves_are_forgotten_with_the_next_one() -> None:
    known = Beliefs().moved(move(0.0)).moved(move(1.0)).moved(move(REMEMBERED_H + 0.5))

    assert [m.at_h for m in known.moves] == [1.0, REMEMBERED_H + 0.5]


def test_pools_that_lost_nodes_are_named_while_the_hours_last() -> None:
    known = Beliefs().struck([Shock(POOL, 10.0, 4, 1), Shock(POOL, 7.0, 4, 4)])

    assert known.hits == ((POOL, 10.0),)
    assert known.hit_within(6.0, now_h=16.0) == {POOL}
    assert known.hit_within(6.0, now_h=16.5) == frozenset()
    later = known.struck([Shock(NEWCOMER, 11.0 + REMEMBERED_H, 1, 1)])
    assert later.hits == ((NEWCOMER, 11.0 + REMEMBERED_H),)


@pytest.mark.parametrize(
    "known",
    [
        Beliefs(),
        Beliefs(watched(), BootTimes((61.25, 90.0)), (move(3.0), move(9.5)), ((POOL, 9.0),)),
    ],
)
def test_beliefs_survive_json(known: Beliefs) -> None:
    numbers: dict[str, Any] = json.loads(json.dumps(known.to_numbers()))

    read = Beliefs.from_numbers(numbers)

    assert read == known
    assert read.hazards_of(CATALOG, 11.0) == known.hazards_of(CATALOG, 11.0)


def test_beliefs_of_another_version_are_refused() -> None:
    with pytest.raises(ParameterError, match="schema 0"):
        Beliefs.from_numbers(Beliefs().to_numbers() | {"schema": 0})
