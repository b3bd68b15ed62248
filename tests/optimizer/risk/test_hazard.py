import json
import math
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.risk import hazard as model
from nodemix.optimizer.risk.hazard import (
    STEADIEST_SEVERITY,
    Exposure,
    Hazard,
    HazardBook,
    HazardPrior,
    PoolKey,
    Shock,
    StockOut,
    leaning,
)
from nodemix.optimizer.risk.unrest import CALMING_H
from scipy.stats import binom, nbinom

ADVISED = 4e-4
BUSY = PoolKey("p3", "a", "p3.2xlarge")
TWIN = PoolKey("p3", "a", "p3.8xlarge")
FAR = PoolKey("m5", "b", "m5.large")
LASTING = HazardPrior(half_life_h=1e12, steadiness=1e12)
"""Nothing is forgotten and nothing bursts, so that sums can be done by hand."""
ROUNDING = 1e-9
STEADY = 1e12
FOUR_SIGMA = 4.0
"""A false alarm once in 16,000 seeds; ours is fixed."""


def opened(*pools: PoolKey, prior: HazardPrior | None = None) -> HazardBook:
    return HazardBook.opened(0.0, dict.fromkeys(pools, ADVISED), prior)


def watched(
    book: HazardBook, pool: PoolKey, shocks: int, hours: float, until_h: float | None = None
) -> HazardBook:
    """Shocks of half of ten nodes, evenly over the hours that end at ``until_h``."""
    end_h = book.at_h + hours if until_h is None else until_h
    times = np.linspace(end_h - hours, end_h, shocks)
    seen = [Shock(pool, float(at_h), 10, 5) for at_h in times]
    return book.observed(end_h, [Exposure(pool, end_h - hours, end_h)], seen)


def test_without_data_the_prior_speaks() -> None:
    hazard = opened(BUSY, FAR).hazards()[BUSY]

    assert hazard.shape == 0.5
    assert hazard.shocks_per_hour == pytest.approx(1_000.0 * ADVISED)
    assert hazard.severity == pytest.approx((2.1, 0.9))
    assert opened().hazards() == {}


def test_a_single_pool_is_updated_as_by_hand() -> None:
    hazard = watched(opened(BUSY, prior=LASTING), BUSY, shocks=3, hours=20.0).hazards()[BUSY]

    assert hazard.shape == pytest.approx(0.5 + 3, rel=ROUNDING)
    assert hazard.hours == pytest.approx(0.5 / (1_000 * ADVISED) + 20.0, rel=ROUNDING)


def test_the_severity_has_the_mean_and_the_mean_square_of_the_shares_seen() -> None:
    book = opened(BUSY, prior=LASTING)
    book = book.observed(1.0, [], [Shock(BUSY, 0.5, 4, 4), Shock(BUSY, 0.5, 5, 1)])

    lost, kept = book.hazards()[BUSY].severity

    strength = lost + kept
    assert lost / strength == pytest.approx((2.1 + 1.0 + 0.2) / (3 + 2))
    square = lost / strength * (lost + 1.0) / (strength + 1.0)
    # Of the pairs of nodes all went in one shock, none in the other.
    assert square == pytest.approx((3 * 0.7 * 3.1 / 4.0 + 1.0 + 0.0) / (3 + 2))


def test_shocks_that_always_take_the_same_share_are_not_taken_for_a_certain_law() -> None:
    hazard = watched(opened(BUSY, prior=LASTING), BUSY, shocks=500, hours=1e3).hazards()[BUSY]

    assert hazard.share_lost == pytest.approx(0.5, abs=0.01)
    assert sum(hazard.severity) == pytest.approx(STEADIEST_SEVERITY)


@pytest.mark.parametrize("severity", [(2.1, 0.9), (0.4, 0.2), (0.6, 1.8)])
def test_the_severity_that_made_the_shocks_is_found(severity: tuple[float, float]) -> None:
    rng = np.random.default_rng(2)
    lost = rng.binomial(16, rng.beta(*severity, 4_000))
    shocks = [Shock(BUSY, 0.5, 16, int(nodes)) for nodes in lost if nodes]
    # Without the prior's cut at one node a shock would also be one that takes none.
    seen = opened(BUSY, prior=LASTING).observed(1.0, [], shocks).pools[BUSY]
    whole = HazardBook(1.0, {BUSY: replace(seen, shares=float(lost.size))}, LASTING)

    assert whole.hazards()[BUSY].severity == pytest.approx(severity, rel=0.1)


def test_two_pools_of_a_group_lean_on_each_other_as_by_hand() -> None:
    book = watched(opened(BUSY, TWIN, prior=LASTING), BUSY, shocks=3, hours=20.0)
    book = watched(book, TWIN, shocks=1, hours=40.0)

    twin_seen = (0.5 + 1) / (0.5 / 1_000 + 40.0 * ADVISED)
    hazard = book.hazards()[BUSY]

    assert hazard.shape == pytest.approx(0.5 + 3, rel=ROUNDING)
    assert hazard.hours == pytest.approx(0.5 / (twin_seen * ADVISED) + 20.0, rel=ROUNDING)


def test_much_data_gives_the_observed_rate_and_a_narrow_interval() -> None:
    hazard = watched(opened(BUSY, prior=LASTING), BUSY, shocks=2_000, hours=1e4).hazards()[BUSY]
    low, high = hazard.interval_per_hour()

    assert hazard.shocks_per_hour == pytest.approx(0.2, rel=0.01)
    assert low < 0.2 < high < 1.1 * low


def test_what_was_seen_counts_half_after_72_hours() -> None:
    book = watched(opened(BUSY), BUSY, shocks=4, hours=8.0)
    later = book.observed(book.at_h + 72.0, [], [])

    before, after = book.pools[BUSY], later.pools[BUSY]
    assert after.shocks == pytest.approx(before.shocks / 2)
    assert after.hours == pytest.approx(before.hours / 2)
    assert after.share_lost == pytest.approx(before.share_lost / 2)


def test_what_tells_of_unrest_counts_half_after_two_hours() -> None:
    book = watched(opened(BUSY), BUSY, shocks=4, hours=8.0)
    book = book.observed(book.at_h, [], [], [StockOut(BUSY, book.at_h)])

    before, after = (one.pools[BUSY] for one in (book, book.observed(book.at_h + 2.0, [], [])))

    assert after.recent_shocks == pytest.approx(before.recent_shocks / 2)
    assert after.recent_hours == pytest.approx(before.recent_hours / 2)
    assert before.scarcity == 1.0
    assert after.scarcity == pytest.approx(0.5)


def test_in_the_end_everything_is_forgotten() -> None:
    book = watched(opened(BUSY, TWIN), BUSY, shocks=9, hours=10.0).observed(1e4, [], [])

    shocks_per_hour = book.hazards()[BUSY].shocks_per_hour

    assert shocks_per_hour == pytest.approx(opened(BUSY).hazards()[BUSY].shocks_per_hour)


def test_how_observations_are_cut_does_not_matter() -> None:
    shock = Shock(BUSY, 3.0, 4, 3)
    whole = opened(BUSY).observed(12.0, [Exposure(BUSY, 0.0, 12.0)], [shock])
    first = opened(BUSY).observed(5.0, [Exposure(BUSY, 0.0, 5.0)], [shock])
    second = first.observed(12.0, [Exposure(BUSY, 5.0, 12.0)], [])

    assert second.pools[BUSY].hours == pytest.approx(whole.pools[BUSY].hours, rel=ROUNDING)
    assert second.pools[BUSY].shocks == pytest.approx(whole.pools[BUSY].shocks, rel=ROUNDING)


def test_unrest_is_the_last_hours_against_the_rate_of_days_as_by_hand() -> None:
    prior = HazardPrior(half_life_h=1e12, recent_half_life_h=1e12)
    hazard = watched(opened(BUSY, prior=prior), BUSY, shocks=3, hours=20.0).hazards()[BUSY]

    expected = 0.5 + hazard.shocks_per_hour * 20.0
    assert hazard.unrest.ratio == pytest.approx(3.5 / expected)
    assert hazard.unrest.shape == pytest.approx(3.5)


def test_a_shock_makes_the_next_hour_worse_than_the_rate_of_days_and_a_quiet_day_better() -> None:
    book = watched(opened(BUSY), BUSY, shocks=20, hours=100.0)
    hit = book.observed(100.0, [], [Shock(BUSY, 100.0, 10, 9)] * 2).hazards()[BUSY]
    quiet = book.observed(124.0, [Exposure(BUSY, 100.0, 124.0)], []).hazards()[BUSY]

    assert hit.within(1.0)[1] > 2.0 * hit.shocks_per_hour
    assert hit.within(720.0)[1] < 1.05 * 720.0 * hit.shocks_per_hour
    assert quiet.within(1.0)[1] < 0.7 * quiet.shocks_per_hour


def test_a_stock_out_counts_like_one_shock_for_the_next_hours_and_not_for_days() -> None:
    book = watched(opened(BUSY), BUSY, shocks=20, hours=100.0)

    out = book.observed(100.0, [], [], [StockOut(BUSY, 100.0)])

    before, after = book.hazards()[BUSY], out.hazards()[BUSY]
    assert after.shocks_per_hour == before.shocks_per_hour
    assert after.severity == before.severity
    assert after.unrest.shape == pytest.approx(before.unrest.shape + 1.0)
    assert after.within(1.0)[1] > before.within(1.0)[1]


def test_asking_again_for_what_is_out_of_stock_adds_nothing() -> None:
    often = [StockOut(BUSY, at_h) for at_h in (1.0, 2.0, 3.0, 3.0, 2.5)]

    asked_once = opened(BUSY).observed(4.0, [], [], [StockOut(BUSY, 3.0)])
    asked_often = opened(BUSY).observed(4.0, [], [], often)
    in_parts = opened(BUSY).observed(2.0, [], [], often[:2]).observed(4.0, [], [], often[2:])

    assert asked_often == asked_once
    assert in_parts == asked_once


def test_an_unseen_pool_leans_on_its_family_and_zone_more_than_on_the_rest() -> None:
    book = opened(BUSY, TWIN, FAR, replace(FAR, instance_type="m5.xlarge"), prior=LASTING)
    book = watched(book, BUSY, shocks=200, hours=100.0)
    book = watched(book, FAR, shocks=1, hours=100.0)

    hazards = book.hazards()

    unseen_far = hazards[replace(FAR, instance_type="m5.xlarge")].shocks_per_hour
    assert hazards[TWIN].shocks_per_hour > 10.0 * unseen_far


def test_pools_that_agree_lean_on_each_other_and_pools_that_differ_do_not() -> None:
    expected = np.full(40, 10.0)

    assert leaning(np.full(40, 10.0), expected, 0.5) == 64.0
    assert leaning(np.tile([0.0, 20.0], 20), expected, 0.5) <= 1.0
    assert leaning(np.zeros(40), np.zeros(40), 0.5) == 0.5


def test_credible_intervals_cover_the_rates_that_made_the_data() -> None:
    rng = np.random.default_rng(11)
    pools = [PoolKey("p3", "a", f"p3.{number}") for number in range(400)]
    rates = rng.gamma(2.0, 0.1, len(pools))
    book = opened(*pools, prior=LASTING)
    seen = [
        Shock(pool, 5.0, 2, 1)
        for pool, rate in zip(pools, rates, strict=True)
        for _ in range(rng.poisson(rate * 10.0))
    ]
    book = book.observed(10.0, [Exposure(pool, 0.0, 10.0) for pool in pools], seen)

    intervals = [hazard.interval_per_hour() for hazard in book.hazards().values()]

    by_key = dict(zip(pools, rates, strict=True))
    inside = sum(
        low <= by_key[pool] <= high for pool, (low, high) in zip(book.pools, intervals, strict=True)
    )
    assert binom.ppf(1e-4, len(pools), 0.95) <= inside <= binom.ppf(1.0 - 1e-4, len(pools), 0.95)


def test_a_pool_with_much_data_keeps_its_own_rate_whatever_its_family_does() -> None:
    book = opened(BUSY, TWIN, prior=LASTING)
    book = watched(book, BUSY, shocks=2_000, hours=1e4)
    book = watched(book, TWIN, shocks=40_000, hours=1e4)

    assert book.hazards()[BUSY].shocks_per_hour == pytest.approx(0.2, rel=0.02)


def test_a_pool_of_one_node_says_nothing_about_shares() -> None:
    book = opened(BUSY).observed(1.0, [Exposure(BUSY, 0.0, 1.0)], [Shock(BUSY, 0.5, 1, 1)])

    assert book.pools[BUSY].shocks > 0.0
    assert book.hazards()[BUSY].share_lost == pytest.approx(0.7)


def test_credible_intervals_hold_although_shocks_come_in_bursts() -> None:
    rng = np.random.default_rng(12)
    rates = {PoolKey(f"f{n}", "a", f"f{n}.large"): rng.gamma(2.0, 0.1) for n in range(150)}
    bursting = [bursts(rate, 300.0, rng) for rate in rates.values()]
    inside = {}
    for steadiness in (0.5, 1e12):
        book = opened(*rates, prior=HazardPrior(half_life_h=1e12, steadiness=steadiness))
        seen = [
            Shock(pool, at_h, 2, 1)
            for pool, times in zip(rates, bursting, strict=True)
            for at_h in times
        ]
        hazards = book.observed(300.0, [Exposure(p, 0.0, 300.0) for p in rates], seen).hazards()
        intervals = {pool: hazard.interval_per_hour() for pool, hazard in hazards.items()}
        inside[steadiness] = np.mean(
            [low <= rates[p] <= high for p, (low, high) in intervals.items()]
        )

    fewest = binom.ppf(1e-4, len(rates), 0.95)
    assert inside[0.5] * len(rates) >= fewest
    assert inside[1e12] * len(rates) < fewest


def bursts(rate: float, hours: float, rng: np.random.Generator) -> list[float]:
    """Shocks at a rate that is drawn anew now and then, remembered for as long as a book does."""
    times, at_h = [], 0.0
    while at_h < hours:
        lasts_h = min(rng.exponential(CALMING_H), hours - at_h)
        shocks = rng.poisson(rng.gamma(0.5, rate / 0.5) * lasts_h)
        times += list(at_h + lasts_h * rng.random(shocks))
        at_h += lasts_h
    return times


def test_chance_of_shocks_agrees_with_draws_and_with_gamma_poisson() -> None:
    hazard = Hazard(shape=3.0, hours=10.0, severity=(2.1, 0.9), steadiness=1.0)
    draws = 100_000
    drawn = hazard.draw_shocks(6.0, draws, np.random.default_rng(5))

    for shocks in (1, 2, 5):
        shape, mean = hazard.within(6.0)
        chance = nbinom.sf(shocks - 1, shape, shape / (shape + mean))
        error = math.sqrt(chance * (1.0 - chance) / draws)
        assert abs(np.mean(drawn >= shocks) - chance) < FOUR_SIGMA * error
    steady = replace(hazard, steadiness=1e12)
    assert steady.within(6.0) == pytest.approx((3.0, 1.8))
    assert (hazard.draw_shocks(0.0, 10, np.random.default_rng(5)) == 0).all()


def test_a_book_survives_json_and_is_the_same_whatever_order_pools_come_in() -> None:
    book = watched(watched(opened(FAR, BUSY), BUSY, 3, 5.0), FAR, 1, 2.0)
    book = book.observed(8.0, [], [], [StockOut(BUSY, 7.7)])
    other = watched(watched(opened(BUSY, FAR), BUSY, 3, 5.0), FAR, 1, 2.0)
    other = other.observed(8.0, [], [], [StockOut(BUSY, 7.7)])

    assert HazardBook.from_numbers(json.loads(json.dumps(book.to_numbers()))) == book
    assert json.dumps(book.to_numbers()) == json.dumps(other.to_numbers())
    assert book.hazards() == other.hazards()


def test_observing_leaves_the_book_as_it_was() -> None:
    book = opened(BUSY)
    before = json.dumps(book.to_numbers())

    watched(book, BUSY, shocks=2, hours=3.0)

    assert json.dumps(book.to_numbers()) == before


def test_a_book_of_another_version_is_refused() -> None:
    numbers = opened(BUSY).to_numbers() | {"schema": 0}

    with pytest.raises(ParameterError, match="schema 0"):
        HazardBook.from_numbers(numbers)


def test_contradictions_are_refused() -> None:
    book = opened(BUSY)

    with pytest.raises(ParameterError, match="not in the hazard book"):
        book.observed(1.0, [Exposure(FAR, 0.0, 1.0)], [])
    with pytest.raises(ParameterError, match="after the book's time"):
        book.observed(1.0, [], [Shock(BUSY, 2.0, 3, 1)])
    with pytest.raises(ParameterError, match="must not go back"):
        book.observed(-1.0, [], [])
    with pytest.raises(ParameterError, match="1 to nodes_before"):
        Shock(BUSY, 0.0, 3, 4)
    with pytest.raises(ParameterError, match="not in the hazard book"):
        book.observed(1.0, [], [], [StockOut(FAR, 0.5)])
    with pytest.raises(ParameterError, match="finite time"):
        StockOut(BUSY, math.inf)
    with pytest.raises(ParameterError, match="must not end before"):
        Exposure(BUSY, 2.0, 1.0)
    with pytest.raises(ParameterError, match="on-demand"):
        HazardBook.opened(0.0, {BUSY: 0.0})
    with pytest.raises(ParameterError, match="must be positive"):
        HazardPrior(half_life_h=0.0)


@given(
    counts=st.tuples(*[st.integers(0, 30)] * 3),
    hours=st.tuples(*[st.floats(0.5, 70.0)] * 3),
    more=st.integers(1, 10),
)
def test_more_shocks_never_make_a_pool_look_safer(
    counts: tuple[int, int, int], hours: tuple[float, float, float], more: int
) -> None:
    """As long as pools lean on each other as before; how much they do is learned in steps."""
    assume(sum(counts) > 0)
    rates = []
    for extra in (0, more):
        book = opened(BUSY, TWIN, FAR).observed(70.0, [], [])
        for pool, count, length in zip((BUSY, TWIN, FAR), counts, hours, strict=True):
            added = extra if pool == BUSY else 0
            book = watched(book, pool, count + added, length, until_h=70.0)
        with patch.object(model, "LEANING_DOUBLINGS", 1):
            rates.append(book.hazards()[BUSY])

    assert rates[1].shocks_per_hour > rates[0].shocks_per_hour
    for horizon_h in (0.1, 6.0, 100.0):
        assert rates[1].within(horizon_h)[1] > rates[0].within(horizon_h)[1]
