"""Measures the search over nodes per pool: time of a generation, and its front of cost and CVaR.

``python -m benchmarks.front --data DIR --out FILE``

Sixty pools drawn from the catalog of DIR, 2,000 scenarios of pool shocks and demand. Seconds are
those of this process on a core with one thread, because the machine is shared. The front of the
search after two seconds, its own seeding included, is compared by hypervolume with linear fronts
of forty points, which are free to buy fractions of nodes and have all the time they want. The
machine code of the search is compiled before: a program does that once.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # read once, when numpy loads

import numpy as np  # noqa: E402 - after the threads are set
from nodemix.optimizer.catalog.csv_files import load_catalog  # noqa: E402
from nodemix.optimizer.catalog.filters import apply_filter  # noqa: E402
from nodemix.optimizer.catalog.types import Offer  # noqa: E402
from nodemix.optimizer.deadline import Deadline  # noqa: E402
from nodemix.optimizer.genetic.fleet import (  # noqa: E402
    FleetProblem,
    share_cap,
)
from nodemix.optimizer.genetic.fleet_scores import make_scorer  # noqa: E402
from nodemix.optimizer.genetic.fleet_search import (  # noqa: E402
    FleetEvolution,
    FleetSearchParams,
)
from nodemix.optimizer.policy import OfferFilter  # noqa: E402
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray  # noqa: E402
from nodemix.optimizer.risk.front import (  # noqa: E402
    SEED_GAP,
    SEED_POINTS,
    LinearFront,
    hypervolume,
    linear_front,
    search_front,
    warm_up,
)
from nodemix.optimizer.risk.hazard import HazardPrior  # noqa: E402

from benchmarks.json_files import write_json  # noqa: E402
from benchmarks.optimizer import default_data  # noqa: E402

SPOT_POOLS, ON_DEMAND_POOLS = 48, 12
SCENARIOS, FRESH_SCENARIOS = 2_000, 20_000
SECONDS = 2.0
MOST_NODES = 2_000
"""Quota of a pool: out of reach."""
GENERATIONS = 50
EXACT = 1e-6
"""Relative gap of the linear front we compare with."""
MOST_SHORT = 0.5
"""CVaR above which a point is not worth having; there the front is a line to `buy nothing`."""
HORIZON_H = 1.0
PRIOR = HazardPrior()
LOST_NODE_HOURS = 0.5
"""What losing a node costs, in hours of its price: work done twice, and the wait."""
DEMAND_CPU = (1_500.0, 10_000.0)
"""Fleets of some 200 and some 1,000 nodes: the smaller the fleet, the more whole nodes cost."""
MEMORY_GIB_PER_CPU = 4.0
DEMAND_SPREAD, RATIO_SPREAD = 0.10, 0.05
MAX_POOL_SHARE, MAX_ZONE_SHARE, MAX_FAMILY_SHARE, MIN_ON_DEMAND_SHARE = 0.25, 0.6, 0.5, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Pools and the law of their shocks.

    Args:
        shocks_per_hour: mean rate, 0 for on-demand pools, shape (pools,).
    """

    offers: tuple[Offer, ...]
    shocks_per_hour: FloatArray


def draw_market(offers: Sequence[Offer], rng: np.random.Generator) -> Market:
    """Pools picked at random, each with a hazard of its own around what the advisor says."""
    picked: list[Offer] = []
    for is_spot, count in ((True, SPOT_POOLS), (False, ON_DEMAND_POOLS)):
        choice = [offer for offer in offers if offer.is_spot == is_spot]
        picked += [choice[i] for i in rng.choice(len(choice), count, replace=False)]
    advised = np.array([offer.interruptions_per_hour for offer in picked])
    drawn = rng.gamma(PRIOR.shape, 1.0 / PRIOR.shape, len(picked))
    return Market(tuple(picked), PRIOR.advisor_understates * advised * drawn)


def to_fleet(
    market: Market, mean_cpu: float, scenarios: int, rng: np.random.Generator
) -> FleetProblem:
    """The market with sampled shocks and demand, share caps, and a running fleet."""
    offers = market.offers
    price = np.array([offer.price_usd_per_hour for offer in offers])
    room = [offer.instance.allocatable for offer in offers]
    capacity = np.array([[r.cpu_milli / 1000.0, r.memory_mib / 1024.0] for r in room])
    lost_per_hour = market.shocks_per_hour * PRIOR.severity[0] / sum(PRIOR.severity)
    cpu = mean_cpu * np.exp(rng.normal(0.0, DEMAND_SPREAD, scenarios))
    memory = cpu * MEMORY_GIB_PER_CPU * np.exp(rng.normal(0.0, RATIO_SPREAD, scenarios))
    problem = FleetProblem(
        price_usd_per_hour=price,
        interruption_usd_per_hour=lost_per_hour * LOST_NODE_HOURS * price,
        capacity=capacity,
        surviving=_surviving(market, scenarios, rng),
        demand=np.column_stack([cpu, memory]),
        nodes_now=_cheapest_on_demand(market, capacity, mean_cpu),
        most_nodes=np.full(len(offers), MOST_NODES, dtype=np.int64),
    )
    return _with_caps(problem, offers)


def _surviving(market: Market, scenarios: int, rng: np.random.Generator) -> FloatArray:
    """Hazards are uncertain in each scenario; zones share a factor, lognormal with mean one."""
    zones = sorted({offer.zone for offer in market.offers})
    of_zone = np.array([zones.index(offer.zone) for offer in market.offers])
    factor = np.exp(rng.normal(-0.125, 0.5, (scenarios, len(zones))))
    gamma = rng.gamma(2.0, 0.5, (scenarios, len(market.offers)))
    rate = market.shocks_per_hour * gamma * factor[:, of_zone]
    is_hit = rng.random(rate.shape) < -np.expm1(-HORIZON_H * rate)
    surviving: FloatArray = 1.0 - is_hit * rng.beta(*PRIOR.severity, rate.shape)
    return surviving


def _cheapest_on_demand(market: Market, capacity: FloatArray, mean_cpu: float) -> IntArray:
    """Today: all demand on the on-demand pool of the cheapest core."""
    per_cpu = [
        np.inf if offer.is_spot else offer.price_usd_per_hour / cpu
        for offer, cpu in zip(market.offers, capacity[:, 0], strict=True)
    ]
    nodes = np.zeros(len(per_cpu), dtype=np.int64)
    best = int(np.argmin(per_cpu))
    nodes[best] = round(mean_cpu / capacity[best, 0])
    return nodes


def _with_caps(problem: FleetProblem, offers: Sequence[Offer]) -> FleetProblem:
    vcpus = np.array([float(offer.instance.vcpus) for offer in offers])
    is_spot = np.array([offer.is_spot for offer in offers])

    def members(values: Sequence[str], value: str) -> BoolArray:
        inside: BoolArray = is_spot & np.array([v == value for v in values])
        return inside

    families = [offer.instance.family for offer in offers]
    zones = [offer.zone for offer in offers]
    one_by_one = np.eye(len(offers), dtype=np.bool_)[is_spot]
    caps = [
        *(share_cap("maxPoolShare", vcpus, pool, MAX_POOL_SHARE) for pool in one_by_one),
        *(
            share_cap("maxFamilyShare", vcpus, members(families, family), MAX_FAMILY_SHARE)
            for family in sorted(set(families))
        ),
        *(
            share_cap("maxZoneShare", vcpus, members(zones, zone), MAX_ZONE_SHARE)
            for zone in sorted(set(zones))
        ),
        share_cap("minOnDemandShare", vcpus, is_spot, 1.0 - MIN_ON_DEMAND_SHARE),
    ]
    return replace(problem, caps=tuple(caps))


def ms_per_generation(problem: FleetProblem, seed: int) -> float:
    """Median of generations in the middle of a search, on a core."""
    seeds = linear_front(problem, SEED_POINTS, _deadline(SECONDS), SEED_GAP)
    rng = np.random.default_rng(seed)
    evolution = FleetEvolution(problem, seeds.counts, rng, FleetSearchParams())
    taken = []
    for _ in range(GENERATIONS):
        started_s = time.process_time()
        evolution.advance()
        taken.append(time.process_time() - started_s)
    return 1e3 * statistics.median(taken)


def _deadline(seconds: float) -> Deadline:
    return Deadline.after(time.process_time, seconds)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """A front of cost and CVaR.

    Args:
        cost: USD per hour, shape (points,).
        cvar: shape (points,).
    """

    cost: FloatArray
    cvar: FloatArray


def compare(problem: FleetProblem, fresh: FleetProblem, seed: int) -> dict[str, Any]:
    """Hypervolume of the search over those of the linear fronts, on one market.

    Args:
        fresh: the same market with other scenarios.
    """
    started_s = time.process_time()
    linear = linear_front(problem, SEED_POINTS, _deadline(600.0), EXACT)
    linear_s = time.process_time() - started_s
    started_s = time.process_time()
    params = FleetSearchParams()
    front = search_front(problem, _deadline(SECONDS), np.random.default_rng(seed), params)
    search_s = time.process_time() - started_s
    return {
        "search_cpu_seconds": search_s,
        "linear_cpu_seconds": linear_s,
        "linear_points": len(linear.cvar),
        "plans": len(front),
        "hypervolume_ratio": _ratios(problem, linear, front.counts),
        "hypervolume_ratio_fresh": _ratios(fresh, linear, front.counts),
    }


def _ratios(scored_on: FleetProblem, linear: LinearFront, counts: IntArray) -> dict[str, float]:
    """Ours against fractions of nodes, and against those rounded up, on the same scenarios.

    `interpolated` compares with every mixture of neighbouring linear plans, too, so that more
    points are no advantage of ours. `forty_plans` lets ours keep forty plans only.
    """
    points = _scored(scored_on, linear.counts)
    up = _scored(scored_on, np.ceil(linear.counts - 1e-9))
    ours = _scored(scored_on, counts)
    share = np.linspace(0.0, 1.0, 50, endpoint=False)[:, None, None]
    mixed = linear.counts[:-1] + share * np.diff(linear.counts, axis=0)
    interpolated = _scored(scored_on, mixed.reshape(-1, scored_on.pools))
    buying = points.cvar < MOST_SHORT
    worst = (1.01 * float(points.cost.max()), 1.01 * float(points.cvar[buying].max()))
    volume = hypervolume(ours.cost, ours.cvar, worst)
    few = _thinned(ours, SEED_POINTS, worst)
    fractional = hypervolume(points.cost, points.cvar, worst)
    return {
        "fractional": volume / fractional,
        "rounded_up": volume / hypervolume(up.cost, up.cvar, worst),
        "interpolated": volume / hypervolume(interpolated.cost, interpolated.cvar, worst),
        "forty_plans": hypervolume(few.cost, few.cvar, worst) / fractional,
    }


def _scored(problem: FleetProblem, counts: FloatArray | IntArray) -> Points:
    """Cost and CVaR of plans by the scorer of the search."""
    cvar, _ = make_scorer(problem).tail_shortage(counts)
    return Points(counts @ problem.cost_usd_per_hour, cvar)


def _thinned(points: Points, most: int, worst: tuple[float, float]) -> Points:
    """The plans that add most area, one by one."""
    kept: list[int] = []
    for _ in range(most):
        volumes = [
            hypervolume(points.cost[[*kept, i]], points.cvar[[*kept, i]], worst)
            for i in range(len(points.cost))
        ]
        kept.append(int(np.argmax(volumes)))
    return Points(points.cost[kept], points.cvar[kept])


def measure(offers: Sequence[Offer], mean_cpu: float, seed: int) -> dict[str, Any]:
    """One market: time of a generation, and the fronts."""
    rng = np.random.default_rng(seed)
    market = draw_market(offers, rng)
    problem, fresh = (to_fleet(market, mean_cpu, n, rng) for n in (SCENARIOS, FRESH_SCENARIOS))
    return {
        "demand_cpu": mean_cpu,
        "seed": seed,
        "ms_per_generation": ms_per_generation(problem, seed),
        **compare(problem, fresh, seed),
    }


def catalog_offers(data: Path) -> list[Offer]:
    """Offers of the size people run, without GPUs."""
    catalog = load_catalog(data / "catalog_aws.csv", data / "offers_us_east_1.csv")
    allowed = OfferFilter(
        categories=("c", "m", "r"), min_generation=5, max_vcpus=32, architectures=("amd64",)
    )
    offers = apply_filter(catalog, allowed).offers
    return [offer for offer in offers if offer.instance.vcpus >= 4]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.front", description=__doc__)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the CSVs")
    parser.add_argument("--seeds", type=int, default=5, help="markets and searches")
    parser.add_argument("--out", type=Path, default=None, help="file for the JSON")
    options = parser.parse_args(arguments)
    offers = catalog_offers(options.data)
    runs = []
    warm_up()
    for mean_cpu in DEMAND_CPU:
        for seed in range(options.seeds):
            runs.append(measure(offers, mean_cpu, seed))
            print(json.dumps(runs[-1]), file=sys.stderr)
    write_json(runs, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
