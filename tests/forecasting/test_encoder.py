import numpy as np
import pytest
import torch
from nodemix.forecasting.encoder import CONTEXT_STEPS, FINE, TOKEN, Encoder, linear, tokens
from nodemix.forecasting.features import Grid, Norms, norms
from nodemix.forecasting.residuals import IndexArray
from nodemix.forecasting.types import FloatArray

from tests.forecasting.histories import DAY, seasonal_rows
from tests.forecasting.tiny import grid_of_rows

NOW = 4 * DAY
ROUNDING = 1e-5
"""Attention sums in another order when its tokens are in another order."""


def token_of(grid: Grid, now: int = NOW) -> FloatArray:
    rows = grid.values.shape[0]
    return tokens_at(grid, norms(grid, np.array([now])), np.zeros(rows, dtype=np.int64), now)


def tokens_at(grid: Grid, norm: Norms, depth: IndexArray, now: int) -> FloatArray:
    """Of every row at one origin."""
    return tokens(grid, norm, depth, np.arange(depth.size), np.full(depth.size, now))


def encoder(width: int = 8) -> Encoder:
    return Encoder(width, torch.Generator().manual_seed(0))


def made(sets: int = 3, rows: int = 4) -> torch.Tensor:
    return torch.randn(sets, rows, TOKEN, generator=torch.Generator().manual_seed(1))


def everyone(seen: torch.Tensor) -> torch.Tensor:
    return torch.ones(seen.shape[:2], dtype=torch.bool)


@pytest.mark.parametrize("now", [0, 10, NOW])
def test_a_token_sees_nothing_after_its_origin(now: int) -> None:
    values = seasonal_rows(2, 6)
    corrupted = values.copy()
    corrupted[:, now + 1 :] = 1e6

    np.testing.assert_array_equal(
        token_of(grid_of_rows(corrupted), now), token_of(grid_of_rows(values), now)
    )


def test_a_token_sees_the_newest_step_and_nothing_older_than_its_context() -> None:
    """The old step is so close to the median that it does not change the scale much."""
    values = seasonal_rows(1, 6)
    grid = grid_of_rows(values)
    norm = norms(grid, np.array([NOW]))
    depth = np.zeros(1, dtype=np.int64)
    newest, oldest = values.copy(), values.copy()
    newest[:, NOW] += 5.0
    oldest[:, NOW - CONTEXT_STEPS] += 5.0

    plain, new, old = (
        tokens_at(grid_of_rows(v), norm, depth, NOW) for v in (values, newest, oldest)
    )

    assert (new[..., FINE - 1] != plain[..., FINE - 1]).all()
    np.testing.assert_array_equal(old, plain)


def test_a_token_says_what_was_observed_and_which_level_it_is_of() -> None:
    values = seasonal_rows(3, 6)
    observed = np.ones(values.shape, dtype=np.bool_)
    observed[1, NOW - 15 : NOW + 1] = False
    grid = grid_of_rows(values, observed)

    found = tokens_at(grid, norms(grid, np.array([NOW])), np.array([2, 1, 0]), NOW)

    patches = CONTEXT_STEPS // 16
    share = found[:, FINE + patches : FINE + 2 * patches]
    assert share[1].tolist() == [*[1.0] * (patches - 1), 0.0]
    assert (share[[0, 2]] == 1.0).all()
    assert found[:, -3:].tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_what_was_filled_in_before_a_row_began_is_not_in_its_token() -> None:
    values = seasonal_rows(1, 6)
    observed = np.ones(values.shape, dtype=np.bool_)
    observed[0, : NOW - 20] = False
    other = np.where(observed, values, 1e3)

    np.testing.assert_array_equal(
        token_of(grid_of_rows(other, observed)), token_of(grid_of_rows(values, observed))
    )


def test_attention_ignores_tokens_that_do_not_exist() -> None:
    seen, present = made(), everyone(made())
    present[:, 3] = False
    changed = seen.clone()
    changed[:, 3] = 5.0

    net = encoder()

    assert torch.equal(net(changed, present, 2), net(seen, present, 2))
    assert not torch.equal(net(changed, everyone(seen), 2), net(seen, everyone(seen), 2))


def test_a_set_without_any_token_still_has_a_finite_context() -> None:
    found = encoder()(made(), torch.zeros(3, 4, dtype=torch.bool), 2)

    assert torch.isfinite(found).all()


def test_the_order_of_the_other_indicators_changes_nothing() -> None:
    seen = made()

    plain = encoder()(seen, everyone(seen), 1)
    mixed = encoder()(seen[:, [0, 3, 1, 2]], everyone(seen), 1)

    torch.testing.assert_close(mixed, plain, atol=ROUNDING, rtol=ROUNDING)


def test_each_set_is_read_by_itself() -> None:
    seen = made()
    changed = seen.clone()
    changed[1:] += 1.0

    net = encoder()

    assert torch.equal(net(changed, everyone(seen), 4)[0], net(seen, everyone(seen), 4)[0])


@pytest.mark.parametrize("rows", [1, 2, 6, 20])
def test_one_encoder_reads_any_number_of_indicators(rows: int) -> None:
    seen = made(rows=rows)

    assert encoder()(seen, everyone(seen), rows).shape == (3, rows, 8)


def test_a_value_far_outside_does_not_explode_the_context() -> None:
    seen = made()
    seen[0, 0] = 1e30

    assert encoder()(seen, everyone(seen), 4).abs().max() < 1e3


def test_layers_take_their_weights_from_the_generator_that_is_passed() -> None:
    before = torch.get_rng_state()

    one, again = (linear(4, 3, 1.0, torch.Generator().manual_seed(5)) for _ in range(2))

    assert torch.equal(one.weight, again.weight)
    assert torch.equal(torch.get_rng_state(), before)
