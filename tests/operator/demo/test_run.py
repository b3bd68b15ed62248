"""The demo end to end, offline."""

import json
import re
import time
from io import StringIO
from pathlib import Path

import pytest
import yaml
from nodemix.operator.api.policy import NodeMixPolicySpec
from nodemix.operator.demo.cluster import demo_cluster
from nodemix.operator.demo.live import kind_kubeconfig
from nodemix.operator.demo.policy import demo_namespaces, demo_policy
from nodemix.operator.demo.run import REPORT_NAME, DemoSettings, run_demo, run_offline
from nodemix.operator.errors import DemoError
from nodemix.operator.offline import Answer
from nodemix.optimizer.catalog.bundled import bundled_catalog
from rich.console import Console

from tests.plan_checker import Market, check_plan

Shown = tuple[Answer, str, Path]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The answer, what was printed, and the folder of the report."""
    out = tmp_path_factory.mktemp("out")
    console = Console(file=StringIO(), width=100, color_system=None)
    answer = run_offline(DemoSettings(out), console, time.time())
    return answer, console.file.getvalue(), out  # type: ignore[attr-defined]  # a StringIO


@pytest.mark.slow
def test_every_number_of_the_plan_stands_up_to_the_checker(shown: Shown) -> None:
    document = json.loads(shown[0].document.to_json())
    objects = demo_cluster(bundled_catalog()).observed()

    assert check_plan(document, objects, Market.bundled(), demo_namespaces()) == []


@pytest.mark.slow
def test_a_careless_cluster_becomes_much_cheaper(shown: Shown) -> None:
    document = shown[0].document

    assert document.is_change
    assert document.saving_share > 0.4
    assert document.unplaceable == ()
    assert 0 < document.lower_bound_usd_per_hour <= document.plan_usd_per_hour


@pytest.mark.slow
def test_demand_is_forecast_and_never_below_today(shown: Shown) -> None:
    demand = shown[0].document.demand

    assert {entry.source for entry in demand} == {"forecast"}
    assert all(entry.pods_planned >= entry.pods_now for entry in demand)
    assert sum(e.pods_planned for e in demand) > sum(e.pods_now for e in demand)


@pytest.mark.slow
def test_each_step_is_told_in_order(shown: Shown) -> None:
    text = shown[1]
    steps = [text.index(f"\n{s}") for s in ("observe", "forecast", "decide", "explain")]

    assert steps == sorted(steps)
    for part in ("299 pods of 25 workloads", "samples missing", "now -> plan", "costs less than"):
        assert part in text, part


@pytest.mark.slow
def test_report_stands_alone_and_shows_costs_and_demand(shown: Shown) -> None:
    page = (shown[2] / REPORT_NAME).read_text()

    assert page.count("<svg") >= 3  # costs, options, and a fan for each panel
    assert "What else could be had" in page
    assert "what the plan has room for until nodes bought next are ready" in page
    assert "lower bound" in page
    assert not re.search(r"(src|href)\s*=\s*.(?!#)|@import|url\((?!#)|<script", page)


def test_the_demos_policy_obeys_the_rules_of_the_api() -> None:
    spec = NodeMixPolicySpec.model_validate(demo_policy("http://prometheus:9090")["spec"])

    assert spec.selector.namespaces == demo_namespaces()
    assert spec.prometheus is not None


def a_kubeconfig(folder: Path, context: str) -> Path:
    path = folder / f"{context}.yaml"
    path.write_text(yaml.safe_dump({"kind": "Config", "current-context": context}))
    return path


def test_only_a_kind_context_is_played_on_unasked(tmp_path: Path) -> None:
    kind, other = a_kubeconfig(tmp_path, "kind-nodemix"), a_kubeconfig(tmp_path, "production")

    assert kind_kubeconfig({"KUBECONFIG": str(kind)}) == kind
    assert kind_kubeconfig({"KUBECONFIG": str(other)}) is None
    assert kind_kubeconfig({"KUBECONFIG": f"{kind}:{other}"}) is None
    assert kind_kubeconfig({"HOME": str(tmp_path)}) is None


def test_a_kubeconfig_that_cannot_be_read_is_no_invitation(tmp_path: Path) -> None:
    broken = tmp_path / "config"
    broken.write_text("a: [")

    assert kind_kubeconfig({"KUBECONFIG": str(broken)}) is None


def test_live_without_a_cluster_is_an_error_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(a_kubeconfig(tmp_path, "production")))

    with pytest.raises(DemoError, match="name a cluster with --kubeconfig"):
        run_demo(DemoSettings(tmp_path), Console(file=StringIO()), with_offline=False)
