"""Packing instances read from files: small ones written here, and the real ones."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.errors import CatalogError
from nodemix.optimizer.problem.benchmark import Instance, read_instance, to_problem
from nodemix.optimizer.problem.types import Problem

from tests.builders import SPOT, ZONES, make_offer

PLAIN = make_offer("m5.xlarge", vcpus=4, memory_gib=16)
SPOT_OFFER = make_offer("m5.xlarge", vcpus=4, memory_gib=16, capacity_type=SPOT)
ARM = make_offer("m7g.xlarge", vcpus=4, memory_gib=16, architecture="arm64")
T4 = make_offer("g4dn.xlarge", vcpus=4, memory_gib=16, gpus=1, gpu_name="t4")
A10 = make_offer("g5.xlarge", vcpus=4, memory_gib=16, gpus=1, gpu_name="a10g")
OFFERS = (PLAIN, SPOT_OFFER, ARM, T4, A10)


def make_group(**fields: Any) -> dict[str, Any]:
    return {"id": "g", "count": 4, "cpu_m": 1000, "memory_mib": 1024, **fields}


def make_problem_of(*groups: dict[str, Any], offers: tuple[Offer, ...] = OFFERS) -> Problem:
    instance = {
        "name": "small",
        "zones": ZONES,
        "daemonset": {"cpu_m": 200, "memory_mib": 384, "pods": 4},
        "nodepool": {"categories": ["m", "g"]},
        "groups": groups,
    }
    return to_problem(Instance.model_validate(instance), offers)


def holders(**group: Any) -> set[Offer]:
    problem = make_problem_of(make_group(**group))
    pairs = zip(problem.offers, problem.compatible[0].tolist(), strict=True)
    return {offer for offer, is_compatible in pairs if is_compatible}


def test_a_group_is_one_row_with_its_requests_and_a_pod_slot() -> None:
    problem = make_problem_of(make_group())

    assert [(row.row_id, row.pods) for row in problem.rows] == [("g", 4)]
    assert problem.requests.tolist() == [[1000, 1024, 1, 0]]


def test_the_daemon_set_is_taken_off_every_offer() -> None:
    assert make_problem_of(make_group()).room[0].tolist() == [3800, 16_000, 106, 0]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({}, {PLAIN, SPOT_OFFER, ARM}),
        ({"arch": "arm64"}, {ARM}),
        ({"spot_ok": False}, {PLAIN, ARM}),
        ({"gpu": 1}, {T4, A10}),
        ({"gpu": 1, "gpu_models": ["t4"]}, {T4}),
        ({"zone": ZONES[0], "arch": "amd64"}, {PLAIN, SPOT_OFFER}),
    ],
)
def test_a_group_may_use_exactly_the_offers_of_its_rules(
    group: dict[str, Any], expected: set[Offer]
) -> None:
    assert holders(**group) == expected


def test_a_spread_group_is_one_row_a_zone_with_the_remainder_first() -> None:
    offers = tuple(make_offer(zone=zone) for zone in ZONES)

    problem = make_problem_of(make_group(count=5, zone_spread=True), offers=offers)

    assert [(row.zone, row.pods) for row in problem.rows] == list(
        zip(ZONES, (2, 2, 1), strict=True)
    )


def test_a_limit_per_node_is_kept_and_never_above_the_rows_pods() -> None:
    problem = make_problem_of(
        make_group(id="limited", max_per_node=2), make_group(id="few", count=1, max_per_node=2)
    )

    assert problem.max_per_node.tolist() == [2, 1]


def test_a_group_that_no_offer_holds_is_reported() -> None:
    problem = make_problem_of(make_group(cpu_m=3801), make_group(id="fits", cpu_m=3800))

    assert [row.row_id for row, _ in problem.unplaceable] == ["g"]
    assert [row.row_id for row in problem.rows] == ["fits"]


def test_an_unreadable_instance_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{"name": "x"}')

    with pytest.raises(CatalogError, match=r"broken\.json"):
        read_instance(path, path, path)


@pytest.mark.parametrize("name", ["d1_micro100", "d2_openb500", "d3_gpu300", "d4_mixed2k"])
def test_a_real_instance_has_the_rows_that_its_bounds_were_made_for(
    nodemix_data: Path, name: str
) -> None:
    folder = nodemix_data / "optimizer"
    path = folder / "instances" / f"{name}.json"
    with (folder / "bounds.csv").open() as file:
        known = {line["name"]: line for line in csv.DictReader(file)}[name]

    problem = read_instance(path, folder / "catalog_aws.csv", folder / "offers_us_east_1.csv")

    total = json.loads(path.read_text())["total_pods"]
    dropped = sum(row.pods for row, _ in problem.unplaceable)
    assert len(problem.rows) == int(known["rows"])
    assert int(problem.demand.sum()) + dropped == total
    assert 0 < len(problem.offers) <= int(known["offers"])
