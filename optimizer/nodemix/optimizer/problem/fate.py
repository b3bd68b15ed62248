"""What becomes of the selected pods: they stay, get a new place, or find none."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from nodemix.optimizer.problem.demand import PodCounts, Variant, planned_pods_of_variants
from nodemix.optimizer.problem.kept import NodeFate, Obstacle
from nodemix.optimizer.snapshot import Note, WorkloadKey

Pods = Mapping[int, int]
"""Pods by index of their variant."""


@dataclass(frozen=True, slots=True)
class PodFates:
    """Pods of each selected variant, by its index.

    Args:
        kept: on nodes that stay.
        in_play: of today, to be placed anew.
        stranded: of today, without a place in any plan.
        placed: to be placed, those that are forecast included.
    """

    kept: Pods
    in_play: Pods
    stranded: Pods
    placed: Pods
    notes: tuple[Note, ...] = ()

    def planned_by_workload(self, variants: Sequence[Variant]) -> dict[WorkloadKey, int]:
        """Pods of each workload that the plan accounts for, sorted."""
        totals: Counter[WorkloadKey] = Counter()
        for pods in (self.kept, self.stranded, self.placed):
            for variant, count in pods.items():
                totals[variants[variant].workload] += count
        return dict(sorted(totals.items()))


def pod_fates(
    counts: PodCounts,
    fates: Iterable[NodeFate],
    obstacle_of_variant: Callable[[int], Obstacle | None],
    wanted: Mapping[WorkloadKey, int],
) -> PodFates:
    """Deal the wanted pods out to the variants; none is planned for twice.

    Args:
        obstacle_of_variant: why pods of a variant cannot be placed anew; None if they can.
        wanted: pods of each workload, at least today's.
    """
    kept, loose = _kept_and_loose(counts, fates)
    stranded = {v: pods for v, pods in loose.items() if obstacle_of_variant(v) is not None}
    in_play = {v: pods for v, pods in loose.items() if v not in stranded}
    movable_kept = {v: pods for v, pods in kept.items() if obstacle_of_variant(v) is None}
    placed: dict[int, int] = {}
    notes = []
    for workload, more in _growth(counts, wanted).items():
        own = [v for v in counts.of_workload(workload) if counts.is_selected[v]]
        # Where all pods stay on their nodes, what is forecast follows the templates of these.
        shape = _only(in_play, own) or _only(movable_kept, own)
        total = sum(_only(in_play, own).values()) + more
        if shape and total:
            placed.update(planned_pods_of_variants(shape, total))
        elif more:
            notes.append(_unplanned(workload, more))
    return PodFates(kept, in_play, stranded, placed, tuple(notes))


def _only(pods: Pods, variants: Iterable[int]) -> dict[int, int]:
    return {variant: pods[variant] for variant in variants if variant in pods}


def _kept_and_loose(counts: PodCounts, fates: Iterable[NodeFate]) -> tuple[Pods, Pods]:
    """Selected pods on the nodes that stay, and all others, waiting ones included."""
    staying = {fate.node.name for fate in fates if fate.obstacle is not None}
    kept: defaultdict[int, int] = defaultdict(int)
    loose: defaultdict[int, int] = defaultdict(int)
    for name, on_node in (*counts.on_node.items(), (None, counts.waiting)):
        target = kept if name in staying else loose
        for variant, pods in on_node.items():
            if counts.is_selected[variant]:
                target[variant] += pods
    return dict(sorted(kept.items())), dict(sorted(loose.items()))


def _growth(counts: PodCounts, wanted: Mapping[WorkloadKey, int]) -> dict[WorkloadKey, int]:
    """Pods beyond today's of each workload with a selected pod."""
    now = counts.by_workload()
    return {w: max(0, wanted.get(w, 0) - now[w]) for w in counts.selected_by_workload()}


def _unplanned(workload: WorkloadKey, pods: int) -> Note:
    fact = f"{pods} more pods are forecast, but its pods cannot be placed anew"
    remedy = "see why its pods stay or have no place"
    return Note(str(workload), fact, remedy, "warning")
