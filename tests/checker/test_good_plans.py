"""The plans that the other tests corrupt are right, and of the form of real ones."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.checker.scene import FREE_CHANGES, make_document, make_objects, make_unchanged
from tests.checker_objects import amount
from tests.plan_checker import Market, check_plan


def test_a_good_plan_raises_no_complaint(market: Market) -> None:
    assert check_plan(make_document(), make_objects(), market, spec=FREE_CHANGES) == []


def test_a_plan_that_keeps_todays_nodes_raises_no_complaint(market: Market) -> None:
    assert check_plan(make_unchanged(), make_objects(), market, spec=FREE_CHANGES) == []


def test_the_plans_of_these_tests_have_the_form_of_real_ones(repository: Path) -> None:
    schema = json.loads((repository / "docs/reference/plan-document.schema.json").read_text())

    for document in (make_document(), make_unchanged()):
        jsonschema.validate(document, schema)


def test_the_bundled_market_is_read_from_the_package() -> None:
    market = Market.bundled()

    assert market.usd_per_hour["m5.large", "us-east-1a", "on-demand"] == 0.096
    assert market.machines["g4dn.xlarge"].room["nvidia.com/gpu"] == 1


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("250m", 0.25), ("1.5", 1.5), ("2Ki", 2048), ("1e3", 1000), ("3k", 3000), ("100n", 1e-7)],
)
def test_quantities_are_read_in_cores_and_bytes(quantity: str, expected: float) -> None:
    assert float(amount(quantity)) == pytest.approx(expected)


def test_what_is_no_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="no quantity"):
        amount("many")
