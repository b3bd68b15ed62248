"""The sequential test: seldom wrong, soon right."""

import numpy as np
import pytest
from nodemix.forecasting.drift import BETS, REMEMBERED_S, Bet, Detector
from nodemix.forecasting.types import FloatArray
from scipy.special import ndtr

STEP_S = 300.0
FINE = np.linspace(0.0, 1.0, 20_001)


def run(
    rows: int, steps: int, *, seed: int, shift: float = 0.0, spread: float = 1.0, own: float = 0.5
) -> tuple[int, Detector]:
    """Test demand of normal forecasts; steps until the first alarm (``steps`` without one).

    Args:
        rows: observations of each step.
        own: share of the variance that is each row's own.
    """
    rng = np.random.default_rng(seed)
    detector = Detector()
    for step in range(steps):
        noise = np.sqrt(1 - own) * rng.standard_normal() + np.sqrt(own) * rng.standard_normal(rows)
        low, high = around(ndtr(spread * noise + shift))
        detector = detector.tested(low, high, step * STEP_S)
        if detector.alarm_s is not None:
            return step + 1, detector
    return steps, detector


def around(u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The two-hundredths that hold ``u``."""
    low = np.floor(np.minimum(u, 1 - 1e-12) * 200) / 200
    return low, low + 1 / 200


@pytest.mark.parametrize("bet", BETS, ids=lambda bet: bet.why)
def test_every_bet_is_fair(bet: Bet) -> None:
    shares = bet.share(FINE)

    assert shares[0] == pytest.approx(0.0, abs=1e-12)
    assert shares[-1] == pytest.approx(1.0)
    assert (np.diff(shares) >= -1e-12).all()


@pytest.mark.parametrize("rows", [1, 20])
def test_forecasts_that_fit_raise_hardly_an_alarm(rows: int) -> None:
    """20 runs of 500 steps. The bound allows one alarm on average in 10,000 steps.

    Two or fewer of a Poisson law of mean 1 have a probability of .92; the seeds are fixed.
    """
    alarms = sum(run(rows, 500, seed=seed)[1].alarm_s is not None for seed in range(20))

    assert alarms <= 2


@pytest.mark.parametrize(("shift", "spread"), [(0.1, 1.0), (-0.1, 1.0), (0.0, 1.1), (0.0, 0.95)])
def test_small_misfits_are_tolerated(shift: float, spread: float) -> None:
    """What 20 observations of each of 500 steps would show beyond doubt."""
    _, detector = run(20, 500, seed=0, shift=shift, spread=spread)

    assert detector.alarm_s is None


@pytest.mark.parametrize(
    ("shift", "spread", "why", "within"),
    [
        (1.5, 1.0, "demand lies above its forecasts", 25),
        (-1.5, 1.0, "demand lies below its forecasts", 25),
        (0.0, 3.0, "demand varies more than its forecasts", 60),
        (0.0, 0.3, "demand varies less than its forecasts", 60),
    ],
)
def test_a_clear_misfit_is_found_soon_and_named(
    shift: float, spread: float, why: str, within: int
) -> None:
    found = [run(5, 500, seed=seed, shift=shift, spread=spread) for seed in range(10)]

    assert np.median([steps for steps, _ in found]) <= within
    reasons = [detector.reason for _, detector in found]
    assert reasons.count(why) > 5


def test_one_alarm_is_remembered_for_a_day_and_then_forgotten() -> None:
    _, detector = run(5, 500, seed=0, shift=2.0)
    alarm_s = detector.alarm_s or 0.0

    during = detector.drift("pods", alarm_s + REMEMBERED_S)
    after = detector.drift("pods", alarm_s + REMEMBERED_S + 1.0)

    assert during.is_drifting
    assert during.why == "pods: demand lies above its forecasts"
    assert not after.is_drifting
    assert after.why == ""


def test_the_evidence_starts_anew_after_an_alarm() -> None:
    _, detector = run(5, 500, seed=0, shift=2.0)

    assert detector.statistic == 1.0


def test_demand_that_was_certain_is_no_evidence() -> None:
    detector = Detector(threshold=1000.0)
    for step in range(3000):
        detector = detector.tested(np.zeros(1), np.ones(1), step * STEP_S)

    assert detector.statistic <= 1.0
    assert detector.alarm_s is None


def test_a_step_without_observations_changes_nothing() -> None:
    detector = Detector()

    assert detector.tested(np.array([]), np.array([]), 0.0) is detector
