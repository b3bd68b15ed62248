import pytest
from nodemix.optimizer.placement.mode import PlacementMode

from benchmarks.genetic import Run, measure, summary
from tests.builders import make_offer, make_pods, make_problem


def record(seed: int, saved: float) -> dict[str, object]:
    costs = {"packed": 100.0, "packed_chosen": 99.0, "genetic": 100.0 - saved}
    figures = {"placed_usd_per_hour": costs, "plan_usd_per_hour": costs, "saved_percent": saved}
    return {"instance": "d1", "mode": "observe", "seed": seed, **figures}


def test_table_holds_the_median_and_the_spread_of_the_seeds() -> None:
    (row,) = summary([record(0, 1.0), record(1, 5.0), record(2, 2.0)])

    assert (row["saved_percent"], row["least"], row["most"]) == (2.0, 1.0, 5.0)
    assert row["placed_usd_per_hour_genetic"] == 98.0


def test_every_mode_and_seed_is_measured_on_its_own() -> None:
    pods = [*make_pods(6), *make_pods(4, workload="big", cpu_milli=3000)]
    problem = make_problem(pods, [make_offer(), make_offer("m5.4xlarge", price=0.9, vcpus=16)])
    run = Run((PlacementMode.OBSERVE, PlacementMode.COHORT), 0.3, 1)

    records = measure("tiny", problem, run)

    assert [one["mode"] for one in records] == ["observe", "cohort"]
    for one in records:
        placed, plan = one["placed_usd_per_hour"], one["plan_usd_per_hour"]
        assert all(placed[name] >= plan[name] - 1e-9 for name in plan)
        saved = 1.0 - placed["genetic"] / placed["packed"]
        assert one["saved_percent"] == pytest.approx(100.0 * saved)
