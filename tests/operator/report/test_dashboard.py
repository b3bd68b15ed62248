"""What is exported is shown or warned of, and what is shown is exported."""

import re
from pathlib import Path

import pytest
import yaml
from nodemix.operator.beliefs.report import BeliefsReport
from nodemix.operator.report.dashboard import dashboard_queries
from nodemix.operator.report.dashboard_panels import SECTIONS, Panel
from nodemix.operator.report.exporter import Exporter, ForecastPods
from nodemix.optimizer.policy import Policy
from prometheus_client.core import Metric

from tests.operator.report.examples import a_weighed_recommendation
from tests.operator.report.test_exporter import FakeCluster, FakePrices

PANELS = [panel for section in SECTIONS for panel in section.panels]
ENDINGS = ("_total", "_bucket", "_count", "_sum")
UNITS = (
    *("_usd_per_hour", "_ratio", "_probability", "_seconds", "_per_day", "_hours", "_info"),
    *("_pods", "_nodes", "_objects", "_observations"),
)
"""How a name ends; those that count something else are named in ``COUNTS``."""
COUNTS = {
    "nodemix_beliefs_kept",
    "nodemix_condition",
    "nodemix_decisions",
    "nodemix_forecast_drifting",
    "nodemix_informer_relists",
    "nodemix_node_boots_remembered",
    "nodemix_spot_interruptions",
    "nodemix_spot_pool_shocks_last_day",
    "nodemix_spot_pools_watched",
    "nodemix_spot_shocks",
    "nodemix_spot_stock_outs",
}
LABELS = {
    *("policy", "state", "quantity", "mode", "model", "type", "outcome", "estimate", "part"),
    *("instance_type", "zone", "baseline", "limit", "indicator", "level", "bin", "le"),
    *("resource", "source"),
}


def families() -> list[Metric]:
    """All that the operator can export, most of it with figures."""
    exporter = Exporter()
    exporter.record(a_weighed_recommendation(), ForecastPods(p05=1.0, p50=2.0, p95=3.0))
    exporter.record_accepted(Policy(budget_usd_per_hour=1.0))
    exporter.record_conditions("default", {"Ready": "True"})
    exporter.watch_cluster(FakeCluster())
    exporter.watch_prices(FakePrices())
    exporter.watch_beliefs(BeliefsReport)
    return list(exporter.registry.collect())


FAMILIES = families()
EXPORTED = {family.name for family in FAMILIES}


def asked(promql: str) -> set[str]:
    """Families that an expression asks for."""
    found = re.findall(r"\bnodemix_\w+", promql)
    return {re.sub(f"({'|'.join(ENDINGS)})$", "", name) for name in found}


def alert_expressions(repository: Path) -> list[str]:
    rules = yaml.safe_load((repository / "manifests/prometheus/rules.yaml").read_text())
    return [rule["expr"] for group in rules["spec"]["groups"] for rule in group["rules"]]


def test_every_metric_of_the_dashboard_is_exported() -> None:
    assert set().union(*map(asked, dashboard_queries())) - EXPORTED == set()


def test_every_metric_of_an_alert_is_exported(repository: Path) -> None:
    assert set().union(*map(asked, alert_expressions(repository))) - EXPORTED == set()


def test_every_exported_metric_is_on_the_dashboard() -> None:
    assert EXPORTED - set().union(*map(asked, dashboard_queries())) == set()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_metric_has_a_unit_a_help_text_and_labels_that_are_known(family: Metric) -> None:
    assert family.name.endswith(UNITS) or family.name in COUNTS
    assert family.documentation.endswith(".")
    assert {label for sample in family.samples for label in sample.labels} <= LABELS


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_panel_says_what_it_shows(panel: Panel) -> None:
    assert panel.description.endswith(".")
    assert panel.width in (6, 12, 24)
    assert len({query.legend for query in panel.queries}) == len(panel.queries)


def test_no_two_panels_have_one_title() -> None:
    titles = [panel.title for panel in PANELS]

    assert len(set(titles)) == len(titles)


def test_rows_are_questions_and_none_ends_in_a_gap() -> None:
    """Panels flow into 24 columns; a row is full when its widths fill whole lines."""
    for section in SECTIONS:
        assert section.title.endswith("?")
        assert sum(panel.width for panel in section.panels) % 24 == 0, section.title
