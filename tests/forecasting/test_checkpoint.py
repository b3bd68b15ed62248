import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from nodemix.forecasting.checkpoint import (
    COLD_START,
    COLD_START_DIGEST,
    SCHEMA,
    WEIGHTS,
    about,
    cold_start,
    digest,
    packed,
    unpacked,
)
from nodemix.forecasting.errors import CheckpointError
from nodemix.forecasting.types import Horizon
from safetensors.torch import save

from tests.forecasting.histories import make_history, seasonal_rows
from tests.forecasting.tiny import TINY, bent_net, seen_of_normal, tiny_flow

DATA = packed((bent_net(seed=1), bent_net(seed=2)), {"made_by": "a test"})


def exchanged(old: bytes, new: bytes) -> bytes:
    """The data with a part of its header exchanged for one as long."""
    assert DATA.count(old) == 1
    assert len(old) == len(new)
    return DATA.replace(old, new)


def test_networks_come_back_as_they_were() -> None:
    back = unpacked(DATA, digest(DATA))

    assert len(back) == 2
    for net, seed in zip(back, (1, 2), strict=True):
        with torch.no_grad():
            assert torch.equal(net(seen_of_normal(4)), bent_net(seed=seed)(seen_of_normal(4)))
        assert not net.training


def test_what_inputs_were_standardised_by_comes_back_too() -> None:
    net = bent_net()
    net.standardise(seen_of_normal(30), torch.ones(30, 1, 1, dtype=torch.bool))

    (back,) = unpacked(packed((net,), {}))

    assert torch.equal(back.centre, net.centre)
    assert torch.equal(back.spread, net.spread)


def test_the_same_networks_give_the_same_bytes() -> None:
    """Several times, for the library writes what it is told in any order."""
    nets, said = (bent_net(seed=1), bent_net(seed=2)), {"made_by": "a test"}

    assert {packed(nets, said) for _ in range(8)} == {DATA}


def test_a_checkpoint_says_what_it_is() -> None:
    said = {"networks": "2", "hidden": "8", "width": "4", "schema": SCHEMA, "made_by": "a test"}

    assert about(DATA) == said


def test_the_digest_is_sha256() -> None:
    assert digest(DATA) == hashlib.sha256(DATA).hexdigest()


def test_another_digest_is_refused() -> None:
    damaged = DATA[:-1] + bytes([DATA[-1] ^ 1])

    with pytest.raises(CheckpointError, match="damaged or exchanged: copy it again, or train anew"):
        unpacked(damaged, digest(DATA))


def test_another_schema_is_refused() -> None:
    old = exchanged(b'"schema":"%s"' % SCHEMA.encode(), b'"schema":"0"')

    with pytest.raises(
        CheckpointError, match=r"schema is 0.*train anew with `nodemix forecast tra"
    ):
        unpacked(old)


def test_a_safetensors_file_of_somebody_else_is_refused() -> None:
    with pytest.raises(CheckpointError, match="schema is unknown"):
        unpacked(save({"weight": torch.ones(3)}))


@pytest.mark.parametrize("length", [0, 5, 20])
def test_a_file_cut_off_in_its_header_is_refused(length: int) -> None:
    with pytest.raises(CheckpointError, match="not a safetensors file; train or copy it again"):
        unpacked(DATA[:length])


@pytest.mark.parametrize("header", [b"[]", b'"text"', b'{"__metadata__":"text"}', b"\xff\xfe"])
def test_a_header_that_is_none_is_refused(header: bytes) -> None:
    with pytest.raises(CheckpointError):
        unpacked(len(header).to_bytes(8, "little") + header)


def test_a_file_cut_off_in_its_weights_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"(?s)weights do not fit.*train anew"):
        unpacked(DATA[:-10])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"hidden":"8"', b'"hidden":"9"'),
        (b'"width":"4"', b'"width":"6"'),
        (b'"networks":"2"', b'"networks":"3"'),
        (b'"hidden":"8"', b'"hidden":"x"'),
        (b'"hidden":"8"', b'"hodden":"8"'),
    ],
)
def test_weights_of_another_shape_are_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"(?s)weights do not fit.*train anew"):
        unpacked(exchanged(old, new))


def test_the_weights_in_the_package_are_those_it_was_built_with() -> None:
    data = (WEIGHTS / COLD_START).read_bytes()
    expected, name = (WEIGHTS / COLD_START_DIGEST).read_text(encoding="ascii").split()

    assert (digest(data), name) == (expected, COLD_START)
    assert about(data)["schema"] == SCHEMA
    assert about(data)["made_by"] == "python -m tools.pretrain"
    assert cold_start() is cold_start()


def test_the_weights_in_the_package_forecast_without_a_step_of_training() -> None:
    rows = seasonal_rows(3, 8, noise=0.05)
    past, actual = make_history(*rows[:, :-48]), rows[:, -48:]
    flow = tiny_flow(start=cold_start(), settings=replace(TINY, steps=0, networks=2))

    forecast = flow.forecast(past, Horizon(48, 60), np.random.default_rng(0))

    assert np.isfinite(forecast.samples).all()
    missed = np.abs(forecast.quantile(0.5)[..., 0] - actual).mean()
    assert missed < 0.5 * np.abs(rows[:, -49:-48] - actual).mean()
