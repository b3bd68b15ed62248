"""What plans will cost once kube-scheduler has placed their pods, by placement mode."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from nodemix.optimizer.deadline import Clock, Deadline
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

OPTION_SHARE, MOST_OTHERS = 0.01, 3
"""Likewise for each option beside the plan, and how many there are at most."""

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
    share = SHARE_OF_SEARCH + MOST_OTHERS * OPTION_SHARE
    return min(max(share * search_s, first_draw_s), search_s / 2)


@dataclass(slots=True)
class Placer:
    """Places packings on draws that are the same for all of them, and an equal packing once.

    Draws are the same for all modes, too: a difference is sharper than each of its sides.

    Args:
        mode: the policy's.
        seed: of all draws.
        search_s: the policy's time for the search, of which an option's draws take a share.
    """

    mode: PlacementMode
    seed: int
    clock: Clock
    search_s: float
    _hosting: dict[Problem, Hosting] = field(default_factory=dict, init=False)
    _known: dict[tuple[Problem, Packing], PlacedCost] = field(default_factory=dict, init=False)

    def by_mode(
        self, problem: Problem, packing: Packing, usd_per_hour: float, deadline: Deadline
    ) -> tuple[PlacedCost, ...]:
        """The expected cost once placed in each mode, in the order of the modes.

        The policy's mode is drawn at least once; a mode for which no time is left is missing.

        Args:
            usd_per_hour: of the packing and what is beside it, before any pod is placed.
        """
        others = [mode for mode in PlacementMode if mode is not self.mode]
        costs = self._drawn(problem, packing, usd_per_hour, (self.mode, *others), deadline)
        self._known[problem, packing] = costs[self.mode]
        return tuple(costs[mode] for mode in PlacementMode if mode in costs)

    def cost(self, problem: Problem, packing: Packing, usd_per_hour: float) -> PlacedCost:
        """Likewise in the policy's mode alone, for a share of the time, or one draw if longer."""
        if (problem, packing) not in self._known:
            until = Deadline.after(self.clock, OPTION_SHARE * self.search_s)
            costs = self._drawn(problem, packing, usd_per_hour, (self.mode,), until)
            self._known[problem, packing] = costs[self.mode]
        return self._known[problem, packing]

    def _drawn(
        self,
        problem: Problem,
        packing: Packing,
        usd_per_hour: float,
        modes: Sequence[PlacementMode],
        deadline: Deadline,
    ) -> dict[PlacementMode, PlacedCost]:
        """Costs by mode; the first is drawn in any case, the others as far as time allows."""
        samples = [_Sample(mode) for mode in modes if mode is not PlacementMode.PINNED]
        if samples:
            trials = _Trials(problem, packing, self._hosting_of(problem), deadline, self.seed)
            if samples[0].mode is modes[0]:
                trials.draw(samples[0])
            while any([trials.draw_in_time(sample) for sample in samples]):  # noqa: C419 - each
                pass
        costs = {
            s.mode: PlacedCost.of_draws(s.mode, usd_per_hour, np.array(drawn))
            for s in samples
            if (drawn := s.hosting_usd_per_hour)
        }
        # Every pod is bound to its own node: nothing is left to chance, and nothing pending.
        costs[PlacementMode.PINNED] = PlacedCost.certain(PlacementMode.PINNED, usd_per_hour)
        return costs

    def _hosting_of(self, problem: Problem) -> Hosting:
        if problem not in self._hosting:
            self._hosting[problem] = Hosting(problem)
        return self._hosting[problem]


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
