import pytest
import torch
from nodemix.forecasting.anchors import ANCHORS
from nodemix.forecasting.net import DemandNet, Seen, _inputs

from tests.forecasting.tiny import bent_net, seen_of_normal


def said(net: DemandNet, seen: Seen) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = net(seen)
    return found


def test_quantiles_rise_whatever_the_network_has_learnt() -> None:
    for seed in range(5):
        found = said(bent_net(seed=seed), seen_of_normal(20, indicators=2, leads=3))

        assert found.shape == (20, 2, 3, 19)
        assert (found.diff(dim=-1) > 0).all()


def test_a_new_network_says_the_mean_of_its_anchors() -> None:
    seen = seen_of_normal(20, leads=3)
    flat = Seen(
        seen.tokens,
        seen.present,
        seen.features,
        seen.guesses,
        torch.arange(float(ANCHORS))[:, None].expand_as(seen.anchors),
    )

    found = said(DemandNet(8, 4, seed=1), flat)

    torch.testing.assert_close(found, torch.full_like(found, (ANCHORS - 1) / 2), atol=1e-3, rtol=0)


def test_what_never_moved_is_not_moved_by_the_spline() -> None:
    seen = seen_of_normal(20)
    still = Seen(
        seen.tokens,
        seen.present,
        seen.features,
        torch.full_like(seen.guesses, 2.0),
        torch.full_like(seen.anchors, 2.0),
    )

    found = said(bent_net(), still)

    torch.testing.assert_close(found, torch.full_like(found, 2.0), atol=5e-3, rtol=0)


@pytest.mark.parametrize("indicators", [1, 3, 7])
def test_one_network_speaks_for_any_number_of_indicators(indicators: int) -> None:
    found = said(bent_net(), seen_of_normal(4, indicators))

    assert found.shape[1] == indicators
    assert torch.isfinite(found).all()


def test_an_indicator_that_does_not_exist_changes_nothing_for_the_others() -> None:
    seen = seen_of_normal(4, indicators=2)
    present = seen.present.clone()
    present[:, [1, 3]] = False
    other = seen.tokens.clone()
    other[:, [1, 3]] = 3.0
    rest = (seen.features, seen.guesses, seen.anchors)
    net = bent_net()

    one, two = (said(net, Seen(of, present, *rest)) for of in (seen.tokens, other))

    assert torch.equal(one[:, 0], two[:, 0])


def test_the_same_seed_gives_the_same_weights_and_the_global_one_is_left_alone() -> None:
    before = torch.get_rng_state()

    one, again, other = (DemandNet(8, 4, seed) for seed in (1, 1, 2))

    assert torch.equal(one.hidden.weight, again.hidden.weight)
    assert not torch.equal(one.hidden.weight, other.hidden.weight)
    assert torch.equal(torch.get_rng_state(), before)


def test_inputs_are_standardised_by_those_that_count() -> None:
    seen = seen_of_normal(50)
    counts = torch.ones(50, 1, 1, dtype=torch.bool)
    counts[25:] = False
    wild = seen.features.clone()
    wild[25:] = 1e6
    net = DemandNet(8, 4, seed=1)

    net.standardise(Seen(seen.tokens, seen.present, wild, seen.guesses, seen.anchors), counts)

    inputs = (_inputs(seen)[:25] - net.centre) / net.spread
    torch.testing.assert_close(inputs.mean(dim=0), torch.zeros_like(inputs[0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(inputs.std(dim=0), torch.ones_like(inputs[0]), atol=1e-4, rtol=0)


def test_an_input_that_never_varied_does_not_divide_by_zero() -> None:
    seen = seen_of_normal(10)
    seen.features[..., 3] = 4.0
    net = DemandNet(8, 4, seed=1)

    net.standardise(seen, torch.ones(10, 1, 1, dtype=torch.bool))

    assert torch.isfinite(said(net, seen)).all()


def test_a_network_that_nothing_counts_for_is_a_network_all_the_same() -> None:
    seen, net = seen_of_normal(10), DemandNet(8, 4, seed=1)

    net.standardise(seen, torch.zeros(10, 1, 1, dtype=torch.bool))

    assert torch.isfinite(said(net, seen)).all()


def test_features_far_outside_of_what_was_learnt_do_not_explode() -> None:
    seen = seen_of_normal(4)
    net, far = bent_net(), seen_of_normal(4)
    far.features[:] = 1e30

    assert torch.isfinite(said(net, far)).all()
    assert (said(net, far) - said(net, seen)).abs().max() < 1e2


def test_some_of_the_sets_are_those_sets() -> None:
    seen = seen_of_normal(6, indicators=2)

    some = seen.at(torch.tensor([4, 1]))

    torch.testing.assert_close(said(bent_net(), some), said(bent_net(), seen)[[4, 1]])
