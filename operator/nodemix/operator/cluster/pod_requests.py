"""What a pod asks its node for, by the rule of the scheduler and the kubelet."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from nodemix.operator.cluster.quantities import parse_amount, request_of
from nodemix.operator.errors import QuantityError
from nodemix.optimizer.resources import Resources

Json = dict[str, Any]
_POD_LEVEL = ("cpu", "memory", "hugepages-")


@dataclass(slots=True)
class RequestReader:
    """Reads quantities and remembers those that cannot be read, so that none stops the rest.

    Args:
        faults: one sentence for each unreadable quantity, naming container and resource.
    """

    faults: list[str] = field(default_factory=list)

    def effective_requests(self, spec: Json) -> Resources:
        """The requests of a pod spec.

        The larger of what runs together (containers and sidecars) and what each init container
        needs beside the sidecars started before it; pod-level resources override the sum; the
        runtime class's overhead comes on top.

        Source: k8s.io/component-helpers resource.PodRequests, and Kubernetes docs, "Sidecar
        containers: resource sharing within containers".
        """
        running = _sum(self._of_container(c) for c in spec.get("containers") or ())
        sidecars: dict[str, Fraction] = {}
        starting: dict[str, Fraction] = {}
        for container in spec.get("initContainers") or ():
            wanted = self._of_container(container)
            with_sidecars = _sum((sidecars, wanted))
            starting = _largest(starting, with_sidecars)
            if container.get("restartPolicy") == "Always":
                sidecars = with_sidecars
        total = self._with_pod_level(_largest(_sum((running, sidecars)), starting), spec)
        overhead = self.amounts(spec.get("overhead") or {}, "pod overhead")
        return request_of(_sum((total, overhead)))

    def amounts(self, quantities: Json, where: str) -> dict[str, Fraction]:
        """The readable amounts among ``quantities``; the others become faults."""
        amounts: dict[str, Fraction] = {}
        for name, text in quantities.items():
            try:
                amounts[name] = parse_amount(text)
            except QuantityError as err:
                self.faults.append(f"{where} {name}: {err}")
        return amounts

    def _of_container(self, container: Json) -> dict[str, Fraction]:
        """A limit stands in for a missing request, as the API server's defaulting does."""
        resources = container.get("resources") or {}
        wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        return self.amounts(wanted, f"container {container.get('name', '?')}")

    def _with_pod_level(self, total: dict[str, Fraction], spec: Json) -> dict[str, Fraction]:
        resources = spec.get("resources") or {}
        limits = self.amounts(_pod_level(resources.get("limits")), "pod-level limit")
        requests = self.amounts(_pod_level(resources.get("requests")), "pod-level request")
        return {**limits, **total, **requests}


def _pod_level(quantities: Json | None) -> Json:
    return {k: v for k, v in (quantities or {}).items() if k.startswith(_POD_LEVEL)}


def _sum(parts: Iterable[dict[str, Fraction]]) -> dict[str, Fraction]:
    total: dict[str, Fraction] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, Fraction(0)) + amount
    return total


def _largest(left: dict[str, Fraction], right: dict[str, Fraction]) -> dict[str, Fraction]:
    zero = Fraction(0)
    return {k: max(left.get(k, zero), right.get(k, zero)) for k in left.keys() | right.keys()}
