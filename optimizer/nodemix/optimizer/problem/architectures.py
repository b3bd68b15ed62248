"""On which processors a pod's images can be expected to run."""

from collections.abc import Iterable
from dataclasses import replace

from nodemix.optimizer.catalog.labels import ARCH_LABEL
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.snapshot import Node, PodTemplate, Requirement, Selector


def assumed_architectures(nodes: Iterable[Node], policy: Policy) -> tuple[str, ...]:
    """Architectures of today's nodes, sorted: images are known to run there and nowhere else.

    Empty, which assumes nothing, where the policy names architectures or no node does.
    """
    if policy.offers.architectures:
        return ()
    labels = (dict(node.labels).get(ARCH_LABEL) for node in nodes)
    return tuple(sorted({label for label in labels if label is not None}))


def bound_to(template: PodTemplate, architectures: tuple[str, ...]) -> PodTemplate:
    """The template, on one of ``architectures`` unless it names its own; () binds nothing."""
    if not architectures or ARCH_LABEL in template.asked_labels:
        return template
    requirement = Requirement(ARCH_LABEL, "In", architectures)
    required = Selector((*template.required_labels.requirements, requirement))
    return replace(template, required_labels=required)
