"""The alerts and the dashboard that ship in manifests/, asked by the real Prometheus."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from nodemix.operator.beliefs.report import BeliefsReport
from nodemix.operator.report import dashboard
from nodemix.operator.report.exporter import Exporter
from prometheus_client import generate_latest

from tools.binaries import binaries
from tools.local_prometheus import LocalPrometheus

Json = dict[str, Any]
MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"


def only(name: str) -> Json:
    document: Json = yaml.safe_load((MANIFESTS / "prometheus" / name).read_text())
    return document


def exported() -> set[str]:
    """Names of all samples that the operator can export."""

    class Nothing:
        def view_age_s(self) -> float:
            return 0.0

        def objects(self) -> dict[str, int]:
            return {"pods": 0}

        def relists(self) -> dict[str, int]:
            return {"pods": 0}

        def ages_s(self) -> dict[str, float]:
            return {"a": 0.0}

    exporter = Exporter()
    exporter.watch_cluster(Nothing())
    exporter.watch_prices(Nothing())
    exporter.watch_beliefs(BeliefsReport)
    text = generate_latest(exporter.registry).decode()
    names = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    return names | {f"{name}_{end}" for name in names for end in ("total", "bucket", "count")}


def alerts() -> list[Json]:
    (group,) = only("rules.yaml")["spec"]["groups"]
    found: list[Json] = group["rules"]
    return found


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_asks_for_metrics_that_the_operator_exports(alert: Json) -> None:
    asked = set(re.findall(r"\bnodemix_\w+", alert["expr"]))

    assert asked
    assert asked <= exported()


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_says_how_bad_it_is_and_what_to_do(alert: Json) -> None:
    assert alert["labels"]["severity"] in ("info", "warning", "critical")
    assert alert["for"]
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"].endswith(".")


def test_monitoring_objects_have_the_shape_of_the_prometheus_operator() -> None:
    monitor, rule = only("service-monitor.yaml"), only("rules.yaml")

    assert {d["apiVersion"] for d in (monitor, rule)} == {"monitoring.coreos.com/v1"}
    assert (monitor["kind"], rule["kind"]) == ("ServiceMonitor", "PrometheusRule")
    assert set(monitor["spec"]) <= {"selector", "endpoints", "namespaceSelector", "jobLabel"}
    assert set(monitor["spec"]["endpoints"][0]) <= {"port", "path", "interval", "scrapeTimeout"}
    assert set(rule["spec"]) == {"groups"}


@pytest.fixture(scope="module")
def rule_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules as Prometheus itself reads them."""
    path = tmp_path_factory.mktemp("rules") / "nodemix.yaml"
    path.write_text(yaml.safe_dump(only("rules.yaml")["spec"]))
    return path


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(binaries("prometheus") / "promtool"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_prometheus_understands_every_rule(
    local_prometheus: type[LocalPrometheus], rule_file: Path
) -> None:
    done = promtool("check", "rules", str(rule_file))

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


def series(name: str, values: str) -> Json:
    return {"series": name, "values": values}


DECISIONS = 'nodemix_decisions_total{policy="shop",outcome="planned"}'
FAILURES = 'nodemix_decisions_total{policy="shop",outcome="failed"}'
PAUSED = 'nodemix_condition{policy="shop",type="Paused"}'
READY = 'nodemix_condition{policy="shop",type="Ready"}'
DRIFTING = 'nodemix_forecast_drifting{policy="shop",indicator="pods"}'
COVERED = 'nodemix_forecast_coverage_ratio{policy="shop",indicator="pods",level="0.95"}'
RISKY = 'nodemix_condition{policy="shop",type="RiskAccepted"}'
BUDGET = 'nodemix_plan_limit_price_usd_per_hour{policy="shop",limit="budget.usdPerHour"}'
NODE_LIMIT = 'nodemix_plan_limit_price_usd_per_hour{policy="shop",limit="maxNodes"}'
SHOCKS = 'nodemix_plan_pool_shocks_per_day{policy="shop",instance_type="m5.large",zone="a"}'
SCORED = 'nodemix_forecast_scored_observations{policy="shop",indicator="pods"}'

# (alert, series, minutes, whether it fires)
SCENES = [
    ("NodeMixClusterViewStale", [("nodemix_cluster_view_age_seconds", "0+60x20")], 10, True),
    ("NodeMixClusterViewStale", [("nodemix_cluster_view_age_seconds", "60x20")], 10, False),
    ("NodeMixDecisionsFailing", [(FAILURES, "0+1x40")], 30, True),
    ("NodeMixDecisionsFailing", [(FAILURES, "5x40"), (DECISIONS, "0+1x40")], 30, False),
    ("NodeMixNoDecisions", [(DECISIONS, "7x200")], 120, True),
    ("NodeMixNoDecisions", [(DECISIONS, "0+1x200")], 120, False),
    ("NodeMixNoDecisions", [(DECISIONS, "7x200"), (PAUSED, "1x200")], 120, False),
    ("NodeMixPolicyNotReady", [(READY, "0x60")], 30, True),
    ("NodeMixPolicyNotReady", [(READY, "-1x60")], 30, True),
    ("NodeMixPolicyNotReady", [(READY, "1x60")], 30, False),
    ("NodeMixPodsWithoutPlace", [('nodemix_plan_unplaceable_pods{policy="a"}', "2x60")], 45, True),
    ("NodeMixPodsWithoutPlace", [('nodemix_plan_unplaceable_pods{policy="a"}', "0x60")], 45, False),
    ("NodeMixGapWide", [('nodemix_plan_gap_ratio{policy="shop"}', "0.2x120")], 90, True),
    ("NodeMixGapWide", [('nodemix_plan_gap_ratio{policy="shop"}', "0.05x120")], 90, False),
    ("NodeMixPricesStale", [('nodemix_price_age_seconds{source="a"}', "700000x120")], 90, True),
    ("NodeMixPricesStale", [('nodemix_price_age_seconds{source="a"}', "3600x120")], 90, False),
    ("NodeMixForecastDrifting", [(DRIFTING, "1x60")], 30, True),
    ("NodeMixForecastDrifting", [(DRIFTING, "0x60")], 30, False),
    ("NodeMixForecastMiscalibrated", [(SCORED, "900x600"), (COVERED, "0.8x600")], 540, True),
    ("NodeMixForecastMiscalibrated", [(SCORED, "900x600"), (COVERED, "0.9x600")], 540, False),
    ("NodeMixForecastMiscalibrated", [(COVERED, "0.8x600"), (SCORED, "90x600")], 540, False),
    ("NodeMixRiskAboveAccepted", [(RISKY, "0x60")], 30, True),
    ("NodeMixRiskAboveAccepted", [(RISKY, "1x60")], 30, False),
    ("NodeMixRiskAboveAccepted", [(RISKY, "-1x60")], 30, False),
    ("NodeMixPoolHazardJumped", [(SHOCKS, "0.2x60 1.2x60")], 90, True),
    ("NodeMixPoolHazardJumped", [(SHOCKS, "0.2x60 1.2x600")], 600, False),
    ("NodeMixPoolHazardJumped", [(SHOCKS, "0.2x60 0.5x60")], 90, False),
    ("NodeMixPoolHazardJumped", [(SHOCKS, "0.002x60 0.05x60")], 90, False),
    ("NodeMixPoolHazardJumped", [(SHOCKS, "1.2x60")], 45, False),
    ("NodeMixBudgetBinds", [(BUDGET, "0.4x120")], 90, True),
    ("NodeMixBudgetBinds", [(NODE_LIMIT, "0.4x120")], 90, False),
]


def scene_id(scene: tuple[str, list[tuple[str, str]], int, bool]) -> str:
    alert, given, _, fires = scene
    name, values = given[-1]
    return f"{alert}-{'fires' if fires else 'rests'}-on-{name.partition('{')[0]}-{values}"


def test_every_alert_is_seen_to_fire_and_to_rest() -> None:
    names = {alert["alert"] for alert in alerts()}

    assert {alert for alert, _, _, fires in SCENES if fires} == names
    assert {alert for alert, _, _, fires in SCENES if not fires} == names


@pytest.mark.parametrize(
    ("alert", "given", "minutes", "fires"), SCENES, ids=[scene_id(scene) for scene in SCENES]
)
def test_alert_fires_when_it_should(
    local_prometheus: type[LocalPrometheus],
    rule_file: Path,
    tmp_path: Path,
    alert: str,
    given: list[tuple[str, str]],
    minutes: int,
    fires: bool,
) -> None:
    """promtool compares the alerts that fire with those expected, of which there are none."""
    expectation = {"eval_time": f"{minutes}m", "alertname": alert, "exp_alerts": []}
    test = {
        "interval": "1m",
        "input_series": [series(name, values) for name, values in given],
        "alert_rule_test": [expectation],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rule_file)], "tests": [test]}))

    done = promtool("test", "rules", str(path))

    assert (done.returncode != 0) is fires, done.stdout + done.stderr
    assert (f"alertname: {alert}" in done.stdout + done.stderr) is fires


def test_dashboard_is_what_the_generator_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert dashboard.main([str(MANIFESTS / "grafana"), "--check"]) == 0, capsys.readouterr().err


def test_check_of_the_dashboard_finds_a_difference(tmp_path: Path) -> None:
    assert dashboard.main([str(tmp_path)]) == 0
    (tmp_path / dashboard.FILE_NAME).write_text("{}")

    assert dashboard.main([str(tmp_path), "--check"]) == 1
