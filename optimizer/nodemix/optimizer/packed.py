"""What the engine returns."""

from dataclasses import dataclass, field

from nodemix.optimizer.packing.warm import WarmStart
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.problem.types import FloatArray


@dataclass(frozen=True, slots=True)
class PackedNodes:
    """``count`` equal nodes of one offer, each holding the same pods.

    Args:
        offer: index into the problem's offers.
        pods: (row index, pods of that row on each node), ascending, no zeros.
        count: at least 1.
    """

    offer: int
    pods: tuple[tuple[int, int], ...]
    count: int


@dataclass(frozen=True, slots=True)
class Packing:
    """Nodes that together hold every pod of a problem once."""

    nodes: tuple[PackedNodes, ...]
    cost_usd_per_hour: float


@dataclass(frozen=True, slots=True)
class Milestone:
    """When the search found a better packing, and by which stage."""

    seconds: float
    stage: str
    cost_usd_per_hour: float


@dataclass(frozen=True, slots=True)
class PlacedCost:
    """What a packing is expected to cost once kube-scheduler has placed its pods.

    Estimated on draws of arrival and node order that no search has seen.

    Args:
        usd_per_hour: the packing and the hosting of what the scheduler leaves pending, mean.
        standard_error_usd_per_hour: of that mean; 0 with a single draw.
        draws: 0 where nothing is left to chance.
    """

    mode: PlacementMode
    usd_per_hour: float
    standard_error_usd_per_hour: float
    draws: int

    @classmethod
    def certain(cls, mode: PlacementMode, usd_per_hour: float) -> "PlacedCost":
        """Where every pod keeps its place: the nodes cost what they cost."""
        return cls(mode, usd_per_hour, 0.0, draws=0)

    @classmethod
    def of_draws(
        cls, mode: PlacementMode, packing_usd_per_hour: float, hosting_usd_per_hour: FloatArray
    ) -> "PlacedCost":
        """The mean over what hosting cost on each draw, shape (draws,), at least one."""
        draws = len(hosting_usd_per_hour)
        error = float(hosting_usd_per_hour.std(ddof=1)) / draws**0.5 if draws > 1 else 0.0
        return cls(mode, packing_usd_per_hour + float(hosting_usd_per_hour.mean()), error, draws)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another packing of the Pareto front, with what it is good at.

    Args:
        placed: None where the search ran without a placement mode.
        nodes_changed: nodes to buy and to let go against today's; None where those are unknown.
        largest_pool_share: share of its price spent on one offer, in (0, 1].
    """

    packing: Packing
    largest_pool_share: float
    placed: PlacedCost | None = None
    nodes_changed: int | None = None

    @property
    def cost_usd_per_hour(self) -> float:
        """Of the packing, before any pod is placed."""
        return self.packing.cost_usd_per_hour


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The engine's answer.

    Args:
        packing: the best packing found: of least plan cost, or of least expected placed cost where
            the search was given a placement mode.
        lower_bound_usd_per_hour: no packing of this problem is cheaper; certified, never a guess.
        row_duals: marginal price of one more pod of each row, USD per hour, shape (rows,).
        cap_duals: marginal saving of one more unit of each cap's limit, shape (caps,), >= 0.
        alternatives: other packings of the Pareto front of plan cost, placed cost, nodes changed
            and concentration that are worth showing, cheapest first, without ``packing``.
        progress: how the incumbent fell over time.
        lp_value_usd_per_hour: of the relaxation over the patterns found, a measure of rounding
            only: patterns not found could still lower it. None where it was not solved.
        warm: what the search of a problem like this one can start from.
        placed: of ``packing``; None where the search ran without a placement mode (or with
            ``pinned``, which costs what the packing costs), or had no time for a single draw.
    """

    packing: Packing
    lower_bound_usd_per_hour: float
    row_duals: FloatArray
    cap_duals: FloatArray
    alternatives: tuple[Alternative, ...] = ()
    progress: tuple[Milestone, ...] = ()
    seconds: float = 0.0
    lp_value_usd_per_hour: float | None = None
    warm: WarmStart | None = field(default=None, repr=False)
    placed: PlacedCost | None = None

    @property
    def gap(self) -> float:
        """How far the cost can be above the optimum: (cost - bound) / cost, in [0, 1)."""
        cost = self.packing.cost_usd_per_hour
        return max(0.0, cost - self.lower_bound_usd_per_hour) / cost if cost > 0 else 0.0
