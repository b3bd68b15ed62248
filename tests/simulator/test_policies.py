from dataclasses import replace

import numpy as np
import pytest
from nodemix.optimizer.policy import Commitment, OfferFilter, Policy
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.snapshot import CapacityType
from nodemix.simulator.clock import CountingClock
from nodemix.simulator.market import Market, Reclaim
from nodemix.simulator.policies import (
    Deciding,
    Foresight,
    Nodemix,
    Observation,
    Reactive,
    Static,
    Target,
    fearless,
    reaching,
    wanted_in,
    with_more_pods,
)

from tests.builders import make_pods, make_snapshot
from tests.simulator.scenes import CHEAP, OFFERS, OTHER, PLAIN, make_workloads

WORKLOADS = make_workloads(db=[1, 1, 9, 1], web=[1, 1, 1, 1])
ON_DEMAND_ONLY = replace(Policy(), spot=replace(Policy().spot, max_share=0.0))


def seeing(db: int = 1, web: int = 1, now_s: float = 600.0) -> Observation:
    pods = [*make_pods(db, workload="db"), *make_pods(web, workload="web", cpu_milli=2000)]
    history = WORKLOADS.known_at(now_s)
    return Observation(now_s, make_snapshot(pods), history, OFFERS, Beliefs())


def deciding(policy: Policy = ON_DEMAND_ONLY, ahead_s: float = 1200.0) -> Deciding:
    return Deciding(reaching(policy, ahead_s, 0.1), CountingClock())


def nodes(target: Target | None) -> int:
    assert target is not None
    return sum(target.values())


def test_nodemix_without_a_forecast_plans_for_what_is_there() -> None:
    """3 pods of 1 core and 2 of 2 cores fill 7 of 8 cores."""
    policy = Nodemix(deciding(), lambda history, now_s: None)

    assert policy.step(seeing(db=3, web=2)) == {PLAIN: 2}


@pytest.mark.parametrize(("headroom", "expected"), [(0.0, 1), (0.1, 2), (1.0, 2)])
def test_reactive_adds_its_share_rounded_up(headroom: float, expected: int) -> None:
    """2 pods of 1 core and 1 of 2 fill a node; any more takes another one."""
    policy = Reactive(deciding(), WORKLOADS, headroom)

    assert nodes(policy.step(seeing(db=2, web=1))) == expected


def test_static_stays_with_its_peak() -> None:
    policy = Static(deciding(), WORKLOADS, np.array([6, 1]))

    assert [nodes(policy.step(seeing(db=pods))) for pods in (1, 3, 8)] == [2, 2, 2]


def test_foresight_sees_the_peak_that_is_within_reach() -> None:
    near, far = (
        Foresight(deciding(ahead_s=s), WORKLOADS, Market(OFFERS), s) for s in (600.0, 3000.0)
    )

    assert nodes(far.step(seeing(now_s=0.0))) == nodes(near.step(seeing(now_s=600.0))) == 3
    assert nodes(near.step(seeing(now_s=0.0))) == 1


def test_foresight_keeps_out_of_pools_that_will_be_hit() -> None:
    policy = fearless(Policy())
    hit = Market(OFFERS, (Reclaim(900.0, OTHER, 1.0),))
    later = Market(OFFERS, (Reclaim(9000.0, OTHER, 1.0),))

    told = [
        Foresight(deciding(policy), WORKLOADS, market, 1200.0).step(seeing(now_s=0.0))
        for market in (hit, later)
    ]

    assert [list(target or {}) for target in told] == [[CHEAP], [OTHER]]


def test_what_gives_no_plan_is_remembered_and_changes_nothing() -> None:
    asked = deciding(replace(ON_DEMAND_ONLY, max_nodes=1))
    policy = Nodemix(asked, lambda history, now_s: None)

    assert policy.step(seeing(db=9, web=1)) is None
    assert len(asked.failures) == 1


def test_fearless_drops_what_guards_against_reclaims_and_nothing_else() -> None:
    policy = Policy(offers=OfferFilter(zones=("us-east-1a",)), budget_usd_per_hour=3.0)

    changed = fearless(policy)

    assert changed.service_level.max_cvar is None
    assert changed.service_level.max_pool_loss == 1.0
    assert (changed.offers, changed.budget_usd_per_hour) == (policy.offers, 3.0)


def test_reaching_sets_the_lead_time_and_drops_commitments() -> None:
    policy = Policy(commitments=(Commitment("ours", "m5.xlarge", 2, 0.1),))

    changed = reaching(policy, 2400.0, 0.5)

    assert changed.service_level.lead_time_s == 2400
    assert (changed.commitments, changed.search_s) == ((), 0.5)
    assert reaching(policy, 2400.0).search_s == policy.search_s


def test_more_pods_wait_under_names_of_their_own() -> None:
    shown = with_more_pods(seeing(db=2, web=1).snapshot, WORKLOADS, [3, 0])

    assert wanted_in(shown, WORKLOADS).tolist() == [5, 1]
    assert len({pod.name for pod in shown.pods if pod.name.startswith("spare-")}) == 3
    assert all(pod.node_name is None for pod in shown.pods)


def test_markets_are_told_apart() -> None:
    assert {CHEAP[2], OTHER[2], PLAIN[2]} == set(CapacityType)
