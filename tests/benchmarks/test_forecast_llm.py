"""Capacity for the demand for a large language model, on small cases and on ServeGen itself."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nodemix.forecasting.types import FloatArray

from benchmarks.forecast_llm import (
    AHEAD,
    AIM,
    DAY,
    EARLIEST,
    Windows,
    by_level,
    by_price,
    cheapest,
    main,
    nightly,
    outcome,
    reacting,
    read_history,
    read_rates,
    without_hindsight,
)

ROUNDING = {"cost_x_oracle": 2e-3, "windows_short_pct": 0.051, "unserved_pct": 6e-3}
"""Half a unit of the last digit of the reference table; costs 0.1 % more, for it counts the cost of
gaps, of which m_small has 37."""


def windows(*rates: float) -> Windows:
    rate = np.array(rates)
    return Windows(rate, np.ones(len(rate), dtype=np.bool_))


def write_rates(folder: Path, rates: FloatArray, name: str = "m_large") -> None:
    frame = pd.DataFrame({"t_s": 600 * np.arange(len(rates)), "rate_rps": rates})
    frame.assign(active_clients=7).to_csv(folder / f"servegen_{name}_10min.csv", index=False)


def test_cost_is_over_requests_and_gaps_are_not_scored() -> None:
    of = Windows(np.array([10.0, 30.0, 30.0]), np.array([True, True, False]))

    found = outcome(np.array([20.0, 24.0, 0.0]), of)

    assert found["cost_x_oracle"] == pytest.approx(44 / 40)
    assert found["windows_short_pct"] == pytest.approx(50.0)
    assert found["unserved_pct"] == pytest.approx(100 * 6 / 40)


def test_a_gap_has_the_rate_before_it_and_models_see_that_it_is_one(tmp_path: Path) -> None:
    write_rates(tmp_path, np.array([5.0, 0.0, 0.0, 7.0]))

    of = read_rates(tmp_path / "servegen_m_large_10min.csv")
    history = read_history(tmp_path, "m_large", "clients")
    rate, clients = history.values[0]  # noqa: PD011 - not a frame

    assert of.rate.tolist() == [5.0, 5.0, 5.0, 7.0]
    assert of.scored.tolist() == [True, False, False, True]
    assert np.isnan(rate).tolist() == [False, True, True, False]
    assert np.isnan(clients).tolist() == [False, True, True, False]


@pytest.mark.parametrize("series", ["m_large", "m_small"])
def test_reacting_gives_the_reference_table(nodemix_data: Path, series: str) -> None:
    folder = nodemix_data / "gpu"

    records = reacting(series, read_rates(folder / f"servegen_{series}_10min.csv"), folder)

    *fixed, chosen = records
    assert len(fixed) == 5
    assert (chosen["policy"], chosen["rule"]) == ("react", "headroom")
    for record in fixed:
        for key, within in ROUNDING.items():
            assert record[key] == pytest.approx(record[f"reference_{key}"], abs=within)


def test_levels_are_quantiles_of_each_window() -> None:
    samples = np.sort(np.random.default_rng(0).uniform(0, 1, (3, 1000)), axis=1)

    capacities = by_level(samples, (0.5, 0.9))

    assert capacities.shape == (2, 3)
    assert capacities[1] == pytest.approx(np.full(3, 0.9), abs=0.05)


def test_a_price_buys_more_safety_where_it_is_cheap() -> None:
    draws = np.linspace(-1.0, 1.0, 201)
    samples = np.stack([100 + 1 * draws, 100 + 50 * draws])

    sure, unsure = by_price(samples, (60.0,))[0]

    assert sure == pytest.approx(101.0)  # one request/s removes all doubt
    assert unsure < 100.0  # half of the doubt would cost 50 requests/s


def test_what_a_window_turns_out_to_be_does_not_change_what_is_decided_for_it() -> None:
    rng = np.random.default_rng(0)
    capacities = rng.uniform(8, 12, (5, 30))
    rates = rng.uniform(5, 12, 30)
    other = rates.copy()
    other[20 - AHEAD + 1 :] = 100.0

    made, again = (
        without_hindsight(capacities, windows(*of), first=15)[: 20 - 15 + 1]
        for of in (rates, other)
    )

    assert made.tolist() == again.tolist()


def test_the_cheapest_setting_that_was_seldom_short_is_taken() -> None:
    rates = windows(*[10.0] * 6)
    capacities = np.array([[9.0] * 6, [11.0] * 6, [30.0] * 6])

    assert without_hindsight(capacities, rates, first=4).tolist() == [11.0, 11.0]


def test_windows_that_were_short_make_the_next_ones_safer() -> None:
    rng = np.random.default_rng(0)
    rates = 10.0 + rng.uniform(0, 1, 3000)
    rates[1000:] += rng.uniform(0, 1, 2000)
    capacities = np.tile(np.linspace(10, 12, 41)[:, None], len(rates))

    made = without_hindsight(capacities, windows(*rates), first=1000)

    assert (made[0] < rates[1000:]).mean() > 5 * AIM
    assert (made < rates[1000:]).mean() == pytest.approx(AIM, abs=0.01)


def test_hindsight_takes_the_cheapest_point_with_few_short_windows() -> None:
    points = [
        {"cost_x_oracle": 1.0, "windows_short_pct": 50.0},
        {"cost_x_oracle": 1.4, "windows_short_pct": 5.0},
        {"cost_x_oracle": 1.5, "windows_short_pct": 1.0},
    ]

    assert cheapest(points) == points[1]
    assert cheapest(points[:1]) is None


def test_a_window_is_decided_on_what_was_known_two_windows_before(tmp_path: Path) -> None:
    rates = 50 + 10 * np.sin(np.arange(EARLIEST + 2 * DAY) / 9)
    write_rates(tmp_path, rates)
    history = read_history(tmp_path, "m_large", "alone")
    late = rates.copy()
    late[EARLIEST + 100 - AHEAD + 1 :] = 500.0
    write_rates(tmp_path, late)
    changed = read_history(tmp_path, "m_large", "alone")

    said, other = (nightly("last-value", of, 2, seed=0) for of in (history, changed))

    assert said.shape == (2 * DAY, 400)
    assert (said[:101] == other[:101]).all()
    assert (said[101] != other[101]).any()


def test_the_benchmark_writes_both_rules_with_their_curves(
    tmp_path: Path, nodemix_data: Path
) -> None:
    out = tmp_path / "llm.json"
    arguments = ["--data", str(nodemix_data / "gpu"), "--out", str(out), "--nights", "9"]

    assert main([*arguments, "--model", "last-value"]) == 0

    records = json.loads(out.read_text())
    rules = [record for record in records if "model" in record]
    assert [record["rule"] for record in rules] == ["level", "price"]
    for record in rules:
        costs = [point["cost_x_oracle"] for point in record["curve"]]
        assert costs == sorted(costs)
        assert record["hindsight"]["windows_short_pct"] <= 5.0
