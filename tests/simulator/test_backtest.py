import pytest
from nodemix.optimizer.policy import Policy, SpotRules
from nodemix.simulator.backtest import Backtest, Question, backtest
from nodemix.simulator.clock import CountingClock, Span

from tests.simulator.scenes import make_scene

DB = [1, 1, 1, 5, 5, 1, 1, 1, 1, 5, 5, 1, 1]
"""Five pods for 20 minutes in each hour, of which nobody knows but perfect foresight."""
WEB = [1] * 13
ON_DEMAND = Policy(spot=SpotRules(max_share=0.0), search_s=0.05)


@pytest.fixture(scope="module")
def told() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def found(told: list[tuple[str, int, int]]) -> Backtest:
    """Decisions every 30 minutes, boots of 10, on demand only: 0.2 $ for each node-hour."""
    question = Question(
        scene=make_scene(DB, WEB),
        span=Span(0.0, 7200.0, 1800.0),
        policy=ON_DEMAND,
        foretell=lambda history, now_s: None,
        clock=CountingClock(),
    )
    return backtest(question, lambda *at: told.append(at))


def test_the_second_half_is_compared(found: Backtest) -> None:
    assert (found.compared.start_s, found.compared.end_s) == (3600.0, 7200.0)
    assert found.nodemix.hours == pytest.approx(1.0)
    assert [run.intervals[0].start_s for run in found.runs] == [3600.0] * 5


def test_rivals_are_in_their_order(found: Backtest) -> None:
    names = [rival.score.policy for rival in found.rivals]

    assert names == [
        "static", "reactive + 0 %", "reactive + 0 % in hindsight", "perfect foresight",
    ]  # fmt: skip


def test_nodemix_without_a_forecast_is_reactive_without_headroom(found: Backtest) -> None:
    reactive = found.rivals[1]

    assert reactive.misses_less
    assert reactive.score.pod_minutes_short == pytest.approx(found.nodemix.pod_minutes_short)
    assert reactive.score.usd == pytest.approx(found.nodemix.usd)
    assert reactive.saving.value == pytest.approx(0.0)


def test_static_pays_for_its_peak_all_the_time(found: Backtest) -> None:
    """5 pods of 1 core and one of 2 need two nodes."""
    static = found.rivals[0]

    assert static.score.usd == pytest.approx(0.4)
    assert static.score.pod_minutes_short == 0.0
    assert "6 pods" in static.note


def test_foresight_misses_nothing_and_pays_no_more_than_static(found: Backtest) -> None:
    foresight = found.rivals[3].score

    assert foresight.pod_minutes_short == 0.0
    assert foresight.usd <= found.rivals[0].score.usd


def test_a_rush_between_two_decisions_is_missed_until_recourse_is_there(found: Backtest) -> None:
    """At 4800 s 7 cores are wanted of 4: 3 pods wait for 10 minutes, of the 20."""
    assert found.nodemix.pod_minutes_short == pytest.approx(30.0)
    assert found.nodemix.nodes_recourse == 1


def test_the_watch_hears_of_every_policy(found: Backtest, told: list[tuple[str, int, int]]) -> None:
    assert {name for name, _, _ in told} == {
        "nodemix", "static", "reactive + 0 %", "perfect foresight",
    }  # fmt: skip
    assert ("nodemix", 4, 4) in told
    assert found.failures == ()
