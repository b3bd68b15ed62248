"""How well forecasts keep their word, as Prometheus sees it."""

import re
from dataclasses import replace

import pytest
from nodemix.forecasting.calibrate import CalibrationReport, IndicatorReport
from nodemix.forecasting.drift import Drift
from nodemix.forecasting.pit import Calibration, Share
from nodemix.operator.report.dashboard import dashboard_queries
from nodemix.operator.report.exporter import Exporter

from tests.operator.report.test_exporter import value

QUIET = Drift(statistic=50.0, threshold=10_000.0, steps=90, is_drifting=False)


def entry(indicator: str = "pods", observed: float | None = 0.9) -> IndicatorReport:
    known = observed is not None
    calibration = Calibration(
        indicator,
        observations=200.0 if known else 0.0,
        pit=(20.0,) * 9 + (30.0,) if known else (0.0,) * 10,
        coverage=(Share(0.95, 0.95, observed),),
        exceedance=(Share(0.95, 0.05, 0.08 if known else None),),
    )
    gain = 0.12 if known else None
    return IndicatorReport(calibration, ((0.95, 1.3),), is_adjusted=True, gain=gain, drift=QUIET)


@pytest.fixture
def exporter() -> Exporter:
    return Exporter()


def shown(exporter: Exporter, name: str, **labels: str) -> float | None:
    return value(exporter, f"nodemix_forecast_{name}", policy="web", indicator="pods", **labels)


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("scored_observations", {}, 200.0),
        ("coverage_ratio", {"level": "0.95"}, 0.9),
        ("exceedance_ratio", {"level": "0.95"}, 0.08),
        ("pit_ratio", {"bin": "0.1"}, 0.1),
        ("pit_ratio", {"bin": "1"}, 0.15),
        ("stretch_ratio", {"level": "0.95"}, 1.3),
        ("stretch_gain_ratio", {}, 0.12),
        ("drift_evidence_ratio", {}, 0.005),
        ("drifting", {}, 0.0),
    ],
)
def test_what_is_known_is_shown(
    exporter: Exporter, name: str, labels: dict[str, str], expected: float
) -> None:
    exporter.record_calibration("web", CalibrationReport((entry(),)))

    assert shown(exporter, name, **labels) == pytest.approx(expected)


def test_drift_is_shown_as_one(exporter: Exporter) -> None:
    drifting = replace(entry(), drift=replace(QUIET, is_drifting=True, why="pods: it moved"))

    exporter.record_calibration("web", CalibrationReport((drifting,)))

    assert shown(exporter, "drifting") == 1.0


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("coverage_ratio", {"level": "0.95"}),
        ("exceedance_ratio", {"level": "0.95"}),
        ("pit_ratio", {"bin": "0.1"}),
        ("stretch_gain_ratio", {}),
    ],
)
def test_what_was_never_observed_is_absent(
    exporter: Exporter, name: str, labels: dict[str, str]
) -> None:
    exporter.record_calibration("web", CalibrationReport((entry(observed=None),)))

    assert shown(exporter, name, **labels) is None
    assert shown(exporter, "scored_observations") == 0.0


def test_an_indicator_that_is_no_longer_forecast_goes_away(exporter: Exporter) -> None:
    exporter.record_calibration("web", CalibrationReport((entry("pods"), entry("cpu_milli"))))

    exporter.record_calibration("web", CalibrationReport((entry("cpu_milli"),)))

    assert shown(exporter, "drifting") is None


def test_without_a_forecast_nothing_older_is_shown(exporter: Exporter) -> None:
    exporter.record_calibration("web", CalibrationReport((entry(),)))

    exporter.record_calibration("web", None)

    assert shown(exporter, "coverage_ratio", level="0.95") is None


def test_a_forgotten_policy_leaves_no_forecast_quality(exporter: Exporter) -> None:
    for policy in ("web", "batch"):
        exporter.record_calibration(policy, CalibrationReport((entry(),)))

    exporter.forget("web")

    samples = [s for metric in exporter.registry.collect() for s in metric.samples]
    assert {s.labels["policy"] for s in samples if "forecast" in s.name} == {"batch"}


def test_every_quality_that_the_dashboard_asks_for_is_exported(exporter: Exporter) -> None:
    exported = {family.name for family in exporter.registry.collect()}
    found = [re.search(r"nodemix_forecast_[a-z_]+", query) for query in dashboard_queries()]
    asked = {match[0] for match in found if match} - {"nodemix_forecast_model_info"}

    assert len(asked) >= 7
    assert asked <= exported
