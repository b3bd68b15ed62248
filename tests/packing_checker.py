"""Checks a plan against its problem; shares no code with the solver, on purpose.

It walks over single nodes and single pods in plain Python, so that a mistake in an array
expression of the solver cannot hide in the same expression here.
"""

import math

from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.problem.types import Problem

COST_TOLERANCE = 1e-6
"""Of the stated cost, relative: thousands of prices summed in another order."""
CAP_TOLERANCE = 1e-6
"""Of a cap's limit, relative: shares of the mix are sums of signed floats that cancel out."""


def complaints(problem: Problem, packing: Packing) -> list[str]:
    """Every way in which the packing breaks a rule of the problem; empty if it keeps them all."""
    found: list[str] = []
    placed = [0] * len(problem.rows)
    cost = 0.0
    cap_use = [0.0] * len(problem.caps)
    for number, group in enumerate(packing.nodes):
        if group.count < 1:
            found.append(f"nodes {number}: count is {group.count}")
        cost += group.count * float(problem.price_usd_per_hour[group.offer])
        for c, cap in enumerate(problem.caps):
            cap_use[c] += group.count * float(cap.coefficients[group.offer])
        for row, pods in group.pods:
            placed[row] += pods * group.count
        found += [f"nodes {number}: {text}" for text in _node_complaints(problem, group)]
    for row, pods in enumerate(placed):
        if pods != problem.rows[row].pods:
            found.append(f"row {row}: {pods} pods placed of {problem.rows[row].pods}")
    for cap, use in zip(problem.caps, cap_use, strict=True):
        if use > cap.limit + CAP_TOLERANCE * (1.0 + abs(cap.limit)):
            found.append(f"cap {cap.name}: uses {use} of {cap.limit}")
    if not math.isclose(cost, packing.cost_usd_per_hour, rel_tol=COST_TOLERANCE, abs_tol=1e-9):
        found.append(f"cost is {cost}, stated {packing.cost_usd_per_hour}")
    return found


def _node_complaints(problem: Problem, group: PackedNodes) -> list[str]:
    """What is wrong with one of the equal nodes."""
    found: list[str] = []
    left = [int(amount) for amount in problem.room[group.offer]]
    rows = [row for row, _ in group.pods]
    if rows != sorted(set(rows)):
        found.append(f"rows {rows} are not ascending and distinct")
    for row, pods in group.pods:
        if pods < 1:
            found.append(f"holds {pods} pods of row {row}")
        if pods > problem.max_per_node[row]:
            found.append(f"holds {pods} pods of row {row}, at most {problem.max_per_node[row]}")
        if not problem.compatible[row, group.offer]:
            found.append(f"offer {group.offer} may not hold row {row}")
        for d in range(len(left)):
            left[d] -= pods * int(problem.requests[row, d])
    for name, amount in zip(problem.dimensions, left, strict=True):
        if amount < 0:
            found.append(f"lacks {-amount} of {name}")
    return found
