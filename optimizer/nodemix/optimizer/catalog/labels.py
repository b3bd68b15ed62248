"""The well-known labels a node of an offer will carry."""

import re

from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.snapshot import CapacityType

INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"
ARCH_LABEL = "kubernetes.io/arch"
OS_LABEL = "kubernetes.io/os"
ZONE_LABEL = "topology.kubernetes.io/zone"
REGION_LABEL = "topology.kubernetes.io/region"
HOSTNAME_LABEL = "kubernetes.io/hostname"
CAPACITY_TYPE_LABEL = "karpenter.sh/capacity-type"
EKS_CAPACITY_TYPE_LABEL = "eks.amazonaws.com/capacityType"

_EKS_CAPACITY_TYPES = {CapacityType.SPOT: "SPOT", CapacityType.ON_DEMAND: "ON_DEMAND"}
_ZONE_NAME = re.compile(r"^(?P<region>.*\d)[a-z]$")


def instance_labels(
    name: str,
    family: str,
    category: str,
    generation: int,
    architecture: str,
    vcpus: int,
    memory_mib: int,
    **aws_facts: str | int | None,
) -> tuple[tuple[str, str], ...]:
    """Labels that every node of an instance type carries, whatever its zone and market, sorted.

    Args:
        aws_facts: further ``karpenter.k8s.aws/instance-*`` labels by their last part with
            underscores (``gpu_name="t4"``); None, 0 and the empty text are left out.
    """
    size = name.partition(".")[2]
    facts: dict[str, str | int | None] = {
        "category": category,
        "family": family,
        "generation": generation,
        "size": size,
        "cpu": vcpus,
        "memory": memory_mib,
        **aws_facts,
    }
    labels = {
        INSTANCE_TYPE_LABEL: name,
        "beta.kubernetes.io/instance-type": name,
        ARCH_LABEL: architecture,
        "beta.kubernetes.io/arch": architecture,
        OS_LABEL: "linux",
        "beta.kubernetes.io/os": "linux",
        "karpenter.kwok.sh/instance-family": family,
        "karpenter.kwok.sh/instance-size": size,
    }
    for fact, value in facts.items():
        if value:
            labels[f"karpenter.k8s.aws/instance-{fact.replace('_', '-')}"] = str(value)
    return tuple(sorted(labels.items()))


def market_labels(zone: str, capacity_type: CapacityType) -> dict[str, str]:
    """Labels that a node gets from its zone and market."""
    labels = {
        ZONE_LABEL: zone,
        "failure-domain.beta.kubernetes.io/zone": zone,
        CAPACITY_TYPE_LABEL: str(capacity_type),
        EKS_CAPACITY_TYPE_LABEL: _EKS_CAPACITY_TYPES[capacity_type],
    }
    if match := _ZONE_NAME.match(zone):
        labels[REGION_LABEL] = match["region"]
        labels["failure-domain.beta.kubernetes.io/region"] = match["region"]
    return labels


def offer_labels(offer: Offer) -> dict[str, str]:
    """All labels a node bought from ``offer`` carries, except its name and pool."""
    return {**dict(offer.instance.labels), **market_labels(offer.zone, offer.capacity_type)}
