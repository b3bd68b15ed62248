"""Where limits leave no plan for all that is wanted, forecast pods are cut and today's stay."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.errors import InfeasiblePlanError
from nodemix.optimizer.fairness.cut import Cut, claims_of, cut_headroom
from nodemix.optimizer.fairness.report import jain_index, satisfaction
from nodemix.optimizer.fairness.types import Fairness
from nodemix.optimizer.packed import Result
from nodemix.optimizer.packing.solve import solve
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.policy import FairnessMode, FairnessRules, Policy, Quota, QuotaUnit
from nodemix.optimizer.problem.build import build_problem
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.snapshot import Pod, Snapshot, WorkloadKey

from tests.builders import (
    SPOT,
    make_catalog,
    make_node,
    make_offer,
    make_pod,
    make_pods,
    make_policy,
    make_snapshot,
)
from tests.laws.strategies import ticking

FOUR = make_offer("m5.xlarge", 0.2, vcpus=4)
ON_SPOT = make_offer("m5.xlarge", 0.06, vcpus=4, capacity_type=SPOT)
WITH_GPU = make_offer("g5.xlarge", 1.0, vcpus=4, gpus=1)


def key(namespace: str) -> WorkloadKey:
    return WorkloadKey(namespace, "Deployment", "web")


A, B = key("a"), key("b")


def pods_of(workload: WorkloadKey, count: int, **fields: Any) -> list[Pod]:
    return make_pods(count, name=workload.namespace, workload=workload, **fields)


def policy(mode: FairnessMode = FairnessMode.ENFORCE, **fields: Any) -> Policy:
    weights = tuple(sorted(fields.pop("weights", {}).items()))
    return make_policy(fairness=FairnessRules(mode, weights), **fields)


class Cutting:
    """Cuts with a clock that stands still; remembers what was searched."""

    def __init__(self, pods: Sequence[Pod], offers: Sequence[Offer], rules: Policy) -> None:
        self.snapshot: Snapshot = make_snapshot(pods)
        self.catalog, self.policy = make_catalog(*offers), rules
        self.searched: list[int] = []

    def build(self, pods: Mapping[WorkloadKey, int]) -> BuiltProblem:
        return build_problem(self.snapshot, self.catalog, self.policy, pods)

    def solve(self, built: BuiltProblem, warm: WarmStart | None) -> Result:
        self.searched.append(int(built.problem.demand.sum()))
        return solve(built.problem, ticking(300), np.random.default_rng(0), warm)

    def to(self, wanted: Mapping[WorkloadKey, int]) -> Cut:
        built = self.build(wanted)
        return cut_headroom(
            self.snapshot, built, self.policy, self.build, self.solve, lambda: 0.0, 1.0
        )


def cut(
    pods: Sequence[Pod], wanted: Mapping[WorkloadKey, int], rules: Policy, *offers: Offer
) -> Cut:
    return Cutting(pods, offers or (FOUR,), rules).to(wanted)


FOUR_EACH = [*pods_of(A, 4), *pods_of(B, 4)]
SHY = [*pods_of(A, 4), *pods_of(B, 4, spot_denied="says so")]
TWELVE_EACH = {A: 12, B: 12}


@pytest.mark.parametrize("limit", [{"max_nodes": 4}, {"budget_usd_per_hour": 0.8}])
def test_equal_namespaces_get_equal_shares_of_what_the_limit_leaves(limit: dict[str, Any]) -> None:
    found = cut(FOUR_EACH, TWELVE_EACH, policy(**limit))

    assert found.pods == {A: 8, B: 8}
    assert found.result.packing.cost_usd_per_hour == pytest.approx(0.8)
    assert int(found.built.problem.demand.sum()) == 16


def test_weights_count() -> None:
    found = cut(FOUR_EACH, {A: 20, B: 20}, policy(max_nodes=4, weights={"a": 3.0}))

    assert found.pods == {A: 12, B: 4}


def test_what_is_said_of_it() -> None:
    found = cut(FOUR_EACH, TWELVE_EACH, policy(max_nodes=4))

    fairness = found.fairness
    assert isinstance(fairness, Fairness)
    assert (fairness.mode, fairness.binding_caps) == ("enforce", ("maxNodes",))
    assert fairness.jain == pytest.approx(jain_index(satisfaction(fairness.namespaces)))
    assert fairness.jain == pytest.approx(1.0)
    (a, b) = fairness.namespaces
    assert (a.namespace, a.pods_wanted, a.pods_given) == ("a", 12, 8)
    assert (b.dominant_share, b.wanted_share) == pytest.approx((1 / 3, 0.5))
    assert found.note.fact == (
        "maxNodes: room for 8 of 16 pods that are forecast, shared fairly; today's pods fit"
    )


def test_without_fairness_the_cheapest_places_come_first() -> None:
    """A's places are on spot: it gets all it wants before b gets a node more than today."""
    rules = policy(FairnessMode.REPORT, budget_usd_per_hour=0.52)

    found = cut(SHY, TWELVE_EACH, rules, FOUR, ON_SPOT)

    assert found.pods == {A: 12, B: 4}
    assert found.fairness is not None
    assert (found.fairness.mode, found.fairness.price_usd_per_hour) == ("report", 0.0)
    assert found.fairness.jain == pytest.approx((1.5 + 0.5) ** 2 / (2 * (1.5**2 + 0.5**2)))
    assert "the cheapest first" in found.note.fact


def test_the_price_of_fairness_is_what_the_same_headroom_costs_less_without_it() -> None:
    """Fair are four pods more for each: 0.26 $/h; eight more of a alone would be 0.12 $/h."""
    found = cut(SHY, TWELVE_EACH, policy(budget_usd_per_hour=0.52), FOUR, ON_SPOT)

    assert found.pods == {A: 8, B: 8}
    assert found.fairness is not None
    assert found.fairness.price_usd_per_hour == pytest.approx(0.14)


def test_off_cuts_likewise_and_says_nothing_of_fairness() -> None:
    rules = policy(FairnessMode.OFF, budget_usd_per_hour=0.52)

    found = cut(SHY, TWELVE_EACH, rules, FOUR, ON_SPOT)

    assert (found.pods, found.fairness) == ({A: 12, B: 4}, None)


def test_a_limit_on_gpus_takes_nothing_from_those_who_want_none() -> None:
    ml = key("ml")
    pods = [*pods_of(ml, 1, gpus=1), *pods_of(A, 2)]
    quota = Quota("gpus", 2.0, QuotaUnit.GPUS)

    found = cut(pods, {ml: 5, A: 9}, policy(quotas=(quota,)), FOUR, WITH_GPU)

    assert found.pods == {ml: 2, A: 9}
    assert found.fairness is not None
    assert found.fairness.binding_caps == ("quotas (gpus)",)
    assert [n.dominant_resource for n in found.fairness.namespaces] == [
        "cpu_milli",
        "nvidia.com/gpu",
    ]


def test_a_limit_that_not_even_todays_pods_keep_is_refused() -> None:
    with pytest.raises(InfeasiblePlanError) as caught:
        cut(FOUR_EACH, TWELVE_EACH, policy(max_nodes=1))

    assert caught.value.is_proven
    assert caught.value.subject == "maxNodes"


def test_room_for_no_more_than_today_keeps_todays_pods() -> None:
    found = cut(FOUR_EACH, TWELVE_EACH, policy(max_nodes=2))

    assert found.pods == {A: 4, B: 4}
    assert "room for 0 of 16 pods" in found.note.fact


def test_a_search_that_fails_leads_to_smaller_cuts_and_at_last_to_todays_pods(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cutting = Cutting(FOUR_EACH, (FOUR,), policy(max_nodes=4))
    search = cutting.solve

    def finds_only_today(built: BuiltProblem, warm: WarmStart | None) -> Result:
        if built.problem.demand.sum() > 8:
            cutting.searched.append(int(built.problem.demand.sum()))
            raise InfeasiblePlanError("maxNodes", "none found", "search longer")
        return search(built, warm)

    monkeypatch.setattr(cutting, "solve", finds_only_today)

    found = cutting.to(TWELVE_EACH)

    assert found.pods == {A: 4, B: 4}
    assert cutting.searched[1] == 8
    assert len(cutting.searched) <= 4


def test_pods_that_stay_where_they_are_count_as_had_and_pods_without_a_place_do_not() -> None:
    kept = make_pod("k", workload=key("kept"), node_name="n", unsupported=("a rule",))
    lost = make_pod("l", workload=key("lost"), unsupported=("a rule",))
    snapshot = make_snapshot([kept, lost, *pods_of(A, 2)], [make_node("n")])
    wanted = {key("kept"): 1, key("lost"): 1, A: 5}
    built = build_problem(snapshot, make_catalog(), make_policy(), wanted)

    claims = {claim.namespace: claim for claim in claims_of(snapshot, built)}

    counts = {name: (c.pods_now, c.pods_wanted) for name, c in claims.items()}
    assert counts == {"a": (2, 5), "kept": (1, 1), "lost": (0, 0)}
    assert claims["a"].request == (1000.0, 1024.0)
    assert claims["a"].usd_per_pod_hour == pytest.approx(0.05)
