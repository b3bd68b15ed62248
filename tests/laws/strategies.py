"""Random packing problems, small enough to solve hundreds of them."""

from dataclasses import replace
from itertools import count

import numpy as np
from hypothesis import strategies as st
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.problem.types import OfferCap, Problem
from nodemix.optimizer.snapshot import Pod

from tests.builders import (
    ON_DEMAND,
    SPOT,
    ZONES,
    make_offer,
    make_pods,
    make_problem,
)

SMALLEST_OFFERS = (
    make_offer("m5.2xlarge", price=0.4, vcpus=8, memory_gib=32),
    make_offer("g5.2xlarge", price=1.2, vcpus=8, memory_gib=32, gpus=2),
)
"""In every problem, so that every pod has a place."""


def ticking(readings: int) -> Deadline:
    """A deadline after that many looks at the clock: the same work on any machine."""
    ticks = count()
    return Deadline.after(lambda: float(next(ticks)), float(readings))


@st.composite
def workloads(draw: st.DrawFn, name: str, most_pods: int = 30) -> list[Pod]:
    """Identical pods of one workload; some ask for GPUs, some deny spot, some spread."""
    fields = {
        "cpu_milli": draw(st.integers(1, 40)) * 100,
        "memory_mib": draw(st.integers(1, 64)) * 128,
        "gpus": draw(st.sampled_from((0, 0, 0, 1, 2))),
        "max_per_node": draw(st.sampled_from((None, None, 1, 2))),
        "spot_denied": draw(st.sampled_from((None, None, "its owner says so"))),
    }
    return make_pods(draw(st.integers(1, most_pods)), workload=name, **fields)


@st.composite
def offers(draw: st.DrawFn, number: int) -> Offer:
    """An offer of any size; small ones may hold no pod at all."""
    gpus = draw(st.sampled_from((0, 0, 0, 1, 4)))
    vcpus = draw(st.sampled_from((1, 2, 4, 16, 48)))
    return make_offer(
        f"{'g' if gpus else 'c'}{number}.large",
        price=draw(st.integers(1, 400)) / 100.0,
        zone=draw(st.sampled_from(ZONES)),
        capacity_type=draw(st.sampled_from((ON_DEMAND, SPOT))),
        vcpus=vcpus,
        memory_gib=vcpus * draw(st.sampled_from((1, 4, 8))),
        gpus=gpus,
        max_pods=draw(st.sampled_from((4, 30, 110))),
    )


@st.composite
def problems(draw: st.DrawFn, most_rows: int = 6, most_pods: int = 30) -> Problem:
    """A problem without caps."""
    rows = draw(st.integers(1, most_rows))
    pods = [pod for i in range(rows) for pod in draw(workloads(f"w{i}", most_pods))]
    extra = [draw(offers(i)) for i in range(draw(st.integers(0, 6)))]
    return make_problem(pods, (*SMALLEST_OFFERS, *extra))


@st.composite
def capped_problems(draw: st.DrawFn) -> Problem:
    """A problem with caps that some plan of on-demand nodes always keeps."""
    problem = draw(problems())
    vcpus = np.array([offer.instance.vcpus for offer in problem.offers], dtype=np.float64)
    is_spot = np.array([offer.is_spot for offer in problem.offers])
    ones = np.ones(len(problem.offers))
    share = draw(st.sampled_from((0.0, 0.3, 0.7)))
    pool = draw(st.integers(0, len(problem.offers) - 1))
    in_pool = (np.arange(len(problem.offers)) == pool) & is_spot
    least = min(draw(st.integers(1, 12)), int(problem.demand.sum()))
    choices = {
        "spot.maxShare": OfferCap("spot.maxShare", vcpus * (is_spot - share), 0.0),
        "minNodes": OfferCap("minNodes", -ones, -float(least)),
        "maxNodes": OfferCap("maxNodes", ones, float(problem.demand.sum())),
        "spot.maxPoolShare": OfferCap(
            "spot.maxPoolShare", vcpus * ((in_pool & is_spot) - 0.5), 0.0
        ),
    }
    names = draw(st.lists(st.sampled_from(sorted(choices)), min_size=1, unique=True))
    return replace(problem, caps=tuple(choices[name] for name in names))
