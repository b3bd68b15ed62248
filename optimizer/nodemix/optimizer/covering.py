"""How many pods of each workload to hold, so that joint paths of demand find room.

Workloads rarely peak together: where one has more pods than now, others have fewer, and what those
leave is room for it. So it is a path that is covered, not a quantile of each workload. What a sum
of requests cannot see - a pod that fits on few nodes, one pod on a host, room in small pieces -
shows once the paths are tried on the nodes of a plan, and is added then (`lacking_pods`).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from nodemix.optimizer.decision import PodPaths
from nodemix.optimizer.problem.types import FloatArray, IntArray
from nodemix.optimizer.snapshot import WorkloadKey

Pods = Mapping[WorkloadKey, int]


def further_pods(
    paths: PodPaths, now: Pods, requests: Mapping[WorkloadKey, IntArray], share: float
) -> dict[WorkloadKey, int]:
    """Pods beyond today's for which there has to be room, so that ``share`` of the paths have some.

    Of each path, what it has more of is counted as far as it is not made up for, in every
    resource, by what it has fewer of. That of the path at the quantile ``share`` is what is wanted.

    Args:
        now: pods of each workload.
        requests: of a pod of each workload, in the resources that can be short; of all that paths
            speak of.
    """
    if paths.pods.size == 0:
        return {}
    held = np.array([now.get(key, 0) for key in paths.workloads], dtype=np.int64)
    asked = np.array([requests[key] for key in paths.workloads], dtype=np.float64)
    more = np.maximum(paths.pods - held, 0)
    net = more * _not_made_up_for(more, np.maximum(held - paths.pods, 0), asked)[:, None]
    by_weight = np.argsort(_weight(net @ asked), kind="stable")
    path = by_weight[_rank(share, len(by_weight))]
    return dict(zip(paths.workloads, _whole(net[path]).tolist(), strict=True))


def lacking_pods(homeless: IntArray, requests: IntArray, share: float) -> IntArray:
    """What has to be added so that ``share`` of the paths find room.

    Of the paths with pods without a place as many may stay as they are as ``share`` allows, those
    that lack most. The others are gone through from the one that lacks most on: what one lacks is
    likely to do for the next, as far as it is enough of every resource.

    Args:
        homeless: pods without a place, shape (paths, rows).
        requests: of a pod of each row, shape (rows, resources).

    Returns:
        Pods of each row, shape (rows,); zeros where enough paths find room.
    """
    asked = requests.astype(np.float64)
    weight = _weight(homeless @ asked)
    last = _rank(share, len(weight))
    added = np.zeros(homeless.shape[1], dtype=np.int64)
    for path in np.argsort(weight, kind="stable")[last::-1]:
        more = np.maximum(homeless[path] - added, 0)[None, :]
        fewer = np.maximum(added - homeless[path], 0)[None, :]
        added += _whole(more[0] * _not_made_up_for(more, fewer, asked))
    return added


def _not_made_up_for(more: IntArray, fewer: IntArray, requests: FloatArray) -> FloatArray:
    """Share of what each path has more of, of the scarcest resource, shape (paths,).

    Pods that ask for nothing are all counted.
    """
    wanted, left = more @ requests, fewer @ requests
    net = np.divide(wanted - left, wanted, out=np.zeros_like(wanted), where=wanted > 0.0)
    share: FloatArray = np.maximum(net, 0.0).max(axis=1, initial=0.0)
    return np.where((wanted > 0.0).any(axis=1), share, 1.0)


def _weight(requests: FloatArray) -> FloatArray:
    """Each path's requests in one number, every resource as a share of what all ask for of it.

    Args:
        requests: shape (paths, resources).
    """
    total = requests.sum(axis=0)
    shares = np.divide(requests, total, out=np.zeros_like(requests), where=total > 0.0)
    weight: FloatArray = shares.sum(axis=1)
    return weight


def _rank(share: float, paths: int) -> int:
    """Place, from 0, of the last of ``share`` of the paths."""
    return max(1, math.ceil(share * paths - 1e-9)) - 1


def _whole(pods: FloatArray) -> IntArray:
    """Whole pods with the same sum, rounded up; fractions are carried on to the next workload."""
    reached = np.ceil(np.cumsum(pods) - 1e-9)
    whole: IntArray = np.diff(reached, prepend=0.0).astype(np.int64)
    return whole


def with_more(pods: Pods, more: Sequence[tuple[WorkloadKey, int]] | Pods) -> dict[WorkloadKey, int]:
    """The sum of both, for the workloads of ``pods``."""
    added = dict(more)
    return {key: count + added.get(key, 0) for key, count in pods.items()}
