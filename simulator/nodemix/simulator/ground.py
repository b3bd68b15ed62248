"""What every policy's nodes and pods have in common: requests, room, and what may run where."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.catalog.labels import offer_labels
from nodemix.optimizer.catalog.types import Offer, PoolKey
from nodemix.optimizer.problem.overhead import to_array
from nodemix.optimizer.problem.places import Places, dimensions_of
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import DaemonSet, Node
from nodemix.simulator.workload import Workloads

UNLIMITED = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Facts of offers and workloads as arrays.

    Args:
        dimensions: of requests and room.
        requests: of one pod, shape (workloads, dimensions).
        most_per_node: pods of a workload allowed on one node, shape (workloads,).
        room: of a fresh node after DaemonSets, shape (offers, dimensions).
        admits: whether a fresh node of an offer can hold a pod, shape (workloads, offers).
    """

    offers: tuple[Offer, ...]
    dimensions: tuple[str, ...]
    requests: IntArray
    most_per_node: IntArray
    room: IntArray
    admits: BoolArray
    largest_first: tuple[int, ...]

    def index_of(self, pool: PoolKey) -> int | None:
        """Position of the offer; None where there is no such one."""
        return next((i for i, offer in enumerate(self.offers) if offer.key == pool), None)

    def share_short(self, wanted: IntArray, short: IntArray) -> float:
        """Share of the requests without a place, by the scarcer of cores and memory."""
        shares = [0.0]
        for name in ("cpu_milli", "memory_mib"):
            asked = self.requests[:, self.dimensions.index(name)]
            total = int(asked @ wanted)
            if total:
                shares.append(float(asked @ short) / total)
        return max(shares)

    def node(self, name: str, offer: int) -> Node:
        """A ready node of an offer, as an API server would show it."""
        bought = self.offers[offer]
        return Node(
            name=name,
            allocatable=bought.instance.allocatable,
            labels=tuple(sorted(offer_labels(bought).items())),
            taints=bought.instance.taints,
            instance_type=bought.instance.name,
            zone=bought.zone,
            capacity_type=bought.capacity_type,
        )


def ground_of(
    offers: Sequence[Offer], workloads: Workloads, daemon_sets: Sequence[DaemonSet] = ()
) -> Ground:
    """The facts of these offers and workloads.

    What static pods take is left out, and required spreads over zones are not enforced; a plan
    heeds both.
    """
    templates = workloads.templates
    asked = [template.requests for template in templates]
    dimensions = dimensions_of(asked)
    places = Places(offers, daemon_sets, Resources(), dimensions)
    requests = to_array(asked, dimensions)
    limits = [UNLIMITED if t.max_per_node is None else t.max_per_node for t in templates]
    return Ground(
        offers=tuple(offers),
        dimensions=dimensions,
        requests=requests,
        most_per_node=np.array(limits, dtype=np.int64),
        room=places.room,
        admits=np.array([places.holding(t) for t in templates]).reshape(-1, len(offers)),
        largest_first=_largest_first(requests, places.room),
    )


def _largest_first(requests: IntArray, room: IntArray) -> tuple[int, ...]:
    """Workloads by the share of the roomiest node that their pod takes, largest first."""
    most: FloatArray = np.maximum(room.max(axis=0), 1).astype(np.float64)
    sizes = (requests / most).max(axis=1)
    return tuple(int(row) for row in np.argsort(-sizes, kind="stable"))
