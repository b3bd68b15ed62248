"""Nodes as Karpenter chooses them: first fit by falling requests, then consolidation.

Pods by falling requests, each onto the first node in flight that some type could still hold it on,
else onto a new one of the first pool that can; what is bought in the end is the cheapest type left.
Then consolidation: the longest prefix of nodes, and after it each single node, goes whose pods fit
on the others and at most one cheaper new node.

Three things are kinder to it than the original is: consolidation replaces spot by spot, what is
bought is the very cheapest type left, and committed nodes are filled first. Neither the original
nor this knows limits on the mix (budget, quotas, shares of spot).

Source: karpenter v1, ``pkg/controllers/provisioning/scheduling``, ``pkg/controllers/disruption``.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from nodemix.optimizer.packed import PackedNodes, Packing
from nodemix.optimizer.packing.compiled import compiled
from nodemix.optimizer.packing.fill import goes_in
from nodemix.optimizer.packing.market import dominators
from nodemix.optimizer.problem.caps import commitment_cap, spot_mask, vcpus_of
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, Problem
from nodemix.optimizer.risk.shortfall import node_limits

MOST_CANDIDATES = 100
"""Nodes that may go at once, as in the original."""
FIRST_NODES = 256
"""There is memory for so many nodes at first."""
SAVING_USD_PER_HOUR = 1e-9
GONE = -1
NO_PLACE = -2
FULL = -1


@dataclass(frozen=True, slots=True)
class SetUp:
    """A spot pool before an on-demand pool.

    Args:
        spot_vcpus, on_demand_vcpus: of the largest type in each pool; larger ones are there for
            pods that need them.
        is_split: pods that may run on spot are kept off on-demand nodes.
    """

    spot_vcpus: float
    on_demand_vcpus: float
    is_split: bool

    def __str__(self) -> str:
        pools = "split" if self.is_split else "shared"
        sizes = f"spot {_size(self.spot_vcpus)}, on-demand {_size(self.on_demand_vcpus)}"
        return f"{pools} pools ({sizes})"


def _size(most_vcpus: float) -> str:
    return "of any size" if most_vcpus == np.inf else f"up to {most_vcpus:g} vCPUs"


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Nodes one by one.

    Args:
        offers: shape (nodes,).
        pods: shape (nodes, rows).
    """

    offers: IntArray
    pods: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """The problem as the baseline sees it.

    Args:
        price: money of a node of each offer, shape (offers,).
        is_open: neither committed nor running already, nor worse than another of its market in
            price, room and pods at no more vCPUs, shape (offers,).
        committed: the offer of each committed node, shape (nodes,).
    """

    problem: Problem
    price: FloatArray
    vcpus: FloatArray
    is_spot: BoolArray
    is_open: BoolArray
    committed: IntArray

    @classmethod
    def of(cls, problem: Problem, *, buys_spot: bool = True) -> "Market":
        """The problem's offers and the committed nodes."""
        price, vcpus, is_spot = problem.money_usd_per_hour, vcpus_of(problem), spot_mask(problem)
        is_limited = [bool(offer.terms) or offer.is_in_place for offer in problem.offers]
        free = np.flatnonzero(~np.array(is_limited, dtype=np.bool_))
        apart = np.array([is_spot, ~is_spot, vcpus], dtype=np.float64)
        compatible = problem.compatible[:, free].T
        best = np.unique(dominators(price[free], problem.room[free], compatible, apart[:, free]))
        is_open = np.zeros(len(price), dtype=np.bool_)
        is_open[free[best]] = True
        is_open &= buys_spot | ~is_spot
        return cls(problem, price, vcpus, is_spot, is_open, _committed(problem))

    def cost_usd_per_hour(self, fleet: Fleet) -> float:
        """Money of all nodes."""
        return float(self.price[fleet.offers].sum())

    def cost_by_pool(self, fleet: Fleet) -> tuple[float, float]:
        """Money of the spot nodes and of the others."""
        on_spot = self.is_spot[fleet.offers]
        price = self.price[fleet.offers]
        return float(price[on_spot].sum()), float(price[~on_spot].sum())

    def to_packing(self, fleet: Fleet) -> Packing:
        """The fleet with equal nodes as one group."""
        groups = Counter(
            (int(offer), tuple((int(i), int(pods[i])) for i in np.flatnonzero(pods)))
            for offer, pods in zip(fleet.offers, fleet.pods, strict=True)
        )
        nodes = tuple(PackedNodes(offer, pods, n) for (offer, pods), n in sorted(groups.items()))
        return Packing(nodes, self.cost_usd_per_hour(fleet))


class _Shop(NamedTuple):
    """What does not change while nodes are chosen.

    Args:
        order: rows by falling cores, then memory.
        most: pods of a row on one node.
        compatible: shape (rows, offers).
        by_price: offers to be had in any number, cheapest first.
    """

    order: IntArray
    requests: IntArray
    most: IntArray
    compatible: BoolArray
    room: IntArray
    price: FloatArray
    by_price: IntArray


def _shop(market: Market, set_up: SetUp) -> _Shop:
    problem, compatible = market.problem, market.problem.compatible
    if set_up.is_split:
        bold: BoolArray = np.logical_or.reduce(compatible & market.is_spot, axis=1)
        compatible = compatible & (market.is_spot | ~bold[:, None])
    by_price = np.argsort(market.price, kind="stable")
    return _Shop(
        order=np.lexsort((-problem.requests[:, 1], -problem.requests[:, 0])),
        requests=np.ascontiguousarray(problem.requests),
        most=node_limits(problem),
        compatible=np.ascontiguousarray(compatible),
        room=np.ascontiguousarray(problem.room),
        price=market.price,
        by_price=by_price[market.is_open[by_price]],
    )


def _pools(market: Market, set_up: SetUp) -> BoolArray:
    """Small spot, small on-demand, then all spot and all on-demand, shape (pools, offers)."""
    spot, on_demand = market.is_open & market.is_spot, market.is_open & ~market.is_spot
    small_spot = spot & (market.vcpus <= set_up.spot_vcpus)
    small_on_demand = on_demand & (market.vcpus <= set_up.on_demand_vcpus)
    return np.array([small_spot, small_on_demand, spot, on_demand])


def _committed(problem: Problem) -> IntArray:
    """The offer of each committed node, cheapest first; zones of one commitment take turns."""
    nodes: list[int] = []
    limits = {cap.name: int(cap.limit) for cap in problem.caps}
    for name in sorted({offer.terms for offer in problem.offers} - {""}):
        own = [i for i, o in enumerate(problem.offers) if o.terms == name and not o.is_in_place]
        count = max(0, limits.get(commitment_cap(name), 0)) if own else 0
        nodes += [own[i % len(own)] for i in range(count)]
    money = problem.money_usd_per_hour
    return np.array(sorted(nodes, key=lambda o: (money[o], o)), dtype=np.int64)


class _InFlight(NamedTuple):
    """Nodes that are not bought yet.

    Args:
        able: offers that could still become the node, the first ``choices`` of each line.
        used: by its pods, shape (nodes, dimensions).
        pods: shape (nodes, rows).
        free: most that any of its offers has left, shape (nodes, dimensions).
    """

    able: IntArray
    choices: IntArray
    used: IntArray
    pods: IntArray
    free: IntArray


def _in_flight(problem: Problem, nodes: int) -> _InFlight:
    dimensions = len(problem.dimensions)
    shapes = ((len(problem.offers),), (), (dimensions,), (len(problem.rows),), (dimensions,))
    return _InFlight(*(np.zeros((nodes, *shape), dtype=np.int64) for shape in shapes))


def provision(market: Market, set_up: SetUp, pods: IntArray) -> Fleet | None:
    """Nodes for ``pods``, shape (rows,); None where some pod has no place."""
    shop, pools, committed = _shop(market, set_up), _pools(market, set_up), market.committed
    for room_for in _growing(len(committed) + FIRST_NODES):
        nodes = _in_flight(market.problem, room_for)
        opened = _schedule(pods.astype(np.int64), shop, pools, committed, nodes)
        if opened == NO_PLACE:
            return None
        if opened != FULL:
            return _bought(shop.price, nodes, opened)
    raise AssertionError  # it grows without end


def _growing(first: int) -> Iterator[int]:
    while True:
        yield first
        first *= 4


def _bought(price: FloatArray, nodes: _InFlight, opened: int) -> Fleet:
    """The cheapest offer left for each node that holds a pod."""
    used = [n for n in range(opened) if nodes.pods[n].any()]
    able = (nodes.able[n, : nodes.choices[n]] for n in used)
    offers = [offers[price[offers].argmin()] for offers in able]
    return Fleet(np.array(offers, dtype=np.int64), nodes.pods[used])


@compiled
def _schedule(
    pods: IntArray, shop: _Shop, pools: BoolArray, committed: IntArray, nodes: _InFlight
) -> int:
    """Put all pods on nodes; how many there are, `FULL` or `NO_PLACE`."""
    opened = len(committed)
    for n in range(opened):
        _offer(n, committed[n], shop, nodes)
    for i in shop.order:
        left = pods[i]
        for n in range(opened):
            if left == 0:
                break
            left -= _join(n, i, left, shop, nodes)
        while left > 0:
            if opened == len(nodes.choices):
                return FULL
            if not _open(opened, i, pools, shop, nodes):
                return NO_PLACE
            left -= _join(opened, i, left, shop, nodes)
            opened += 1
    return opened


@compiled
def _offer(n: int, offer: int, shop: _Shop, nodes: _InFlight) -> None:
    """Add an offer to those that node ``n`` could become."""
    nodes.able[n, nodes.choices[n]] = offer
    nodes.choices[n] += 1
    for d in range(shop.room.shape[1]):
        nodes.free[n, d] = max(nodes.free[n, d], shop.room[offer, d])


@compiled
def _open(n: int, row: int, pools: BoolArray, shop: _Shop, nodes: _InFlight) -> bool:
    """Let ``n`` become any offer of the first pool that can hold a pod of the row."""
    for p in range(len(pools)):
        for offer in range(pools.shape[1]):
            if pools[p, offer] and shop.compatible[row, offer]:
                _offer(n, offer, shop, nodes)
        if nodes.choices[n] > 0:
            return True
    return False


@compiled
def _join(n: int, row: int, wanted: int, shop: _Shop, nodes: _InFlight) -> int:
    """Put as many of the wanted pods on node ``n`` as some offer still holds; how many."""
    request, used = shop.requests[row], nodes.used[n]
    if not goes_in(request, nodes.free[n]):
        return 0
    wanted = min(wanted, shop.most[row] - nodes.pods[n, row])
    taken = 0
    for c in range(nodes.choices[n]):
        offer = nodes.able[n, c]
        if shop.compatible[row, offer]:
            taken = max(taken, _times(request, shop.room[offer], used, wanted))
    if taken == 0:
        return 0
    nodes.pods[n, row] += taken
    for d in range(len(request)):
        used[d] += taken * request[d]
    _narrow(n, row, shop, nodes)
    return taken


@compiled
def _times(request: IntArray, room: IntArray, used: IntArray, wanted: int) -> int:
    """How often a request goes into what is not used, at most ``wanted``; 0 or less: not once."""
    times = wanted
    for d in range(len(request)):
        if request[d] > 0 and times > 0:
            times = min(times, (room[d] - used[d]) // request[d])
    return times


@compiled
def _narrow(n: int, row: int, shop: _Shop, nodes: _InFlight) -> None:
    """Leave node ``n`` the offers that hold all its pods, the last of them of ``row``."""
    dimensions = shop.room.shape[1]
    for d in range(dimensions):
        nodes.free[n, d] = 0
    kept = 0
    for c in range(nodes.choices[n]):
        offer = nodes.able[n, c]
        fits = shop.compatible[row, offer]
        for d in range(dimensions):
            fits = fits and nodes.used[n, d] <= shop.room[offer, d]
        if fits:
            nodes.able[n, kept] = offer
            kept += 1
            for d in range(dimensions):
                free = shop.room[offer, d] - nodes.used[n, d]
                nodes.free[n, d] = max(nodes.free[n, d], free)
    nodes.choices[n] = kept


class _Nodes(NamedTuple):
    """A fleet while it is consolidated; nodes that went have the offer `GONE` and no room."""

    offers: IntArray
    pods: IntArray
    free: IntArray


def consolidate(market: Market, set_up: SetUp, fleet: Fleet) -> Fleet:
    """The fleet once nothing more can go, dearest nodes per pod first."""
    shop = _shop(market, set_up)
    while True:
        free = shop.room[fleet.offers] - fleet.pods @ shop.requests
        nodes = _Nodes(fleet.offers.copy(), fleet.pods.copy(), free)
        per_pod = shop.price[fleet.offers] / (1 + fleet.pods.sum(axis=1))
        if not _let_go(np.argsort(-per_pod, kind="stable"), shop, nodes):
            return fleet
        left = nodes.offers != GONE
        fleet = Fleet(nodes.offers[left], nodes.pods[left])


@compiled
def _let_go(candidates: IntArray, shop: _Shop, nodes: _Nodes) -> bool:
    """Let the longest prefix go that bisection finds, else each single node that can."""
    low, high, longest = 2, min(MOST_CANDIDATES, len(candidates)), 0
    while low <= high:
        middle = (low + high) // 2
        if _release(candidates[:middle], shop, nodes, False):
            low, longest = middle + 1, middle
        else:
            high = middle - 1
    if longest > 0:
        return _release(candidates[:longest], shop, nodes, True)
    changed = False
    for n in range(len(candidates)):
        changed = _release(candidates[n : n + 1], shop, nodes, True) or changed
    return changed


@compiled
def _release(leaving: IntArray, shop: _Shop, nodes: _Nodes, for_good: bool) -> bool:
    """Whether the other nodes and at most one cheaper new one take the pods of those leaving."""
    left = np.zeros(len(shop.order), dtype=np.int64)
    free = nodes.free.copy()
    pods, saved = 0, 0.0
    for n in leaving:
        saved += shop.price[nodes.offers[n]]
        for i in range(len(left)):
            left[i] += nodes.pods[n, i]
            pods += nodes.pods[n, i]
        for d in range(free.shape[1]):
            free[n, d] = 0
    moves = np.empty((pods, 3), dtype=np.int64)
    count, moved = _spread(left, free, moves, shop, nodes)
    offer = GONE
    if moved < pods:
        offer = _one_for(left, shop, saved - SAVING_USD_PER_HOUR)
        if offer == GONE:
            return False
    if for_good:
        for n in leaving:
            _empty(n, nodes)
        for m in range(count):
            _put(moves[m, 0], moves[m, 1], moves[m, 2], shop, nodes)
        if offer != GONE:
            _buy(leaving[0], offer, left, shop, nodes)
    return True


@compiled
def _spread(
    left: IntArray, free: IntArray, moves: IntArray, shop: _Shop, nodes: _Nodes
) -> tuple[int, int]:
    """First fit onto ``free``; uses up both; how many (node, row, pods) it wrote, and all pods."""
    nothing = np.zeros(free.shape[1], dtype=np.int64)
    count = moved = 0
    for i in shop.order:
        for n in range(len(free)):
            if left[i] == 0:
                break
            if nodes.offers[n] == GONE or not shop.compatible[i, nodes.offers[n]]:
                continue
            if not goes_in(shop.requests[i], free[n]):
                continue
            wanted = min(left[i], shop.most[i] - nodes.pods[n, i])
            taken = _times(shop.requests[i], free[n], nothing, wanted)
            if taken > 0:
                for d in range(free.shape[1]):
                    free[n, d] -= taken * shop.requests[i, d]
                left[i] -= taken
                moved += taken
                moves[count, 0], moves[count, 1], moves[count, 2] = n, i, taken
                count += 1
    return count, moved


@compiled
def _one_for(pods: IntArray, shop: _Shop, below_usd_per_hour: float) -> int:
    """The cheapest offer below a price whose node holds all the pods, `GONE` where none does."""
    asked = np.zeros(shop.requests.shape[1], dtype=np.int64)
    for i in range(len(pods)):
        if pods[i] > shop.most[i]:
            return GONE
        for d in range(len(asked)):
            asked[d] += pods[i] * shop.requests[i, d]
    for offer in shop.by_price:
        if shop.price[offer] >= below_usd_per_hour:
            break
        able = goes_in(asked, shop.room[offer])
        for i in range(len(pods)):
            able = able and (pods[i] == 0 or shop.compatible[i, offer])
        if able:
            return int(offer)
    return GONE


@compiled
def _empty(n: int, nodes: _Nodes) -> None:
    """Let node ``n`` go."""
    nodes.offers[n] = GONE
    for i in range(nodes.pods.shape[1]):
        nodes.pods[n, i] = 0
    for d in range(nodes.free.shape[1]):
        nodes.free[n, d] = 0


@compiled
def _put(n: int, row: int, pods: int, shop: _Shop, nodes: _Nodes) -> None:
    """Add pods of a row to node ``n``."""
    nodes.pods[n, row] += pods
    for d in range(nodes.free.shape[1]):
        nodes.free[n, d] -= pods * shop.requests[row, d]


@compiled
def _buy(n: int, offer: int, pods: IntArray, shop: _Shop, nodes: _Nodes) -> None:
    """Put a new node with these pods in the place of ``n``, which is gone."""
    nodes.offers[n] = offer
    for d in range(nodes.free.shape[1]):
        nodes.free[n, d] = shop.room[offer, d]
    for i in range(len(pods)):
        _put(n, i, pods[i], shop, nodes)
