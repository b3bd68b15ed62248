"""Offers with the room they have for pods."""

from collections.abc import Iterable, Sequence

import numpy as np
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.problem.compatibility import OfferIndex
from nodemix.optimizer.problem.overhead import room_of_offers, to_array
from nodemix.optimizer.problem.types import BoolArray
from nodemix.optimizer.resources import CORE_DIMENSIONS, Resources
from nodemix.optimizer.snapshot import DaemonSet, PodTemplate


class Places:
    """What each offer admits and has room for.

    Args:
        static_load: what static pods take of every node.
    """

    def __init__(
        self,
        offers: Sequence[Offer],
        daemon_sets: Sequence[DaemonSet],
        static_load: Resources,
        dimensions: Sequence[str],
    ) -> None:
        self.index = OfferIndex(offers)
        self.dimensions = tuple(dimensions)
        self.room = room_of_offers(self.index, daemon_sets, static_load, dimensions)

    def holding(self, template: PodTemplate) -> BoolArray:
        """Offers a fresh node of which can hold one pod, shape (offers,)."""
        need = to_array([template.requests], self.dimensions)[0]
        fits: BoolArray = (need <= self.room).all(axis=1)
        return fits & self.index.admitting(template)

    def zones_of(self, mask: BoolArray) -> tuple[str, ...]:
        """Zones with an offer in ``mask``, sorted."""
        return tuple(z for z in self.index.zones if (mask & self.index.in_zone(z)).any())


def dimensions_of(requests: Iterable[Resources]) -> tuple[str, ...]:
    """The dimensions in which something is asked for; ephemeral storage only if it is."""
    asked = tuple(requests)
    extended = {name for request in asked for name, _ in request.extended}
    skip = set() if any(request.ephemeral_mib for request in asked) else {"ephemeral_mib"}
    return (*(name for name in CORE_DIMENSIONS if name not in skip), *sorted(extended))


def largest_of(requests: Sequence[Resources]) -> Resources:
    """The smallest amount that covers each of ``requests``."""
    names = dimensions_of(requests)
    most = np.max(to_array(requests, names), axis=0).tolist()
    by_name = dict(zip(names, most, strict=True))
    core = {name: by_name.pop(name) for name in CORE_DIMENSIONS if name in by_name}
    return Resources.of(by_name, **core)
