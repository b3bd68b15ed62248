"""From counted pods to rows: variants that must share a limit are joined, spreads are cut."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.problem.demand import Variant
from nodemix.optimizer.problem.digest import digest
from nodemix.optimizer.problem.overhead import to_array
from nodemix.optimizer.problem.places import Places, largest_of
from nodemix.optimizer.problem.spread import (
    max_per_node,
    max_skew_over_zones,
    share_over_zones,
    spreads_over_zones,
)
from nodemix.optimizer.problem.types import BoolArray, Problem, Row
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import Note, PodTemplate, WorkloadKey


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Pods of one workload that are placed alike.

    Args:
        variants: indexes of the variants in it; several only where they share a limit per node.
        templates: of these variants.
        pods: to place, those that are forecast included.
        pods_now: of them, those of today.
        requests: what covers a pod of any of them.
        limit: pods on one node; None for no limit.
        holding: offers that can hold any of them, shape (offers,).
    """

    workload: WorkloadKey
    variants: tuple[int, ...]
    templates: tuple[PodTemplate, ...]
    pods: int
    pods_now: int
    requests: Resources
    limit: int | None
    holding: BoolArray
    is_spread: bool

    @property
    def group_id(self) -> str:
        """A name that is stable between snapshots."""
        return f"{self.workload}#{digest(*self.templates)}"


@dataclass(frozen=True, slots=True, eq=False)
class CutRow:
    """A row, the group it was cut from and the offers that can hold its pods.

    Args:
        pods_now: of the row's pods, those of today; the rest is forecast.
    """

    row: Row
    group: Group
    holding: BoolArray
    pods_now: int


def form_groups(
    variants: Sequence[Variant], pods: Mapping[int, int], now: Mapping[int, int], places: Places
) -> list[Group]:
    """Groups of the variants, by workload.

    Args:
        pods: pods to place by index of their variant.
        now: those of them that exist today, likewise.
    """
    by_workload: dict[WorkloadKey, list[Group]] = defaultdict(list)
    for index in sorted(pods):
        if pods[index] > 0:
            counts = (pods[index], now.get(index, 0))
            group = _group_of(variants[index], index, counts, places)
            by_workload[group.workload].append(group)
    return [group for groups in by_workload.values() for group in _share_limits(groups)]


def _group_of(variant: Variant, index: int, counts: tuple[int, int], places: Places) -> Group:
    template = variant.template
    pods, pods_now = counts
    return Group(
        workload=variant.workload,
        variants=(index,),
        templates=(template,),
        pods=pods,
        pods_now=pods_now,
        requests=template.requests,
        limit=max_per_node(template),
        holding=places.holding(template),
        is_spread=spreads_over_zones(template),
    )


def _share_limits(groups: list[Group]) -> list[Group]:
    """The groups of one workload, such that no two with a limit can meet on a node.

    A limit per node counts all pods of the workload, whatever their template. Groups that could
    share a node therefore become one, with requests that cover both: a little too careful during
    a rollout, never wrong.
    """
    if all(group.limit is None for group in groups):
        return groups
    joined: list[Group] = []
    for group in groups:
        meets = (i for i, other in enumerate(joined) if (other.holding & group.holding).any())
        position = next(meets, None)
        if position is None:
            joined.append(group)
        else:
            joined[position] = _join(joined[position], group)
    return joined


def _join(one: Group, other: Group) -> Group:
    """Both as one; what covers the requests of both fits wherever each of them fits."""
    limits = [limit for limit in (one.limit, other.limit) if limit is not None]
    return replace(
        one,
        variants=one.variants + other.variants,
        templates=one.templates + other.templates,
        pods=one.pods + other.pods,
        pods_now=one.pods_now + other.pods_now,
        requests=largest_of([one.requests, other.requests]),
        limit=min(limits, default=None),
        holding=one.holding & other.holding,
        is_spread=one.is_spread or other.is_spread,
    )


def cut_rows(
    groups: Sequence[Group], places: Places, in_place: Mapping[WorkloadKey, Mapping[str, int]]
) -> Iterator[CutRow]:
    """Rows of all groups; a group spread over zones becomes one row a zone.

    Today's pods are dealt out before those that are forecast: both alone and together they are
    spread evenly.

    Args:
        in_place: pods of each workload that stay in a zone; they count for its spread.
    """
    totals = {workload: dict(zones) for workload, zones in in_place.items()}
    zones = [places.zones_of(group.holding) if group.is_spread else () for group in groups]
    pairs = list(zip(groups, zones, strict=True))
    now = [_deal(g.workload, g.pods_now, names, totals) for g, names in pairs]
    more = [_deal(g.workload, g.pods - g.pods_now, names, totals) for g, names in pairs]
    for group, own, extra in zip(groups, now, more, strict=True):
        for zone, pods in own.items():
            if pods + extra[zone]:
                yield _cut(group, zone, pods, pods + extra[zone], places)


def _deal(
    workload: WorkloadKey,
    pods: int,
    zones: Sequence[str],
    totals: dict[WorkloadKey, dict[str, int]],
) -> dict[str | None, int]:
    """Pods by zone, under None where they are not spread; adds them to ``totals``."""
    if not zones:
        return {None: pods}
    already = totals.setdefault(workload, {})
    shares = share_over_zones(pods, zones, already)
    dealt: dict[str | None, int] = {}
    for zone, share in shares.items():
        already[zone] = already.get(zone, 0) + share
        dealt[zone] = share
    return dealt


def _cut(group: Group, zone: str | None, pods_now: int, pods: int, places: Places) -> CutRow:
    if zone is None:
        row = Row(group.group_id, group.workload, pods)
        return CutRow(row, group, group.holding, pods_now)
    row = Row(f"{group.group_id}@{zone}", group.workload, pods, zone)
    return CutRow(row, group, group.holding & places.index.in_zone(zone), pods_now)


def narrow_spreads(groups: Iterable[Group], places: Places) -> Iterator[Note]:
    """A note for each spread that the scheduler may refuse, because a zone cannot take part."""
    for group in groups:
        if not group.is_spread:
            continue
        zones = places.zones_of(group.holding)
        lacking = _zones_allowed(group, places) - set(zones)
        skew = max_skew_over_zones(group.templates)
        if zones and lacking and group.pods > skew * len(zones):
            fact = (
                f"must spread over zones, and no allowed offer in {', '.join(sorted(lacking))} can "
                f"hold it; once there are nodes there, more than {skew} pods in any other zone wait"
            )
            remedy = "restrict it to the zones that can hold it, or set nodeTaintsPolicy: Honor"
            yield Note(str(group.workload), fact, remedy, "warning")


def _zones_allowed(group: Group, places: Places) -> set[str]:
    """Zones in which the group's selectors admit some offer, room and taints aside."""
    masks = (places.index.allowed_by(template) for template in group.templates)
    return {zone for mask in masks for zone in places.zones_of(mask)}


def to_problem(
    rows: Sequence[CutRow], unplaceable: Sequence[tuple[Row, str]], places: Places
) -> Problem:
    """The problem of rows that each have an offer; offers that can hold no row are left out."""
    offers = places.index.offers
    holding = np.array([cut.holding for cut in rows], dtype=np.bool_)
    holding = holding.reshape(len(rows), len(offers))
    useful = holding.any(axis=0)
    bought = tuple(offers[i] for i in np.flatnonzero(useful).tolist())
    limits = [min(c.row.pods, c.group.limit or c.row.pods) for c in rows]
    return Problem(
        dimensions=places.dimensions,
        rows=tuple(cut.row for cut in rows),
        requests=to_array([cut.group.requests for cut in rows], places.dimensions),
        max_per_node=np.array(limits, dtype=np.int64),
        offers=bought,
        room=places.room[useful],
        price_usd_per_hour=np.array([o.price_usd_per_hour for o in bought], dtype=np.float64),
        compatible=holding[:, useful],
        unplaceable=tuple(unplaceable),
    )
