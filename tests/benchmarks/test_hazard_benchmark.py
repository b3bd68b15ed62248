from pathlib import Path

import numpy as np
import pytest
from nodemix.optimizer.problem.types import BoolArray, IntArray
from nodemix.optimizer.risk.hazard import Hazard, HazardPrior, PoolKey
from scipy.stats import binom

from benchmarks.hazard import (
    Campaign,
    Window,
    beliefs,
    events,
    is_covered,
    load_campaigns,
    lost_at,
    node_rates,
    own_log_score,
    shared,
    summary,
    windows,
)

POOL = PoolKey("v100", "a", "v100_1")
TRACE = np.array([0, 4, 4, 1, 2, 0, 0, 3, 3], dtype=np.int64)
ONE, OTHER = PoolKey("v100", "a", "one"), PoolKey("v100", "a", "other")
STEADY = 1e12
CAMPAIGN = Campaign("made up", 0.5, {POOL: TRACE})


def test_a_trace_tells_its_shocks_hours_with_nodes_and_stock_outs() -> None:
    seen = events(CAMPAIGN, 0, TRACE.size)

    shocks = [(s.at_h, s.nodes_before, s.nodes_lost) for s in seen.shocks]
    assert shocks == [(1.5, 4, 3), (2.5, 2, 2)]
    assert sum(e.end_h - e.start_h for e in seen.exposures) == 2.5
    assert [s.at_h for s in seen.stock_outs] == [0.0, 2.5, 3.0]


def test_only_ticks_with_nodes_are_scored() -> None:
    ticks, lost = lost_at(TRACE, 2, TRACE.size)

    assert ticks.tolist() == [2, 3, 4, 7]
    assert lost.tolist() == [3, 0, 2, 0]


def test_chances_of_all_that_can_be_lost_sum_to_one() -> None:
    lost = np.arange(17)
    believed = [Hazard(2.0, 9.0, (2.1, 0.9), steadiness=1.0)] * lost.size

    logs = own_log_score(believed, np.full(lost.size, 16), lost, 0.1)

    assert np.exp(logs).sum() == pytest.approx(1.0)


def test_what_is_believed_does_not_know_the_future() -> None:
    other = Campaign("made up", 0.5, {POOL: np.concatenate([TRACE[:5], [9, 9, 9, 9]])})

    span = (2, TRACE.size)

    here, there = (beliefs(c, HazardPrior(), span)[POOL] for c in (CAMPAIGN, other))

    assert sorted(here) == list(range(*span))
    assert [here[tick] == there[tick] for tick in (2, 3, 4)] == [True] * 3
    assert here[5].shocks_per_hour > there[5].shocks_per_hour


def test_stock_outs_are_told_only_to_those_who_are_to_know() -> None:
    told, untold = (
        beliefs(CAMPAIGN, HazardPrior(), (0, 7), knows)[POOL] for knows in (True, False)
    )

    assert told[0] == untold[0]
    assert told[6].unrest.ratio > untold[6].unrest.ratio
    assert told[6].shocks_per_hour == untold[6].shocks_per_hour


def test_node_rates_are_of_what_came_before() -> None:
    rates = node_rates(TRACE, 0.5, np.inf)

    assert rates[0] == pytest.approx(0.5 / 0.5)
    assert rates[3] == pytest.approx(3.5 / (0.5 + 4.0))


def test_windows_hold_as_many_hours_with_nodes_as_asked_for() -> None:
    first, second = windows(CAMPAIGN, POOL, 1.0, (0, TRACE.size))

    assert (first.tick, first.nodes, first.shocks, first.pools_lost) == (1, 4, 1, 0.75)
    assert (second.tick, second.hours, second.shocks, second.pools_lost) == (3, 1.0, 1, 1.0)


def test_intervals_cover_what_the_model_itself_draws() -> None:
    hazard = Hazard(4.0, 10.0, (2.1, 0.9), steadiness=1.0)
    rng = np.random.default_rng(3)
    tries = 400
    drawn = hazard.draw_shocks(6.0, tries, rng)
    made = [Window(0, 1, 1.0, 6.0, int(shocks), float(shocks)) for shocks in drawn]

    covered = [is_covered(window, hazard, rng) for window in made]

    fewest, most = (binom.ppf(level, tries, 0.95) for level in (1e-4, 1.0 - 1e-4))
    assert fewest <= sum(one.ties_split for one in covered) <= most
    assert fewest <= sum(one.shortest for one in covered)
    assert fewest <= sum(one.equal_tails for one in covered)


def test_where_losing_nothing_is_likely_the_shortest_interval_leaves_out_only_above() -> None:
    calm = Hazard(STEADY, 100.0 * STEADY, (2.1, 0.9), STEADY)  # 4 % of the windows lose the node
    rng = np.random.default_rng(1)

    lost = is_covered(Window(0, 1, 1.0, 4.0, 1, 1.0), calm, rng)
    kept = is_covered(Window(0, 1, 1.0, 4.0, 0, 0.0), calm, rng)

    assert (lost.equal_tails, lost.shortest) == (True, False)
    assert (kept.equal_tails, kept.shortest) == (True, True)


def test_pools_share_what_hits_them_in_the_same_hours_and_nothing_by_chance() -> None:
    rng = np.random.default_rng(4)
    hits = rng.random(800) < 0.2
    others = rng.random(800) < 0.2

    same, chance = (
        shared([Campaign("made up", 0.5, {ONE: losing(hits), OTHER: losing(hit)})])["zone"]
        for hit in (hits, others)
    )

    assert same["excess"] == pytest.approx(1.0 / hits[:400].mean() - 1.0, rel=0.1)
    assert abs(chance["excess"]) < 0.3


def losing(hits: BoolArray) -> IntArray:
    """A node that is up for the first half of each hour, and for the second unless hit."""
    return np.column_stack([np.ones(hits.size), ~hits]).astype(np.int64).ravel()


def test_a_pool_is_won_only_where_ours_is_better_than_both() -> None:
    rivals = {"binomial": -2.0, "fading_binomial": -0.5, "advisor": -3.0}
    rows = [
        {"most_nodes": 1, "ticks": {"rolling": ours, **rivals}, "windows": {}}
        for ours in (-1.0, -2.5)
    ]

    ticks = summary(rows)["all"]["ticks"]

    assert ticks["pools"] == 2
    assert ticks["better_than_advisor"] == 1.0
    assert ticks["better_than_advisor_and_binomial"] == 0.5
    assert ticks["better_than_fading_binomial"] == 0.0


def test_real_traces_are_read(nodemix_data: Path) -> None:
    campaigns = load_campaigns(nodemix_data / "optimizer" / "spot_traces")

    assert sum(len(campaign.nodes) for campaign in campaigns) == 34
    assert {pool.family for c in campaigns for pool in c.nodes} == {"v100", "k80", "intel", "c3"}
