"""Measures whole decisions under risk: time, realised tail, loss of a pool, and what spot saves.

``python -m benchmarks.decision [--data DIR] [--size NODES ...] [--seeds N] [--out FILE]``

Clusters are made up: workloads of many sizes with Zipf replica counts, packed first-fit onto one
type of on-demand nodes, and demand paths around a daily swing. For each the default policy decides,
once with spot and once without, and the plan is scored on 20,000 scenarios that the decision has
not seen. Seconds are those of this process on a core with one thread, because machines are shared.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # read once, when numpy loads

import numpy as np  # noqa: E402 - after the threads are set
from nodemix.forecasting.types import DemandForecast  # noqa: E402
from nodemix.optimizer.catalog.csv_files import load_catalog  # noqa: E402
from nodemix.optimizer.catalog.types import Catalog  # noqa: E402
from nodemix.optimizer.choice import choose  # noqa: E402
from nodemix.optimizer.deadline import Deadline  # noqa: E402
from nodemix.optimizer.planner import decide  # noqa: E402
from nodemix.optimizer.policy import Policy, SpotRules  # noqa: E402
from nodemix.optimizer.resources import Resources  # noqa: E402
from nodemix.optimizer.risk.beliefs import Beliefs  # noqa: E402
from nodemix.optimizer.setting import first_safety, setting_of  # noqa: E402
from nodemix.optimizer.snapshot import (  # noqa: E402
    CapacityType,
    Node,
    Pod,
    PodTemplate,
    Snapshot,
    WorkloadKey,
)
from nodemix.optimizer.warming import warm_up  # noqa: E402

from benchmarks.json_files import write_json  # noqa: E402
from benchmarks.optimizer import default_data  # noqa: E402

SEARCH_S = {100: 2.0, 1_000: 5.0}
"""Time of the search for clusters of up to so many nodes; what a decision takes on top shows."""
PODS_PER_NODE = 15
FRESH_SCENARIOS, FRESH_DRAWS = 20_000, 2_000
TARGET_SHARES = (1.0, 0.5, 0.25)
"""Of the tail of the default policy's plan, asked for as the accepted CVaR."""
DRAWS, STEPS, STEP_S = 200, 12, 300.0
SWING, NOISE = 0.15, 0.06
NODE_TYPE = "m5.4xlarge"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")


@dataclass(frozen=True, slots=True, eq=False)
class MadeUp:
    """A cluster and what is forecast for it."""

    snapshot: Snapshot
    forecast: DemandForecast


def made_up(nodes: int, catalog: Catalog, rng: np.random.Generator) -> MadeUp:
    """A cluster of about so many nodes, fifteen times as many pods, and joint demand paths."""
    pods = nodes * PODS_PER_NODE
    templates = _workloads(pods, rng)
    room = next(o.instance.allocatable for o in catalog.offers if o.instance.name == NODE_TYPE)
    placed, count = _first_fit(templates, room)
    cluster = [
        Node(
            name=f"node-{i}",
            allocatable=room,
            labels=(("node.kubernetes.io/instance-type", NODE_TYPE),),
            instance_type=NODE_TYPE,
            zone=ZONES[i % len(ZONES)],
            capacity_type=CapacityType.ON_DEMAND,
        )
        for i in range(count)
    ]
    snapshot = Snapshot(taken_at_s=0.0, nodes=tuple(cluster), pods=tuple(placed))
    return MadeUp(snapshot, _forecast([(key, n) for key, _, n in templates], rng))


def _workloads(pods: int, rng: np.random.Generator) -> list[tuple[WorkloadKey, PodTemplate, int]]:
    """Requests lognormal around half a core and 2 GiB a core; replicas by Zipf's law."""
    found: list[tuple[WorkloadKey, PodTemplate, int]] = []
    left = pods
    while left > 0:
        replicas = int(min(left, min(60, rng.zipf(1.4)) + 1))
        cpu = int(np.clip(rng.lognormal(np.log(500), 0.9), 50, 6_000))
        memory = int(np.clip(cpu * rng.lognormal(np.log(2.0), 0.6), 64, 24_000))
        key = WorkloadKey(f"team-{len(found) % 7}", "Deployment", f"app-{len(found)}")
        requests = Resources.of({}, cpu_milli=cpu, memory_mib=memory, pods=1)
        found.append((key, PodTemplate(requests), replicas))
        left -= replicas
    return found


def _first_fit(
    templates: Sequence[tuple[WorkloadKey, PodTemplate, int]], room: Resources
) -> tuple[list[Pod], int]:
    """Pods on nodes of one type, first-fit over the last few opened."""
    free: list[list[int]] = []
    placed: list[Pod] = []
    for key, template, replicas in templates:
        need = template.requests
        for i in range(replicas):
            recent = range(max(0, len(free) - 20), len(free))
            node = next(
                (
                    n
                    for n in recent
                    if free[n][0] >= need.cpu_milli
                    and free[n][1] >= need.memory_mib
                    and free[n][2] >= 1
                ),
                None,
            )
            if node is None:
                free.append([room.cpu_milli, room.memory_mib, room.pods])
                node = len(free) - 1
            free[node][0] -= need.cpu_milli
            free[node][1] -= need.memory_mib
            free[node][2] -= 1
            placed.append(Pod(key.namespace, f"{key.name}-{i}", key, template, f"node-{node}"))
    return placed, len(free)


def _forecast(
    workloads: Sequence[tuple[WorkloadKey, int]], rng: np.random.Generator, draws: int = DRAWS
) -> DemandForecast:
    """Pods around today's: a shared swing, and noise of each workload that lasts."""
    now = np.array([pods for _, pods in workloads], dtype=np.float64)
    shared = SWING * rng.normal(size=(draws, 1, 1))
    own = np.cumsum(rng.normal(0.0, NOISE / np.sqrt(STEPS), (draws, STEPS, len(now))), axis=1)
    paths = np.maximum(0.0, now * (1.0 + shared * np.linspace(0, 1, STEPS)[None, :, None] + own))
    series = tuple(str(key) for key, _ in workloads)
    samples = np.round(paths).astype(np.float32).transpose(0, 2, 1)[..., None]
    return DemandForecast(series, ("pods",), 0.0, STEP_S, samples)


def decided(cluster: MadeUp, policy: Policy, catalog: Catalog, seed: int) -> dict[str, Any]:
    """One decision as the operator makes it, timed."""
    started_s = time.process_time()
    rng = np.random.default_rng(seed)
    plan = decide(cluster.snapshot, cluster.forecast, policy, catalog, rng, time.process_time)
    seconds = time.process_time() - started_s
    chosen = next(option for option in plan.options if option.name == "chosen")
    return {
        "seconds": seconds,
        "usd_per_hour_now": plan.current_usd_per_hour,
        "usd_per_hour": plan.plan_usd_per_hour,
        "lower_bound_usd_per_hour": plan.lower_bound_usd_per_hour,
        "expected_usd_per_hour": chosen.expected_usd_per_hour,
        "gap": plan.gap,
        "spot_share": plan.risk.spot_share,
        "shortfall_probability": plan.risk.shortfall_probability,
        "cvar": plan.risk.cvar,
        "worst_pool_loss": plan.risk.worst_pool_loss,
        "meets_slo": chosen.meets_slo,
        "nodes": sum(group.count for group in plan.nodes),
        "options": [option.name for option in plan.options],
        "front_points": len(plan.front),
    }


def realised(
    cluster: MadeUp, policy: Policy, catalog: Catalog, fresh: DemandForecast, seed: int
) -> dict[str, Any]:
    """The tail of the plan's losses on scenarios, of demand too, that no decision has seen."""
    rng = np.random.default_rng(seed)
    setting = setting_of(cluster.snapshot, cluster.forecast, policy, catalog, Beliefs(), rng)
    until = Deadline.after(time.process_time, policy.search_s)
    chosen = choose(setting, first_safety(setting, Beliefs()), until, rng, None).chosen
    unseen = setting_of(cluster.snapshot, fresh, policy, catalog, Beliefs(), rng).outlook
    risk = setting.risk(
        chosen.built.problem, chosen.result.packing, chosen.built.kept, unseen, FRESH_SCENARIOS
    )
    return {
        "target": policy.service_level.max_cvar,
        "cvar_when_chosen": chosen.risk.cvar,
        "cvar_realised": risk.cvar,
        "shortfall_probability_realised": risk.shortfall_probability,
        "joint_shortfall_probability_realised": risk.joint_shortfall_probability,
        "usd_per_hour": chosen.money_usd_per_hour(),
        "over_provision": chosen.safety.over_provision,
        "max_spot_share": chosen.safety.max_spot_share,
    }


def measure(nodes: int, catalog: Catalog, seed: int) -> dict[str, Any]:
    """One cluster: with spot, without, and with tails half and a quarter as heavy."""
    rng = np.random.default_rng(seed)
    cluster = made_up(nodes, catalog, rng)
    counts = Counter(str(pod.workload) for pod in cluster.snapshot.pods)
    fresh = _forecast([(_key(name), n) for name, n in counts.items()], rng, FRESH_DRAWS)
    policy = Policy(search_s=SEARCH_S[nodes])
    with_spot = decided(cluster, policy, catalog, seed)
    without = decided(cluster, replace(policy, spot=SpotRules(max_share=0.0)), catalog, seed)
    targets = [share * with_spot["cvar"] for share in TARGET_SHARES]
    return {
        "nodes": len(cluster.snapshot.nodes),
        "pods": len(cluster.snapshot.pods),
        "workloads": len(counts),
        "seed": seed,
        "with_spot": with_spot,
        "on_demand_only": without,
        "saving_of_spot": 1.0 - with_spot["usd_per_hour"] / without["usd_per_hour"],
        "saving_of_spot_expected": 1.0
        - with_spot["expected_usd_per_hour"] / without["expected_usd_per_hour"],
        "realised": [
            realised(cluster, _with_target(policy, target), catalog, fresh, seed)
            for target in targets
        ],
    }


def _with_target(policy: Policy, max_cvar: float) -> Policy:
    return replace(policy, service_level=replace(policy.service_level, max_cvar=max_cvar))


def _key(name: str) -> WorkloadKey:
    return WorkloadKey(*name.split("/"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.decision", description=__doc__)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the CSVs")
    parser.add_argument("--size", type=int, nargs="+", default=sorted(SEARCH_S), help="nodes")
    parser.add_argument("--seeds", type=int, default=3, help="clusters of each size")
    parser.add_argument("--out", type=Path, default=None, help="file for the JSON")
    options = parser.parse_args(arguments)
    catalog = load_catalog(options.data / "catalog_aws.csv", options.data / "offers_us_east_1.csv")
    warm_up()
    runs = []
    for nodes in options.size:
        for seed in range(options.seeds):
            runs.append(measure(nodes, catalog, seed))
            print(json.dumps(runs[-1]), file=sys.stderr)
    write_json(runs, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
