"""Why pods of a variant cannot be placed anew."""

from collections.abc import Callable, Sequence
from functools import cached_property

from nodemix.optimizer.problem.compatibility import inexpressible
from nodemix.optimizer.problem.demand import Variant
from nodemix.optimizer.problem.kept import Obstacle
from nodemix.optimizer.problem.places import Places
from nodemix.optimizer.problem.reasons import describe, why_no_offer
from nodemix.optimizer.problem.spread import foreign_topologies
from nodemix.optimizer.snapshot import PodTemplate


class Obstacles:
    """Answers, once per variant, whether and why the offers cannot take its pods.

    Args:
        allowed: offers the policy allows.
        all_places: makes the places of the unfiltered catalog; called only if one is needed.
    """

    def __init__(
        self, variants: Sequence[Variant], allowed: Places, all_places: Callable[[], Places]
    ) -> None:
        self._variants = variants
        self._allowed = allowed
        self._make_all_places = all_places
        self._found: dict[int, Obstacle | None] = {}

    @cached_property
    def _all_places(self) -> Places:
        return self._make_all_places()

    def of(self, variant: int) -> Obstacle | None:
        """Why pods of a variant have to stay where they are; None if they can be placed anew."""
        if variant not in self._found:
            self._found[variant] = self._find(self._variants[variant].template)
        return self._found[variant]

    def _find(self, template: PodTemplate) -> Obstacle | None:
        if obstacle := self.of_model(template):
            return obstacle
        return None if self._allowed.holding(template).any() else self.of_offers(template)

    def of_model(self, template: PodTemplate) -> Obstacle | None:
        """What the model cannot express about a pod."""
        if template.unsupported:
            reasons = "; ".join(template.unsupported)
            return Obstacle(f"the model does not know {reasons}")
        if keys := foreign_topologies(template):
            return Obstacle(f"the model does not know a required spread over {keys[0]}")
        if template.required_labels.requirements or template.required_terms:
            return self._of_labels(template)
        return None

    def _of_labels(self, template: PodTemplate) -> Obstacle | None:
        if all(self._allowed.index.has_label(key) for key in template.asked_labels):
            return None
        lacking = inexpressible(template, self._all_places.index)
        if not lacking:
            return None
        fact = f"it needs a node {describe(lacking[0])}, a label that no offer carries"
        return Obstacle(fact, "drop that requirement or add nodes with the label yourself")

    def of_offers(self, template: PodTemplate) -> Obstacle:
        """Why no allowed offer can hold a pod."""
        fact = why_no_offer(template, self._allowed.index, self._allowed.room, self.dimensions)
        others = self._all_places.holding(template)
        if not others.any():
            return Obstacle(fact, "lower its request or change its selector, or add such an offer")
        prices = {
            str(offer): offer.price_usd_per_hour
            for offer, holds in zip(self._all_places.index.offers, others.tolist(), strict=True)
            if holds
        }
        cheapest = min(prices, key=lambda name: prices[name])
        return Obstacle(fact, f"let the policy allow {cheapest}, which would hold it")

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Of all requests."""
        return self._allowed.dimensions
