"""How well forecasts keep their word, as Prometheus metrics."""

from nodemix.forecasting.calibrate import CalibrationReport, IndicatorReport
from nodemix.forecasting.pit import BINS
from prometheus_client import CollectorRegistry, Gauge

BIN_NAMES = tuple(f"{(i + 1) / BINS:g}" for i in range(BINS))
"""Each tenth of the forecast distribution by its upper end."""


class ForecastQuality:
    """Gauges by policy and indicator; what is not known yet is absent, never 0."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._make_calibration_gauges()
        self._make_remedy_gauges()

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        names = ("policy", "indicator", *labels)
        return Gauge(f"nodemix_forecast_{name}", text, names, registry=self._registry)

    def _make_calibration_gauges(self) -> None:
        self._observations = self._gauge(
            "scored_observations",
            "Observations that forecasts were compared with; after a day one counts half.",
        )
        self._coverage = self._gauge(
            "coverage_ratio",
            "Share of observations inside the central interval of a level; ideally the level.",
            "level",
        )
        self._exceedance = self._gauge(
            "exceedance_ratio",
            "Share of observations above the quantile of a level; ideally 1 - level.",
            "level",
        )
        self._pit = self._gauge(
            "pit_ratio",
            "Share of observations in each tenth of the forecast distribution, named by its upper "
            "end; ideally 0.1.",
            "bin",
        )

    def _make_remedy_gauges(self) -> None:
        self._stretch = self._gauge(
            "stretch_ratio",
            "Factor on the distance of an upper quantile from the median; 1 changes nothing.",
            "level",
        )
        self._gain = self._gauge(
            "stretch_gain_ratio",
            "Share by which stretching lowers, or would lower, the pinball loss of the tail.",
        )
        self._evidence = self._gauge(
            "drift_evidence_ratio",
            "Evidence that forecasts have stopped fitting; an alarm at 1, after which it restarts.",
        )
        self._drifting = self._gauge(
            "drifting", "1 for a day after an alarm that forecasts have stopped fitting, else 0."
        )

    def record(self, policy: str, report: CalibrationReport) -> None:
        """Publish what is known now, and nothing older."""
        self.forget(policy)
        for entry in report.indicators:
            self._record_calibration(policy, entry)
            self._record_remedy(policy, entry)

    def _record_calibration(self, policy: str, entry: IndicatorReport) -> None:
        found, labels = entry.calibration, (policy, entry.indicator)
        self._observations.labels(*labels).set(found.observations)
        for gauge, shares in (
            (self._coverage, found.coverage),
            (self._exceedance, found.exceedance),
        ):
            for share in shares:
                if share.observed is not None:
                    gauge.labels(*labels, f"{share.level:g}").set(share.observed)
        if found.observations > 0:
            for name, count in zip(BIN_NAMES, found.pit, strict=True):
                self._pit.labels(*labels, name).set(count / found.observations)

    def _record_remedy(self, policy: str, entry: IndicatorReport) -> None:
        labels, drift = (policy, entry.indicator), entry.drift
        for level, factor in entry.stretch:
            self._stretch.labels(*labels, f"{level:g}").set(factor)
        if entry.gain is not None:
            self._gain.labels(*labels).set(entry.gain)
        self._evidence.labels(*labels).set(drift.statistic / drift.threshold)
        self._drifting.labels(*labels).set(float(drift.is_drifting))

    def forget(self, policy: str) -> None:
        """Drop every series of a policy."""
        for gauge in (
            *(self._observations, self._coverage, self._exceedance, self._pit),
            *(self._stretch, self._gain, self._evidence, self._drifting),
        ):
            gauge.remove_by_labels({"policy": policy})
