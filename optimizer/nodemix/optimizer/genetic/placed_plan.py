"""A plan of the search for least placed cost, and how it is scored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from deap import base
from nodemix.optimizer.packing.draft import Draft
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.placement.trials import Kinds, Outcome
from nodemix.optimizer.problem.types import IntArray

OBJECTIVES = ("placed_usd_per_hour", "cost_usd_per_hour", "nodes_changed", "largest_pool_share")


class PlacedScores(base.Fitness):  # type: ignore[misc] # deap publishes no types
    """The objectives, all to be small."""

    weights = (-1.0,) * len(OBJECTIVES)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """Where one draw put a plan's pods.

    Args:
        offers: of the market, one a node, shape (nodes,).
        held: pods of each row on each node, shape (nodes, rows).
        pending: shape (rows,).
    """

    offers: IntArray
    held: IntArray
    pending: IntArray


class PlacedPlan:
    """A plan and what the draws so far made of it.

    Args:
        nodes_changed: to buy and to let go against today; 0 where today is unknown.
    """

    __slots__ = ("draft", "fitness", "hosting", "key", "kinds", "nodes_changed", "settled", "share")

    def __init__(self, market: Market, draft: Draft, nodes_changed: int) -> None:
        self.draft = draft
        self.kinds = Kinds(market.offers[draft.offers], draft.pods, draft.counts)
        self.nodes_changed = nodes_changed
        self.share = draft.largest_pool_share(market)
        self.hosting: list[float] = []
        self.settled: Settled | None = None
        self.key = _key(draft)
        self.fitness = PlacedScores()

    def add(self, outcome: Outcome, hosting_usd_per_hour: float) -> None:
        """Take the next draw; the places it found are kept instead of the last one's."""
        self.hosting.append(hosting_usd_per_hour)
        offers = np.repeat(self.draft.offers, self.draft.counts)
        self.settled = Settled(offers, outcome.held.astype(np.int16), outcome.pending)

    def placed_usd_per_hour(self, draws: int | None = None) -> float:
        """Mean over the first ``draws``; over all by default."""
        return self.draft.cost_usd_per_hour + float(np.mean(self.hosting[:draws]))

    def rate(self) -> None:
        """Write the objectives."""
        self.fitness.values = (
            self.placed_usd_per_hour(),
            self.draft.cost_usd_per_hour,
            float(self.nodes_changed),
            self.share,
        )


def nodes_to_change(kinds: Kinds, nodes_now: IntArray | None) -> int:
    """Nodes to buy and to let go against today's of each offer; 0 where those are unknown."""
    if nodes_now is None:
        return 0
    planned = np.bincount(kinds.offers, weights=kinds.counts, minlength=len(nodes_now))
    return int(np.abs(planned - nodes_now).sum())


def cheapest_placed(plans: Sequence[PlacedPlan]) -> PlacedPlan:
    """The plan of least placed cost on the draws so far."""
    return min(plans, key=PlacedPlan.placed_usd_per_hour)


def _key(draft: Draft) -> bytes:
    order = np.lexsort((*draft.pods.T, draft.offers))
    parts = (draft.offers[order], draft.pods[order].astype(np.int16), draft.counts[order])
    return b"".join(part.tobytes() for part in parts)
