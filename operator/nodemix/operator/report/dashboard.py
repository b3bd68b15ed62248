"""The Grafana dashboard, as data and as JSON.

The panels are data, so a test can ask a real Prometheus every query; the SDK that turns them into
Grafana's JSON is a development dependency and is imported only there.

``python -m nodemix.operator.report.dashboard DIR`` writes the file, ``--check`` only compares.
"""

import argparse
import itertools
import json
import string
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nodemix.operator.api.crd import stale_files, write_files

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable
    from grafana_foundation_sdk.builders.prometheus import Dataquery
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

FILE_NAME = "nodemix.json"
DEFAULT_FOLDER = Path("manifests/grafana")
POLICIES_QUERY = "label_values(nodemix_condition, policy)"
SUBSTITUTES = (("$policy", ".*"), ("$__rate_interval", "5m"))
"""What Grafana puts in the place of its variables, for asking Prometheus without Grafana."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and the name of its lines."""

    promql: str
    legend: str = "{{policy}}"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Args:
        unit: of Grafana's list, e.g. ``currencyUSD``.
        is_stat: a single figure instead of a line over time.
        width: of 24 columns.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]
    description: str
    is_stat: bool = False
    width: int = 12

    @property
    def height(self) -> int:
        """In Grafana's rows."""
        return 4 if self.is_stat else 8


@dataclass(frozen=True, slots=True)
class Section:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


def _of_policy(metric: str, legend: str = "{{policy}}", more: str = "") -> Query:
    return Query(f'{metric}{{policy=~"$policy"{more}}}', legend)


def _stat(title: str, unit: str, promql: str, description: str) -> Panel:
    return Panel(title, unit, (Query(promql, ""),), description, is_stat=True, width=6)


_COST = Section(
    "Cost",
    (
        _stat(
            "Cost now",
            "currencyUSD",
            'sum(nodemix_cluster_cost_usd_per_hour{policy=~"$policy"})',
            "USD per hour of today's nodes whose price is known.",
        ),
        _stat(
            "Saving of the plan",
            "currencyUSD",
            'sum(nodemix_plan_saving_usd_per_hour{policy=~"$policy"})',
            "USD per hour less than now.",
        ),
        _stat(
            "Gap",
            "percentunit",
            'max(nodemix_plan_gap_ratio{policy=~"$policy"})',
            "How far the plan can be above the cheapest possible one.",
        ),
        _stat(
            "Pods without a place",
            "short",
            'sum(nodemix_plan_unplaceable_pods{policy=~"$policy"})',
            "Pods that no allowed offer can hold.",
        ),
        Panel(
            "Cost now, plan, once placed and lower bound",
            "currencyUSD",
            (
                _of_policy("nodemix_cluster_cost_usd_per_hour", "{{policy}} now"),
                _of_policy("nodemix_plan_cost_usd_per_hour", "{{policy}} plan"),
                _of_policy("nodemix_plan_placed_cost_usd_per_hour", "{{policy}} placed, {{mode}}"),
                _of_policy("nodemix_plan_lower_bound_usd_per_hour", "{{policy}} lower bound"),
            ),
            "USD per hour. Placed: what to expect once kube-scheduler has placed the pods. "
            "No plan under the policy can cost less than the lower bound.",
        ),
        Panel(
            "Nodes",
            "short",
            (_of_policy("nodemix_nodes", "{{policy}} {{state}}"),),
            "Nodes now and in the plan.",
        ),
    ),
)

_DEMAND = Section(
    "Demand and risk",
    (
        Panel(
            "Pods",
            "short",
            (_of_policy("nodemix_demand_pods", "{{policy}} {{quantity}}"),),
            "Pods now, the forecast within the lead time, and what the plan has room for.",
        ),
        Panel(
            "Probability of a shortfall",
            "percentunit",
            (_of_policy("nodemix_plan_shortfall_probability"),),
            "That some pod finds no place within the lead time; absent without a forecast.",
        ),
        Panel(
            "Spot",
            "percentunit",
            (
                _of_policy("nodemix_plan_spot_share_ratio", "{{policy}} spot"),
                _of_policy("nodemix_plan_worst_pool_share_ratio", "{{policy}} worst pool"),
            ),
            "Share of the plan's vCPUs on spot, and in the largest spot pool.",
        ),
        Panel(
            "Forecast model",
            "short",
            (_of_policy("nodemix_forecast_model_info", "{{policy}} {{model}}"),),
            "Which model won the backtest and speaks now.",
        ),
    ),
)

_QUALITY = Section(
    "Forecast quality",
    (
        Panel(
            "Coverage of central intervals",
            "percentunit",
            (_of_policy("nodemix_forecast_coverage_ratio", "{{policy}} {{indicator}} {{level}}"),),
            "Share of observed demand inside the 50, 80 and 95 % intervals of its forecasts; each "
            "line belongs at its level. Below it forecasts are too narrow, above it too wide.",
        ),
        Panel(
            "Exceedance of upper quantiles",
            "percentunit",
            (
                _of_policy(
                    "nodemix_forecast_exceedance_ratio", "{{policy}} {{indicator}} {{level}}"
                ),
            ),
            "Share of observed demand above the .95 and .99 quantiles; 5 and 1 % are right.",
        ),
        Panel(
            "Where demand fell in its forecast",
            "percentunit",
            (_of_policy("nodemix_forecast_pit_ratio", "{{policy}} {{indicator}} {{bin}}"),),
            "Share of observations in each tenth of the forecast distribution (PIT), named by its "
            "upper end; 10 % each is right. High ends: too narrow; high last tenth: demand lies "
            "above its forecasts.",
        ),
        Panel(
            "Stretch of upper quantiles",
            "short",
            (_of_policy("nodemix_forecast_stretch_ratio", "{{policy}} {{indicator}} {{level}}"),),
            "Factor on the distance from the median, learnt from past misses; 1 where changing "
            "nothing was better.",
        ),
        Panel(
            "Evidence of drift",
            "percentunit",
            (
                _of_policy("nodemix_forecast_drift_evidence_ratio", "{{policy}} {{indicator}}"),
                _of_policy("nodemix_forecast_drifting", "{{policy}} {{indicator}} drifting"),
            ),
            "An alarm at 100 %, after which the evidence restarts and forecasts count as drifting "
            "for a day.",
        ),
        Panel(
            "Observations behind these figures",
            "short",
            (_of_policy("nodemix_forecast_scored_observations", "{{policy}} {{indicator}}"),),
            "Recent ones count fully, those of a day ago half.",
        ),
    ),
)

_DECISIONS = 'increase(nodemix_decisions_total{policy=~"$policy"}[$__rate_interval])'
_DURATIONS = 'rate(nodemix_decision_duration_seconds_bucket{policy=~"$policy"}[$__rate_interval])'
_RELISTS = "increase(nodemix_informer_relists_total[$__rate_interval])"

_OPERATOR = Section(
    "The operator itself",
    (
        Panel(
            "Conditions",
            "short",
            (_of_policy("nodemix_condition", "{{policy}} {{type}}"),),
            "1 is True, 0 is False, -1 is Unknown.",
        ),
        Panel(
            "Decisions",
            "short",
            (Query(f"sum by (policy, outcome) ({_DECISIONS})", "{{policy}} {{outcome}}"),),
            "Decisions by outcome.",
        ),
        Panel(
            "Time of a decision",
            "s",
            (
                Query(f"histogram_quantile(0.5, sum by (le) ({_DURATIONS}))", "p50"),
                Query(f"histogram_quantile(0.99, sum by (le) ({_DURATIONS}))", "p99"),
            ),
            "From the snapshot to the recommendation.",
        ),
        Panel(
            "Age of what decisions rest on",
            "s",
            (
                Query("nodemix_cluster_view_age_seconds", "cluster view"),
                Query("nodemix_price_age_seconds", "prices of {{source}}"),
            ),
            "Nothing is decided on a stale view of the cluster.",
        ),
        Panel(
            "Objects in the view",
            "short",
            (Query("nodemix_informer_objects", "{{resource}}"),),
            "What the informer holds.",
        ),
        Panel(
            "Relists",
            "short",
            (Query(f"sum by (resource) ({_RELISTS})", "{{resource}}"),),
            "Full lists; many of them mean that watches break.",
        ),
    ),
)

SECTIONS = (_COST, _DEMAND, _QUALITY, _OPERATOR)


def dashboard_queries() -> list[str]:
    """Every query of the dashboard as Prometheus understands it, without Grafana's variables."""
    queries = [q.promql for s in SECTIONS for panel in s.panels for q in panel.queries]
    return [_substituted(query) for query in queries]


def _substituted(promql: str) -> str:
    for variable, value in SUBSTITUTES:
        promql = promql.replace(variable, value)
    return promql


def dashboard_json() -> str:
    """The dashboard in Grafana's JSON, always the same for the same panels."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: PLC0415 - development only

    document = json.loads(json.dumps(_dashboard().build(), cls=JSONEncoder))
    return json.dumps(_without_nulls(document), sort_keys=True, indent=2) + "\n"


def _without_nulls(node: object) -> object:
    """What was never set is left to Grafana's defaults."""
    if isinstance(node, dict):
        return {key: _without_nulls(value) for key, value in node.items() if value is not None}
    return [_without_nulls(entry) for entry in node] if isinstance(node, list) else node


def _dashboard() -> "Dashboard":
    from grafana_foundation_sdk.builders import dashboard  # noqa: PLC0415 - development only

    source = dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    board = dashboard.Dashboard("nodemix").uid("nodemix").tags(["nodemix", "kubernetes", "cost"])
    board.refresh("30s").time("now-6h", "now").timezone("browser").readonly()
    board.with_variable(source).with_variable(_policy_variable())
    numbers = itertools.count(1)
    for section in SECTIONS:
        board.with_row(dashboard.Row(section.title).id(next(numbers)))
        for panel in section.panels:
            board.with_panel(_panel(panel, next(numbers)))
    return board


def _policy_variable() -> "QueryVariable":
    from grafana_foundation_sdk.builders import dashboard  # noqa: PLC0415 - development only
    from grafana_foundation_sdk.models.dashboard import (  # noqa: PLC0415 - development only
        VariableRefresh,
    )

    variable = dashboard.QueryVariable("policy").label("Policy").query(POLICIES_QUERY)
    variable.datasource(_source()).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable.multi(multi=True).include_all(include_all=True).all_value(".*")
    return variable


def _panel(panel: Panel, number: int) -> "Stat | TimeSeries":
    from grafana_foundation_sdk.builders import stat, timeseries  # noqa: PLC0415 - development only

    builder: Stat | TimeSeries = stat.Panel() if panel.is_stat else timeseries.Panel()
    builder.id(number).title(panel.title).description(panel.description).unit(panel.unit)
    builder.datasource(_source()).span(panel.width).height(panel.height)
    for name, query in zip(string.ascii_uppercase, panel.queries, strict=False):
        builder.with_target(_target(name, query))
    return builder


def _target(name: str, query: Query) -> "Dataquery":
    from grafana_foundation_sdk.builders import prometheus  # noqa: PLC0415 - development only

    return prometheus.Dataquery().ref_id(name).expr(query.promql).legend_format(query.legend)


def _source() -> "DataSourceRef":
    """The Prometheus that the reader of the dashboard picks."""
    from grafana_foundation_sdk.models.dashboard import (  # noqa: PLC0415 - development only
        DataSourceRef,
    )

    return DataSourceRef(type_val="prometheus", uid="${datasource}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the generated file; 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(prog="nodemix.operator.report.dashboard", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT_FOLDER)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    files = {FILE_NAME: dashboard_json()}
    if not options.check:
        write_files(options.folder, files)
        return 0
    stale = stale_files(options.folder, files)
    for name in stale:
        sys.stderr.write(f"{options.folder / name} is out of date; run `make generate`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
