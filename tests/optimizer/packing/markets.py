"""Markets for the tests of the engine's parts."""

from collections.abc import Sequence

import numpy as np
from nodemix.optimizer.packing.draft import Draft, make_draft
from nodemix.optimizer.packing.market import Market, to_market
from nodemix.optimizer.problem.types import OfferCap, Problem

from tests.builders import make_offer, make_pods, make_problem


def make_market(
    workloads: Sequence[tuple[int, int]] = ((10, 1000),),
    offers: Sequence[tuple[int, float]] = ((4, 0.2),),
    caps: Sequence[tuple[Sequence[float], float]] = (),
) -> Market:
    """Rows of (pods, cpu_milli) and offers of (vcpus, price); memory never binds.

    Args:
        caps: (weight of each offer, limit). With a cap of its own no offer is dominated.
    """
    pods = [
        pod
        for i, (count, cpu_milli) in enumerate(workloads)
        for pod in make_pods(count, workload=f"w{i}", cpu_milli=cpu_milli, memory_mib=1)
    ]
    bought = [
        make_offer(f"m5.{vcpus}v", price=price, vcpus=vcpus, memory_gib=1024)
        for vcpus, price in offers
    ]
    named = [
        OfferCap(f"cap{i}", np.array(weights, dtype=np.float64), limit)
        for i, (weights, limit) in enumerate(caps)
    ]
    return to_market(make_problem(pods, bought, named))


def draft_of(market: Market, *kinds: tuple[int, Sequence[int], int]) -> Draft:
    """A draft of (offer, pods of each row on one node, count)."""
    offers = np.array([offer for offer, _, _ in kinds], dtype=np.int64)
    pods = np.array([pods for _, pods, _ in kinds], dtype=np.int64).reshape(-1, market.rows)
    return make_draft(market, offers, pods, np.array([n for _, _, n in kinds], dtype=np.int64))


def random_problem(rows: int, offers: int, pods: int, seed: int = 0) -> Problem:
    """Many workloads of all sizes on many offers."""
    rng = np.random.default_rng(seed)
    demand = [
        pod
        for i in range(rows)
        for pod in make_pods(
            int(rng.integers(1, 2 * pods // rows)),
            workload=f"w{i}",
            cpu_milli=int(rng.integers(1, 80)) * 50,
            memory_mib=int(rng.integers(1, 120)) * 64,
        )
    ]
    market = [
        make_offer(
            f"m5.{i}",
            price=float(vcpus * rng.uniform(0.03, 0.08)),
            vcpus=vcpus,
            memory_gib=int(vcpus * rng.integers(2, 9)),
        )
        for i, vcpus in enumerate(rng.choice([4, 8, 16, 32, 64], size=offers).tolist())
    ]
    return make_problem(demand, market)
