"""A packing in the words of workloads."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from nodemix.optimizer.explain.terms import names_in_place
from nodemix.optimizer.packed import PackedNodes, Result
from nodemix.optimizer.placement.steering import cohort_name
from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.types import Problem
from nodemix.optimizer.snapshot import WorkloadKey


def planned_nodes(built: BuiltProblem, result: Result) -> tuple[PlannedNodes, ...]:
    """The packing in the words of workloads: places for today's pods first, the rest headroom."""
    left = dict(enumerate(built.rows_now))
    planned: list[PlannedNodes] = []
    running = names_in_place(built.in_place)
    for group, packed in enumerate(result.packing.nodes):
        names = running.get(built.problem.offers[packed.offer], iter(()))
        for nodes in _deal_out(built.problem, packed, left):
            in_place = tuple(islice(names, nodes.count))
            planned.append(replace(nodes, cohort=cohort_name(group), in_place=in_place))
    return tuple(planned)


def _deal_out(
    problem: Problem, packed: PackedNodes, left: dict[int, int]
) -> Iterable[PlannedNodes]:
    """Split equal nodes by which of their places today's pods take; uses up ``left``, by row."""
    offer = problem.offers[packed.offer]
    groups: Counter[tuple[int, ...]] = Counter()
    for _ in range(packed.count):
        taken = tuple(min(pods, left[row]) for row, pods in packed.pods)
        for (row, _pods), pods in zip(packed.pods, taken, strict=True):
            left[row] -= pods
        groups[taken] += 1
    rows = [row for row, _ in packed.pods]
    for taken, count in groups.items():
        spare = [pods - used for (_, pods), used in zip(packed.pods, taken, strict=True)]
        used, headroom = (_by_workload(problem, rows, pods) for pods in (taken, spare))
        price = offer.price_usd_per_hour
        yield PlannedNodes(*offer.key, count, used, price, headroom=headroom, terms=offer.terms)


def _by_workload(
    problem: Problem, rows: Iterable[int], pods: Iterable[int]
) -> tuple[tuple[WorkloadKey, int], ...]:
    """Pods of rows as pods of workloads, sorted, no zeros."""
    totals: Counter[WorkloadKey] = Counter()
    for row, count in zip(rows, pods, strict=True):
        totals[problem.rows[row].workload] += count
    return tuple(sorted((key, count) for key, count in totals.items() if count))
