"""Lets the real kube-scheduler place plans and prints what they cost then, as JSON.

``python -m benchmarks.placed [--data DIR] --instance NAME ... [--mode MODE ...] [--pods N]
[--order random|decreasing] [--seconds S] [--seed N] [--repeats N] [--services] [--for-mode]
[--out FILE]``

Each instance is solved, the plan's nodes are posted to a control plane of its own (etcd, API
server, scheduler; nodes played by kwok), and its pods are created in the steering's release order,
or at random where it has none. Placed cost is the plan's cost and that of nodes for the pods left
pending, bought greedily. ``--pods`` cuts an instance down to so many pods, in proportion.
"""

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packed import Packing, Result
from nodemix.optimizer.packing.solve import solve, warm_up
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.placed import (
    OWNED,
    Profile,
    arrival_order,
    decreasing_order,
    hosting_cost_usd_per_hour,
    place,
    random_order,
)
from nodemix.optimizer.placement.steering import Steering, steer
from nodemix.optimizer.problem.benchmark import read_instance
from nodemix.optimizer.problem.types import IntArray, Problem

from benchmarks.json_files import read_json, write_json
from benchmarks.optimizer import default_data, instance_files
from tools.local_cluster import LocalCluster
from tools.placed_plan import PlacedPlan, standing

DRAWS = 8
MODES = (PlacementMode.OBSERVE, PlacementMode.COHORT, PlacementMode.PINNED)
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Arrival:
    """How pods come: in the steering's release order unless ``order`` says otherwise.

    Args:
        order: ``release``, ``random`` or ``decreasing``.
    """

    order: str = "release"

    def draw(self, problem: Problem, steering: Steering, rng: np.random.Generator) -> IntArray:
        """The row of each pod as they are created, shape (pods,)."""
        match self.order:
            case "random":
                return random_order(problem, rng)
            case "decreasing":
                return decreasing_order(problem)
            case _:
                return arrival_order(problem, steering, rng)


@dataclass(frozen=True, slots=True)
class References:
    """What others reached on an instance, USD per hour; None where nobody ran it.

    Args:
        karpenter: the real one's lowest settled cost, the best of its set-ups.
        lower_bound: certified earlier, with more time.
    """

    karpenter: float | None = None
    lower_bound: float | None = None

    def share_captured(self, placed: float, lower_bound: float) -> float | None:
        """How much of what Karpenter pays above the bound the placed plan saves."""
        if self.karpenter is None:
            return None
        return (self.karpenter - placed) / (self.karpenter - lower_bound)


def read_references(data: Path, instance: str) -> References:
    """The lines of one instance in ``karpenter_real.csv`` and ``bounds.csv``."""
    settled = [
        float(row["lowest_settled_usd_h"])
        for row in _rows(data / "karpenter_real.csv")
        if row["instance"] == instance
    ]
    bounds = [
        float(row["certified_lower_bound"])
        for row in _rows(data / "bounds.csv")
        if row["name"] == instance
    ]
    return References(min(settled, default=None), max(bounds, default=None))


def cut_down(instance: Figures, pods: int) -> Figures:
    """The instance with ``pods`` pods, the groups in proportion and none of them empty."""
    groups = instance["groups"]
    counts = np.array([group["count"] for group in groups], dtype=np.float64)
    shares = np.maximum(1, np.floor(counts * pods / counts.sum())).astype(np.int64)
    shares[np.argmax(shares)] += pods - shares.sum()
    cut = [{**g, "count": int(n)} for g, n in zip(groups, shares, strict=True)]
    return {**instance, "name": f"{instance['name']}_{pods}", "groups": cut}


def predicted_extras(
    problem: Problem,
    packing: Packing,
    steering: Steering,
    orders: Sequence[IntArray],
    profile: Profile,
) -> list[float]:
    """Shares of the plan's cost for what the emulation leaves pending, one for each order."""
    extras = []
    for seed, order in enumerate(orders):
        rng = np.random.default_rng(seed)
        found = place(problem, packing, order, rng, profile, steering)
        extras.append(_extra(problem, packing, found.pending))
    return extras


def measure(
    placed: PlacedPlan,
    steering: Steering,
    arrival: Arrival,
    profile: Profile,
    rng: np.random.Generator,
) -> Figures:
    """What the real scheduler makes of the plan, and what the emulation foretold."""
    problem, packing = placed.problem, placed.packing
    started_s = time.monotonic()
    order = arrival.draw(problem, steering, rng)
    pending = placed.pending(order, steering)
    seconds = time.monotonic() - started_s
    extra = _extra(problem, packing, pending)
    others = [arrival.draw(problem, steering, rng) for _ in range(DRAWS)]
    extras = predicted_extras(problem, packing, steering, others, profile)
    of_this_order = predicted_extras(problem, packing, steering, [order] * DRAWS, profile)
    return {
        "mode": str(steering.mode),
        "order": "random" if arrival.order == "release" and not steering.release else arrival.order,
        "real_extra": extra,
        "predicted_extra": float(np.mean(extras)),
        "predicted_extra_deviation": float(np.std(extras)),
        "predicted_extra_of_this_order": float(np.mean(of_this_order)),
        "pending_pods": int(pending.sum()),
        "placed_usd_per_hour": packing.cost_usd_per_hour * (1.0 + extra),
        "seconds": seconds,
    }


def _extra(problem: Problem, packing: Packing, pending: IntArray) -> float:
    return hosting_cost_usd_per_hour(problem, pending) / packing.cost_usd_per_hour


def compare(problem: Problem, result: Result, references: References) -> Figures:
    """The plan's own figures."""
    bounds = (result.lower_bound_usd_per_hour, references.lower_bound or 0.0)
    return {
        "pods": int(problem.demand.sum()),
        "nodes": sum(group.count for group in result.packing.nodes),
        "plan_usd_per_hour": result.packing.cost_usd_per_hour,
        "lower_bound_usd_per_hour": max(bounds),
        "karpenter_usd_per_hour": references.karpenter,
    }


def run(options: argparse.Namespace, cluster: LocalCluster) -> Iterator[Figures]:
    """One record for each instance, seed and mode."""
    warm_up()
    profile = OWNED if options.services else Profile()
    for number, (path, repeat) in enumerate(
        (p, r)
        for p in instance_files(options.data, options.instance)
        for r in range(options.repeats)
    ):
        seed = options.seed + repeat
        problem = _read(options, path)
        # Nobody else ran an instance that was cut down.
        references = References() if options.pods else read_references(options.data, path.stem)
        for modes, placement in _plans(options):
            deadline = Deadline.after(time.process_time, options.seconds)
            rng = np.random.default_rng(seed)
            result = solve(problem, deadline, rng, placement=placement)
            own = {
                "instance": path.stem,
                "seed": seed,
                "plan_for": placement,
                "services": options.services,
                **compare(problem, result, references),
            }
            name = f"plan-{number}-{placement or 'price'}"
            with (
                standing(cluster, name, problem, result.packing) as placed,
                placed.served() if options.services else nullcontext(),
            ):
                for mode in modes:
                    steering = steer(problem, result.packing, mode)
                    rng = np.random.default_rng(seed)
                    found = measure(placed, steering, Arrival(options.order), profile, rng)
                    bound, cost = own["lower_bound_usd_per_hour"], found["placed_usd_per_hour"]
                    yield {**own, **found, "share_captured": references.share_captured(cost, bound)}


def _plans(
    options: argparse.Namespace,
) -> Iterator[tuple[Sequence[PlacementMode], PlacementMode | None]]:
    """The modes that one plan is placed in, and the mode it is made for; None for its price."""
    if not options.for_mode:
        yield options.mode, None
        return
    for mode in options.mode:
        yield (mode,), mode


def _read(options: argparse.Namespace, path: Path) -> Problem:
    catalog, offers = options.data / "catalog_aws.csv", options.data / "offers_us_east_1.csv"
    if not options.pods:
        return read_instance(path, catalog, offers)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(cut_down(read_json(path), options.pods), file)
        file.flush()
        return read_instance(Path(file.name), catalog, offers)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the JSON or write it to a file; 1 where the data is missing."""
    options = parse(arguments)
    if not instance_files(options.data, options.instance):
        print(f"no such instance in {options.data / 'instances'}; see --data", file=sys.stderr)
        return 1
    records: list[Figures] = []
    with LocalCluster() as cluster:
        for record in run(options, cluster):
            records.append(record)
            print(_line(record), file=sys.stderr)
            if options.out is not None:  # each time: the next run may take minutes
                write_json(records, options.out)
    if options.out is None:
        write_json(records)
    return 0


def _line(record: Figures) -> str:
    share = record["share_captured"]
    return (
        f"{record['instance']} seed {record['seed']} {record['mode']} {record['order']}: "
        f"{record['pods']} pods, {record['nodes']} nodes, "
        f"extra {record['real_extra']:.2%} (foretold {record['predicted_extra']:.2%}), "
        f"{record['placed_usd_per_hour']:.4f} USD/h placed, "
        f"{'no' if share is None else format(share, '.1%')} share of Karpenter's saving, "
        f"{record['seconds']:.0f} s"
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.placed", description=__doc__)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the CSVs")
    parser.add_argument("--instance", nargs="+", required=True, help="names, or their beginnings")
    parser.add_argument(
        "--mode", nargs="+", type=PlacementMode, choices=list(PlacementMode), default=MODES
    )
    parser.add_argument(
        "--for-mode", action="store_true", help="make a plan for each mode, not one for its price"
    )
    parser.add_argument("--pods", type=int, default=0, help="cut each instance down to so many")
    parser.add_argument(
        "--order", choices=("release", "random", "decreasing"), default="release",
        help="in which pods are created; by default as the mode lets them in",
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, default=10.0, help="CPU time of the search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=1, help="runs per instance, seed by seed")
    parser.add_argument(
        "--services",
        action="store_true",
        help="a Service before each workload: spread is scored",
    )
    parser.add_argument("--out", type=Path, default=None, help="file for the JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
