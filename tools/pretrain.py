"""Trains the networks that come with the package, on made-up clusters alone.

Run ``python -m tools.pretrain``; about ten minutes of one core. The same seed gives the same
weights on the same machine. The made-up clusters are those of `nodemix.forecasting.synthetic`;
no measured data goes in, so nobody's licence does.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nodemix.forecasting.checkpoint import COLD_START, COLD_START_DIGEST, digest, packed
from nodemix.forecasting.pooled import train_pooled
from nodemix.forecasting.synthetic import Made, made_history
from nodemix.forecasting.train import Progress, TrainSettings
from nodemix.forecasting.types import Horizon

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "forecasting" / "nodemix" / "forecasting" / "weights"
HORIZON = Horizon(steps=48)
SETTINGS = TrainSettings(
    steps=8000, batch=64, targets=4_000_000, networks=1, check_every=200, patience=8
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write the weights and their checksum."""
    options = _parse(arguments)
    rng = np.random.default_rng(options.seed)
    grids = (300.0, 600.0, 900.0, 900.0)
    days = (12.0, 18.0, 24.0, 28.0)
    histories = [
        made_history(Made(days=days[i % 4], step_s=grids[i % 4]), rng)
        for i in range(options.clusters)
    ]
    nets = train_pooled(histories, HORIZON, SETTINGS, rng, _tell)
    about = {
        "made_by": "python -m tools.pretrain",
        "data": f"{options.clusters} made-up clusters, seed {options.seed}",
    }
    data = packed(nets, about)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / COLD_START).write_bytes(data)
    (options.out / COLD_START_DIGEST).write_text(f"{digest(data)}  {COLD_START}\n")
    return 0


def _tell(progress: Progress) -> None:
    print(
        f"network {progress.network} of {progress.networks}, step {progress.step} of at most "
        f"{progress.steps}: held-out loss {progress.loss:.4f}",
        file=sys.stderr,
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.pretrain", description=__doc__)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for the weights")
    parser.add_argument("--clusters", type=int, default=96, help="made-up clusters")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
