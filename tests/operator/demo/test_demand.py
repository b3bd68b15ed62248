import numpy as np
import pytest
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.demo.demand import GAP_STEPS, SERIES_WITH_GAPS, demo_history
from nodemix.operator.demo.workloads import WORKLOADS

NOW_S = 1_795_000_123.0
DAY_S = 86_400.0


@pytest.fixture(scope="module")
def history() -> DemandHistory:
    return demo_history(NOW_S, np.random.default_rng(0))


def test_two_weeks_end_now(history: DemandHistory) -> None:
    assert history.steps * history.step_s == 14 * DAY_S
    assert 0 <= NOW_S - history.end_s < history.step_s


def test_newest_value_is_todays_number_of_pods(history: DemandHistory) -> None:
    replicas = {workload.series: float(workload.replicas) for workload in WORKLOADS}

    assert dict(zip(history.series, history.values[:, 0, -1], strict=True)) == replicas


def test_some_scrapes_failed(history: DemandHistory) -> None:
    missing = np.isnan(history.values).sum(axis=(1, 2))

    assert sorted(missing[missing > 0]) == [GAP_STEPS] * SERIES_WITH_GAPS


def test_pods_are_whole_and_at_least_one(history: DemandHistory) -> None:
    seen = history.values[~np.isnan(history.values)]

    assert np.array_equal(seen, np.round(seen))
    assert seen.min() >= 1


def test_a_shops_evening_needs_more_than_its_morning(history: DemandHistory) -> None:
    """The demo's clock starts at now; the shop's peak is 0.3 of a day after."""
    row = history.values[history.series.index("shop/Deployment/cart"), 0]
    steps_per_day = round(DAY_S / history.step_s)
    peak = row[round(0.3 * steps_per_day) - 1 :: steps_per_day]
    trough = row[round(0.8 * steps_per_day) - 1 :: steps_per_day]

    assert np.nanmedian(peak) > 1.5 * np.nanmedian(trough)


def test_the_growing_one_doubles(history: DemandHistory) -> None:
    row = history.values[history.series.index("media/Deployment/thumbnails"), 0]
    day = round(DAY_S / history.step_s)

    assert np.nanmean(row[-day:]) / np.nanmean(row[:day]) == pytest.approx(2.0, rel=0.15)


def test_the_same_seed_gives_the_same_history(history: DemandHistory) -> None:
    again = demo_history(NOW_S, np.random.default_rng(0))

    assert np.array_equal(again.values, history.values, equal_nan=True)
