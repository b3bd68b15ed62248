"""The nodes at one moment, for whoever compares moments."""

from dataclasses import dataclass

from nodemix.operator.cluster.records import NodeRecord
from nodemix.operator.cluster.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Look:
    """What can be seen of the nodes.

    Args:
        at_s: seconds since the epoch.
        nodes: all there are.
        departed: the last state of nodes that were deleted before, latest last; some of the many.
        refusals: what was said lately of machines that could not be had.
    """

    at_s: float
    nodes: tuple[NodeRecord, ...]
    departed: tuple[NodeRecord, ...] = ()
    refusals: tuple[Refusal, ...] = ()
