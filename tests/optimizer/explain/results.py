"""Answers of the engine by hand, for tests of what is said about them."""

from collections.abc import Sequence

import numpy as np
from nodemix.optimizer.packed import PackedNodes, Packing, Result


def make_result(
    row_duals: Sequence[float], cap_duals: Sequence[float] = (), nodes: Sequence[PackedNodes] = ()
) -> Result:
    """A result with these duals; nobody looks at its cost."""
    packing = Packing(tuple(nodes), cost_usd_per_hour=1.0)
    return Result(packing, 1.0, np.array(row_duals), np.array(cap_duals, dtype=np.float64))
