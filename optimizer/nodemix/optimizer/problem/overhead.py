"""What DaemonSets and static pods take of each node, and the room that is left."""

from collections.abc import Callable, Sequence

import numpy as np
from nodemix.optimizer.problem.compatibility import OfferIndex, tolerates
from nodemix.optimizer.problem.types import IntArray
from nodemix.optimizer.resources import CORE_DIMENSIONS, Resources
from nodemix.optimizer.snapshot import DaemonSet, Node, Note, Snapshot


def to_array(amounts: Sequence[Resources], dimensions: Sequence[str]) -> IntArray:
    """Amounts as a table, shape (amounts, dimensions)."""
    table = [[amount.amount(name) for name in dimensions] for amount in amounts]
    return np.array(table, dtype=np.int64).reshape(len(amounts), len(dimensions))


def room_of_offers(
    index: OfferIndex,
    daemon_sets: Sequence[DaemonSet],
    static_load: Resources,
    dimensions: Sequence[str],
) -> IntArray:
    """Room for pods on a fresh node of each offer, shape (offers, dimensions); may be negative."""
    allocatable = {id(o.instance): o.instance.allocatable for o in index.offers}
    by_type = {key: to_array([amount], dimensions)[0] for key, amount in allocatable.items()}
    room = np.array([by_type[id(offer.instance)] for offer in index.offers], dtype=np.int64)
    room = room.reshape(len(index.offers), len(dimensions))
    whole = room.copy()
    room -= to_array([static_load], dimensions)
    for daemon_set in daemon_sets:
        load = to_array([daemon_set.template.requests], dimensions)[0]
        lands = index.allowed_by(daemon_set.template) & index.tolerated_by(daemon_set.template)
        # One that asks for a device stays pending on nodes without it.
        lands &= ((load <= whole) | (whole > 0)).all(axis=1)
        room -= lands[:, None] * load
    return room


def static_load(snapshot: Snapshot) -> tuple[Resources, tuple[Note, ...]]:
    """What static pods take of a typical node: the median of the load DaemonSets do not explain.

    Zero unless most of the ready nodes carry such pods.
    """
    observed = dict(snapshot.overhead)
    steady = [n for n in snapshot.nodes if n.is_ready and not n.is_leaving and n.name in observed]
    extras = [observed[node.name] - _daemon_load(node, snapshot.daemon_sets) for node in steady]
    if not extras or 2 * sum(extra.pods > 0 for extra in extras) <= len(extras):
        return Resources(), ()
    names = ("cpu_milli", "memory_mib", "pods", "ephemeral_mib")
    median = np.maximum(np.median(to_array(extras, names), axis=0), 0).astype(int).tolist()
    load = Resources(*median)
    fact = (
        f"most carry static pods; {load.pods} pods with {load.cpu_milli} mCPU and "
        f"{load.memory_mib} MiB are taken off every new node too"
    )
    return load, (Note(f"{len(steady)} nodes", fact),)


def unplanned_load(snapshot: Snapshot, static: Resources) -> Callable[[Node], Resources]:
    """Gives what holds room on a node beside pods, DaemonSets and what ``static`` explains."""
    observed = dict(snapshot.overhead)

    def load(node: Node) -> Resources:
        if node.name not in observed:
            return Resources()
        rest = observed[node.name] - _daemon_load(node, snapshot.daemon_sets) - static
        return Resources.of({}, **{name: max(0, rest.amount(name)) for name in CORE_DIMENSIONS})

    return load


def _daemon_load(node: Node, daemon_sets: Sequence[DaemonSet]) -> Resources:
    labels = dict(node.labels)
    loads = (
        daemon_set.template.requests
        for daemon_set in daemon_sets
        if daemon_set.template.allows(labels) and tolerates(daemon_set.template, node.taints)
    )
    return sum(loads, Resources())
