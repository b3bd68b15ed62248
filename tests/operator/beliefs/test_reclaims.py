from hypothesis import given
from hypothesis import strategies as st
from nodemix.operator.beliefs.reclaims import OpenShock, grouped
from nodemix.optimizer.risk.hazard import Shock

from tests.operator.beliefs.looks import OTHER, POOL


def test_losses_within_ten_minutes_are_one_shock() -> None:
    first, _ = grouped((), 1.0, {POOL: 2}, {POOL: 10})
    second, over = grouped(first, 1.16, {POOL: 3}, {POOL: 8})

    assert over == ()
    assert [shock.shock() for shock in second] == [Shock(POOL, 1.0, 10, 5)]


def test_later_losses_are_another_shock() -> None:
    first, _ = grouped((), 1.0, {POOL: 2}, {POOL: 10})
    still_open, over = grouped(first, 1.2, {POOL: 1}, {POOL: 8})

    assert over == first
    assert still_open == (OpenShock(POOL, 1.2, 8, 1),)


def test_shock_ends_by_itself() -> None:
    first, _ = grouped((), 1.0, {POOL: 2}, {POOL: 10})

    assert grouped(first, 1.1, {}, {POOL: 8}) == (first, ())
    assert grouped(first, 1.2, {}, {POOL: 8}) == ((), first)


def test_pools_are_hit_apart() -> None:
    shocks, _ = grouped((), 1.0, {POOL: 2, OTHER: 1}, {POOL: 2, OTHER: 3})

    assert shocks == (OpenShock(OTHER, 1.0, 3, 1), OpenShock(POOL, 1.0, 2, 2))


def test_nodes_that_joined_during_the_shock_may_be_lost_too() -> None:
    first, _ = grouped((), 1.0, {POOL: 2}, {POOL: 2})
    second, _ = grouped(first, 1.1, {POOL: 1}, {POOL: 1})

    assert second == (OpenShock(POOL, 1.0, 3, 3),)


@given(st.lists(st.tuples(st.floats(0.0, 0.5), st.integers(0, 4)), max_size=20))
def test_no_loss_is_forgotten_or_counted_twice(steps: list[tuple[float, int]]) -> None:
    shocks: tuple[OpenShock, ...] = ()
    told, at_h = 0, 0.0
    for pause_h, lost in steps:
        at_h += pause_h
        shocks, over = grouped(shocks, at_h, {POOL: lost} if lost else {}, {POOL: 4})
        told += sum(shock.shock().nodes_lost for shock in over)

    assert told + sum(s.nodes_lost for s in shocks) == sum(lost for _, lost in steps)
