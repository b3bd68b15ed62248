"""What the genetic search adds once kube-scheduler has placed the pods; prints JSON.

``python -m benchmarks.genetic --data DIR [--instance NAME ...] [--mode observe ...] --seconds S
--seeds N [--out FILE]``

For each instance, mode and seed, at equal cpu time of one process: the plan of column generation,
dive and local search with all the time (``packed``), the one of its best plans that is cheapest
once placed (``packed_chosen``), and the plan of the search with the placement mode (``genetic``).
All are scored on the same draws, which no search has seen.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.packing.draft import to_packing
from nodemix.optimizer.packing.market import to_market
from nodemix.optimizer.packing.search import Search, StageParams
from nodemix.optimizer.packing.solve import solve, warm_up
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.trials import Trials, kinds_of
from nodemix.optimizer.problem.benchmark import read_instance
from nodemix.optimizer.problem.types import Problem

from benchmarks.json_files import write_json
from benchmarks.optimizer import default_data, instance_files

CHOOSING_DRAWS, FRESH_DRAWS = 8, 32
CHOOSING_SEED, FRESH_SEED = 20_261_125, 20_261_126
MODES = (PlacementMode.OBSERVE, PlacementMode.COHORT)


@dataclass(frozen=True, slots=True)
class Run:
    """What to measure.

    Args:
        seconds: of the process on a core, for each plan.
    """

    modes: tuple[PlacementMode, ...]
    seconds: float
    seeds: int


def measure(instance: str, problem: Problem, run: Run) -> list[dict[str, Any]]:
    """A record for each mode and seed."""
    records = []
    for seed in range(run.seeds):
        elite = _packed(problem, run.seconds, seed)
        for mode in run.modes:
            figures = _compared(problem, elite, mode, run.seconds, seed)
            records.append({"instance": instance, "mode": str(mode), "seed": seed, **figures})
            print(json.dumps(records[-1]), file=sys.stderr)
    return records


def _packed(problem: Problem, seconds: float, seed: int) -> list[Packing]:
    """The best plans of all stages but the genetic ones, cheapest first."""
    market = to_market(problem)
    deadline = Deadline.after(time.process_time, seconds)
    search = Search(market, deadline, np.random.default_rng(seed), StageParams(local_search=1.0))
    search.run()
    return [to_packing(market, draft) for draft in search.incumbent.elite]


def _compared(
    problem: Problem, elite: Sequence[Packing], mode: PlacementMode, seconds: float, seed: int
) -> dict[str, Any]:
    choosing = _scorer(problem, mode, CHOOSING_SEED, CHOOSING_DRAWS)
    placed = _scorer(problem, mode, FRESH_SEED, FRESH_DRAWS)
    chosen = min(elite, key=choosing)
    deadline = Deadline.after(time.process_time, seconds)
    started_s = time.process_time()
    result = solve(problem, deadline, np.random.default_rng(seed), placement=mode)
    seconds_used = time.process_time() - started_s
    plans = {"packed": elite[0], "packed_chosen": chosen, "genetic": result.packing}
    before, after = placed(elite[0]), placed(result.packing)
    return {
        "placed_usd_per_hour": {name: placed(plan) for name, plan in plans.items()},
        "plan_usd_per_hour": {name: plan.cost_usd_per_hour for name, plan in plans.items()},
        "saved_percent": 100.0 * (1.0 - after / before),
        "own_estimate_usd_per_hour": result.placed and result.placed.usd_per_hour,
        "standard_error_usd_per_hour": result.placed and result.placed.standard_error_usd_per_hour,
        "alternatives": len(result.alternatives),
        "cpu_seconds": seconds_used,
    }


def _scorer(
    problem: Problem, mode: PlacementMode, seed: int, draws: int
) -> Callable[[Packing], float]:
    trials = Trials(problem, mode, seed)

    def placed_usd_per_hour(packing: Packing) -> float:
        kinds = kinds_of(packing, len(problem.rows))
        hosting = [trials.hosting_usd_per_hour(kinds, draw) for draw in range(draws)]
        return packing.cost_usd_per_hour + statistics.fmean(hosting)

    return placed_usd_per_hour


def summary(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians over the seeds, with the smallest and largest saving."""
    cases = dict.fromkeys((record["instance"], record["mode"]) for record in records)
    table = []
    for instance, mode in cases:
        own = [r for r in records if (r["instance"], r["mode"]) == (instance, mode)]
        saved = [record["saved_percent"] for record in own]
        medians = {
            f"{kind}_{name}": statistics.median(record[kind][name] for record in own)
            for kind in ("placed_usd_per_hour", "plan_usd_per_hour")
            for name in own[0][kind]
        }
        spread = {"least": min(saved), "most": max(saved)}
        medians["saved_percent"] = statistics.median(saved)
        table.append({"instance": instance, "mode": mode, **medians, **spread})
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where the data is missing."""
    options = _parse(arguments)
    files = instance_files(options.data, options.instance)
    if not files:
        print(f"no such instances in {options.data / 'instances'}; see --data", file=sys.stderr)
        return 1
    run = Run(tuple(options.mode), options.seconds, options.seeds)
    warm_up()
    records = []
    for path in files:
        csv_files = (options.data / "catalog_aws.csv", options.data / "offers_us_east_1.csv")
        records += measure(path.stem, read_instance(path, *csv_files), run)
    report = {"seconds": run.seconds, "table": summary(records), "runs": records}
    write_json(report, options.out)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--instance", nargs="+", metavar="NAME", default=[])
    parser.add_argument("--mode", nargs="+", type=PlacementMode, default=list(MODES))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
