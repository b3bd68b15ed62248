from nodemix.operator.beliefs.moves import REMEMBERED_H, MoveWatch
from nodemix.operator.beliefs.watch import MarketPool, Seen
from nodemix.optimizer.plan import PoolChange
from nodemix.optimizer.risk.beliefs import Move
from nodemix.optimizer.snapshot import CapacityType

from tests.builders import ON_DEMAND, SPOT, ZONE
from tests.fakes.sources import make_recommendation

A, B, C = (("a.large", ZONE, "spot"), ("b.large", ZONE, "spot"), ("c.large", ZONE, "on-demand"))


def change(pool: MarketPool, now: int, plan: int) -> PoolChange:
    return PoolChange(pool[0], pool[1], CapacityType(pool[2]), now, plan, 0.1, "because")


def proposed(*changes: PoolChange, watch: MoveWatch | None = None, at_h: float = 0.0) -> MoveWatch:
    return (watch or MoveWatch()).proposed(make_recommendation(pools=changes), at_h)


def went(
    watch: MoveWatch, *, at_h: float, left: tuple[MarketPool, ...] = (), entered: object = ()
) -> tuple[MoveWatch, Move | None]:
    return watch.after(Seen(at_h, left=frozenset(left), entered=frozenset(entered)))  # type: ignore[call-overload]


def test_nodes_that_go_the_way_of_the_plan_are_a_move() -> None:
    watch, move = went(proposed(change(A, 3, 0), change(B, 0, 2)), at_h=0.1, entered=(B,))
    assert move is None

    _, move = went(watch, at_h=0.3, left=(A,))
    assert move == Move(0.3, (A,), (B,))


def test_nodes_that_nobody_proposed_are_no_move() -> None:
    watch = proposed(change(A, 3, 0), change(B, 0, 2))

    assert went(watch, at_h=0.1, left=(C,), entered=(B,))[1] is None
    assert went(watch, at_h=0.1, left=(A,), entered=(C,))[1] is None
    assert went(watch, at_h=0.1, left=(B,), entered=(A,))[1] is None


def test_plan_that_only_grows_or_shrinks_moves_nothing() -> None:
    assert proposed(change(A, 3, 0)) == proposed(change(B, 0, 2)) == MoveWatch()


def test_plan_that_keeps_everything_moves_nothing() -> None:
    assert proposed(change(A, 3, 3), change(B, 2, 2)) == MoveWatch()


def test_half_done_move_is_finished_though_the_next_plan_names_the_rest_only() -> None:
    watch, _ = went(proposed(change(A, 3, 0), change(B, 0, 2)), at_h=0.1, entered=(B,))
    rest = proposed(change(A, 3, 0), watch=watch, at_h=0.2)

    assert went(rest, at_h=0.3, left=(A,))[1] == Move(0.3, (A,), (B,))


def test_further_nodes_of_the_same_pools_are_the_same_move() -> None:
    start = proposed(change(A, 3, 0), change(B, 0, 2))
    watch, move = went(start, at_h=0.1, left=(A,), entered=(B,))
    assert move is not None

    assert went(watch, at_h=0.2, left=(A,), entered=(B,))[1] is None


def test_another_pool_that_is_left_makes_the_move_larger() -> None:
    start = proposed(change(A, 3, 0), change(C, 2, 0), change(B, 0, 2))
    watch, _ = went(start, at_h=0.1, left=(A,), entered=(B,))

    assert went(watch, at_h=0.2, left=(C,))[1] == Move(0.2, (A, C), (B,))


def test_old_proposal_is_forgotten() -> None:
    watch = proposed(change(A, 3, 0), change(B, 0, 2))

    assert went(watch, at_h=REMEMBERED_H, left=(A,), entered=(B,))[1] is not None
    assert went(watch, at_h=REMEMBERED_H + 0.1, left=(A,), entered=(B,))[1] is None


def test_market_tells_pools_of_one_type_apart() -> None:
    watch = MoveWatch().proposed(make_recommendation(), 0.0)  # on demand becomes spot
    on_demand, spot = (("m5.xlarge", ZONE, market.value) for market in (ON_DEMAND, SPOT))

    assert went(watch, at_h=0.1, left=(on_demand,), entered=(spot,))[1] == Move(
        0.1, (on_demand,), (spot,)
    )
    assert went(watch, at_h=0.1, left=(spot,), entered=(spot,))[1] is None
