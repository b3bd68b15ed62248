"""Amounts of what a pod asks for and a node offers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

GPU_RESOURCE = "nvidia.com/gpu"
CORE_DIMENSIONS = ("cpu_milli", "memory_mib", "pods", "ephemeral_mib")


@dataclass(frozen=True, slots=True)
class Resources:
    """What a pod asks for, or what a node offers.

    Integers only: packing compares these millions of times, and sums of floats would let a node
    overfill by rounding. Requests are rounded up when parsed, room is rounded down.

    Args:
        pods: pod slots; 1 for a pod, the kubelet's limit for a node.
        extended: whole units of extended resources (``nvidia.com/gpu``, ...), sorted by name,
            zero amounts left out.
    """

    cpu_milli: int = 0
    memory_mib: int = 0
    pods: int = 0
    ephemeral_mib: int = 0
    extended: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, extended: Mapping[str, int] | None = None, **amounts: int) -> Self:
        """Resources from named amounts, with ``extended`` brought into its normal form."""
        pairs = tuple(sorted((k, v) for k, v in (extended or {}).items() if v))
        return cls(extended=pairs, **amounts)

    @property
    def gpus(self) -> int:
        """Whole NVIDIA GPUs."""
        return self.amount(GPU_RESOURCE)

    def amount(self, dimension: str) -> int:
        """The amount of one dimension: a core field or the name of an extended resource."""
        if dimension in CORE_DIMENSIONS:
            value: int = getattr(self, dimension)
            return value
        return dict(self.extended).get(dimension, 0)

    def fits(self, room: "Resources") -> bool:
        """Whether this request fits into ``room`` in every dimension."""
        names = {*CORE_DIMENSIONS, *(name for name, _ in self.extended)}
        return all(self.amount(name) <= room.amount(name) for name in names)

    def __add__(self, other: "Resources") -> "Resources":
        return self._combine(other, 1)

    def __sub__(self, other: "Resources") -> "Resources":
        return self._combine(other, -1)

    def _combine(self, other: "Resources", sign: int) -> "Resources":
        names = {name for name, _ in (*self.extended, *other.extended)}
        extended = {name: self.amount(name) + sign * other.amount(name) for name in names}
        core = {name: self.amount(name) + sign * other.amount(name) for name in CORE_DIMENSIONS}
        return Resources.of(extended, **core)
