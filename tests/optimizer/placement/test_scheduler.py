import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from nodemix.optimizer.placement.placed import Profile, Strategy, random_order, to_shapes
from nodemix.optimizer.placement.scheduler import schedule
from nodemix.optimizer.problem.types import Problem

from tests.laws.strategies import problems
from tests.optimizer.placement.plain_scheduler import schedule_plainly


@given(problems(), st.sampled_from(Strategy), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_remembered_scores_and_full_nodes_change_no_choice(
    problem: Problem, strategy: Strategy, to_find: int, seed: int
) -> None:
    """The kernel skips what it knows; a scheduler that looks at everything chooses alike."""
    rng = np.random.default_rng(seed)
    order = random_order(problem, rng)
    offers = rng.integers(len(problem.offers), size=int(rng.integers(1, 20)))
    limits = np.where(problem.compatible[:, offers], problem.max_per_node[:, None], 0)
    limits = np.ascontiguousarray(limits)
    room, draws = problem.room[offers], rng.random(len(order))
    shapes = to_shapes(problem, Profile(strategy))

    plainly = schedule_plainly(order, shapes, limits, room, to_find, draws)

    assert schedule(order, shapes, limits, room, to_find, draws).tolist() == plainly
