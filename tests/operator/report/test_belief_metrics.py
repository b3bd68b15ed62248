"""What was seen of spot nodes and boots, as metrics."""

from nodemix.operator.beliefs.report import BeliefsReport
from nodemix.operator.report.belief_metrics import MAX_POOLS
from nodemix.operator.report.exporter import Exporter
from nodemix.optimizer.risk.hazard import PoolKey

SEEN = BeliefsReport(
    pools_watched=4,
    hours_watched=96.5,
    shocks=2,
    interruptions=7,
    shocks_last_day=((PoolKey("m5", "a", "m5.large"), 2),),
    boots=12,
    boot_median_s=83.0,
    stock_outs=5,
    unattributed=9,
)


def exported(report: BeliefsReport) -> dict[str, float]:
    """Samples without labels, by name."""
    exporter = Exporter()
    exporter.watch_beliefs(lambda: report)
    samples = (s for family in exporter.registry.collect() for s in family.samples)
    return {sample.name: sample.value for sample in samples if not sample.labels}


def test_the_evidence_is_asked_at_each_scrape() -> None:
    exporter, reports = Exporter(), [SEEN, BeliefsReport(interruptions=8)]
    exporter.watch_beliefs(lambda: reports[0])
    before = exporter.registry.get_sample_value("nodemix_spot_interruptions_total")

    del reports[0]

    assert before == 7
    assert exporter.registry.get_sample_value("nodemix_spot_interruptions_total") == 8


def test_every_figure_of_the_report_is_shown() -> None:
    assert exported(SEEN) == {
        "nodemix_spot_pools_watched": 4,
        "nodemix_spot_watched_pool_hours_total": 96.5,
        "nodemix_spot_shocks_total": 2,
        "nodemix_spot_interruptions_total": 7,
        "nodemix_node_boots_remembered": 12,
        "nodemix_node_boot_median_seconds": 83.0,
        "nodemix_beliefs_kept": 1.0,
    }


def test_stock_outs_of_unknown_pools_are_told_apart() -> None:
    exporter, name = Exporter(), "nodemix_spot_stock_outs_total"
    exporter.watch_beliefs(lambda: SEEN)

    assert exporter.registry.get_sample_value(name, {"outcome": "learned"}) == 5
    assert exporter.registry.get_sample_value(name, {"outcome": "unattributed"}) == 9


def test_before_the_first_boot_there_is_no_median() -> None:
    assert "nodemix_node_boot_median_seconds" not in exported(BeliefsReport())


def test_evidence_that_cannot_be_kept_is_told() -> None:
    assert exported(BeliefsReport(problem="403"))["nodemix_beliefs_kept"] == 0.0


def test_of_many_pools_those_with_most_shocks_are_shown() -> None:
    shocks = tuple((PoolKey("m5", f"z{i}", "m5.large"), i + 1) for i in range(40))
    exporter = Exporter()
    exporter.watch_beliefs(lambda: BeliefsReport(shocks_last_day=shocks))

    name = "nodemix_spot_pool_shocks_last_day"
    (family,) = (f for f in exporter.registry.collect() if f.name == name)

    assert [sample.value for sample in family.samples] == list(range(40, 40 - MAX_POOLS, -1))
