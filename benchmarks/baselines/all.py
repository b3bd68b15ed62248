"""Every baseline under the name it has in the results."""

from collections.abc import Callable, Mapping

import numpy as np
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.problem.types import Problem

from benchmarks.baselines.autoscaler import price_per_worth, scale_up, wasted_share
from benchmarks.baselines.equal_pods import row_by_row
from benchmarks.baselines.karpenter import one_pool, tuned
from benchmarks.baselines.naive_deap import naive_deap
from benchmarks.baselines.spotkube import spotkube, spotkube_few

Baseline = Callable[[Problem, np.random.Generator], Packing]

BY_NAME: Mapping[str, Baseline] = {
    "karpenter": lambda problem, _: one_pool(problem),
    "karpenter_tuned": lambda problem, _: tuned(problem),
    "least_waste": lambda problem, _: scale_up(problem, wasted_share),
    "price": lambda problem, _: scale_up(problem, price_per_worth),
    "kubepacs": lambda problem, _: row_by_row(problem),
    "spotkube": spotkube,
    "spotkube_few": spotkube_few,
    "naive_deap": naive_deap,
}
"""None of them knows caps on the mix."""
