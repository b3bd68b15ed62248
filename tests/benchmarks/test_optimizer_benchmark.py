import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.optimizer import main

SECONDS = 1.0


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory, nodemix_data: Path) -> dict[str, object]:
    """One short run on the smallest real instance, in a process of its own."""
    out = tmp_path_factory.mktemp("benchmark") / "out.json"
    data = str(nodemix_data / "optimizer")
    arguments = ["--data", data, "--instance", "d1", "--seconds", str(SECONDS), "--out", str(out)]
    assert main([*arguments, "--baselines", "karpenter", "price"]) == 0
    (only,) = json.loads(out.read_text())
    return dict(only)


def test_every_pod_of_the_instance_file_is_placed_once(
    record: dict[str, object], nodemix_data: Path
) -> None:
    path = nodemix_data / "optimizer" / "instances" / f"{record['instance']}.json"
    groups = {group["id"]: group["count"] for group in json.loads(path.read_text())["groups"]}
    placed: Counter[str] = Counter()
    nodes = record["nodes"]
    assert isinstance(nodes, list)
    for node in nodes:
        for group, pods in node["pods"].items():
            placed[group] += pods * node["count"]

    assert record["dropped_rows"] == []
    assert placed == groups


def test_record_holds_what_its_readers_expect(record: dict[str, object]) -> None:
    assert {
        "instance",
        "seconds",
        "cold_start_seconds",
        "first_plan_seconds",
        "first_plan_usd_per_hour",
        "cost_usd_per_hour",
        "lower_bound_usd_per_hour",
        "lp_value_usd_per_hour",
        "dropped_rows",
        "peak_rss_mib",
        "nodes",
    } <= record.keys()


def test_only_the_named_baselines_run_and_none_is_below_the_bound(
    record: dict[str, object],
) -> None:
    baselines = record["baselines"]
    assert isinstance(baselines, dict)
    bound = float(str(record["lower_bound_usd_per_hour"]))

    assert set(baselines) == {"karpenter", "price"}
    assert all(figures["cost_usd_per_hour"] >= bound for figures in baselines.values())


def test_figures_are_in_order(record: dict[str, object]) -> None:
    bound, cost, first = (
        float(str(record[key]))
        for key in (
            "lower_bound_usd_per_hour",
            "cost_usd_per_hour",
            "first_plan_usd_per_hour",
        )
    )

    assert 0.0 < bound <= cost <= first


def test_a_folder_without_instances_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path)]) == 1
    assert "instances" in capsys.readouterr().err
