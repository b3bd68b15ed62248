"""What one more core, GiB or GPU would cost."""

import numpy as np
from nodemix.optimizer.packed import Result
from nodemix.optimizer.plan import Prices
from nodemix.optimizer.problem.types import FloatArray, Problem
from nodemix.optimizer.resources import GPU_RESOURCE
from scipy.optimize import nnls

MILLI_PER_CORE = 1000.0
MIB_PER_GIB = 1024.0
SMALLEST_PRICE_USD_PER_HOUR = 5e-5
"""Less is shown as 0.0000: a limit that costs so little does not bind in any sense of a reader."""


def resource_prices(problem: Problem, result: Result) -> Prices:
    """Fit a price a core, a GiB and a GPU to the rows' duals, by non-negative least squares.

    Each row weighs as much as its pods, so the fit answers for what the cluster really holds.
    """
    caps = tuple(
        (cap.name, float(dual))
        for cap, dual in zip(problem.caps, result.cap_duals, strict=True)
        if cap.is_rule and dual > SMALLEST_PRICE_USD_PER_HOUR
    )
    if not problem.rows:
        return Prices(caps=caps)
    amounts = _amounts(problem)
    weights = problem.demand.astype(np.float64)
    fitted, _ = nnls(amounts * weights[:, None], result.row_duals * weights)
    asked = [bool(column.any()) for column in amounts.T]
    core, gib, gpu = (float(p) if known else None for p, known in zip(fitted, asked, strict=True))
    return Prices(core, gib, gpu, caps)


def _amounts(problem: Problem) -> FloatArray:
    """Cores, GiB and GPUs of each row's pod, shape (rows, 3)."""
    amounts = np.zeros((len(problem.rows), 3))
    units = (("cpu_milli", MILLI_PER_CORE), ("memory_mib", MIB_PER_GIB), (GPU_RESOURCE, 1.0))
    for column, (dimension, unit) in enumerate(units):
        if dimension in problem.dimensions:
            amounts[:, column] = problem.requests[:, problem.dimensions.index(dimension)] / unit
    return amounts
