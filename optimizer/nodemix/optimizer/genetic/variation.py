"""How plans are crossed and mutated. Every draw comes from the generator that is passed in.

Both operators take nodes out of plans that hold everything and let the price-aware greedy buy for
the pods that are left over, at duals blurred at random, so that every child is a plan again.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.draft import Draft, join, make_draft, trim
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.part import complete_greedily
from nodemix.optimizer.packing.repair import meet_caps
from nodemix.optimizer.problem.types import IntArray

LEAST_VALUE_USD_PER_HOUR = 1e-9
"""Of a pod whose dual is zero, so that its blurred value still orders it."""


@dataclass(frozen=True, slots=True, eq=False)
class Breeder:
    """The operators over one market.

    Args:
        noise: half-width of the factor by which a pod's value is blurred.
        most_ruined: largest share of a plan's kinds that a mutation tears down.
    """

    market: Market
    duals: Duals
    rng: np.random.Generator
    noise: float
    most_ruined: float

    def cross(self, mother: Draft, father: Draft) -> Draft | None:
        """Some kinds of the mother, kinds of the father that waste no pod, the rest bought anew."""
        kept = self._subset(mother, self.rng.random(len(mother.counts)) < self.rng.random())
        return self._complete(self._add_useful(kept, father))

    def mutate(self, parent: Draft) -> Draft | None:
        """The parent with some of its kinds, the wasteful ones rather, bought anew."""
        waste = self.duals.charged(self.market)[parent.offers] - parent.pods @ self.duals.rows
        order = np.argsort(-waste * self.rng.random(len(waste)), kind="stable")
        ruined = 1 + int(self.rng.random() * self.most_ruined * len(order))
        keep = np.ones(len(order), dtype=np.bool_)
        keep[order[:ruined]] = False
        return self._complete(self._subset(parent, keep))

    def _subset(self, draft: Draft, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Draft:
        counts: IntArray = np.where(keep, draft.counts, 0)
        return make_draft(self.market, draft.offers, draft.pods, counts)

    def _add_useful(self, kept: Draft, other: Draft) -> Draft:
        """As many nodes of ``other`` as find all their pods still without a place."""
        left = self.market.demand - kept.held
        counts = np.zeros_like(other.counts)
        for k in self.rng.permutation(len(counts)).tolist():
            pods = other.pods[k]
            held = pods > 0
            if held.any():
                counts[k] = max(0, min(int(other.counts[k]), int((left[held] // pods[held]).min())))
                left = left - counts[k] * pods
        return join(self.market, kept, make_draft(self.market, other.offers, other.pods, counts))

    def _complete(self, draft: Draft) -> Draft | None:
        """The draft with nodes for what it lacks; None where the caps do not allow that."""
        blur = 1.0 + self.noise * (2.0 * self.rng.random(self.market.rows) - 1.0)
        values = np.maximum(self.duals.rows, LEAST_VALUE_USD_PER_HOUR) * blur
        completed = complete_greedily(self.market, draft, self.duals, values)
        if completed is None:
            return None
        full = trim(self.market, completed)
        if not full.is_allowed(self.market):
            full = meet_caps(self.market, full)
        return full if full.is_allowed(self.market) else None
