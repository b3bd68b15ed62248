"""The checker of options finds each way in which what they cost once placed can be wrong."""

import copy
from collections.abc import Callable

import pytest

from tests.checker.scene import FREE_CHANGES, Json, make_objects, make_unchanged, mode_entry
from tests.checker.weighed import make_option, weighed
from tests.checker_market import Market
from tests.plan_checker import check_plan


def placed(index: int, **fields: object) -> Callable[[Json], object]:
    return lambda document: document["options"][index]["placed"].update(fields)


def dearer_once_placed(document: Json) -> None:
    """Than the plan is, with an expected cost that fits."""
    option = document["options"][0]
    option["placed"]["usd_per_hour"] += 0.01
    option["expected_usd_per_hour"] += 0.01


def cheaper_once_placed(document: Json) -> None:
    """Than its nodes, with an expected cost that fits."""
    option = document["options"][1]
    option["placed"]["usd_per_hour"] -= 0.04
    option["expected_usd_per_hour"] -= 0.04


UNSEEN = (
    *(f"{part}_usd_per_hour" for part in ("interruption", "recourse", "shortage")),
    *("cvar", "worst_pool_loss"),
)
"""What is 0 where no scenario was tried."""

FAULTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "another mode": (placed(1, mode="cohort"), "is placed in mode cohort, the policy's is observe"),
    "never placed": (placed(1, draws=0), "was never placed"),
    "not the plan's": (dearer_once_placed, "option chosen: costs"),
    "below its nodes": (cheaper_once_placed, "once placed, less than before"),
    "certain, and yet dearer": (
        lambda document: document["options"][1].update(placed=mode_entry("pinned", 0.55, 0)),
        "option safer: placed.usd_per_hour is 0.55, not 0.53",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_cost_once_placed_is_found(fault: str, market: Market) -> None:
    spoil, words = FAULTS[fault]
    case = weighed()
    document = copy.deepcopy(case.document)

    spoil(document)

    found = check_plan(document, make_objects(), market, spec=case.spec)
    assert any(words in complaint for complaint in found), found


@pytest.mark.parametrize(("placed_usd", "faulty"), [(0.8, False), (0.81, True)])
def test_todays_nodes_cost_what_they_cost(
    placed_usd: float, market: Market, *, faulty: bool
) -> None:
    document = make_unchanged()
    nodes = {
        f"{entry['instance_type']}/{entry['zone']}/{entry['capacity_type']}": entry["nodes_plan"]
        for entry in document["pools"]
    }
    document["risk"] |= dict.fromkeys(UNSEEN, 0.0)
    fields = {"changes_usd_per_hour": 0.0, "nodes_changed": 0}
    option = make_option("chosen", nodes, 0.8, placed_usd, document["risk"], **fields)
    document["options"] = [option | {"placed": mode_entry("observe", placed_usd, 0)}]

    found = check_plan(document, make_objects(), market, spec=FREE_CHANGES)

    assert any("once placed" in complaint for complaint in found) == faulty, found
