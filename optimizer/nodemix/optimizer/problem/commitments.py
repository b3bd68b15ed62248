"""Nodes that the owner has or has committed to: what they add to the market, and who runs on them.

Each commitment is an offer of its own in every zone it is good for, at its own price, and one cap
counts the nodes of all of them. Nodes of today that are like it run under it as far as it goes:
first those that stay in any case, then the others, so that the bill is the smallest of each.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from nodemix.optimizer.catalog.types import Catalog, InstanceType, Offer
from nodemix.optimizer.policy import Commitment, Policy
from nodemix.optimizer.problem.kept import NodeFate, OfferKey, unpriced
from nodemix.optimizer.problem.types import FloatArray
from nodemix.optimizer.snapshot import CapacityType, Note
from scipy.optimize import linear_sum_assignment

UNPRICED_USD_PER_HOUR = 1e6
"""What a node without a price counts as: it is the first to be put under a commitment."""


def sound_commitments(
    policy: Policy, catalog: Catalog
) -> tuple[tuple[Commitment, ...], tuple[Note, ...]]:
    """The commitments whose type and zone the catalog knows, and a note for each other one."""
    types = {offer.instance.name for offer in catalog.offers}
    zones = catalog.zones()
    sound, notes = [], []
    for commitment in policy.commitments:
        fact, remedy = _fault(commitment, types, zones)
        if fact:
            subject = f"NodeMixPolicy/{policy.name}"
            fact = f"commitment {commitment.name} is left out: {fact}"
            notes.append(Note(subject, fact, remedy, "error"))
        else:
            sound.append(commitment)
    return tuple(sound), tuple(notes)


def _fault(commitment: Commitment, types: set[str], zones: Sequence[str]) -> tuple[str, str]:
    """What is wrong with it and the remedy; empty texts if nothing is."""
    if commitment.instance_type not in types:
        fact = f"the catalog knows no instance type {commitment.instance_type}"
        return fact, "correct instanceType, or add the type to the PriceBook with its shape"
    if commitment.zone is not None and commitment.zone not in zones:
        fact = f"the catalog has no offer in zone {commitment.zone}"
        return fact, f"name one of {', '.join(zones)}, or none for any zone"
    return "", ""


def committed_offers(
    commitments: Iterable[Commitment], catalog: Catalog, zones: Sequence[str]
) -> tuple[Offer, ...]:
    """An offer of each commitment in each zone it is good for, at what a node adds to the bill.

    Args:
        catalog: every offer whose price is known.
        zones: where one without a zone may be used.
    """
    on_sale = catalog.by_key()
    instances = {offer.instance.name: offer.instance for offer in catalog.offers}
    return tuple(
        _committed_offer(commitment, zone, on_sale, instances)
        for commitment in commitments
        for zone in ([commitment.zone] if commitment.zone else zones)
    )


def _committed_offer(
    commitment: Commitment,
    zone: str,
    on_sale: Mapping[OfferKey, Offer],
    instances: Mapping[str, InstanceType],
) -> Offer:
    twin = on_sale.get((commitment.instance_type, zone, commitment.capacity_type))
    return Offer(
        instances[commitment.instance_type],
        zone,
        commitment.capacity_type,
        commitment.marginal_usd_per_hour,
        twin.interruptions_per_hour if twin else 0.0,
        commitment.name,
    )


def put_under_terms(
    fates: Iterable[NodeFate], commitments: Sequence[Commitment], offers: Iterable[Offer]
) -> tuple[NodeFate, ...]:
    """The nodes of today, each at the price it really has; order stays.

    Args:
        offers: of the commitments; a node that no market sells and that gets none of them has no
            price, and stays.
    """
    by_terms = {(offer.terms, offer.key): offer for offer in offers}
    fates = tuple(fates)
    terms = _terms_of_nodes(fates, commitments)

    def settled(fate: NodeFate) -> NodeFate:
        if fate.offer is None:
            return fate
        if name := terms.get(fate.node.name):
            return replace(fate, offer=by_terms[name, fate.offer.key])
        if fate.offer.terms:
            return replace(fate, offer=None, obstacle=fate.obstacle or unpriced(fate.node))
        return fate

    return tuple(settled(fate) for fate in fates)


def _terms_of_nodes(fates: Sequence[NodeFate], commitments: Sequence[Commitment]) -> dict[str, str]:
    """The commitment that each node runs under, by the node's name."""
    left = Counter({commitment.name: commitment.count for commitment in commitments})
    terms: dict[str, str] = {}
    for stays in (True, False):
        found = dict(
            _matched([f for f in fates if (f.obstacle is not None) is stays], commitments, left)
        )
        left.subtract(found.values())
        terms |= found
    return terms


def _matched(
    fates: Iterable[NodeFate], commitments: Sequence[Commitment], left: Mapping[str, int]
) -> Iterable[tuple[str, str]]:
    """(node, commitment) pairs that save most together."""
    kinds: defaultdict[tuple[str, CapacityType], list[tuple[NodeFate, Offer]]] = defaultdict(list)
    for fate in fates:
        if fate.offer is not None:
            kinds[fate.offer.instance.name, fate.offer.capacity_type].append((fate, fate.offer))
    for kind, nodes in kinds.items():
        own = [c for c in commitments if (c.instance_type, c.capacity_type) == kind]
        units = [c for c in own for _ in range(min(left[c.name], len(nodes)))]
        savings = _savings([offer for _, offer in nodes], units)
        for i, unit in zip(*linear_sum_assignment(savings, maximize=True), strict=True):
            if savings[i, unit] > 0.0:
                yield nodes[i][0].node.name, units[unit].name


def _savings(nodes: Sequence[Offer], units: Sequence[Commitment]) -> FloatArray:
    """What putting each node under each unit would save, shape (nodes, units); 0 if it cannot."""

    def saving(node: Offer, unit: Commitment) -> float:
        if unit.zone not in {None, node.zone}:
            return 0.0
        price = UNPRICED_USD_PER_HOUR if node.terms else node.price_usd_per_hour
        return max(0.0, price - unit.marginal_usd_per_hour)

    table = [[saving(node, unit) for unit in units] for node in nodes]
    return np.array(table, dtype=np.float64).reshape(len(nodes), len(units))
