"""Ruin and recreate on the nodes of a plan."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.packing.bound import Duals
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.packing.draft import Draft, fold
from nodemix.optimizer.packing.greedy import LEAST_CHARGE
from nodemix.optimizer.packing.market import CAP_TOLERANCE, Market
from nodemix.optimizer.packing.recreate import Nodes, Scene, pick_nodes, recreate
from nodemix.optimizer.problem.types import FloatArray, IntArray

BATCH = 32
"""Iterations between two looks at the clock; some 10 ms, at most 50 on the largest plans."""
LARGE = 300_000
"""Nodes times rows from which on worse plans are not accepted: going back to the best is dear."""
_LEAST_SAVING = 1e-9


@dataclass(frozen=True, slots=True)
class LocalSearchParams:
    """Settings of the ruin and recreate.

    Args:
        most_nodes: freed at once.
        noise: half-width of the factor by which a pod's value is blurred.
        most_skipped: share of the offers left out of one recreate, at most.
        warmth: temperature at the start of a cycle, in shares of the mean node's price.
        cycle: iterations in which the temperature falls to a hundredth.
        patience: iterations without a better plan before it stops.
    """

    most_nodes: int = 8
    noise: float = 0.25
    most_skipped: float = 0.3
    warmth: float = 0.02
    cycle: int = 4_000
    patience: int = 60_000

    def __post_init__(self) -> None:
        if self.most_nodes < 2 or self.cycle < 1 or self.patience < 1:
            raise ParameterError(f"most_nodes >= 2, cycle and patience >= 1 asked, got {self}")


def make_scene(market: Market, duals: Duals) -> Scene:
    """The market at these duals."""
    return Scene(
        duals=np.ascontiguousarray(duals.rows),
        limits=market.limits,
        requests=market.requests,
        room=market.room,
        price=market.price,
        charged=np.maximum(duals.charged(market), LEAST_CHARGE * market.price),
        compatible=market.compatible,
        bulk=np.maximum(market.demand @ market.requests, 1).astype(np.float64),
        cap_coefficients=np.ascontiguousarray(market.cap_coefficients.T),
        cap_limits=market.cap_limits + CAP_TOLERANCE * (1.0 + np.abs(market.cap_limits)),
    )


class LocalSearch:
    """A plan that is taken apart and put together again, and the best one seen."""

    def __init__(
        self, market: Market, scene: Scene, rng: np.random.Generator, params: LocalSearchParams
    ) -> None:
        self._market = market
        self._scene = scene
        self._rng = rng
        self._params = params

    def improve(self, draft: Draft, deadline: Deadline) -> Draft:
        """The best draft found from ``draft`` until the deadline; at worst itself."""
        params, market = self._params, self._market
        nodes, count = self._unfold(draft)
        use = market.cap_use(draft.offer_counts(market))
        cost = best_cost = draft.cost_usd_per_hour
        best, done, last = draft, 0, 0
        is_large = count * market.rows >= LARGE
        hottest = 0.0 if is_large else params.warmth * cost / max(count, 1)
        while done - last < params.patience and not deadline.has_passed and count > 0:
            temperature = hottest * 0.01 ** ((done % params.cycle) / params.cycle)
            count, cost = walk(
                self._rng, self._scene, nodes, count, cost, use, temperature,
                params.most_nodes, params.noise, params.most_skipped, BATCH,
            )  # fmt: skip
            done += BATCH
            if cost < best_cost - _LEAST_SAVING:
                best_cost, last = cost, done
                if not is_large:
                    best = fold(market, nodes.offers[:count], nodes.pods[:count])
        if is_large and best_cost < draft.cost_usd_per_hour:
            best = fold(market, nodes.offers[:count], nodes.pods[:count])
        return best

    def _unfold(self, draft: Draft) -> tuple[Nodes, int]:
        count = int(draft.counts.sum())
        spare = 64 + count // 4
        offers = np.zeros(count + spare, dtype=np.int64)
        pods = np.zeros((count + spare, self._market.rows), dtype=np.int64)
        offers[:count] = np.repeat(draft.offers, draft.counts)
        pods[:count] = np.repeat(draft.pods, draft.counts, axis=0)
        waste = self._scene.charged[offers] - pods @ self._scene.duals
        return Nodes(offers, pods, waste), count


@compiled
def walk(  # noqa: PLR0917 - a kernel takes plain arrays and numbers
    rng: np.random.Generator,
    scene: Scene,
    nodes: Nodes,
    count: int,
    cost: float,
    use: FloatArray,
    temperature: float,
    most_nodes: int,
    noise: float,
    most_skipped: float,
    iterations: int,
) -> tuple[int, float]:
    """Some ruins and recreates; (nodes of the plan after them, its price).

    Args:
        use: of the caps by the plan, shape (caps,); written.
    """
    rows = len(scene.duals)
    demand = np.zeros(rows, dtype=np.int64)
    values = np.empty(rows)
    room_for = min(4 * most_nodes + 8, len(nodes.offers))
    fresh = Nodes(
        np.zeros(room_for, dtype=np.int64),
        np.zeros((room_for, rows), dtype=np.int64),
        np.zeros(room_for),
    )
    for _ in range(iterations):
        wished = 2 + int((most_nodes - 1) * rng.random())
        picked = np.empty(min(wished, count), dtype=np.int64)
        freed = picked[: pick_nodes(rng, scene, nodes, count, picked)]
        freed_cost = 0.0
        demand[:] = 0
        for k in freed:
            freed_cost += scene.price[nodes.offers[k]]
            demand += nodes.pods[k]
        blur = noise * rng.random()
        for i in np.flatnonzero(demand):
            values[i] = scene.duals[i] * (1.0 + blur * (2.0 * rng.random() - 1.0)) + 1e-12
        budget = freed_cost - temperature * np.log(1.0 - rng.random())
        n, new_cost = recreate(
            rng, scene, demand, values, most_skipped * rng.random(), budget, fresh
        )
        if n == 0 or new_cost > budget or count - len(freed) + n > len(nodes.offers):
            continue
        if not _fits_caps(scene, nodes, freed, fresh, n, use):
            continue
        count = _exchange(nodes, count, freed, fresh, n)
        cost += new_cost - freed_cost
    return count, cost


@compiled
def _fits_caps(
    scene: Scene, nodes: Nodes, freed: IntArray, fresh: Nodes, n: int, use: FloatArray
) -> bool:
    """Whether the caps allow the exchange; then it is booked in ``use``."""
    if len(use) == 0:
        return True
    after = use.copy()
    for k in freed:
        after -= scene.cap_coefficients[nodes.offers[k]]
    for j in range(n):
        after += scene.cap_coefficients[fresh.offers[j]]
    for c in range(len(use)):
        if after[c] > scene.cap_limits[c]:
            return False
    use[:] = after
    return True


@compiled
def _exchange(nodes: Nodes, count: int, freed: IntArray, fresh: Nodes, n: int) -> int:
    """Put fresh nodes in the places of the freed ones; the new number of nodes."""
    places = np.sort(freed)
    for k in places[n:][::-1]:
        count -= 1
        nodes.offers[k] = nodes.offers[count]
        nodes.pods[k] = nodes.pods[count]
        nodes.waste[k] = nodes.waste[count]
    for j in range(n):
        if j < len(places):
            k = places[j]
        else:
            k = count
            count += 1
        nodes.offers[k] = fresh.offers[j]
        nodes.pods[k] = fresh.pods[j]
        nodes.waste[k] = fresh.waste[j]
    return count
