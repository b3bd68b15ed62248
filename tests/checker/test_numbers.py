"""Every number of a plan document is either computed again by the checker, or a fact by name."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.checker.numbers import Step, numbers_in, numeric_paths
from tests.checker.scene import make_objects
from tests.checker.weighed import CASES, Case
from tests.plan_checker import Market, check_plan

FACTS = {
    "risk.shortfall_probability": "the paths of demand are not in the document",
    "options[].risk.shortfall_probability": "likewise; the chosen option's is the plan's",
    "risk.pools[].loss_if_reclaimed": "depends on the order of placing; kept between two ends",
    "options[].risk.pools[].loss_if_reclaimed": "likewise; the chosen option's is the plan's",
    "prices.usd_per_core_hour": "fitted to duals; the savings by shape follow from it",
    "prices.usd_per_gib_hour": "fitted to duals; the savings by shape follow from it",
    "prices.usd_per_gpu_hour": "fitted to duals; the savings by shape follow from it",
    "prices.caps[].saving_usd_per_hour": "a dual",
    "pools[].node_more_usd_per_hour": "made of duals",
    "pools[].node_less_usd_per_hour": "made of duals",
    "pools[].runner_up.break_even_usd_per_hour": "made of duals",
    "churn.objective_lower_bound_usd_per_hour": "certified by the search; not above the objective",
    "placed.by_mode[].usd_per_hour": "drawn; the chosen mode's and that of pinned are checked",
    "placed.by_mode[].standard_error_usd_per_hour": "drawn",
    "placed.by_mode[].draws": "as many as there was time for; none for pinned",
    "options[].placed.standard_error_usd_per_hour": "drawn",
    "options[].placed.draws": "likewise; at least one where nodes change and pods are not pinned",
    "capacity.level": "chosen by the planner; not below the critical ratio",
    "capacity.over_provision": "chosen by the planner",
    "capacity.boots_seen": "remembered by the operator",
    "capacity.max_pool_share": "chosen by the planner",
    "capacity.max_spot_share": "chosen by the planner",
    "front[].usd_per_hour": "found by a search; whoever pays more risks less",
    "front[].cvar": "found by a search; whoever pays more risks less",
    "front[].nodes_changed": "found by a search",
    "fairness.price_usd_per_hour": "needs the plan without fairness",
    "fairness.namespaces[].pods_wanted": "needs the forecast",
    "fairness.namespaces[].pods_given": "needs the forecast; no more than wanted",
    "fairness.namespaces[].dominant_share": "needs the forecast; the index follows from it",
    "fairness.namespaces[].wanted_share": "needs the forecast; the index follows from it",
    "baseline.headroom": "tuned on paths that are not in the document",
    "baseline.usd_per_hour": "another way to choose nodes, whose nodes are not in the document",
    "baseline.placed_usd_per_hour": "another way to choose nodes, which are not in the document",
    "baseline.cvar": "another way to choose nodes, whose nodes are not in the document",
    "baseline.worst_pool_loss": "another way to choose nodes, which are not in the document",
    "baseline.nodes": "another way to choose nodes, whose nodes are not in the document",
    "rule_costs[].usd_per_hour": "between two linear programs; not above all that is counted",
    "rule_costs[].pods": "less those that are kept; no more than are planned",
    "search_seconds": "a time",
}
"""Numbers that cannot be computed from the document, the cluster, the prices and the policy."""


@pytest.fixture(scope="module")
def schema(repository: Path) -> dict[str, Any]:
    text = (repository / "docs/reference/plan-document.schema.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def complaints(case: Case, market: Market) -> list[str]:
    return check_plan(case.document, make_objects(), market, spec=case.spec)


@pytest.mark.parametrize("name", CASES)
def test_the_plans_are_right_and_of_the_form_of_real_ones(
    name: str, market: Market, schema: dict[str, Any]
) -> None:
    case = CASES[name]()

    jsonschema.validate(case.document, schema)
    assert complaints(case, market) == []


def test_every_number_is_in_an_example_or_a_fact(schema: dict[str, Any]) -> None:
    shown = {path for make in CASES.values() for path, _ in numbers_in(make().document)}

    assert set(numeric_paths(schema)) - set(FACTS) == shown - set(FACTS)
    assert set(FACTS) <= set(numeric_paths(schema))


CHECKED = sorted(
    {
        (path, name, steps)
        for name, make in CASES.items()
        for path, steps in numbers_in(make().document)
        if path not in FACTS
    },
    key=str,
)


def corrupted(document: Any, steps: tuple[Step, ...]) -> Any:
    """With the number at the end of ``steps`` 1 % larger; whole numbers are one larger."""
    changed = copy.deepcopy(document)
    part = changed
    for step in steps[:-1]:
        part = part[step]
    value = part[steps[-1]]
    part[steps[-1]] = value + 1 if isinstance(value, int) else 1.01 * value
    return changed


@pytest.mark.parametrize("path", sorted({path for path, _, _ in CHECKED}))
def test_a_number_that_is_one_percent_off_is_found(path: str, market: Market) -> None:
    missed = [
        (name, steps)
        for own, name, steps in CHECKED
        if own == path
        for case in [CASES[name]()]
        if not complaints(Case(corrupted(case.document, steps), case.spec), market)
    ]

    assert missed == []
