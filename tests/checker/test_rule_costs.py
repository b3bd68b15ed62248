"""The checker finds each way in which what is said of a rule's cost can be wrong."""

import copy
from collections.abc import Callable

import pytest

from tests.checker.scene import DB, WEB, Json, make_objects
from tests.checker.weighed import weighed
from tests.checker_market import Market
from tests.plan_checker import check_plan


def said(index: int, **fields: object) -> Callable[[Json], object]:
    return lambda document: document["rule_costs"][index].update(fields)


FAULTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "another workload's": (said(0, workloads=[DB]), f"{DB} has no such rule"),
    "another kind": (said(0, kind="pods-per-host"), f"{WEB} has no such rule"),
    "no such kind": (said(0, kind="colour"), f"{WEB} has no such rule"),
    "no cost": (said(1, usd_per_hour=0.0), "0.0 $/h is no cost"),
    "dearer than the plan": (said(0, usd_per_hour=1.0), "is more than the plan costs"),
    "more pods than there are": (said(0, pods=99), "99 pods are more than are planned"),
    "the cheapest first": (said(1, usd_per_hour=0.03), "the dearest is not first"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str, market: Market) -> None:
    case = weighed()
    corrupt, expected = FAULTS[fault]
    document = copy.deepcopy(case.document)
    corrupt(document)

    found = check_plan(document, make_objects(), market, spec=case.spec)

    assert any(expected in complaint for complaint in found)
