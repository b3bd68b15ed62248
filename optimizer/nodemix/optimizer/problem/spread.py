"""Topology spreads: a row a zone, and how many pods each gets."""

from collections.abc import Iterable, Mapping, Sequence

from nodemix.optimizer.catalog.labels import HOSTNAME_LABEL, REGION_LABEL, ZONE_LABEL
from nodemix.optimizer.snapshot import PodTemplate

ZONE_KEYS = frozenset({ZONE_LABEL, "failure-domain.beta.kubernetes.io/zone"})
_MODELLED_KEYS = ZONE_KEYS | {HOSTNAME_LABEL, REGION_LABEL}


def spreads_over_zones(template: PodTemplate) -> bool:
    """Whether the scheduler refuses an uneven spread over zones."""
    return any(spread.topology_key in ZONE_KEYS for spread in template.spreads)


def max_skew_over_zones(templates: Iterable[PodTemplate]) -> int:
    """The smallest skew over zones that any template asks for; 1 where none does."""
    spreads = (spread for template in templates for spread in template.spreads)
    return min((s.max_skew for s in spreads if s.topology_key in ZONE_KEYS), default=1)


def max_per_node(template: PodTemplate) -> int | None:
    """Pods of this workload allowed on one node; None for no limit.

    A hostname spread with skew k lets an empty node bound every other to k pods.
    """
    skews = [s.max_skew for s in template.spreads if s.topology_key == HOSTNAME_LABEL]
    limits = [*skews, *([] if template.max_per_node is None else [template.max_per_node])]
    return min(limits, default=None)


def foreign_topologies(template: PodTemplate) -> tuple[str, ...]:
    """Topology keys of required spreads that the model does not know.

    A spread over regions holds by itself: a catalog is of one region.
    """
    keys = {spread.topology_key for spread in template.spreads}
    return tuple(sorted(keys - _MODELLED_KEYS))


def share_over_zones(pods: int, zones: Sequence[str], already: Mapping[str, int]) -> dict[str, int]:
    """How many of ``pods`` go to each zone so that totals differ by one at most, if they can.

    Without pods in place that is the quotient each and the remainder one by one from the first.

    Args:
        zones: at least one; ties go to the first.
        already: pods that are in a zone and stay there.
    """
    totals = {zone: already.get(zone, 0) for zone in zones}
    level = max(0, (pods + sum(totals.values())) // len(zones) - 1)
    shares = dict.fromkeys(zones, 0)
    if all(total <= level for total in totals.values()):
        # Fill all zones to just below the mean at once; the last pods go one by one.
        shares = {zone: level - total for zone, total in totals.items()}
    for _ in range(pods - sum(shares.values())):
        zone = min(zones, key=lambda name: totals[name] + shares[name])
        shares[zone] += 1
    return shares
