from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nodemix.forecasting.champion import ForecastSettings
from nodemix.forecasting.types import DemandHistory, Horizon
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.risk.hazard import PoolKey
from nodemix.optimizer.snapshot import CapacityType
from nodemix.simulator.clock import Span
from nodemix.simulator.replay import replay

from benchmarks.closed_loop import (
    Champion,
    Fixed,
    Setting,
    believed_reclaims,
    fisher,
    reclaimed_pools,
    spot_against_on_demand,
    traced_reclaims,
)
from benchmarks.hazard import Campaign
from tests.simulator.scenes import CHEAP, OFFERS, OTHER, PLAIN, make_scene

SPAN = Span(0.0, 7200.0, 3600.0)


def a_setting(**policy: object) -> Setting:
    scene = make_scene(db=[4] * 13, web=[1] * 13)
    chosen = replace(Policy(search_s=0.3), **policy)  # type: ignore[arg-type]
    return Setting(scene, SPAN, chosen, OFFERS, ("last-value",), seed=1)


def test_each_spot_pool_of_a_plan_is_taken_back_whole_once() -> None:
    """A fleet of two pools cannot lose one unnoticed; what is short is what is measured."""
    found = reclaimed_pools(a_setting(), times=1)

    pools = [one["pool"] for one in found["tried"]]
    assert len(pools) == len({tuple(pool) for pool in pools}) == found["pools_tried"]
    assert all(pool[2] == CapacityType.SPOT for pool in pools)
    for one in found["tried"]:
        is_deep = one["share_short"] > 0.2
        assert one["minutes_deep"] == (pytest.approx(10.0) if is_deep else 0.0)
        assert one["share_short_without_it"] == 0.0


def test_on_demand_alone_has_no_pool_to_lose() -> None:
    policy = Policy()
    found = reclaimed_pools(a_setting(spot=replace(policy.spot, max_share=0.0)), times=1)

    assert found["pools_tried"] == 0
    assert found["worst"] is None


def test_on_demand_is_not_cheaper_than_a_mix_that_loses_nothing() -> None:
    found = spot_against_on_demand(a_setting(), {"calm": ()})

    calm = found["calm"]
    assert calm["cheaper"]["value"] >= 0.0
    assert calm["is_slo_met"]
    assert found["on_demand"]["spot_share"] == 0.0
    paid = 1.0 - calm["spot"]["usd"] / found["on_demand"]["usd"]
    assert calm["cheaper"]["value"] == pytest.approx(paid)


def test_reclaims_that_are_believed_are_those_of_spot_pools_in_the_span() -> None:
    setting = replace(a_setting(), span=Span(0.0, 400 * 86_400.0, 3600.0))

    reclaims = believed_reclaims(setting)

    assert {r.pool for r in reclaims} <= {CHEAP, OTHER}
    assert all(0.0 <= r.at_s < setting.span.end_s for r in reclaims)
    assert reclaims == believed_reclaims(setting)


def test_traced_reclaims_are_as_frequent_as_in_the_trace() -> None:
    """One of two nodes is lost every fourth of five ticks of half an hour with nodes."""
    trace = np.array([2, 2, 1, 2, 2] * 40, dtype=np.int64)
    campaign = Campaign("made up", 0.5, {PoolKey("v100", "a", "v100_1"): trace})
    setting = replace(a_setting(), span=Span(0.0, 1000 * 3600.0, 3600.0))

    reclaims = traced_reclaims(setting, [campaign])

    lost = 40
    expected = 2 * lost * 1000.0 / (0.5 * (len(trace) - 1))
    assert len(reclaims) == pytest.approx(expected, rel=0.05)
    assert {r.share for r in reclaims} == {0.5}


def test_fixed_is_what_it_was_given() -> None:
    run = replay(make_scene([1] * 7, [1] * 7), Fixed({PLAIN: 1}), Span(0.0, 3600.0, 1800.0))

    assert {i.nodes for i in run.intervals} == {1}


def test_the_champion_says_nothing_where_nothing_is_known() -> None:
    nothing = DemandHistory(("a",), ("pods",), 0.0, 900.0, np.full((1, 1, 4), np.nan))
    champion = Champion(Horizon(2), ForecastSettings(models=("last-value",)))

    assert champion(nothing, nothing.end_s) is None


def test_the_season_of_a_real_service_becomes_pods(nodemix_data: Path) -> None:
    snapshot, history = fisher(nodemix_data)

    assert len({pod.workload for pod in snapshot.pods}) == len(history.series) == 10
    assert len({pod.template for pod in snapshot.pods}) == 10
    total = np.nansum(history.values[:, 0], axis=0)
    assert 100 < np.median(total) < 1000
