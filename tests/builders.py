"""Small objects with dull defaults; a test names only what it is about."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from nodemix.optimizer.catalog.types import Catalog, InstanceType, Offer
from nodemix.optimizer.policy import Churn, Policy, ServiceLevel
from nodemix.optimizer.problem.types import OfferCap, Problem, Row
from nodemix.optimizer.resources import GPU_RESOURCE, Resources
from nodemix.optimizer.snapshot import (
    CapacityType,
    Node,
    Pod,
    PodTemplate,
    Requirement,
    Selector,
    Snapshot,
    Taint,
    WorkloadKey,
)

ZONE = "us-east-1a"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
GPU_TAINT = Taint(GPU_RESOURCE, "true", "NoSchedule")
SPOT = CapacityType.SPOT
ON_DEMAND = CapacityType.ON_DEMAND


def make_resources(
    cpu_milli: int = 1000,
    memory_mib: int = 1024,
    pods: int = 1,
    gpus: int = 0,
    ephemeral_mib: int = 0,
) -> Resources:
    return Resources.of(
        {GPU_RESOURCE: gpus},
        cpu_milli=cpu_milli,
        memory_mib=memory_mib,
        pods=pods,
        ephemeral_mib=ephemeral_mib,
    )


def make_selector(**in_values: str | tuple[str, ...]) -> Selector:
    """A selector of In requirements: ``make_selector(**{"kubernetes.io/arch": "arm64"})``."""
    pairs = sorted((k, (v,) if isinstance(v, str) else v) for k, v in in_values.items())
    return Selector(tuple(Requirement(key, "In", values) for key, values in pairs))


def make_template(
    cpu_milli: int = 1000, memory_mib: int = 1024, gpus: int = 0, **fields: Any
) -> PodTemplate:
    """A template of plain requests; ``fields`` are further fields of PodTemplate."""
    fields.setdefault("requests", make_resources(cpu_milli, memory_mib, gpus=gpus))
    return PodTemplate(**fields)


def make_workload_key(name: str = "web", kind: str = "Deployment") -> WorkloadKey:
    return WorkloadKey("default", kind, name)


def make_pod(
    name: str = "pod",
    workload: str | WorkloadKey = "web",
    node_name: str | None = None,
    template: PodTemplate | None = None,
    is_terminating: bool = False,
    **template_fields: Any,
) -> Pod:
    """A pod of ``default/Deployment/<workload>``; ``template_fields`` go to make_template."""
    key = make_workload_key(workload) if isinstance(workload, str) else workload
    template = template or make_template(**template_fields)
    return Pod(key.namespace, name, key, template, node_name, is_terminating)


def make_pods(count: int, **fields: Any) -> list[Pod]:
    """``count`` pods of one workload that share one template."""
    first = make_pod(**fields)
    return [
        Pod(
            first.namespace,
            f"{first.name}-{i}",
            first.workload,
            first.template,
            first.node_name,
            first.is_terminating,
        )
        for i in range(count)
    ]


def make_instance(
    name: str = "m5.xlarge",
    vcpus: int = 4,
    memory_gib: float = 16,
    gpus: int = 0,
    gpu_name: str | None = None,
    architecture: str = "amd64",
    max_pods: int = 110,
    ephemeral_mib: int = 20_480,
    **fields: Any,
) -> InstanceType:
    """An instance type whose allocatable is all of its cpu and memory, to keep sums simple."""
    family = name.split(".", maxsplit=1)[0]
    category = family[0]
    generation = next((int(c) for c in family if c.isdigit()), 1)
    memory_mib = int(memory_gib * 1024)
    labels = {
        "node.kubernetes.io/instance-type": name,
        "kubernetes.io/arch": architecture,
        "kubernetes.io/os": "linux",
    }
    defaults: dict[str, Any] = {
        "name": name,
        "family": family,
        "category": category,
        "generation": generation,
        "architecture": architecture,
        "vcpus": vcpus,
        "memory_mib": memory_mib,
        "allocatable": Resources.of(
            {GPU_RESOURCE: gpus},
            cpu_milli=vcpus * 1000,
            memory_mib=memory_mib,
            pods=max_pods,
            ephemeral_mib=ephemeral_mib,
        ),
        "gpu_name": gpu_name or ("t4" if gpus else None),
        "labels": tuple(sorted(labels.items())),
        "taints": (GPU_TAINT,) if gpus else (),
    }
    return InstanceType(**{**defaults, **fields})


def make_offer(
    instance: str | InstanceType = "m5.xlarge",
    price: float = 0.2,
    zone: str = ZONE,
    capacity_type: CapacityType = ON_DEMAND,
    interruptions_per_hour: float = 0.0,
    **instance_fields: Any,
) -> Offer:
    """An offer; ``instance_fields`` (vcpus, memory_gib, gpus, ...) go to make_instance."""
    if isinstance(instance, str):
        instance = make_instance(instance, **instance_fields)
    return Offer(instance, zone, capacity_type, price, interruptions_per_hour)


def make_catalog(*offers: Offer) -> Catalog:
    """A catalog of ``offers``, or of one m5.xlarge at $0.20."""
    offers = offers or (make_offer(),)
    return Catalog(tuple(sorted(offers, key=lambda offer: offer.key)), source="test")


def make_node(
    name: str = "node-1",
    offer: Offer | None = None,
    **fields: Any,
) -> Node:
    """A ready node bought from ``offer`` (an m5.xlarge unless told otherwise)."""
    offer = offer or make_offer()
    labels = {
        **dict(offer.instance.labels),
        "topology.kubernetes.io/zone": offer.zone,
        "karpenter.sh/capacity-type": str(offer.capacity_type),
        "kubernetes.io/hostname": name,
    }
    defaults: dict[str, Any] = {
        "name": name,
        "allocatable": offer.instance.allocatable,
        "labels": tuple(sorted(labels.items())),
        "taints": offer.instance.taints,
        "instance_type": offer.instance.name,
        "zone": offer.zone,
        "capacity_type": offer.capacity_type,
    }
    return Node(**{**defaults, **fields})


def make_snapshot(pods: Iterable[Pod] = (), nodes: Iterable[Node] = (), **fields: Any) -> Snapshot:
    """A snapshot taken at second 0."""
    return Snapshot(taken_at_s=0.0, pods=tuple(pods), nodes=tuple(nodes), **fields)


ANY_RISK = ServiceLevel(max_cvar=None, max_pool_loss=1.0)
"""Accepts any loss of nodes, so that the least price decides."""


def make_policy(**fields: Any) -> Policy:
    """The default policy with ``fields`` replaced; neither reclaims nor changes cost anything."""
    fields.setdefault("service_level", ANY_RISK)
    fields.setdefault("churn", Churn(node_change_usd=0.0))
    return Policy(**fields)


def make_problem(
    pods: Sequence[Pod] | None = None,
    offers: Sequence[Offer] | None = None,
    caps: Sequence[OfferCap] = (),
) -> Problem:
    """A problem straight from pods and offers, without the rules of ``build_problem``.

    Ten web pods of 1 core and one m5.xlarge offer by default. Rows are (workload, template) pairs
    in order of first appearance; every offer is kept, whether it can hold a pod or not.
    """
    counts = Counter((p.workload, p.template) for p in (make_pods(10) if pods is None else pods))
    offers = tuple(offers or (make_offer(),))
    dimensions = _dimensions([t for _, t in counts], offers)
    rows = tuple(Row(f"{key}#{i}", key, n) for i, ((key, _), n) in enumerate(counts.items()))
    caps_per_node = [
        n if template.max_per_node is None else min(n, template.max_per_node)
        for (_, template), n in counts.items()
    ]
    return Problem(
        dimensions=dimensions,
        rows=rows,
        requests=_amounts([t.requests for _, t in counts], dimensions),
        max_per_node=np.array(caps_per_node, dtype=np.int64),
        offers=offers,
        room=_amounts([o.instance.allocatable for o in offers], dimensions),
        price_usd_per_hour=np.array([o.price_usd_per_hour for o in offers], dtype=np.float64),
        compatible=np.array(
            [[_may_hold(t, o) for o in offers] for _, t in counts], dtype=np.bool_
        ).reshape(len(counts), len(offers)),
        caps=tuple(caps),
    )


def _dimensions(templates: Sequence[PodTemplate], offers: Sequence[Offer]) -> tuple[str, ...]:
    extended = {name for t in templates for name, _ in t.requests.extended}
    extended |= {name for o in offers for name, _ in o.instance.allocatable.extended}
    return ("cpu_milli", "memory_mib", "pods", *sorted(extended))


def _amounts(resources: Sequence[Resources], dimensions: tuple[str, ...]) -> Any:
    table = [[r.amount(d) for d in dimensions] for r in resources]
    return np.array(table, dtype=np.int64).reshape(len(resources), len(dimensions))


def _may_hold(template: PodTemplate, offer: Offer) -> bool:
    labels = {
        **dict(offer.instance.labels),
        "topology.kubernetes.io/zone": offer.zone,
        "karpenter.sh/capacity-type": str(offer.capacity_type),
    }
    return (
        template.requests.fits(offer.instance.allocatable)
        and (template.requests.gpus > 0) == (offer.instance.allocatable.gpus > 0)
        and not (offer.is_spot and template.spot_denied is not None)
        and template.allows(labels)
    )
