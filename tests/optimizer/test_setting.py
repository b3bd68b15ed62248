"""What the plans of one decision have in common: pods, scenarios, prices and resting pools."""

import numpy as np
import pytest
from nodemix.forecasting.types import DemandForecast
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.policy import Churn, ServiceLevel, SpotRules
from nodemix.optimizer.problem.build import problem_of
from nodemix.optimizer.problem.safety import Safety
from nodemix.optimizer.risk.beliefs import Beliefs, Move, pool_of
from nodemix.optimizer.risk.hazard import Shock
from nodemix.optimizer.risk.replacement import BootTimes
from nodemix.optimizer.setting import LAUNCH_S, Setting, first_safety, setting_of
from nodemix.optimizer.snapshot import CapacityType, Node

from tests.builders import (
    SPOT,
    ZONE,
    make_catalog,
    make_node,
    make_offer,
    make_pods,
    make_policy,
    make_snapshot,
    make_workload_key,
)

WEB, SAFE_WEB = make_workload_key("web"), make_workload_key("safe")
A = make_offer("m5.xlarge", 0.1, capacity_type=SPOT, interruptions_per_hour=1e-4)
B = make_offer("c5.xlarge", 0.1, capacity_type=SPOT, interruptions_per_hour=1e-4)
CATALOG = make_catalog(A, B, make_offer("m5.xlarge", 0.3))
POOL_A, POOL_B = ("m5.xlarge", ZONE, "spot"), ("c5.xlarge", ZONE, "spot")
NOTHING_LEARNED = Beliefs()


def setting(
    beliefs: Beliefs = NOTHING_LEARNED,
    forecast: DemandForecast | None = None,
    nodes: tuple[Node, ...] = (),
    catalog: Catalog = CATALOG,
    **policy: object,
) -> Setting:
    """Of ten web pods and ten that deny spot."""
    pods = [*make_pods(10), *make_pods(10, workload="safe", spot_denied="its owner says so")]
    snapshot = make_snapshot(pods, nodes)
    rng = np.random.default_rng(0)
    return setting_of(snapshot, forecast, make_policy(**policy), catalog, beliefs, rng)


def forecast_of(*steps: float) -> DemandForecast:
    """Four equal paths of web pods, a step every five minutes."""
    path = np.array(steps, dtype=np.float32)
    samples = np.tile(path[None, None, :, None], (4, 1, 1, 1))
    return DemandForecast((str(WEB),), ("pods",), 0.0, 300.0, samples)


def test_further_places_are_for_pods_that_may_run_on_spot() -> None:
    pods = setting().pods(Safety(over_provision=0.25))

    assert pods == {WEB: 12, SAFE_WEB: 10}


def test_a_higher_level_and_further_places_add_up() -> None:
    assert setting(forecast=forecast_of(20.0)).pods(Safety(over_provision=0.25))[WEB] == 25


def test_capacity_is_for_the_maximum_within_the_lead_time() -> None:
    """Ten minutes are two steps: what comes after can still be bought for."""
    found = setting(forecast=forecast_of(12.0, 15.0, 99.0))

    assert found.pods(Safety()) == {WEB: 15, SAFE_WEB: 10}


def test_workloads_that_peak_in_turn_share_room() -> None:
    """Ten more of one or of the other: room for ten more, not for twenty."""
    found = setting(forecast=in_turn())

    assert sum(found.pods(Safety()).values()) == 30


def in_turn() -> DemandForecast:
    """Pairs of paths: twenty web pods and ten safe ones, then the other way round."""
    pairs = [[20.0, 10.0], [20.0, 10.0], [10.0, 20.0], [10.0, 20.0]]
    samples = np.array(pairs * 5, dtype=np.float32)[:, :, None, None]
    return DemandForecast((str(WEB), str(SAFE_WEB)), ("pods",), 0.0, 300.0, samples)


def test_what_paths_lack_on_the_nodes_of_a_plan_is_found() -> None:
    """Room for ten more web pods is on spot, where safe pods may not go."""
    found = setting(forecast=in_turn())
    problem = problem_of(found.survey, {WEB: 20, SAFE_WEB: 10}).problem
    web, safe = (
        next(i for i, r in enumerate(problem.rows) if r.workload == k) for k in (WEB, SAFE_WEB)
    )
    spot = next(i for i, o in enumerate(problem.offers) if o.is_spot)
    plain = next(i for i, o in enumerate(problem.offers) if not o.is_spot)
    nodes = (
        PackedNodes(spot, ((web, 4),), 5),
        PackedNodes(plain, ((safe, 4),), 2),
        PackedNodes(plain, ((safe, 2),), 1),
    )

    lacking = found.lacking(problem, Packing(nodes, 0.0), (), 1.0)

    assert lacking == {SAFE_WEB: 8}, "two of ten fit beside the last two"
    assert found.lacking(problem, Packing(nodes, 0.0), (), 0.5) == {}


def test_a_little_more_is_a_tenth_of_what_lies_beyond_todays_pods() -> None:
    found = setting(forecast=forecast_of(21.0))

    assert found.a_little_more(Safety().with_extra({WEB: 9})) == {WEB: 2}


def test_the_lead_time_is_learned_from_boots_and_reaches_demand_and_reclaims() -> None:
    """The policy says ten minutes, twenty boots took twenty: four steps of five minutes."""
    slow = Beliefs(boots=BootTimes((1200.0,) * 20))
    forecast = forecast_of(12.0, 15.0, 40.0, 99.0, 500.0)

    found, before = setting(slow, forecast), setting(forecast=forecast)

    learned_s = LAUNCH_S + slow.boots.lead_time_s(600.0 - LAUNCH_S)
    assert 900.0 < learned_s <= 1200.0 + LAUNCH_S
    assert found.outlook.lead_time_s == found.interruptions.lead_time_s == learned_s
    assert found.pods(Safety())[WEB] == 500  # within five steps: they took a bit longer than four
    assert found.interruptions.usd_per_node(A) > before.interruptions.usd_per_node(A)


def test_a_longer_lead_time_lets_more_nodes_go_before_others_come() -> None:
    quick, slow = (
        setting(service_level=ServiceLevel(lead_time_s=s)).outlook for s in (60, 6 * 3600)
    )

    left = [o.surviving((pool_of(A),), 2000).mean() for o in (quick, slow)]

    assert left[1] < left[0]


def test_capacity_is_chosen_and_scored_on_other_paths() -> None:
    samples = np.arange(1, 9, dtype=np.float32)[:, None, None, None] * 10
    found = setting(forecast=DemandForecast((str(WEB),), ("pods",), 0.0, 300.0, samples))

    chosen, scored = found.paths.pods[:, 0].tolist(), found.outlook.paths.pods[:, 0].tolist()

    assert sorted(chosen + scored) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert len(chosen) == len(scored) == 4


def test_reclaims_are_counted_in_the_offers_and_not_in_their_prices() -> None:
    counted = setting().catalog.by_key()[A.key]

    assert counted.price_usd_per_hour == 0.1
    assert counted.interruption_usd_per_hour == pytest.approx(
        setting().interruptions.counted_usd_per_node_hour(A)
    )


@pytest.mark.parametrize(("hours_ago", "is_dearer"), [(1.0, True), (5.9, True), (6.1, False)])
def test_a_pool_that_was_hit_lately_must_be_cheaper_to_be_bought(
    hours_ago: float, is_dearer: bool
) -> None:
    struck = Beliefs().struck([Shock(pool_of(A), -hours_ago, 2, 1)])

    spot = SpotRules(return_hours=6.0, return_saving=0.1)
    found, calm = setting(struck, spot=spot), setting(spot=spot)

    extra = found.catalog.by_key()[A.key].interruption_usd_per_hour
    dearer = extra - calm.catalog.by_key()[A.key].interruption_usd_per_hour
    assert dearer == pytest.approx(0.01 if is_dearer else 0.0)


def moved(hours_ago: float) -> Beliefs:
    """A plan went from A to B."""
    return Beliefs().moved(Move(-hours_ago, (POOL_A,), (POOL_B,)))


def resting(beliefs: Beliefs, *nodes: Node) -> dict[tuple[str, str, CapacityType], int]:
    found = setting(beliefs, nodes=nodes, churn=Churn(no_return_hours=24.0))
    return dict(first_safety(found, beliefs).resting)


def test_a_pool_that_a_plan_went_away_from_rests_for_a_day() -> None:
    assert resting(moved(hours_ago=23.0)) == {A.key: 0}
    assert resting(moved(hours_ago=25.0)) == {}


def test_nodes_of_a_resting_pool_that_run_may_stay() -> None:
    nodes = (make_node("n1", A), make_node("n2", A), make_node("n3", B))

    assert resting(moved(hours_ago=1.0), *nodes) == {A.key: 2}


def test_nodes_that_leave_are_no_reason_to_buy_their_like() -> None:
    """The move is under way: one node of A is drained."""
    nodes = (make_node("n1", A, is_leaving=True), make_node("n2", A))

    assert resting(moved(hours_ago=0.1), *nodes) == {A.key: 1}


def test_nothing_rests_where_the_policy_asks_for_no_rest() -> None:
    found = setting(moved(1.0), churn=Churn(no_return_hours=0.0))

    assert first_safety(found, moved(1.0)).resting == ()


def test_a_forecast_of_usage_is_covered_by_what_pods_request() -> None:
    """12.5 cores and pods of one core: thirteen; memory alone would ask for fewer."""
    samples = np.tile(np.array([12_500.0, 1024.0], dtype=np.float32), (4, 1, 1, 1))
    usage = DemandForecast((str(WEB),), ("cpu_milli", "memory_mib"), 0.0, 300.0, samples)

    assert setting(forecast=usage).pods(Safety())[WEB] == 13


def test_a_count_of_pods_speaks_alone() -> None:
    samples = np.tile(np.array([11.0, 99_000.0], dtype=np.float32), (4, 1, 1, 1))
    both = DemandForecast((str(WEB),), ("pods", "cpu_milli"), 0.0, 300.0, samples)

    assert setting(forecast=both).pods(Safety())[WEB] == 11


def test_series_of_workloads_that_are_gone_are_left_out() -> None:
    samples = np.full((4, 1, 1, 1), 50.0, dtype=np.float32)
    gone = DemandForecast(("default/Deployment/old",), ("pods",), 0.0, 300.0, samples)

    assert setting(forecast=gone).pods(Safety()) == {WEB: 10, SAFE_WEB: 10}
