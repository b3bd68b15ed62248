"""Cluster, pools and workloads: sums as series of their own, and samples that add up.

Sums of separate forecasts are too narrow or too wide, for series move together in ways that no
single one shows. So every sum is forecast directly, and its children listen to it.
"""

from dataclasses import dataclass, replace

import numpy as np
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import BoolArray, DemandHistory, Event, Samples

CLUSTER, POOL, WORKLOAD = 0, 1, 2
TOGETHER_SHARE = 0.5
"""A sum counts as observed where this share of its children was; the others are filled in."""


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """A history with its sums.

    Args:
        history: the workloads in their order, then their pools, then the cluster.
        depth: ``CLUSTER``, ``POOL`` or ``WORKLOAD`` of each series.
        parent: position of each series' parent; -1 for none.
        workloads: how many of the series are workloads.
    """

    history: DemandHistory
    depth: IndexArray
    parent: IndexArray
    workloads: int

    @property
    def root(self) -> int:
        """Position of the cluster; of the only workload where there is just one."""
        return len(self.history.series) - 1


def tree(history: DemandHistory) -> Tree:
    """The history with a sum for each parent of two or more series, and one for all of them."""
    count = len(history.series)
    names = np.array(history.parents or ("",) * count)
    pools = [name for name in dict.fromkeys(names.tolist()) if name and _is_pool(names == name)]
    groups = [np.flatnonzero(names == name) for name in pools]
    if count > 1:
        groups.append(np.arange(count))
    depth = [*[WORKLOAD] * count, *[POOL] * len(pools), *[CLUSTER] * (count > 1)]
    parent = np.full(len(depth), len(depth) - 1 if count > 1 else -1)
    parent[-1] = -1
    for at, members in enumerate(groups[: len(pools)]):
        parent[members] = count + at
    return Tree(_with_sums(history, groups), np.array(depth), parent, count)


def _is_pool(members: BoolArray) -> bool:
    return 1 < int(members.sum()) < members.size


def _with_sums(history: DemandHistory, groups: list[IndexArray]) -> DemandHistory:
    observed = np.ones(history.values.shape, dtype=np.bool_)
    if history.observed is not None:
        observed = history.observed
    sums = [history.values[members].sum(axis=0) for members in groups]
    seen = [observed[members].mean(axis=0) >= TOGETHER_SHARE for members in groups]
    shape = (len(groups), *history.values.shape[1:])
    return replace(
        history,
        series=history.series + tuple(f"sum {at}" for at in range(len(groups))),
        parents=(),
        values=np.concatenate([history.values, np.array(sums).reshape(shape)]),
        observed=np.concatenate([observed, np.array(seen, dtype=np.bool_).reshape(shape)]),
        events=tuple(_of_sums(event, history, groups) for event in history.events),
    )


def _of_sums(event: Event, history: DemandHistory, groups: list[IndexArray]) -> Event:
    """The event, which moves a sum where it moves one of its series."""
    moved = np.array([name in event.series for name in history.series])
    sums = tuple(f"sum {at}" for at, members in enumerate(groups) if moved[members].any())
    return replace(event, series=event.series + sums) if event.series else event


HEARD = 0.5
"""How much of what is missing to a sum's own forecast its children make up for."""


def coherent(paths: Samples, whole: Tree) -> Samples:
    """Paths of the workloads that have listened to their pools and to the cluster.

    From the top down and at every step, the quantiles of a sum's own forecast are laid beside the
    draws of its children in the order of their sum; half of the difference is shared among the
    children in the proportion of how far each is from its median: what stands still stays where
    it is. Sums are those of the children, so that every level adds up on each path; nothing
    becomes negative.

    Args:
        paths: >= 0, shape (series of the tree, indicators, draws, steps).
        whole: the tree.

    Returns:
        Shape (workloads, indicators, draws, steps).
    """
    settled = paths.copy()
    for parent in range(len(whole.depth) - 1, whole.workloads - 1, -1):
        children = np.flatnonzero(whole.parent == parent)
        settled[children] = _heard(settled[children], settled[parent])
    return settled[: whole.workloads]


def _heard(children: Samples, parent: Samples) -> Samples:
    """The children after each has taken its part of what is missing to the parent."""
    away = np.abs(children - np.median(children, axis=2, keepdims=True))
    total = children.sum(axis=0)
    wanted = np.empty_like(total)
    np.put_along_axis(wanted, np.argsort(total, axis=1), np.sort(parent, axis=1), axis=1)
    missing = np.clip(HEARD * (wanted - total) / np.maximum(away.sum(axis=0), 1e-30), -1.0, 1.0)
    moved: Samples = np.maximum(children + missing * away, np.float32(0.0))
    return moved
