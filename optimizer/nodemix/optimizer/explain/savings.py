"""Where the saving comes from: spot, shape, packing, and what new places cost.

Both sides of the comparison are the movable nodes; nodes that stay untouched cost the same on both.
Pods are worth their rows' duals, and capacity is worth its cores, GiB and GPUs at the prices fitted
to the duals.

1. Pods that are forecast (*headroom*) and pods that no node of known price holds today (*waiting*)
   are charged with their share of the worth of all pods, times the plan's cost. What is left is the
   plan's part for the pods that today's nodes hold, and is compared with today:
2. *Spot*: the plan's discount (the same nodes at their on-demand prices, less the plan's cost) less
   the discount that today's nodes have already. A type that is not sold on demand in its zone has
   no discount.
3. *Commitments*: likewise, what the nodes under them would cost at the market's price of their
   pool, less what they add to the bill.
4. The rest compares on-demand prices. Let a fleet cost D on demand for capacity of worth K.
   *Packing* is ``(K_today - K_plan) * D_today / K_today``: capacity no longer bought, at what it
   costs today. *Shape* is ``K_plan * (D_today / K_today - D_plan / K_plan)``: the same capacity for
   less. Where one of the two has no capacity of any worth, all of it is packing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.catalog.types import Catalog, InstanceType, Offer, PoolKey
from nodemix.optimizer.explain.prices import MIB_PER_GIB, MILLI_PER_CORE
from nodemix.optimizer.packed import Result
from nodemix.optimizer.plan import Prices, Savings
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.types import FloatArray
from nodemix.optimizer.snapshot import CapacityType, WorkloadKey


@dataclass(frozen=True, slots=True)
class _Fleet:
    """Nodes in sum.

    Args:
        market_usd_per_hour: the cost if none of them were under a commitment.
        on_demand_usd_per_hour: the cost if none of them were spot either.
        capacity_usd_per_hour: the worth of all they can hold.
    """

    usd_per_hour: float = 0.0
    market_usd_per_hour: float = 0.0
    on_demand_usd_per_hour: float = 0.0
    capacity_usd_per_hour: float = 0.0

    @property
    def discount_usd_per_hour(self) -> float:
        return self.on_demand_usd_per_hour - self.market_usd_per_hour

    @property
    def commitments_usd_per_hour(self) -> float:
        return self.market_usd_per_hour - self.usd_per_hour

    @property
    def rate(self) -> float:
        """What capacity costs on demand, in shares of its worth."""
        return self.on_demand_usd_per_hour / self.capacity_usd_per_hour

    def share(self, share: float) -> "_Fleet":
        return replace(
            self,
            usd_per_hour=share * self.usd_per_hour,
            market_usd_per_hour=share * self.market_usd_per_hour,
            on_demand_usd_per_hour=share * self.on_demand_usd_per_hour,
            capacity_usd_per_hour=share * self.capacity_usd_per_hour,
        )


def saving_sources(
    built: BuiltProblem, result: Result, prices: Prices, catalog: Catalog
) -> Savings:
    """The saving of the packing over today's nodes, by source; the parts sum to it.

    Args:
        prices: fitted to the duals of ``result``.
        catalog: every offer whose price is known.
    """
    offers = catalog.by_key()
    today = _fleet(_offers_today(built, offers), prices, offers)
    plan = _fleet(_offers_planned(built, result), prices, offers)
    waiting, headroom = _shares_of_new_places(built, result)
    held = plan.share(1.0 - waiting - headroom)
    rest = today.on_demand_usd_per_hour - held.on_demand_usd_per_hour
    shape = _shape_usd_per_hour(today, held)
    return Savings(
        spot_usd_per_hour=held.discount_usd_per_hour - today.discount_usd_per_hour,
        shape_usd_per_hour=shape,
        packing_usd_per_hour=rest - shape,
        waiting_usd_per_hour=-waiting * plan.usd_per_hour,
        headroom_usd_per_hour=-headroom * plan.usd_per_hour,
        commitments_usd_per_hour=held.commitments_usd_per_hour - today.commitments_usd_per_hour,
    )


def _shape_usd_per_hour(today: _Fleet, held: _Fleet) -> float:
    if min(today.capacity_usd_per_hour, held.capacity_usd_per_hour) <= 0.0:
        return 0.0
    return held.capacity_usd_per_hour * (today.rate - held.rate)


def _offers_today(built: BuiltProblem, offers: dict[PoolKey, Offer]) -> Iterable[tuple[Offer, int]]:
    """The movable nodes of known price, by offer."""
    covered = dict(built.covered)
    found = (
        covered.get(node.name)
        or offers.get((node.instance_type or "", node.zone or "", node.capacity_type))
        for node in built.movable
    )
    return Counter(filter(None, found)).items()


def _offers_planned(built: BuiltProblem, result: Result) -> Iterable[tuple[Offer, int]]:
    return [(built.problem.offers[nodes.offer], nodes.count) for nodes in result.packing.nodes]


def _fleet(
    bought: Iterable[tuple[Offer, int]], prices: Prices, offers: dict[PoolKey, Offer]
) -> _Fleet:
    cost = market = on_demand = capacity = 0.0
    for offer, count in bought:
        on_sale = offers.get(offer.key, offer)
        twin = offers.get((offer.instance.name, offer.zone, CapacityType.ON_DEMAND), on_sale)
        cost += count * offer.price_usd_per_hour
        market += count * on_sale.price_usd_per_hour
        on_demand += count * twin.price_usd_per_hour
        capacity += count * _worth(on_sale.instance, prices)
    return _Fleet(cost, market, on_demand, capacity)


def _worth(instance: InstanceType, prices: Prices) -> float:
    """The worth of all that a node can hold, USD per hour."""
    room = instance.allocatable
    return (
        room.cpu_milli / MILLI_PER_CORE * (prices.usd_per_core_hour or 0.0)
        + room.memory_mib / MIB_PER_GIB * (prices.usd_per_gib_hour or 0.0)
        + room.gpus * (prices.usd_per_gpu_hour or 0.0)
    )


def _shares_of_new_places(built: BuiltProblem, result: Result) -> tuple[float, float]:
    """Shares of the worth of all pods that wait today and that are forecast."""
    demand = built.problem.demand.astype(np.float64)
    duals = result.row_duals if result.row_duals.any() else np.ones(len(demand))
    total = float(duals @ demand)
    if total <= 0.0:
        return 0.0, 0.0
    forecast = demand - np.array(built.rows_now, dtype=np.float64)
    return float(duals @ _waiting(built)) / total, float(duals @ forecast) / total


def _waiting(built: BuiltProblem) -> FloatArray:
    """Pods of today that no movable node of known price holds, shape (rows,).

    Of a workload with several rows each has its share: a zone's row may have pods in another zone.
    """
    held: Counter[WorkloadKey] = Counter()
    for current in built.current:
        if current.price_usd_per_hour is not None:
            held.update(dict(current.workloads))
    rows: defaultdict[WorkloadKey, list[int]] = defaultdict(list)
    for i, row in enumerate(built.problem.rows):
        rows[row.workload].append(i)
    now = np.array(built.rows_now, dtype=np.float64)
    waiting = np.zeros(len(now))
    for workload, own in rows.items():
        pods = now[own].sum()
        if pods > held[workload]:
            waiting[own] = now[own] * (1.0 - held[workload] / pods)
    return waiting
