"""Which offers a pod's labels, taints and market admit, for all offers at once.

Thousands of offers share a few label values, so each requirement is evaluated once per distinct
value and spread over the offers as a mask. All masks have shape (offers,).
"""

from collections.abc import Callable, Sequence
from functools import cached_property, reduce

import numpy as np
from nodemix.optimizer.catalog.labels import (
    CAPACITY_TYPE_LABEL,
    EKS_CAPACITY_TYPE_LABEL,
    HOSTNAME_LABEL,
    ZONE_LABEL,
    market_labels,
)
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.problem.types import BoolArray
from nodemix.optimizer.snapshot import PodTemplate, Requirement, Selector, Taint

MARKET_KEYS = frozenset({CAPACITY_TYPE_LABEL, EKS_CAPACITY_TYPE_LABEL})
_NEEDS_THE_LABEL = frozenset({"In", "Exists", "Gt", "Lt"})


class OfferIndex:
    """Offers by their labels, taints and markets."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self.offers = tuple(offers)
        self.is_spot = self._mask(lambda offer: offer.is_spot)
        self.has_gpus = self._mask(lambda offer: offer.instance.allocatable.gpus > 0)
        self._taints = sorted({offer.instance.taints for offer in self.offers}, key=repr)
        codes = {taints: code for code, taints in enumerate(self._taints)}
        self._taint_codes = np.array([codes[offer.instance.taints] for offer in self.offers], int)
        types = {id(offer.instance): offer.instance for offer in self.offers}
        markets = {(offer.zone, offer.capacity_type) for offer in self.offers}
        self._type_labels = {key: dict(instance.labels) for key, instance in types.items()}
        self._market_labels = {market: market_labels(*market) for market in markets}
        self._columns: dict[str, list[str | None]] = {}
        self._masks: dict[Requirement, BoolArray] = {}

    def _mask(self, is_true: Callable[[Offer], bool]) -> BoolArray:
        return np.array([is_true(offer) for offer in self.offers], dtype=np.bool_)

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """Zones of the offers, sorted."""
        return tuple(sorted({offer.zone for offer in self.offers}))

    @property
    def all(self) -> BoolArray:
        """A fresh mask that admits every offer."""
        return np.ones(len(self.offers), dtype=np.bool_)

    def in_zone(self, zone: str) -> BoolArray:
        """Offers in one zone."""
        return self.matching(Requirement(ZONE_LABEL, "In", (zone,)))

    def has_label(self, key: str) -> bool:
        """Whether nodes of some offer carry this label."""
        return any(value is not None for value in self._column(key))

    def matching(self, requirement: Requirement) -> BoolArray:
        """Offers whose labels satisfy one requirement."""
        if requirement not in self._masks:
            column = self._column(requirement.key)
            verdicts = {
                value: requirement.matches({} if value is None else {requirement.key: value})
                for value in set(column)
            }
            self._masks[requirement] = np.array([verdicts[v] for v in column], dtype=np.bool_)
        return self._masks[requirement]

    def _column(self, key: str) -> list[str | None]:
        """The value of one label on each offer, None where it is absent."""
        if key not in self._columns:
            by_market = {market: labels.get(key) for market, labels in self._market_labels.items()}
            by_type = {name: labels.get(key) for name, labels in self._type_labels.items()}
            self._columns[key] = [
                by_market[offer.zone, offer.capacity_type] or by_type[id(offer.instance)]
                for offer in self.offers
            ]
        return self._columns[key]

    def selected_by(self, selector: Selector) -> BoolArray:
        """Offers that satisfy every requirement of a selector."""
        masks = (self.matching(requirement) for requirement in selector.requirements)
        return reduce(np.logical_and, masks, self.all)

    def allowed_by(self, template: PodTemplate) -> BoolArray:
        """Offers that satisfy the node selector and the required node affinity."""
        mask = self.selected_by(template.required_labels)
        if template.required_terms:
            terms = [self.selected_by(term) for term in template.required_terms]
            mask = mask & np.logical_or.reduce(terms)
        return mask

    def tolerated_by(self, template: PodTemplate) -> BoolArray:
        """Offers whose taints the pod tolerates."""
        verdicts = [tolerates(template, taints) for taints in self._taints]
        mask: BoolArray = np.array(verdicts, dtype=np.bool_)[self._taint_codes]
        return mask

    def admitting(self, template: PodTemplate) -> BoolArray:
        """Offers a workload's pod may run on, room aside.

        Pods without GPU requests never go on GPU offers: the GPUs would lie idle at full price.
        """
        mask = self.allowed_by(template) & self.tolerated_by(template)
        mask &= self.has_gpus == (template.requests.gpus > 0)
        return mask & ~self.is_spot if template.spot_denied else mask


def tolerates(template: PodTemplate, taints: tuple[Taint, ...]) -> bool:
    """Whether a pod tolerates ``taints``.

    A request for an extended resource counts as tolerating the taint of that name, as the
    ExtendedResourceToleration admission plugin would add it.
    """
    names = {name for name, _ in template.requests.extended}
    return template.tolerates(tuple(taint for taint in taints if taint.key not in names))


def inexpressible(template: PodTemplate, index: OfferIndex) -> tuple[Requirement, ...]:
    """Requirements on labels that no bought node would carry; empty if some node could suit.

    Labels of node pools, teams or single nodes are given by people, not by offers.
    """
    lacking = _lacking(template.required_labels, index)
    if lacking or not template.required_terms:
        return lacking
    by_term = [_lacking(term, index) for term in template.required_terms]
    return by_term[0] if all(by_term) else ()


def _lacking(selector: Selector, index: OfferIndex) -> tuple[Requirement, ...]:
    return tuple(
        requirement
        for requirement in selector.requirements
        if requirement.operator in _NEEDS_THE_LABEL
        and (requirement.key == HOSTNAME_LABEL or not index.has_label(requirement.key))
    )


def names_a_market(template: PodTemplate) -> bool:
    """Whether the pod itself says spot or on-demand."""
    return not MARKET_KEYS.isdisjoint(template.asked_labels)
