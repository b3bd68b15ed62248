"""The Grafana dashboard as JSON, from the panels of ``dashboard_panels``.

The SDK that makes Grafana's JSON is a development dependency and is imported only there.

``python -m nodemix.operator.report.dashboard DIR`` writes the file, ``--check`` only compares.
"""

import argparse
import itertools
import json
import string
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nodemix.operator.api.crd import stale_files, write_files
from nodemix.operator.report.dashboard_panels import SECTIONS, Panel, Query

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
