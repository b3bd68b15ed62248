"""``nodemix backtest`` from end to end: on a folder, and on a Prometheus that answers by rule."""

import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from nodemix.cli import app
from nodemix.operator.backtest import command
from nodemix.operator.metrics.prometheus import Prometheus, PrometheusSettings
from typer.testing import CliRunner, Result

from tests.operator.small_files import (
    CHEAP,
    WEB,
    a_cluster,
    write_history,
    write_offers,
    write_policy,
    write_snapshot,
)

END_S = 1_790_000_100
ROWS = [
    f"{CHEAP},us-east-1{zone},{market},{usd}"
    for zone in "ab"
    for market, usd in (("on-demand", 0.192), ("spot", 0.07))
]
QUICK = ("--every", "14400", "--seconds", "0.1", "--model", "last-value")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of ten pods of 0.9 cores, and everything else that a folder may hold."""
    path = tmp_path_factory.mktemp("recorded")
    write_history(path / "demand.csv", pods=10, end_s=END_S, steps=288)
    write_snapshot(path / "snapshot.json", a_cluster(1, {"cpu": "900m", "memory": "1Gi"}))
    write_offers(path / "offers.csv", ROWS)
    write_policy(path / "policy.yaml")
    (path / "reclaims.csv").write_text("timestamp,instance_type,zone,share\n")
    return path


@pytest.fixture(scope="module")
def told(folder: Path) -> tuple[dict[str, Any], str, str]:
    """The document, the page, and what stderr said."""
    page = folder / "page.html"
    result = run("backtest", "--history", folder, "-o", "json", "--html", page, *QUICK)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), page.read_text(), result.stderr


def test_the_document_has_every_policy_with_its_interval(
    told: tuple[dict[str, Any], str, str],
) -> None:
    document, _, _ = told

    assert document["schema"] == "nodemix.dev/backtest/v1alpha1"
    assert document["policy"] == "mine"
    names = [rival["policy"].split(" +")[0] for rival in document["rivals"]]
    assert names == ["static", "reactive", "reactive", "perfect foresight"]
    for score in (document["nodemix"], *document["rivals"]):
        usd = score["usd_per_hour"]
        assert usd["low"] <= usd["value"] <= usd["high"]
        assert score["usd"] == pytest.approx(usd["value"] * score["hours"])
    assert document["forecast_models"] == ["last-value"]


def test_steady_demand_is_never_short_and_the_halves_are_a_day_each(
    told: tuple[dict[str, Any], str, str],
) -> None:
    document, _, _ = told

    assert document["nodemix"]["pod_minutes_short"] == 0.0
    assert document["nodemix"]["pod_minutes"] == pytest.approx(
        10 * 60 * document["nodemix"]["hours"]
    )
    assert document["nodemix"]["hours"] == pytest.approx(24.0, abs=1.0)
    assert document["nodemix"]["nodes_reclaimed"] == 0


def test_savings_agree_with_the_money(told: tuple[dict[str, Any], str, str]) -> None:
    document, _, _ = told

    for rival in document["rivals"]:
        saved = 1.0 - document["nodemix"]["usd"] / rival["usd"]
        assert rival["nodemix_saves_share"]["value"] == pytest.approx(saved)


def test_what_was_recorded_is_said(told: tuple[dict[str, Any], str, str]) -> None:
    document, _, _ = told

    assert "reclaims are those of reclaims.csv" in document["assumptions"]
    assert any("no prices are recorded" in line for line in document["assumptions"])
    assert document["warnings"] == []


def test_the_page_needs_no_network_and_shows_a_picture(
    told: tuple[dict[str, Any], str, str],
) -> None:
    _, page, said = told

    assert page.startswith("<!doctype html>")
    assert page.count("<svg") == 1
    assert "perfect foresight" in page
    assert "src=" not in page
    assert "page.html" in said


def test_text_says_what_matters(folder: Path) -> None:
    result = run("backtest", "--history", folder, "--days", "1", *QUICK)

    assert result.exit_code == 0, result.output
    for part in ("nodemix would have paid", "nodemix saves", "reactive", "nothing was changed"):
        assert part in result.stdout, part


@pytest.fixture
def prometheus(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Ten replicas of web at any time; returns what it was asked."""
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        form = {k: v[0] for k, v in parse_qs(request.content.decode()).items()}
        asked.append(form)
        result: list[dict[str, Any]] = []
        if "kube_deployment" in form["query"]:
            start, end, step = (float(form[name]) for name in ("start", "end", "step"))
            times = [start + i * step for i in range(math.floor((end - start) / step) + 1)]
            labels = {"namespace": "default", "deployment": "web"}
            result = [{"metric": labels, "values": [[at_s, "10"] for at_s in times]}]
        data = {"resultType": "matrix", "result": result}
        return httpx.Response(200, json={"status": "success", "data": data})

    def opened(url: str) -> Prometheus:
        return Prometheus(PrometheusSettings(url), httpx.MockTransport(answer))

    monkeypatch.setattr(command, "open_prometheus", opened)
    return asked


def test_prometheus_is_asked_for_the_replay_and_the_past_before_it(
    folder: Path, prometheus: list[dict[str, str]]
) -> None:
    result = run(
        "backtest", "--prometheus", "http://prometheus.test", "--to", END_S, "--days", "0.5",
        "--snapshot", folder / "snapshot.json", "--offers", folder / "offers.csv",
        "--policy", folder / "policy.yaml", "-o", "json", *QUICK,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["nodemix"]["pod_minutes"] == pytest.approx(
        10 * 60 * document["nodemix"]["hours"]
    )
    assert any("drawn from the rates" in line for line in document["assumptions"])
    first = min(float(form["start"]) for form in prometheus)
    assert END_S - first == pytest.approx(14.5 * 86_400.0, rel=0.01)


def test_a_prometheus_that_knows_nothing_is_an_error(
    folder: Path, prometheus: list[dict[str, str]], tmp_path: Path
) -> None:
    others = a_cluster(1)
    for obj in others:
        if obj["kind"] != "Node":
            obj["metadata"]["namespace"] = "elsewhere"
    snapshot = write_snapshot(tmp_path / "others.json", others)

    result = run(
        "backtest", "--prometheus", "http://prometheus.test", "--snapshot", snapshot, *QUICK
    )

    assert result.exit_code == 1
    assert "knows no demand" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "one of --prometheus and --history"),
        (("--prometheus", "http://x", "--history", "."), "one of --prometheus and --history"),
        (("--history", "{folder}", "--from", "yesterday"), "--from 'yesterday'"),
        (("--history", "{folder}", "--days", "9"), "days before the history"),
        (("--history", "{folder}", "--model", "oracle"), "oracle"),
    ],
)
def test_misuse_is_an_error_in_a_line(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run("backtest", *(part.format(folder=folder) for part in arguments))

    assert result.exit_code == 1
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_a_history_of_other_workloads_is_refused(folder: Path, tmp_path: Path) -> None:
    demand = tmp_path / "demand.csv"
    demand.write_text((folder / "demand.csv").read_text().replace(WEB, "other/Deployment/x"))

    result = run("backtest", "--history", demand, "--snapshot", folder / "snapshot.json", *QUICK)

    assert result.exit_code == 1
    assert "none of its 1 series" in result.stderr
