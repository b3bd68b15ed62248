"""Prices and machines as the plan checker reads them; shares no code with nodemix."""

import csv
import gzip
import importlib.resources
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tests.checker_objects import Amounts, Json

Pool = tuple[str, str, str]
"""Instance type, zone and market (``spot`` or ``on-demand``)."""

_GPU = "nvidia.com/gpu"
_MIB, _GIB = 2**20, 2**30
_BUNDLED_ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")


@dataclass(frozen=True, eq=False)
class Machine:
    """An instance type.

    Args:
        labels: that its nodes carry, whatever their zone and market.
    """

    room: Amounts
    labels: Mapping[str, str]

    @property
    def taints(self) -> tuple[Json, ...]:
        """Of its nodes: those with GPUs are for pods that ask for them."""
        gpus = self.room.get(_GPU)
        return ({"key": _GPU, "value": "true", "effect": "NoSchedule"},) if gpus else ()


@dataclass(frozen=True, eq=False)
class Market:
    """What is on sale.

    Args:
        usd_per_hour: of one node of each pool.
    """

    machines: Mapping[str, Machine]
    usd_per_hour: Mapping[Pool, float]

    @classmethod
    def from_csv(cls, catalog_csv: Path, offers_csv: Path) -> "Market":
        """The market in two files with the layout of the AWS ones."""
        machines = _machines(_lines(catalog_csv.read_bytes()))
        prices = {
            (line["instance_type"], line["zone"], line["capacity_type"]): float(line["usd_h"])
            for line in _lines(offers_csv.read_bytes())
            if line["usd_h"] and float(line["usd_h"]) > 0
        }
        return cls(machines, prices)

    @classmethod
    def bundled(cls) -> "Market":
        """The market that ships with the package: one price for all zones."""
        packed = importlib.resources.files("nodemix.optimizer.catalog") / "data" / "aws.csv.gz"
        lines = list(_lines(packed.read_bytes()))
        prices = {
            (line["instance_type"], zone, market): float(line[column])
            for line in lines
            for market, column in (("on-demand", "od_usd_h"), ("spot", "spot_usd_h_est"))
            for zone in _BUNDLED_ZONES
            if line[column]
        }
        return cls(_machines(lines), prices)

    def labels(self, pool: Pool) -> dict[str, str]:
        """Of a node bought from this pool."""
        instance_type, zone, market = pool
        region = {"topology.kubernetes.io/region": zone[:-1]} if zone[-1:].isalpha() else {}
        return {
            **self.machines[instance_type].labels,
            "topology.kubernetes.io/zone": zone,
            "failure-domain.beta.kubernetes.io/zone": zone,
            "karpenter.sh/capacity-type": market,
            "eks.amazonaws.com/capacityType": market.replace("-", "_").upper(),
            **region,
        }


def _lines(content: bytes) -> Iterable[Mapping[str, str]]:
    text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
    return csv.DictReader(io.StringIO(text))


def _machines(lines: Iterable[Mapping[str, str]]) -> dict[str, Machine]:
    return {line["instance_type"]: Machine(_room(line), _labels(line)) for line in lines}


def _room(line: Mapping[str, str]) -> Amounts:
    is_nvidia = line["gpu_resource"] == _GPU
    return {
        "cpu": Fraction(line["alloc_cpu_m"]) / 1000,
        "memory": Fraction(line["alloc_memory_mib"]) * _MIB,
        "pods": Fraction(line["max_pods_eks"]),
        "ephemeral-storage": Fraction(line["alloc_ephemeral_gib"] or 0) * _GIB,
        **({_GPU: Fraction(line["gpu_count"])} if is_nvidia else {}),
    }


def _labels(line: Mapping[str, str]) -> dict[str, str]:
    name, arch = line["instance_type"], line["arch"]
    facts = {
        "category": line["category"],
        "family": line["family"],
        "generation": line["generation"],
        "size": name.partition(".")[2],
        "cpu": line["vcpu"],
        "memory": line["memory_mib"],
        "gpu-name": line["gpu_name"],
        "gpu-count": line["gpu_count"],
        "hypervisor": line["hypervisor"],
    }
    return {
        "node.kubernetes.io/instance-type": name,
        "beta.kubernetes.io/instance-type": name,
        "kubernetes.io/arch": arch,
        "beta.kubernetes.io/arch": arch,
        "kubernetes.io/os": "linux",
        "beta.kubernetes.io/os": "linux",
        "karpenter.kwok.sh/instance-family": line["family"],
        "karpenter.kwok.sh/instance-size": name.partition(".")[2],
        **{f"karpenter.k8s.aws/instance-{k}": v for k, v in facts.items() if v and v != "0"},
    }
