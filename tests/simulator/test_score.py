import numpy as np
import pytest
from nodemix.optimizer.risk.beliefs import Move
from nodemix.simulator.clock import Span
from nodemix.simulator.errors import ReplayError
from nodemix.simulator.replay import Change, Interval, Run
from nodemix.simulator.score import (
    Blocks,
    returns_of,
    saving_against,
    scored,
    share_short_of,
    usd_of,
    usd_rate,
)

from tests.simulator.scenes import CHEAP, PLAIN

SPAN = Span(0.0, 6 * 3600.0, 3600.0)


def an_interval(hour: float, until: float, usd: float = 1.0, short: int = 0) -> Interval:
    return Interval(3600.0 * hour, 3600.0 * until, usd, 10, short, short / 10, 4, 1)


def a_run(*intervals: Interval, name: str = "ours") -> Run:
    changes = (
        Change(0.0, "plan", ((PLAIN, 3), (CHEAP, -1))),
        Change(1.0, "recourse", ((PLAIN, 2),)),
        Change(2.0, "reclaim", ((CHEAP, -4),)),
    )
    return Run(name, intervals, changes, (), (), 6)


CALM = a_run(an_interval(0, 6))
ROUGH = a_run(an_interval(0, 2), an_interval(2, 3, usd=4.0, short=5), an_interval(3, 6))


def blocks() -> Blocks:
    return Blocks.of(SPAN, np.random.default_rng(0))


def test_figures_are_weighted_by_time() -> None:
    score = scored(ROUGH, blocks())

    assert usd_of(ROUGH) == score.usd == pytest.approx(9.0)
    assert score.usd_per_hour.value == pytest.approx(1.5)
    assert score.pod_minutes == pytest.approx(3600.0)
    assert score.pod_minutes_short == pytest.approx(300.0)
    assert share_short_of(ROUGH) == score.share_short.value == pytest.approx(1 / 12)
    assert score.minutes_short_share == pytest.approx(1 / 6)
    assert score.minutes_deep == pytest.approx(60.0)
    assert score.worst_share_short == 0.5
    assert score.spot_share == pytest.approx(0.25)


def test_changes_are_counted_by_what_made_them() -> None:
    score = scored(CALM, blocks())

    assert (score.nodes_ordered, score.nodes_let_go) == (3, 1)
    assert (score.nodes_recourse, score.nodes_reclaimed) == (2, 4)


def test_a_fifth_short_is_not_deep() -> None:
    assert scored(a_run(an_interval(0, 6, short=2)), blocks()).minutes_deep == 0.0


def test_blocks_cut_intervals_where_they_end() -> None:
    cut = blocks().sums(ROUGH, usd_rate)

    assert cut.tolist() == pytest.approx([1.0, 1.0, 4.0, 1.0, 1.0, 1.0])


def test_days_are_blocks_where_there_are_enough() -> None:
    week = Blocks.of(Span(0.0, 8 * 86_400.0), np.random.default_rng(0))
    day = Blocks.of(Span(0.0, 86_400.0), np.random.default_rng(0))

    assert len(week.edges_s) == 9
    assert len(day.edges_s) == 7


def test_an_interval_holds_its_value_and_is_nothing_where_all_blocks_are_alike() -> None:
    rough = scored(ROUGH, blocks()).usd_per_hour
    calm = scored(CALM, blocks()).usd_per_hour

    assert rough.low < rough.value < rough.high
    assert rough.low >= 1.0
    assert calm.low == calm.value == calm.high == pytest.approx(1.0)


def test_a_saving_is_paired_so_that_what_both_suffer_does_not_blur_it() -> None:
    """Half the cost in every block, however rough they are."""
    half = a_run(an_interval(0, 2, usd=0.5), an_interval(2, 3, usd=2.0), an_interval(3, 6, usd=0.5))

    saving = saving_against(half, ROUGH, blocks())

    assert (saving.value, saving.low, saving.high) == pytest.approx((0.5, 0.5, 0.5))
    assert saving_against(ROUGH, half, blocks()).value == pytest.approx(-1.0)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Blocks of a known law: mean 1. Six of them are few, so that 95 % become some 85."""
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        drawn = rng.gamma(4.0, 0.25, 6)
        run = a_run(*(an_interval(h, h + 1, usd=float(u)) for h, u in enumerate(drawn)))
        found = scored(run, Blocks.of(SPAN, rng)).usd_per_hour
        inside += found.low <= 1.0 <= found.high
    assert 150 <= inside <= 196


def test_nothing_wanted_is_nothing_short() -> None:
    nothing = a_run(Interval(0.0, 6 * 3600.0, 1.0, 0, 0, 0.0, 1, 0))

    assert scored(nothing, blocks()).share_short.value == 0.0


def test_an_empty_run_is_refused() -> None:
    with pytest.raises(ReplayError, match="nothing was replayed"):
        scored(a_run(), blocks())


def test_a_return_is_a_move_to_what_was_left_within_a_day() -> None:
    a, b, c = (("m5", zone, "spot") for zone in "abc")

    assert returns_of([Move(0.0, (a,), (b,)), Move(23.0, (b,), (a,))]) == 1
    assert returns_of([Move(0.0, (a,), (b,)), Move(25.0, (b,), (a,))]) == 0
    assert returns_of([Move(0.0, (a,), (b,)), Move(1.0, (b,), (c,))]) == 0
    assert returns_of([]) == 0
