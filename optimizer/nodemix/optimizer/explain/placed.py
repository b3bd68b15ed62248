"""What a plan will cost once kube-scheduler has placed its pods, in each placement mode."""

from dataclasses import dataclass, field

import numpy as np
from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.packed import Packing, PlacedCost
from nodemix.optimizer.placement.hosting import Hosting
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.placed import OWNED, arrival_order, place
from nodemix.optimizer.placement.steering import Steering, steer
from nodemix.optimizer.problem.types import Problem

MOST_DRAWS = 8
"""Of each mode; the mean of so many is known to about a point where a draw loses ten."""

SHARE_OF_SEARCH = 0.1
"""Of the time for the search; what a better estimate is worth ends where the plan suffers."""

FIRST_DRAW_S = 0.01
FIRST_DRAW_S_PER_POD = 2e-5
"""A draw of mode ``observe``: 0.02 s for 1,000 pods and 0.7 s for 50,000 on one shared core."""

SLOWER = 4.0
"""By how much a mode that was not drawn yet may be slower than the slowest that was."""


def draw_time_s(search_s: float, pods: int) -> float:
    """Seconds that a search of ``search_s`` leaves to the draws: a share, or one draw if longer.

    Never more than half: a plan without a cost once placed is better than none.
    """
    first_draw_s = FIRST_DRAW_S + FIRST_DRAW_S_PER_POD * pods
    return min(max(SHARE_OF_SEARCH * search_s, first_draw_s), search_s / 2)


def placed_costs(
    problem: Problem,
    packing: Packing,
    chosen: PlacementMode,
    deadline: Deadline,
    rng: np.random.Generator,
) -> tuple[PlacedCost, ...]:
    """The packing's expected cost once placed, in the order of the modes.

    The chosen mode is drawn at least once; a mode for which no time is left is missing. Draws are
    the same for all modes, so that their difference is sharper than each of them.
    """
    trials = _Trials(problem, packing, Hosting(problem), deadline, int(rng.integers(2**62)))
    others = [mode for mode in PlacementMode if mode is not chosen]
    samples = [_Sample(mode) for mode in (chosen, *others) if mode is not PlacementMode.PINNED]
    if chosen is not PlacementMode.PINNED:
        trials.draw(samples[0])
    while any([trials.draw_in_time(sample) for sample in samples]):  # noqa: C419 - each of them
        pass
    costs = {
        s.mode: PlacedCost.of_draws(s.mode, packing.cost_usd_per_hour, np.array(drawn))
        for s in samples
        if (drawn := s.hosting_usd_per_hour)
    }
    # Every pod is bound to its own node: nothing is left to chance, and nothing pending.
    costs[PlacementMode.PINNED] = PlacedCost(
        PlacementMode.PINNED, packing.cost_usd_per_hour, 0.0, draws=0
    )
    return tuple(costs[mode] for mode in PlacementMode if mode in costs)


@dataclass(slots=True)
class _Sample:
    """The draws of a mode so far."""

    mode: PlacementMode
    steering: Steering | None = None
    hosting_usd_per_hour: list[float] = field(default_factory=list)
    slowest_s: float = 0.0


@dataclass(slots=True)
class _Trials:
    problem: Problem
    packing: Packing
    hosting: Hosting
    deadline: Deadline
    seed: int
    slowest_s: float = 0.0

    def draw(self, sample: _Sample) -> None:
        started_s = self.deadline.clock()
        sample.steering = sample.steering or steer(self.problem, self.packing, sample.mode)
        rng = np.random.default_rng((self.seed, len(sample.hosting_usd_per_hour)))
        order = arrival_order(self.problem, sample.steering, rng)
        placement = place(self.problem, self.packing, order, rng, OWNED, sample.steering)
        sample.hosting_usd_per_hour.append(self.hosting.cost_usd_per_hour(placement.pending))
        took_s = self.deadline.clock() - started_s
        sample.slowest_s = max(sample.slowest_s, took_s)
        self.slowest_s = max(self.slowest_s, took_s)

    def draw_in_time(self, sample: _Sample) -> bool:
        """Draw unless it was drawn often enough or the time would not suffice; whether it was."""
        expected_s = sample.slowest_s or SLOWER * self.slowest_s or FIRST_DRAW_S
        is_worth_it = len(sample.hosting_usd_per_hour) < MOST_DRAWS
        if not is_worth_it or self.deadline.left_s <= expected_s:
            return False
        self.draw(sample)
        return True
