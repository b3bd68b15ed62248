"""Clusters as the real Karpenter left them, planned offline with the offers it had."""

import gzip
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plan_checker import Market, check_plan

pytestmark = pytest.mark.slow

LONGEST_S = 25.0
"""From the command to its plan: 12 to 13 s by the clock on an idle machine, 18 CPU seconds on a
busy one; the search, the longest part, keeps to its own time."""

KARPENTER_USD_PER_HOUR = {
    "karpenter_d1_micro100-one": 9.5204,
    "karpenter_d2_openb500-two": 305.1744,
    "karpenter_d3_gpu300-one": 246.6083,
}
"""What Karpenter's nodes cost, from the README of the snapshots."""


@pytest.fixture(scope="module", autouse=True)
def compiled_kernels() -> None:
    """Compiled once and then cached: the first command after an install pays for it."""
    from nodemix.operator.worker import warm_up

    warm_up()


@pytest.mark.parametrize("name", KARPENTER_USD_PER_HOUR)
def test_the_plan_is_valid_cheaper_than_karpenters_and_in_time(
    nodemix_data: Path, name: str
) -> None:
    snapshot = nodemix_data / "snapshots" / f"{name}.yaml.gz"
    prices = nodemix_data / "optimizer"
    files = (prices / "catalog_aws.csv", prices / "offers_us_east_1.csv")
    before_s = cpu_s_of_children()

    document = plan(snapshot, *files)

    assert cpu_s_of_children() - before_s <= LONGEST_S
    assert check_plan(document, objects_in(snapshot), Market.from_csv(*files)) == []
    assert document["unplaceable"] == []
    now = document["current_usd_per_hour"]
    assert now == pytest.approx(KARPENTER_USD_PER_HOUR[name], abs=1e-4)
    assert document["plan_usd_per_hour"] < now


def plan(snapshot: Path, catalog: Path, offers: Path) -> dict[str, Any]:
    """What ``nodemix plan -o json`` prints, which has to propose a change."""
    inputs = ("--snapshot", snapshot, "--catalog", catalog, "--offers", offers)
    done = subprocess.run(
        [sys.executable, "-m", "nodemix.cli", "plan", *inputs, "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def cpu_s_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def objects_in(snapshot: Path) -> list[dict[str, Any]]:
    with gzip.open(snapshot) as file:
        items: list[dict[str, Any]] = yaml.load(file, Loader=yaml.CSafeLoader)["items"]
    return items
