from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nodemix.forecasting.baselines.last_value import LastValue
from nodemix.forecasting.types import DemandForecast, DemandHistory, Horizon
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.risk.hazard import PoolKey as SpotPool
from nodemix.simulator.clock import CountingClock, Span
from nodemix.simulator.market import Market, PriceChange, Reclaim
from nodemix.simulator.policies import Deciding, Nodemix, Observation, Target, reaching
from nodemix.simulator.replay import Run, Scene, replay
from nodemix.simulator.score import usd_of
from nodemix.simulator.workload import workloads_of

from tests.simulator.scenes import (
    CHEAP,
    DB,
    OFFERS,
    OTHER,
    PLAIN,
    WEB,
    Scripted,
    make_cluster,
    make_history,
    make_scene,
)

HOUR = Span(0.0, 3600.0, 1800.0)
PRICE = {offer.key: offer.price_usd_per_hour for offer in OFFERS.offers}
STEADY = [1] * 7
RUSH = [1, 1, 2, 2, 1, 1, 1]
"""Two pods between 600 and 1800 s."""


def pod_minutes_short(run: Run) -> float:
    return sum(60.0 * i.short * i.hours for i in run.intervals)


def test_a_calm_hour_costs_its_node() -> None:
    run = replay(make_scene(STEADY, STEADY), Scripted([{PLAIN: 1}]), HOUR)

    assert usd_of(run) == pytest.approx(0.2)
    assert pod_minutes_short(run) == 0.0
    assert run.decisions == 2
    assert (run.intervals[0].start_s, run.intervals[-1].end_s) == (0.0, 3600.0)


def test_pods_beyond_the_nodes_are_short_for_as_long_as_they_are_wanted() -> None:
    """The second web pod finds 1 of its 2 cores: for 20 minutes, 2 of 5 cores."""
    run = replay(make_scene(STEADY, RUSH), Scripted([{PLAIN: 1}]), HOUR)

    assert pod_minutes_short(run) == pytest.approx(20.0)
    assert max(i.share_short for i in run.intervals) == pytest.approx(0.4)
    assert usd_of(run) == pytest.approx(0.2)


def test_recourse_comes_after_the_boot_and_goes_with_the_next_decision() -> None:
    run = replay(make_scene(STEADY, RUSH), Scripted([{PLAIN: 1}], has_recourse=True), HOUR)

    assert pod_minutes_short(run) == pytest.approx(10.0)
    assert usd_of(run) == pytest.approx(0.2 + 0.2 * 1200.0 / 3600.0)
    assert [(c.at_s, c.kind, c.nodes) for c in run.changes if c.kind == "recourse"] == [
        (600.0, "recourse", ((PLAIN, 1),))
    ]


def test_a_reclaimed_pool_is_paid_until_it_goes_and_bought_again_by_the_next_decision() -> None:
    scene = make_scene(STEADY, STEADY, [Reclaim(900.0, CHEAP, 1.0), Reclaim(950.0, OTHER, 1.0)])

    run = replay(scene, Scripted([{CHEAP: 2}]), HOUR)

    assert usd_of(run) == pytest.approx(2 * 0.08 * 900.0 / 3600.0 + 2 * 0.08 * 0.5)
    assert pod_minutes_short(run) == pytest.approx(2 * (2400.0 - 900.0) / 60.0)
    assert [c.nodes for c in run.changes if c.kind == "reclaim"] == [((CHEAP, -2),)]


def test_prices_are_those_of_the_moment() -> None:
    scene = make_scene(STEADY, STEADY, changes=[PriceChange(1800.0, CHEAP, 0.16)])

    assert usd_of(replay(scene, Scripted([{CHEAP: 1}]), HOUR)) == pytest.approx(0.12)


def test_a_policy_without_an_answer_keeps_its_nodes() -> None:
    run = replay(make_scene(STEADY, STEADY), Scripted([{PLAIN: 1}, None]), HOUR)

    assert usd_of(run) == pytest.approx(0.2)
    assert len(run.changes) == 1


def test_nodes_are_replaced_one_boot_later_and_paid_twice_until_then() -> None:
    run = replay(make_scene(STEADY, STEADY), Scripted([{PLAIN: 1}, {CHEAP: 1}]), HOUR)

    assert usd_of(run) == pytest.approx(0.2 * 2400.0 / 3600.0 + 0.08 * 0.5)
    assert pod_minutes_short(run) == 0.0
    (move,) = run.moves
    assert (move.at_h, move.left, move.entered) == (
        0.5,
        (("m5.xlarge", "us-east-1a", "on-demand"),),
        (("m5.xlarge", "us-east-1a", "spot"),),
    )


def test_beliefs_learn_what_the_simulation_does() -> None:
    reclaims = [Reclaim(900.0, CHEAP, 0.5)]
    policy = Scripted([{CHEAP: 2}, {OTHER: 2}, {CHEAP: 2}])

    run = replay(make_scene(STEADY, STEADY, reclaims), policy, Span(0.0, 5400.0, 1800.0))

    last = policy.seen[-1].beliefs
    pool = SpotPool("m5", "us-east-1a", "m5.xlarge")
    assert last.hazards is not None
    seen = last.hazards.pools[pool]
    assert seen.shocks == pytest.approx(1.0, abs=0.02)
    assert seen.share_lost == pytest.approx(0.5, abs=0.01)
    assert seen.hours == pytest.approx(2400.0 / 3600.0, abs=0.02)
    assert last.hits == ((pool, 0.25),)
    assert last.boots.seconds == (2400.0, 2400.0)
    assert [m.at_h for m in last.moves] == [0.5]
    assert [m.at_h for m in run.beliefs.moves] == [0.5, 1.0]


pods = st.lists(st.integers(0, 9), min_size=9, max_size=9)
targets = st.lists(
    st.fixed_dictionaries({PLAIN: st.integers(0, 3), CHEAP: st.integers(0, 3)}),
    min_size=1,
    max_size=4,
)
hits = st.lists(st.tuples(st.floats(1.0, 4799.0), st.floats(0.01, 1.0)), max_size=4)


@settings(max_examples=50)
@given(pods, pods, targets, hits, st.booleans())
def test_money_is_node_hours_times_price_and_time_has_no_gaps(
    db: list[int],
    web: list[int],
    said: list[Target],
    hit: list[tuple[float, float]],
    has_recourse: bool,
) -> None:
    reclaims = [Reclaim(at_s, CHEAP, share) for at_s, share in sorted(hit)]
    span = Span(0.0, 4800.0, 1200.0)

    run = replay(make_scene(db, web, reclaims), Scripted(said, has_recourse), span)

    leased = sum(
        PRICE[lease.pool] * (lease.until_s - lease.since_s) / 3600.0
        for lease in run.leases
        if lease.until_s is not None
    )
    assert usd_of(run) == pytest.approx(leased, abs=1e-9)
    assert run.intervals[0].start_s == 0.0
    assert run.intervals[-1].end_s == 4800.0
    ends = [i.end_s for i in run.intervals]
    assert ends[:-1] == [i.start_s for i in run.intervals[1:]]
    assert all(0 <= i.short <= i.wanted and i.start_s < i.end_s for i in run.intervals)


@dataclass
class Recording:
    """Asks nodemix and keeps its answers with the time they were given."""

    asked: Nodemix
    said: list[tuple[float, Target | None]] = field(default_factory=list)
    name: str = "nodemix"
    has_recourse: bool = True

    def step(self, seen: Observation) -> Target | None:
        self.said.append((seen.now_s, self.asked.step(seen)))
        return self.said[-1][1]


def foretell(history: DemandHistory, now_s: float) -> DemandForecast:
    return LastValue().forecast(history, Horizon(3, 20), np.random.default_rng(history.steps))


def decided(scene: Scene, span: Span) -> list[tuple[float, Target | None]]:
    policy = reaching(Policy(search_s=0.1), 2400.0)
    recording = Recording(Nodemix(Deciding(policy, CountingClock()), foretell))
    replay(scene, recording, span)
    return recording.said


@pytest.fixture(scope="module")
def history() -> dict[str, list[int]]:
    rng = np.random.default_rng(0)
    return {name: rng.integers(1, 8, 25).tolist() for name in ("db", "web")}


def test_changing_the_future_changes_no_past_decision(history: dict[str, list[int]]) -> None:
    """Demand, prices and reclaims after the 12th step (7200 s) are others."""
    span = Span(0.0, 12_600.0, 1800.0)
    other = {name: [*known[:13], *(9 - p for p in known[13:])] for name, known in history.items()}
    calm = make_scene(history["db"], history["web"], [Reclaim(4000.0, CHEAP, 1.0)])
    wild = make_scene(
        other["db"],
        other["web"],
        [Reclaim(4000.0, CHEAP, 1.0), Reclaim(7500.0, CHEAP, 1.0), Reclaim(7500.0, OTHER, 1.0)],
        [PriceChange(7600.0, PLAIN, 0.01)],
    )

    here, there = decided(calm, span), decided(wild, span)

    until = [said for said in here if said[0] <= 6600.0]
    assert len(until) == 4
    assert until == there[: len(until)]
    assert here != there


def test_the_same_seed_replays_the_same(history: dict[str, list[int]]) -> None:
    scene = make_scene(history["db"], history["web"], [Reclaim(4000.0, CHEAP, 1.0)])
    span = Span(0.0, 7200.0, 1800.0)

    assert decided(scene, span) == decided(scene, span)


def test_nodemix_sees_only_steps_that_have_ended(history: dict[str, list[int]]) -> None:
    policy = Scripted([{PLAIN: 1}])
    replay(make_scene(history["db"], history["web"]), policy, HOUR)

    assert [(seen.now_s, seen.history.end_s) for seen in policy.seen] == [
        (0.0, 0.0),
        (1800.0, 1800.0),
    ]
    assert policy.seen[1].history.values[:, 0].tolist() == [
        history["db"][:4],
        history["web"][:4],
    ]


def test_a_part_of_a_run_sums_up_to_the_whole() -> None:
    run = replay(make_scene(STEADY, RUSH), Scripted([{PLAIN: 1}], has_recourse=True), HOUR)

    first, second = (run.between(half) for half in HOUR.halves())

    assert usd_of(first) + usd_of(second) == pytest.approx(usd_of(run))
    assert pod_minutes_short(first) == pytest.approx(10.0)
    assert pod_minutes_short(second) == 0.0
    assert len(first.changes) + len(second.changes) == len(run.changes)


def test_the_watch_is_told_of_every_decision() -> None:
    told: list[tuple[int, int]] = []

    replay(make_scene(STEADY, STEADY), Scripted([{PLAIN: 1}]), HOUR, lambda *at: told.append(at))

    assert told == [(1, 2), (2, 2)]


def test_a_scene_of_usage_is_replayed_by_requests() -> None:
    workloads = workloads_of(make_cluster(), make_history({WEB: [3_000.0] * 7}, "cpu_milli"))
    scene = replace(make_scene(STEADY, STEADY), workloads=workloads, market=Market(OFFERS))

    run = replay(scene, Scripted([{PLAIN: 1}]), HOUR)

    assert DB in workloads.steady
    assert {i.wanted for i in run.intervals} == {3}
    assert {i.short for i in run.intervals} == {1}
