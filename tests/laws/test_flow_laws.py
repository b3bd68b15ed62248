"""What holds for the parts of the flow, whatever numbers they are given."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from nodemix.forecasting.anchors import LEVELS
from nodemix.forecasting.hierarchy import coherent, tree
from nodemix.forecasting.spline import PARAMETERS, Maps
from nodemix.forecasting.tables import Tables
from nodemix.forecasting.types import DemandHistory, FloatArray, Samples

QUICK = settings(max_examples=30, deadline=None)

ROUNDING = 1e-5
"""Of samples in 32 bits, in shares of the largest."""

PARENTS = st.lists(st.sampled_from(["", "blue", "red"]), min_size=1, max_size=6)


def arrays(
    shape: tuple[int, ...], low: float, high: float, width: int = 64
) -> st.SearchStrategy[FloatArray]:
    kind = np.float64 if width == 64 else np.float32
    return npst.arrays(kind, shape, elements=st.floats(low, high, width=32))


def maps(parameters: FloatArray) -> Maps:
    return Maps.of(torch.from_numpy(parameters))


@QUICK
@given(arrays((3, PARAMETERS), -20.0, 20.0))
def test_the_spline_never_lets_quantiles_cross(parameters: FloatArray) -> None:
    noise = torch.linspace(-6.0, 6.0, 300, dtype=torch.float64).expand(3, -1)

    assert (maps(parameters).forward(noise).diff(dim=1) > 0).all()


@QUICK
@given(arrays((4, LEVELS.size), -50.0, 50.0), arrays((2, 9), -8.0, 8.0))
def test_tables_rise_and_stay_within_what_they_hold(values: FloatArray, noise: FloatArray) -> None:
    rising = np.sort(values, axis=1)

    found = Tables(rising).forward(np.sort(noise, axis=1)).reshape(4, 9)

    assert (np.diff(found, axis=1) >= -1e-9).all()
    assert (found >= rising[:, :1] - 1e-9).all()
    assert (found <= rising[:, -1:] + 1e-9).all()


@QUICK
@given(arrays((5, LEVELS.size), -50.0, 50.0), arrays((5,), -99.0, 99.0), arrays((5,), 0.0, 1.0))
def test_noise_of_any_demand_is_finite_and_more_demand_never_has_less(
    values: FloatArray, demand: FloatArray, ties: FloatArray
) -> None:
    table = Tables(np.sort(values, axis=1))

    found, more = table.inverse(demand, ties), table.inverse(demand + 1.0, ties)

    assert np.isfinite(found).all()
    assert (more >= found - 1e-9).all()


@st.composite
def trees_with_paths(draw: st.DrawFn) -> tuple[DemandHistory, Samples]:
    """A history, and paths of every series of its tree, unaware of each other."""
    parents = draw(PARENTS)
    names = tuple(f"shop/Deployment/{i}" for i in range(len(parents)))
    values = np.ones((len(names), 1, 2))
    history = DemandHistory(names, ("pods",), 0.0, 900.0, values, tuple(parents))
    shape = (len(tree(history).depth), 1, 8, 2)
    return history, draw(arrays(shape, 0.0, 1000.0, width=32)).astype(np.float32)


@QUICK
@given(trees_with_paths())
def test_coherent_paths_are_finite_not_negative_and_leave_zeros_alone(
    made: tuple[DemandHistory, Samples],
) -> None:
    history, own = made
    own[0] = 0.0

    settled = coherent(own, tree(history))

    assert settled.shape[0] == len(history.series)
    assert np.isfinite(settled).all()
    assert (settled >= 0).all()
    assert (settled[0] == 0).all()


@QUICK
@given(arrays((4, 1, 8, 2), 0.0, 1000.0, width=32))
def test_listening_brings_the_sum_no_further_from_its_own_forecast(own: Samples) -> None:
    history = DemandHistory(("a", "b", "c"), ("pods",), 0.0, 900.0, np.ones((3, 1, 2)))
    wanted = np.sort(own[3], axis=1)

    before, after = (
        np.abs(np.sort(paths.sum(axis=0), axis=1) - wanted).sum(axis=1)
        for paths in (own[:3], coherent(own, tree(history)))
    )

    assert (after <= before + 8 * ROUNDING * 3000.0).all()
