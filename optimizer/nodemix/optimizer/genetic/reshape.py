"""How plans are varied so that kube-scheduler leaves fewer of their pods pending.

All begin with nodes that are freed. Their pods, and often those that the scheduler left pending,
go into what room the other nodes have, and onto new nodes: larger or smaller ones than the price
alone says, with pods of all shapes or of one or two. Every draw comes from the generator passed in.
"""

import numpy as np
from nodemix.optimizer.genetic.slack import squeeze_in
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.draft import Draft, fold
from nodemix.optimizer.packing.greedy import greedy_draft
from nodemix.optimizer.packing.local_search import make_scene
from nodemix.optimizer.packing.market import Market
from nodemix.optimizer.packing.recreate import Nodes, Scene, recreate
from nodemix.optimizer.problem.types import FloatArray, IntArray

BIASES = (-0.2, 0.5)
"""Range of the exponent by which an offer's size lowers the price it is chosen by: a large node
loses less room to a pod that another one was meant for. Beyond it plans get too dear."""
SQUEEZED = 0.6
"""Share of the variations that try the room of the other nodes first."""
FEW_SHAPES = 0.3
"""Share of the variations whose new nodes hold one or two shapes of pods."""
EXCHANGED = 0.25
"""Share of the variations that only put nodes of one kind on another offer."""
NOISE = 0.25
"""Half-width of the factor by which a pod's value is blurred."""
UNLOVED = 1.3
"""Factor on the price of offers that a new plan is drawn to avoid."""
LEAST_VALUE_USD_PER_HOUR = 1e-9


class Reshaper:
    """Variations of plans over one market."""

    def __init__(
        self, market: Market, duals: Duals, rng: np.random.Generator, most_freed: float
    ) -> None:
        self._market = market
        self._scene = make_scene(market, duals)
        self._rng = rng
        self._most_freed = most_freed
        most = np.maximum(market.room.max(axis=0, initial=1), 1)
        self._size = np.maximum((market.room / most).max(axis=1, initial=0.0), 1e-6)

    def draw_plan(self) -> Draft | None:
        """A whole plan, bought greedily of offers preferred at random; None where caps block it."""
        rng = self._rng
        charged = self._charged(rng.uniform(0.0, BIASES[1]))
        out_of_favour = rng.random(len(charged)) < rng.random()
        return greedy_draft(
            self._market, self._values(), np.where(out_of_favour, UNLOVED * charged, charged)
        )

    def reshape(self, draft: Draft) -> Draft | None:
        """The plan with some of its nodes exchanged."""
        if self._rng.random() < EXCHANGED:
            return self._exchange(draft)
        offers = np.repeat(draft.offers, draft.counts)
        pods = np.repeat(draft.pods, draft.counts, axis=0)
        return self.rebuild(offers, pods, np.zeros(self._market.rows, dtype=np.int64))

    def rebuild(self, offers: IntArray, pods: IntArray, left: IntArray) -> Draft | None:
        """The nodes with some of them exchanged, and a place for what is left.

        Args:
            offers: of the market, one a node, shape (nodes,).
            pods: of each row on each node, shape (nodes, rows).
            left: pods of each row that no node holds, shape (rows,); used up.
        """
        freed = self._pick(offers, pods, left)
        left += pods[freed].sum(axis=0)
        kept = np.ones(len(offers), dtype=np.bool_)
        kept[freed] = False
        offers, pods = offers[kept], pods[kept]
        if self._rng.random() < SQUEEZED:
            rows = self._rng.permutation(np.flatnonzero(left))
            squeeze_in(self._scene, left, rows, offers, pods)
        bought = self._buy(left)
        if bought is None:
            return None
        is_used = pods.any(axis=1)
        offers = np.concatenate([offers[is_used], bought[0]])
        return fold(self._market, offers, np.concatenate([pods[is_used], bought[1]]))

    def _exchange(self, draft: Draft) -> Draft | None:
        """Nodes of one kind on another offer that holds their pods, of about the same price."""
        market, rng = self._market, self._rng
        kind = int(rng.integers(len(draft.offers)))
        pods, price = draft.pods[kind], market.price[draft.offers[kind]]
        holds = (market.compatible | (pods == 0)).all(axis=1)
        holds &= (market.room >= pods @ market.requests).all(axis=1)
        holds &= market.price < (1.0 + rng.random() ** 2) * price
        holds[draft.offers[kind]] = False
        others = np.flatnonzero(holds)
        if len(others) == 0:
            return None
        copies = 1 + int(rng.integers(draft.counts[kind]))
        first = int(draft.counts[:kind].sum())
        offers = np.repeat(draft.offers, draft.counts)
        offers[first : first + copies] = rng.choice(others)
        return fold(market, offers, np.repeat(draft.pods, draft.counts, axis=0))

    def _pick(self, offers: IntArray, pods: IntArray, left: IntArray) -> IntArray:
        """Nodes to free: any, the wasteful, those of one offer, or those with pods of one row."""
        rng, nodes = self._rng, len(offers)
        most = max(2.0, self._most_freed * nodes)
        wished = min(nodes, 1 + int(most ** rng.random()))
        match int(rng.integers(4)):
            case 0:
                found = np.arange(nodes)
            case 1:
                waste = self._scene.charged[offers] - pods @ self._scene.duals
                return np.argsort(-waste * rng.random(nodes), kind="stable")[:wished]
            case 2:
                found = np.flatnonzero(offers == rng.choice(offers)) if nodes else offers
            case _:
                rows = np.flatnonzero(left) if left.any() else np.arange(len(left))
                found = np.flatnonzero(pods[:, rng.choice(rows)])
        return rng.permutation(found)[:wished]

    def _buy(self, left: IntArray) -> tuple[IntArray, IntArray] | None:
        """Offers and pods of new nodes for ``left``, which is used up."""
        rng = self._rng
        rows = np.flatnonzero(left)
        size = int(rng.integers(1, 3)) if rng.random() < FEW_SHAPES else max(1, len(rows))
        scene = self._scene._replace(charged=self._charged(rng.uniform(*BIASES)))
        values, skipped = self._values(), 0.95 * rng.random() ** 2
        offers, pods = [np.zeros(0, dtype=np.int64)], [np.zeros((0, len(left)), dtype=np.int64)]
        shuffled = rng.permutation(rows)
        for first in range(0, len(rows), size):
            part = np.zeros_like(left)
            part[shuffled[first : first + size]] = left[shuffled[first : first + size]]
            found = self._recreate(scene, part, values, skipped)
            if found is None:
                return None
            offers.append(found[0])
            pods.append(found[1])
        return np.concatenate(offers), np.concatenate(pods)

    def _recreate(
        self, scene: Scene, demand: IntArray, values: FloatArray, skipped: float
    ) -> tuple[IntArray, IntArray] | None:
        most = min(int(demand.sum()), 4096)
        fresh = Nodes(
            np.zeros(most, dtype=np.int64),
            np.zeros((most, len(demand)), dtype=np.int64),
            np.zeros(most),
        )
        n, _ = recreate(self._rng, scene, demand, values, skipped, np.inf, fresh)
        return (fresh.offers[:n], fresh.pods[:n]) if n else None

    def _values(self) -> FloatArray:
        blur = 1.0 + NOISE * (2.0 * self._rng.random(self._market.rows) - 1.0)
        values: FloatArray = np.maximum(self._scene.duals, LEAST_VALUE_USD_PER_HOUR) * blur
        return values

    def _charged(self, bias: float) -> FloatArray:
        charged: FloatArray = self._scene.charged * self._size**-bias
        return charged
