"""Networks as bytes that say what they are: safetensors, a schema and a checksum.

Imports torch: import this module lazily.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from nodemix.forecasting.errors import CheckpointError
from nodemix.forecasting.net import DemandNet
from safetensors import SafetensorError
from safetensors.torch import load, save

SCHEMA = "1"
"""Goes up whenever what the network sees, or what it gives, changes its meaning."""

COLD_START = "cold_start.safetensors"
COLD_START_DIGEST = "cold_start.sha256"
WEIGHTS = files("nodemix.forecasting") / "weights"


def packed(nets: Sequence[DemandNet], about: Mapping[str, str]) -> bytes:
    """The networks, and what is to be known of them, as one safetensors file."""
    tensors = {
        f"{number}.{name}": tensor.contiguous()
        for number, net in enumerate(nets)
        for name, tensor in net.state_dict().items()
    }
    hidden, width = nets[0].sizes
    shape = {"networks": str(len(nets)), "hidden": str(hidden), "width": str(width)}
    return _in_order(save(tensors, {**about, **shape, "schema": SCHEMA}))


def _in_order(data: bytes) -> bytes:
    """The same file with its header sorted, so that the same weights have the same checksum."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:start]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[start:]


def digest(data: bytes) -> str:
    """The checksum that :func:`unpacked` compares with, sha256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def about(data: bytes) -> dict[str, str]:
    """What :func:`packed` was told, and the schema and sizes.

    Raises:
        CheckpointError: it is no safetensors file.
    """
    length = int.from_bytes(data[:8], "little")
    try:
        said = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
        return {str(key): str(value) for key, value in said.items()}
    except (ValueError, AttributeError) as err:
        raise CheckpointError("it is not a safetensors file", "train or copy it again") from err


def unpacked(data: bytes, expected_digest: str | None = None) -> tuple[DemandNet, ...]:
    """The networks in ``data``.

    Args:
        data: from :func:`packed`.
        expected_digest: sha256 it must have; None to trust it.

    Raises:
        CheckpointError: another checksum, another schema, or weights of another shape.
    """
    if expected_digest is not None and digest(data) != expected_digest:
        raise CheckpointError(
            f"its sha256 is {digest(data)[:12]}..., expected {expected_digest[:12]}...",
            "it was damaged or exchanged: copy it again, or train anew",
        )
    said = about(data)
    if said.get("schema") != SCHEMA:
        raise CheckpointError(
            f"its schema is {said.get('schema', 'unknown')}, this version reads {SCHEMA}",
            "train anew with `nodemix forecast train`",
        )
    try:
        tensors = load(data)
        nets = tuple(
            DemandNet(int(said["hidden"]), int(said["width"]), seed=0)
            for _ in range(int(said["networks"]))
        )
        for number, net in enumerate(nets):
            names = (f"{number}.{name}" for name in net.state_dict())
            net.load_state_dict({name.partition(".")[2]: tensors[name] for name in names})
    except (SafetensorError, KeyError, ValueError, RuntimeError) as err:
        raise CheckpointError(f"its weights do not fit: {err}", "train anew") from err
    return tuple(net.eval() for net in nets)


@cache
def cold_start() -> tuple[DemandNet, ...]:
    """The networks that come with the package, trained on made-up clusters.

    Raises:
        CheckpointError: the file in the package is not the one it was built with.
    """
    data = (WEIGHTS / COLD_START).read_bytes()
    return unpacked(data, (WEIGHTS / COLD_START_DIGEST).read_text(encoding="ascii").split()[0])
