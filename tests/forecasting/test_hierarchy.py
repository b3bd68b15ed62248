from typing import Any

import numpy as np
import pytest
from nodemix.forecasting.hierarchy import CLUSTER, HEARD, POOL, WORKLOAD, Tree, coherent, tree
from nodemix.forecasting.types import DemandHistory, Event, Samples

from tests.forecasting.histories import make_history

DRAWS, STEPS = 60, 3
ROUNDING = 1e-5
"""Of samples in 32 bits, with room for a few operations."""
PARENTS = ("blue", "blue", "red", "red", "red")


def shop(parents: tuple[str, ...] = PARENTS, **fields: Any) -> DemandHistory:
    rows = np.arange(1.0, 1.0 + len(parents))[:, None] * np.ones(4)
    return make_history(*rows, parents=parents, **fields)


def paths(whole: Tree, seed: int = 0) -> Samples:
    """Of every series of the tree, unaware of each other."""
    shape = (len(whole.depth), 1, DRAWS, STEPS)
    return np.random.default_rng(seed).gamma(4.0, 2.0, shape).astype(np.float32)


def distance(settled: Samples, own: Samples) -> float:
    """Mean distance of the quantiles of the sum of ``settled`` to those of ``own``."""
    total = np.sort(settled.sum(axis=0), axis=1)
    return float(np.abs(total - np.sort(own, axis=1)).mean())


def test_a_tree_has_the_workloads_then_their_pools_then_the_cluster() -> None:
    whole = tree(shop())

    assert whole.depth.tolist() == [*[WORKLOAD] * 5, POOL, POOL, CLUSTER]
    assert whole.parent.tolist() == [5, 5, 6, 6, 6, 7, 7, -1]
    assert (whole.workloads, whole.root) == (5, 7)
    assert whole.history.series[:5] == shop().series
    assert whole.history.values[:, 0, 0].tolist() == [1, 2, 3, 4, 5, 3, 12, 15]


def test_without_parents_there_is_the_cluster_alone() -> None:
    whole = tree(make_history([1.0], [2.0]))

    assert whole.depth.tolist() == [WORKLOAD, WORKLOAD, CLUSTER]
    assert whole.parent.tolist() == [2, 2, -1]


@pytest.mark.parametrize(
    ("parents", "sums"),
    [(("blue", "red", "red"), 2), (("blue", "", "red"), 1), (("blue", "blue", "blue"), 1)],
)
def test_a_parent_of_one_series_or_of_all_is_no_pool(parents: tuple[str, ...], sums: int) -> None:
    whole = tree(shop(parents))

    assert len(whole.depth) == len(parents) + sums
    assert (whole.parent[: len(parents)] >= len(parents)).all()


def test_one_workload_is_its_own_cluster() -> None:
    whole = tree(shop(("blue",)))

    assert whole.depth.tolist() == [WORKLOAD]
    assert whole.parent.tolist() == [-1]
    assert whole.root == 0
    np.testing.assert_array_equal(coherent(paths(whole), whole), paths(whole))


def test_a_sum_is_observed_where_half_of_its_children_are() -> None:
    observed = np.ones((5, 1, 4), dtype=np.bool_)
    observed[2:4, 0, 1] = False
    observed[0, 0, 2] = False

    whole = tree(shop(observed=observed))

    assert whole.history.observed is not None
    assert whole.history.observed[5:, 0].tolist() == [
        [True, True, True, True],
        [True, False, True, True],
        [True, True, True, True],
    ]


def test_sums_listen_to_the_events_of_their_children() -> None:
    blue = shop().series[0]

    named, for_all = tree(
        shop(events=(Event("sale", 0.0, 1.0, (blue,)), Event("load test", 0.0, 1.0)))
    ).history.events

    assert named.series == (blue, "sum 0", "sum 2")
    assert for_all.series == ()


def test_nothing_becomes_negative_where_the_sum_falls_to_nothing() -> None:
    whole = tree(shop())
    own = paths(whole)
    own[-1] = 0.0

    settled = coherent(own, whole)

    assert settled.shape == (5, 1, DRAWS, STEPS)
    assert (settled >= 0).all()


def test_children_of_a_sum_that_agrees_stay_as_they_are() -> None:
    whole = tree(shop())
    own = paths(whole)
    own[5], own[6] = own[:2].sum(axis=0), own[2:5].sum(axis=0)
    own[7] = own[5] + own[6]

    np.testing.assert_allclose(coherent(own, whole), own[:5], rtol=ROUNDING)


def test_only_the_distribution_of_a_sum_is_listened_to_not_its_order() -> None:
    whole = tree(make_history([1.0], [2.0]))
    own = paths(whole)
    shuffled = own.copy()
    shuffled[-1] = own[-1][:, ::-1]

    np.testing.assert_array_equal(coherent(shuffled, whole), coherent(own, whole))


def test_the_sum_of_the_children_comes_as_much_closer_as_they_listen() -> None:
    whole = tree(make_history([1.0], [2.0]))
    own = paths(whole)
    own[-1] = 1.2 * own[:2].sum(axis=0)

    before, after = distance(own[:2], own[-1]), distance(coherent(own, whole), own[-1])

    assert after == pytest.approx((1.0 - HEARD) * before, rel=0.1)


def test_a_wider_forecast_of_the_sum_widens_the_sum() -> None:
    whole = tree(shop())
    own = paths(whole)
    total = own[:5].sum(axis=0)
    own[5:7] = own[:2].sum(axis=0), own[2:5].sum(axis=0)

    def width(stretch: float) -> float:
        own[7] = np.maximum(total.mean() + stretch * (total - total.mean()), 0.0)
        return float(coherent(own, whole).sum(axis=0).std())

    assert width(2.0) > 1.2 * total.std()
    assert width(0.5) < total.std() < width(1.5)


def test_a_pool_is_heard_as_the_cluster_is() -> None:
    whole = tree(shop())
    own = paths(whole)
    own[5], own[6] = 1.5 * own[:2].sum(axis=0), own[2:5].sum(axis=0)
    own[7] = own[5] + own[6]

    settled = coherent(own, whole)

    assert settled[:2].sum() > 1.15 * own[:2].sum()
    np.testing.assert_allclose(settled[2:5], own[2:5], rtol=ROUNDING)


def test_what_stands_still_stays_where_it_is() -> None:
    """Most draws of the first workload are the same: they are its median and do not move."""
    whole = tree(make_history([1.0], [2.0]))
    own = paths(whole)
    own[0] = 7.0
    own[0, 0, :5] = 9.0
    own[-1] = 3.0 * own[:2].sum(axis=0)

    settled = coherent(own, whole)

    assert (settled[0, 0, 5:] == 7.0).all()
    assert (settled[1] != own[1]).any()


def test_indicators_do_not_mix() -> None:
    two = DemandHistory(("a", "b"), ("pods", "cpu"), 0.0, 900.0, np.ones((2, 2, 4)))
    whole = tree(two)
    own = np.concatenate([paths(whole, seed) for seed in (0, 1)], axis=1)
    changed = own.copy()
    changed[:, 1] *= 5.0

    np.testing.assert_array_equal(coherent(changed, whole)[:, 0], coherent(own, whole)[:, 0])
