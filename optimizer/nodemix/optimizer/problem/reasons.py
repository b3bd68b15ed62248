"""Why no allowed offer can hold a pod, by the tightest fact."""

from collections.abc import Iterator, Sequence

import numpy as np
from nodemix.optimizer.catalog.labels import ARCH_LABEL, OS_LABEL, REGION_LABEL, ZONE_LABEL
from nodemix.optimizer.problem.compatibility import MARKET_KEYS, OfferIndex
from nodemix.optimizer.problem.types import BoolArray, IntArray
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import PodTemplate, Requirement

_PLAIN_KEYS = frozenset({ARCH_LABEL, OS_LABEL}) | MARKET_KEYS
_PLACE_KEYS = frozenset({ZONE_LABEL, REGION_LABEL, "failure-domain.beta.kubernetes.io/zone"})


def why_no_offer(
    template: PodTemplate, index: OfferIndex, room: IntArray, dimensions: Sequence[str]
) -> str:
    """One sentence that names what is lacking; only for a template that no offer can hold.

    Args:
        room: shape (offers of ``index``, dimensions).
    """
    left = index.all
    said: list[str] = []
    for mask, words, complaint in _stages(template, index):
        left = left & mask
        if words:
            said.append(words)
        if not left.any():
            return complaint or f"no allowed offer is {_join(said)}"
    return _lack_of_room(template.requests, room[left], dimensions, _join(said))


def _stages(template: PodTemplate, index: OfferIndex) -> Iterator[tuple[BoolArray, str, str]]:
    """(admitted offers, how to call them, complaint if none is left) for each kind of rule."""
    for requirement in template.required_labels.requirements:
        yield index.matching(requirement), describe(requirement), ""
    if len(template.required_terms) == 1:
        for requirement in template.required_terms[0].requirements:
            yield index.matching(requirement), describe(requirement), ""
    yield index.allowed_by(template), "", "no allowed offer matches its required node affinity"
    if template.requests.gpus:
        yield index.has_gpus, "with NVIDIA GPUs", ""
    else:
        yield ~index.has_gpus, "", "only GPU offers match, and it asks for no GPU"
    yield index.tolerated_by(template), "", "it does not tolerate the taints of the offers left"
    if template.spot_denied:
        yield ~index.is_spot, f"on-demand (it may not run on spot: {template.spot_denied})", ""


def describe(requirement: Requirement) -> str:
    """A requirement in the words people use: ``arm64``, ``in us-east-1a``."""
    values = " or ".join(requirement.values)
    if requirement.operator == "In" and requirement.key in _PLAIN_KEYS:
        return values.lower()
    if requirement.operator == "In" and requirement.key in _PLACE_KEYS:
        return f"in {values}"
    return f"labelled {requirement.key} {requirement.operator} {values}".rstrip()


def _join(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _lack_of_room(requests: Resources, room: IntArray, dimensions: Sequence[str], kind: str) -> str:
    need = np.array([requests.amount(name) for name in dimensions])
    largest = room.max(axis=0)
    place = f"allowed offer that is {kind}" if kind else "allowed offer"
    short = [i for i in range(len(dimensions)) if need[i] > largest[i]]
    if not short:
        wants = [amount_in_words(n, int(v)) for n, v in zip(dimensions, need, strict=True) if v]
        return f"needs {_join(wants)} at once; no {place} has them together"
    worst = max(short, key=lambda i: need[i] / max(1, largest[i]))
    name, has = dimensions[worst], max(0, int(largest[worst]))
    lack = f"has {amount_in_words(name, has)}" if has else "has none"
    return f"needs {amount_in_words(name, int(need[worst]))}; the largest {place} {lack} for pods"


def amount_in_words(dimension: str, amount: int) -> str:
    """An amount with the unit people use."""
    match dimension:
        case "cpu_milli":
            return f"{amount / 1000:g} vCPU"
        case "memory_mib":
            return f"{amount / 1024:,.4g} GiB"
        case "ephemeral_mib":
            return f"{amount / 1024:,.4g} GiB of ephemeral storage"
        case "pods":
            return f"{amount} pod slots"
        case _:
            return f"{amount} {dimension}"
