from pathlib import Path

import numpy as np
import pytest
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
    summary,
    windows,
)

POOL = PoolKey("v100", "a", "v100_1")
TRACE = np.array([0, 4, 4, 1, 2, 0, 0, 3, 3], dtype=np.int64)
CAMPAIGN = Campaign("made up", 0.5, {POOL: TRACE})


def test_a_trace_tells_its_shocks_and_hours_with_nodes() -> None:
    exposures, shocks = events(CAMPAIGN, 0, TRACE.size)

    assert [(s.at_h, s.nodes_before, s.nodes_lost) for s in shocks] == [(1.5, 4, 3), (2.5, 2, 2)]
    assert sum(e.end_h - e.start_h for e in exposures) == 2.5


def test_only_ticks_with_nodes_are_scored() -> None:
    ticks, lost = lost_at(TRACE, 2, TRACE.size)

    assert ticks.tolist() == [2, 3, 4, 7]
    assert lost.tolist() == [3, 0, 2, 0]


def test_chances_of_all_that_can_be_lost_sum_to_one() -> None:
    lost = np.arange(17)
    believed = np.tile(np.array([[2.0], [9.0], [2.1], [0.9]]), lost.size)

    logs = own_log_score(believed, np.full(lost.size, 16), lost, 0.1)

    assert np.exp(logs).sum() == pytest.approx(1.0)


def test_what_is_believed_does_not_know_the_future() -> None:
    other = Campaign("made up", 0.5, {POOL: np.concatenate([TRACE[:5], [9, 9, 9, 9]])})

    here, there = (beliefs(c, HazardPrior(), TRACE.size)[POOL].numbers for c in (CAMPAIGN, other))

    assert np.array_equal(here[:3], there[:3])
    assert not np.array_equal(here[3], there[3])


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

    inside = sum(is_covered(window, hazard, rng)[1] for window in made)

    assert binom.ppf(1e-4, tries, 0.95) <= inside <= binom.ppf(1.0 - 1e-4, tries, 0.95)


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
