"""What was seen of spot nodes and boots, as Prometheus metrics of the whole cluster."""

from collections.abc import Callable, Iterable

from nodemix.operator.beliefs.report import BeliefsReport
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

MAX_POOLS = 10


class BeliefCollector(Collector):
    """The evidence, read when Prometheus asks."""

    def __init__(self, report: Callable[[], BeliefsReport]) -> None:
        self._report = report

    def collect(self) -> Iterable[Metric]:
        """What was watched, lost, and not to be had, and how long nodes take to boot."""
        report = self._report()
        yield from _watched(report)
        yield from _lost(report)
        yield from _stock_outs(report)
        yield from _boots(report)
        kept = "1 if what was seen outlives this process, else 0."
        yield GaugeMetricFamily("nodemix_beliefs_kept", kept, value=float(not report.problem))


def _watched(report: BeliefsReport) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "nodemix_spot_pools_watched", "Spot pools with a node.", value=report.pools_watched
    )
    yield CounterMetricFamily(
        "nodemix_spot_watched_pool_hours",
        "Hours that spot pools were watched, summed over pools.",
        value=report.hours_watched,
    )


def _lost(report: BeliefsReport) -> Iterable[Metric]:
    yield CounterMetricFamily(
        "nodemix_spot_shocks", "Events in which a spot pool lost nodes.", value=report.shocks
    )
    yield CounterMetricFamily(
        "nodemix_spot_interruptions", "Spot nodes taken back.", value=report.interruptions
    )
    recent = GaugeMetricFamily(
        "nodemix_spot_pool_shocks_last_day",
        "Shocks of the last 24 hours of the ten pools with most of them.",
        labels=["instance_type", "zone"],
    )
    for pool, shocks in sorted(report.shocks_last_day, key=lambda entry: -entry[1])[:MAX_POOLS]:
        recent.add_metric([pool.instance_type, pool.zone], shocks)
    yield recent


def _stock_outs(report: BeliefsReport) -> Iterable[Metric]:
    counter = CounterMetricFamily(
        "nodemix_spot_stock_outs",
        "Times that a spot pool had nothing to sell; those of unknown pools teach nothing.",
        labels=["outcome"],
    )
    counter.add_metric(["learned"], report.stock_outs)
    counter.add_metric(["unattributed"], report.unattributed)
    yield counter


def _boots(report: BeliefsReport) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "nodemix_node_boots_remembered", "Boots of nodes that were timed.", value=report.boots
    )
    median = GaugeMetricFamily(
        "nodemix_node_boot_median_seconds",
        "Median time from a node's creation until it is ready; absent before the first one.",
    )
    if report.boot_median_s is not None:
        median.add_metric([], report.boot_median_s)
    yield median
