"""The problem of a plan as it would be if some rules were given up.

Rows keep their ids, so that what a search has found can be used; rows that only a spread over zones
tells apart become the first of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.explain.rules import PODS_PER_HOST, ZONE_SPREAD, Rule
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.problem.build import Survey, priced_and_capped
from nodemix.optimizer.problem.safety import Safety
from nodemix.optimizer.problem.spread import max_per_node
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, OfferCap, Problem, Row
from nodemix.optimizer.snapshot import PodTemplate


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """A problem without some rules.

    Args:
        source: row that each row of the former problem is in now, shape (former rows,).
    """

    problem: Problem
    source: IntArray


def over_all_offers(survey: Survey, problem: Problem, safety: Safety) -> tuple[Problem, IntArray]:
    """The problem over all offers that may be bought, those that its rules rule out included.

    Returns:
        It, and the position in it of each of the problem's offers, shape (offers,).
    """
    offers = survey.places.index.offers
    position = {offer: i for i, offer in enumerate(offers)}
    known = np.array([position[offer] for offer in problem.offers], dtype=np.int64)
    compatible = np.zeros((len(problem.rows), len(offers)), dtype=np.bool_)
    compatible[:, known] = problem.compatible
    wide = replace(problem, offers=offers, room=survey.places.room, compatible=compatible, caps=())
    return priced_and_capped(wide, survey, safety), known


def affected_rows(problem: Problem, rules: Iterable[Rule]) -> BoolArray:
    """Rows of the rules' workloads, shape (rows,)."""
    workloads = {rule.workload for rule in rules}
    return np.array([row.workload in workloads for row in problem.rows], dtype=np.bool_)


def without(problem: Problem, survey: Survey, rules: Iterable[Rule]) -> Relaxed:
    """A problem over all offers, without ``rules``, of which a workload has at most one."""
    own = {rule.workload: rule for rule in rules}
    compatible, limits = problem.compatible.copy(), problem.max_per_node.copy()
    for i in np.flatnonzero(affected_rows(problem, own.values())).tolist():
        row = problem.rows[i]
        rule = own[row.workload]
        compatible[i] |= holding_without(row, rule, survey)
        if rule.kind == PODS_PER_HOST:
            limits[i] = row.pods
    relaxed = replace(problem, compatible=compatible, max_per_node=limits)
    return _merged(relaxed, survey, own.values())


def holding_without(row: Row, rule: Rule, survey: Survey) -> BoolArray:
    """Offers that can hold a pod of the row without the rule, shape (offers,)."""
    masks = [survey.places.holding(template) for template in _templates(row, rule, survey)]
    holding: BoolArray = np.logical_and.reduce(masks)
    if row.zone is None or rule.kind == ZONE_SPREAD:
        return holding
    return holding & survey.places.index.in_zone(row.zone)


def _templates(row: Row, rule: Rule, survey: Survey) -> list[PodTemplate]:
    """Of the row's pods, without the rule; all of the workload's where it joins several."""
    variants = survey.counts.variants
    named = [t for i, t in rule.templates.items() if variants[i].variant_id == _group_id(row)]
    return named or list(rule.templates.values())


def _group_id(row: Row) -> str:
    return row.row_id.removesuffix(f"@{row.zone}")


def _merged(problem: Problem, survey: Survey, rules: Iterable[Rule]) -> Relaxed:
    """With one row for those that only a spread that is given up tells apart."""
    spread = {rule.workload: rule for rule in rules if rule.kind == ZONE_SPREAD}
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(problem.rows):
        groups[_group_id(row) if row.workload in spread else row.row_id].append(i)
    rows, limits, source = (
        list(problem.rows),
        problem.max_per_node.copy(),
        np.arange(len(problem.rows)),
    )
    for same in groups.values():
        first = same[0]
        if len(same) > 1:
            rule = spread[rows[first].workload]
            total = sum(problem.rows[i].pods for i in same)
            templates = _templates(rows[first], rule, survey)
            allowed = [most for t in templates if (most := max_per_node(t)) is not None]
            rows[first] = replace(rows[first], pods=total, zone=None)
            limits[first] = min([total, *allowed])
            source[same] = first
    return _only_rows(replace(problem, rows=tuple(rows), max_per_node=limits), source)


def _only_rows(problem: Problem, source: IntArray) -> Relaxed:
    kept, position = np.unique(source, return_inverse=True)
    return Relaxed(
        replace(
            problem,
            rows=tuple(problem.rows[i] for i in kept.tolist()),
            requests=problem.requests[kept],
            max_per_node=problem.max_per_node[kept],
            compatible=problem.compatible[kept],
        ),
        position,
    )


def warm_for(warm: WarmStart, former: Problem, relaxed: Relaxed) -> WarmStart:
    """What a search of ``former`` left, in the rows of the problem without rules; no plans."""
    names = [relaxed.problem.rows[i].row_id for i in relaxed.source.tolist()]
    now = dict(zip((row.row_id for row in former.rows), names, strict=True))
    row_ids = tuple(dict.fromkeys(now.get(name, name) for name in warm.row_ids))
    position = {name: i for i, name in enumerate(row_ids)}
    pods = np.zeros((len(warm.pods), len(row_ids)), dtype=warm.pods.dtype)
    duals = np.zeros(len(row_ids))
    for i, name in enumerate(warm.row_ids):
        target = position[now.get(name, name)]
        pods[:, target] += warm.pods[:, i]
        duals[target] = max(duals[target], float(warm.row_duals[i]))
    plans = warm.plans[:0]
    return replace(warm, row_ids=row_ids, pods=pods, row_duals=duals, plans=plans)


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """A part of a problem that stands for what some rows need.

    Args:
        share: of the pods of these rows that is in it; 1 where it is the whole problem, too.
    """

    problem: Problem
    share: float
    is_whole: bool


def share_of(problem: Problem, packing: Packing, affected: BoolArray, most_rows: int) -> Share:
    """The nodes of a packing that hold pods of the affected rows, with all that is on them.

    As many as leave no more than ``most_rows`` rows; a problem of so few is taken whole. What the
    other nodes leave of a limit counts by the share of the affected pods that is taken.
    """
    if len(problem.rows) <= most_rows:
        return Share(problem, 1.0, is_whole=True)
    held = np.zeros(len(problem.rows), dtype=np.int64)
    counts, others = np.zeros(len(problem.offers)), np.zeros(len(problem.offers))
    for nodes in packing.nodes:
        rows = [row for row, _ in nodes.pods]
        is_taken = affected[rows].any() and _rows_with(held, rows) <= most_rows
        (counts if is_taken else others)[nodes.offer] += nodes.count
        if is_taken:
            held[rows] += nodes.count * np.array([pods for _, pods in nodes.pods])
    share = float(held[affected].sum()) / max(1.0, float(problem.demand[affected].sum()))
    caps = tuple(_cap_of(cap, counts, others, share) for cap in problem.caps)
    return Share(_with_demand(replace(problem, caps=caps), held), share, is_whole=False)


def _rows_with(held: IntArray, more: Sequence[int]) -> int:
    taken = held > 0
    taken[more] = True
    return int(taken.sum())


def _cap_of(cap: OfferCap, counts: FloatArray, others: FloatArray, share: float) -> OfferCap:
    used, elsewhere = float(cap.coefficients @ counts), float(cap.coefficients @ others)
    return replace(cap, limit=used + share * max(0.0, cap.limit - used - elsewhere))


def _with_demand(problem: Problem, held: IntArray) -> Problem:
    """Only the rows with pods."""
    rows = np.flatnonzero(held)
    pods = held[rows]
    return replace(
        problem,
        rows=tuple(replace(problem.rows[i], pods=int(held[i])) for i in rows.tolist()),
        requests=problem.requests[rows],
        max_per_node=np.minimum(problem.max_per_node[rows], pods),
        compatible=problem.compatible[rows],
    )


def only_offers(problem: Problem, offers: IntArray) -> Problem:
    """The problem over some of its offers, shape (offers,), and the caps that speak of them."""
    caps = (replace(cap, coefficients=cap.coefficients[offers]) for cap in problem.caps)
    return replace(
        problem,
        offers=tuple(problem.offers[i] for i in offers.tolist()),
        room=problem.room[offers],
        price_usd_per_hour=problem.price_usd_per_hour[offers],
        compatible=problem.compatible[:, offers],
        caps=tuple(cap for cap in caps if cap.coefficients.any()),
    )
