"""How many nodes of each pool: prices, sampled capacity and demand, and the plans found.

A pool is what the provider takes back together: instance type x zone x market.
"""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.errors import ParameterError
from nodemix.optimizer.problem.types import BoolArray, FloatArray, IntArray, OfferCap

OBJECTIVES = ("cost_usd_per_hour", "cvar", "churn_nodes", "concentration")
"""Expected cost; mean shortage of the worst scenarios, as a share of demand; nodes bought plus
nodes given back; share of the first capacity dimension in the largest pool. All to be small."""
COST, CVAR, CHURN, CONCENTRATION = range(len(OBJECTIVES))


@dataclass(frozen=True, slots=True, eq=False)
class FleetProblem:
    """Choose nodes of each pool under sampled reclaims and sampled demand.

    Args:
        price_usd_per_hour: of one node, shape (pools,), positive.
        interruption_usd_per_hour: expected cost of reclaims per node-hour, i.e. hazard x share
            lost x cost of losing a node, shape (pools,).
        capacity: what one node serves, shape (pools, dimensions).
        surviving: share of a pool's nodes that is left, shape (scenarios, pools), in [0, 1].
        demand: unit of ``capacity``, shape (scenarios, dimensions); scenario by scenario joint
            with ``surviving``.
        nodes_now: running nodes, shape (pools,).
        most_nodes: quota of each pool, shape (pools,).
        caps: limits on the mix, coefficients per node of each pool; buying nothing must keep them.
        alpha: the CVaR is the mean of the worst ``1 - alpha`` of the scenarios.
    """

    price_usd_per_hour: FloatArray
    interruption_usd_per_hour: FloatArray
    capacity: FloatArray
    surviving: FloatArray
    demand: FloatArray
    nodes_now: IntArray
    most_nodes: IntArray
    caps: tuple[OfferCap, ...] = ()
    alpha: float = 0.95

    def __post_init__(self) -> None:
        self._check_shapes()
        if not 0.0 < self.alpha < 1.0:
            raise ParameterError(f"alpha must lie in (0, 1), got {self.alpha}")
        if (self.price_usd_per_hour <= 0.0).any() or (self.interruption_usd_per_hour < 0.0).any():
            raise ParameterError("prices must be positive and interruption costs not negative")
        if (self.surviving < 0.0).any() or (self.surviving > 1.0).any():
            raise ParameterError("surviving must lie in [0, 1]")
        for name in ("capacity", "demand", "nodes_now", "most_nodes"):
            if (getattr(self, name) < 0).any():
                raise ParameterError(f"{name} must not be negative")
        for cap in self.caps:
            if cap.limit < 0.0:
                raise ParameterError(f"{cap.name}: limit must not be negative, got {cap.limit}")

    def _check_shapes(self) -> None:
        pools, scenarios = len(self.price_usd_per_hour), len(self.demand)
        if pools == 0 or scenarios == 0:
            raise ParameterError("a fleet needs at least one pool and one scenario")
        wanted = {
            "interruption_usd_per_hour": (pools,),
            "capacity": (pools, *self.demand.shape[1:]),
            "surviving": (scenarios, pools),
            "nodes_now": (pools,),
            "most_nodes": (pools,),
        }
        for name, shape in wanted.items():
            got = getattr(self, name).shape
            if got != shape:
                raise ParameterError(f"{name} must have the shape {shape}, got {got}")
        for cap in self.caps:
            if cap.coefficients.shape != (pools,):
                raise ParameterError(f"{cap.name}: needs one coefficient a pool")

    @property
    def pools(self) -> int:
        """Number of pools."""
        return len(self.price_usd_per_hour)

    @property
    def cost_usd_per_hour(self) -> FloatArray:
        """Price plus expected cost of reclaims of one node, shape (pools,)."""
        cost: FloatArray = self.price_usd_per_hour + self.interruption_usd_per_hour
        return cost

    def scaled_caps(self) -> tuple[FloatArray, FloatArray]:
        """Coefficients (caps, pools) and limits (caps,), the largest coefficient of each cap 1."""
        rows = [cap.coefficients for cap in self.caps]
        coefficients = np.array(rows, dtype=np.float64).reshape(len(rows), self.pools)
        limits = np.array([cap.limit for cap in self.caps], dtype=np.float64)
        scales = np.abs(coefficients).max(axis=1, initial=0.0)
        scales[scales == 0.0] = 1.0
        return coefficients / scales[:, None], limits / scales


@dataclass(frozen=True, slots=True, eq=False)
class FleetFront:
    """Plans of which none is better than another in every objective, by ascending cost.

    Args:
        counts: nodes of each pool, shape (plans, pools).
        objectives: shape (plans, objectives), columns as in ``OBJECTIVES``.
    """

    counts: IntArray
    objectives: FloatArray

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def cost_usd_per_hour(self) -> FloatArray:
        """Expected cost, shape (plans,)."""
        return self.objectives[:, COST]

    @property
    def cvar(self) -> FloatArray:
        """Mean shortage of the worst scenarios as a share of demand, shape (plans,)."""
        return self.objectives[:, CVAR]


def share_cap(name: str, weights: FloatArray, members: BoolArray, share: float) -> OfferCap:
    """Members hold at most ``share`` of the mix.

    A minimum share of on-demand nodes is a largest share of the spot nodes.

    Args:
        weights: what a node counts, e.g. its vCPUs, shape (pools,).
        members: of one pool, family, zone or market, shape (pools,).
    """
    if not 0.0 <= share <= 1.0:
        raise ParameterError(f"{name} must lie in [0, 1], got {share}")
    return OfferCap(name, weights * (members - share), 0.0)
