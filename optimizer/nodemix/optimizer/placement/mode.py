"""How firmly a plan's pods are led to their places."""

from enum import StrEnum


class PlacementMode(StrEnum):
    """How firmly pods are led to the places the plan has for them.

    ``OBSERVE`` leaves them to the scheduler; ``POOL`` binds a workload to the (type, zone, market)
    pools that hold it; ``COHORT`` deals its pods out over the sets of nodes of equal pattern, as
    many to each set as the plan has there; ``PINNED`` binds each pod to its node.
    """

    OBSERVE = "observe"
    POOL = "pool"
    COHORT = "cohort"
    PINNED = "pinned"
