import torch
from nodemix.forecasting.spline import LEAST_WIDTH, PARAMETERS, Maps

BATCH = 5


def maps(bent: float = 1.0) -> Maps:
    generator = torch.Generator().manual_seed(3)
    parameters = torch.randn(BATCH, PARAMETERS, generator=generator, dtype=torch.float64)
    return Maps.of(bent * parameters)


def line(low: float, high: float, points: int) -> torch.Tensor:
    return torch.linspace(low, high, points, dtype=torch.float64).expand(BATCH, -1)


def test_quantiles_never_cross_however_bent_the_map_is() -> None:
    for bent in (0.0, 1.0, 10.0):
        moved = maps(bent).forward(line(-6.0, 6.0, 500))

        assert (moved.diff(dim=1) > 0).all()


def test_zeros_give_a_narrow_normal_around_zero() -> None:
    noise = line(-3.0, 3.0, 7)
    plain = Maps.of(torch.zeros(BATCH, PARAMETERS, dtype=torch.float64))

    torch.testing.assert_close(plain.forward(noise), plain.width * noise)
    assert (plain.width < 0.1).all()


def test_the_width_never_falls_to_zero() -> None:
    parameters = torch.zeros(1, PARAMETERS)
    parameters[:, 1] = -1e4

    assert float(Maps.of(parameters).width) >= 0.99 * LEAST_WIDTH


def test_gradients_reach_every_parameter() -> None:
    generator = torch.Generator().manual_seed(4)
    parameters = torch.randn(BATCH, PARAMETERS, generator=generator).requires_grad_()

    torch.autograd.backward(
        Maps.of(parameters).forward(line(-5.0, 5.0, 200).float()).square().sum()
    )

    assert parameters.grad is not None
    assert torch.isfinite(parameters.grad).all()
    assert (parameters.grad.abs().sum(dim=0) > 0).all()
