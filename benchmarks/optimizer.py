"""Measures the optimizer on packing instances and prints JSON.

``python -m benchmarks.optimizer --data DIR [--instance NAME ...] --seconds S --seed N --out FILE
[--baselines [NAME ...]]``

DIR holds ``catalog_aws.csv``, ``offers_us_east_1.csv`` and ``instances/*.json``. Every instance
runs in a process of its own, so that the peak memory is its own. ``--baselines`` adds what other
ways to plan cost on the same problem; `protocol.md` says how all of it is measured.
"""

import argparse
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packed import PackedNodes, Result
from nodemix.optimizer.problem.types import Problem

from benchmarks.json_files import write_json

REPOSITORY = Path(__file__).resolve().parent.parent
KIB_PER_MIB = 1024
BASELINES = (
    "karpenter",
    "karpenter_tuned",
    "least_waste",
    "price",
    "kubepacs",
    "naive_deap",
    "spotkube",
    "spotkube_few",
)
"""Names in `benchmarks.baselines.all`, which is not imported here: memory and time are ours."""
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Run:
    """What to measure.

    Args:
        data: folder of the CSVs.
        seconds: wall time of our solver.
        baselines: names of those that run too, after it.
    """

    data: Path
    seconds: float
    seed: int
    baselines: tuple[str, ...] = ()


def measure(instance_json: Path, run: Run) -> dict[str, Any]:
    """Solve one instance in this process, which has not loaded the engine before."""
    process_started_s = time.monotonic()
    from nodemix.optimizer.packing.solve import solve, warm_up  # noqa: PLC0415 - timed apart
    from nodemix.optimizer.problem.benchmark import read_instance  # noqa: PLC0415 - timed apart

    warm_up()
    started_s = time.monotonic()
    catalog, offers = run.data / "catalog_aws.csv", run.data / "offers_us_east_1.csv"
    problem = read_instance(instance_json, catalog, offers)
    built_s = time.monotonic() - started_s
    deadline = Deadline(time.monotonic, started_s + run.seconds)
    result = solve(problem, deadline, np.random.default_rng(run.seed))
    record = {
        "instance": instance_json.stem,
        "seed": run.seed,
        "allowed_seconds": run.seconds,
        "pods": int(problem.demand.sum()),
        "seconds": time.monotonic() - started_s,
        "cold_start_seconds": started_s - process_started_s,
        **_figures(result, built_s),
        "dropped_rows": [row.row_id for row, _ in problem.unplaceable],
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB,
        "nodes": [_nodes(problem, group) for group in result.packing.nodes],
    }
    return record | ({"baselines": _baselines(problem, run)} if run.baselines else {})


def _baselines(problem: Problem, run: Run) -> dict[str, dict[str, float]]:
    """Cost and wall time of each baseline."""
    from benchmarks.baselines.all import BY_NAME  # noqa: PLC0415 - not in our memory and time

    figures = {}
    for name in run.baselines:
        started_s = time.monotonic()
        cost = BY_NAME[name](problem, np.random.default_rng(run.seed)).cost_usd_per_hour
        seconds = time.monotonic() - started_s
        figures[name] = {"cost_usd_per_hour": cost, "seconds": seconds}
        print(f"  {name}: {cost:.4f} USD/h, {seconds:.1f} s", file=sys.stderr)
    return figures


def _figures(result: Result, built_s: float) -> dict[str, Any]:
    first = result.progress[0]
    return {
        "first_plan_seconds": built_s + first.seconds,
        "first_plan_usd_per_hour": first.cost_usd_per_hour,
        "cost_usd_per_hour": result.packing.cost_usd_per_hour,
        "lower_bound_usd_per_hour": result.lower_bound_usd_per_hour,
        "lp_value_usd_per_hour": result.lp_value_usd_per_hour,
        "progress": [
            {"stage": m.stage, "seconds": built_s + m.seconds, "usd_per_hour": m.cost_usd_per_hour}
            for m in result.progress
        ],
    }


def _nodes(problem: Problem, group: PackedNodes) -> dict[str, Any]:
    """Equal nodes of the plan; rows that a zone spread cut count for their group again."""
    offer = problem.offers[group.offer]
    pods: Counter[str] = Counter()
    for row, count in group.pods:
        pods[problem.rows[row].workload.name] += count
    return {
        "instance_type": offer.instance.name,
        "zone": offer.zone,
        "capacity_type": str(offer.capacity_type),
        "count": group.count,
        "pods": dict(pods),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the JSON or write it to a file; 1 where the data is missing."""
    options = _parse(arguments)
    instances = instance_files(options.data, options.instance)
    if not instances:
        print(f"no instance in {options.data / 'instances'}; see --data", file=sys.stderr)
        return 1
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    records = [_in_own_process(path, run) for path in instances for run in _repeats(options)]
    write_json(records, options.out)
    return 0


def _repeats(options: argparse.Namespace) -> list[Run]:
    """Runs of one instance, seed by seed; the baselines run with the first."""
    seeds = range(options.seed, options.seed + options.repeats)
    first = tuple(options.baselines)
    return [
        Run(options.data, options.seconds, seed, first if seed == options.seed else ())
        for seed in seeds
    ]


def default_data() -> Path:
    """The folder of the CSVs where ``--data`` does not name it."""
    data = Path(os.environ.get("NODEMIX_DATA") or REPOSITORY.parent / "shared" / "data")
    return data / "optimizer"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.optimizer", description=__doc__)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the CSVs")
    parser.add_argument("--instance", nargs="+", default=[], help="names, or their beginnings")
    parser.add_argument("--seconds", type=float, default=10.0, help="wall time per instance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=1, help="runs per instance, seed by seed")
    parser.add_argument(
        "--baselines",
        nargs="*",
        default=(),
        choices=BASELINES,
        help="run these too, with the first seed; all if bare",
    )
    parser.add_argument("--out", type=Path, default=None, help="file for the JSON")
    options = parser.parse_args(arguments)
    options.baselines = BASELINES if options.baselines == [] else options.baselines
    return options


def instance_files(data: Path, names: Sequence[str]) -> list[Path]:
    """Instances in the folder whose names begin with one of ``names``; all where there is none."""
    paths = sorted((data / "instances").glob("*.json"))
    return [path for path in paths if not names or path.stem.startswith(tuple(names))]


def _in_own_process(path: Path, run: Run) -> dict[str, Any]:
    """Measure in a fresh process, so that peak memory and cold start are of this run alone."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as executor:
        record = executor.submit(measure, path, run).result()
    cost, bound = record["cost_usd_per_hour"], record["lower_bound_usd_per_hour"]
    print(
        f"{path.stem} seed {run.seed}: {cost:.4f} USD/h, bound {bound:.4f}, "
        f"{record['seconds']:.2f} s, {record['peak_rss_mib']:.0f} MiB",
        file=sys.stderr,
    )
    return record


if __name__ == "__main__":
    sys.exit(main())
