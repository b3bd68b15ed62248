"""Measures the optimizer on packing instances and prints JSON.

``python -m benchmarks.optimizer --data DIR [--instance NAME ...] --seconds S --seed N --out FILE``

DIR holds ``catalog_aws.csv``, ``offers_us_east_1.csv`` and ``instances/*.json``. Every instance
runs in a process of its own, so that the peak memory is its own.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.plan import PackedNodes, Result
from nodemix.optimizer.problem.types import Problem

REPOSITORY = Path(__file__).resolve().parent.parent
KIB_PER_MIB = 1024
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def measure(instance_json: Path, data: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Solve one instance in this process, which has not loaded the engine before."""
    process_started_s = time.monotonic()
    from nodemix.optimizer.packing.solve import solve, warm_up  # noqa: PLC0415 - timed apart
    from nodemix.optimizer.problem.benchmark import read_instance  # noqa: PLC0415 - timed apart

    warm_up()
    started_s = time.monotonic()
    catalog, offers = data / "catalog_aws.csv", data / "offers_us_east_1.csv"
    problem = read_instance(instance_json, catalog, offers)
    built_s = time.monotonic() - started_s
    deadline = Deadline(time.monotonic, started_s + seconds)
    result = solve(problem, deadline, np.random.default_rng(seed))
    return {
        "instance": instance_json.stem,
        "seed": seed,
        "seconds": time.monotonic() - started_s,
        "cold_start_seconds": started_s - process_started_s,
        **_figures(result, built_s),
        "dropped_rows": [row.row_id for row, _ in problem.unplaceable],
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB,
        "nodes": [_nodes(problem, group) for group in result.packing.nodes],
    }


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
    instances = _instances(options.data, options.instance)
    if not instances:
        print(f"no instance in {options.data / 'instances'}; see --data", file=sys.stderr)
        return 1
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    records = [
        _in_own_process(path, options.data, options.seconds, options.seed + repeat)
        for path in instances
        for repeat in range(options.repeats)
    ]
    text = json.dumps(records, indent=1)
    if options.out is None:
        print(text)
    else:
        options.out.write_text(text + "\n", encoding="utf-8")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    data = Path(os.environ.get("NODEMIX_DATA") or REPOSITORY.parent / "shared" / "data")
    parser = argparse.ArgumentParser(prog="benchmarks.optimizer", description=__doc__)
    parser.add_argument("--data", type=Path, default=data / "optimizer", help="folder of the CSVs")
    parser.add_argument("--instance", nargs="+", default=[], help="names, or their beginnings")
    parser.add_argument("--seconds", type=float, default=10.0, help="wall time per instance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=1, help="runs per instance, seed by seed")
    parser.add_argument("--out", type=Path, default=None, help="file for the JSON")
    return parser.parse_args(arguments)


def _instances(data: Path, names: Sequence[str]) -> list[Path]:
    paths = sorted((data / "instances").glob("*.json"))
    return [path for path in paths if not names or path.stem.startswith(tuple(names))]


def _in_own_process(path: Path, data: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Measure in a fresh process, so that peak memory and cold start are of this run alone."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as executor:
        record = executor.submit(measure, path, data, seconds, seed).result()
    cost, bound = record["cost_usd_per_hour"], record["lower_bound_usd_per_hour"]
    print(
        f"{path.stem} seed {seed}: {cost:.4f} USD/h, bound {bound:.4f}, "
        f"{record['seconds']:.2f} s, {record['peak_rss_mib']:.0f} MiB",
        file=sys.stderr,
    )
    return record


if __name__ == "__main__":
    sys.exit(main())
