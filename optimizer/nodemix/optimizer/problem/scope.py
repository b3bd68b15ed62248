"""Which part of a cluster a policy plans for."""

from dataclasses import replace

from nodemix.optimizer.decision import needs_a_place
from nodemix.optimizer.policy import WorkloadSelector
from nodemix.optimizer.snapshot import Note, PodTemplate, Snapshot


def selects(selector: WorkloadSelector, namespace: str, template: PodTemplate) -> bool:
    """Whether a policy with this selector plans for the pods of a template."""
    if selector.namespaces and namespace not in selector.namespaces:
        return False
    return set(selector.match_labels) <= set(template.labels)


def in_scope(snapshot: Snapshot, selector: WorkloadSelector) -> Snapshot:
    """The snapshot without the nodes that run only pods of others, and without those pods.

    They are not the policy's to plan, to pay for or to count against its limits. A node that runs
    both stays, since its pods share it; one that runs nothing might be let go.
    """
    here: set[str | None] = set()
    elsewhere: set[str | None] = set()
    for pod in filter(needs_a_place, snapshot.pods):
        mine = selects(selector, pod.namespace, pod.template)
        (here if mine else elsewhere).add(pod.node_name)
    foreign = (elsewhere - here) & {node.name for node in snapshot.nodes}
    if not foreign:
        return snapshot
    fact = f"{len(foreign)} nodes run only pods that the policy does not select; they do not count"
    return replace(
        snapshot,
        nodes=tuple(node for node in snapshot.nodes if node.name not in foreign),
        pods=tuple(pod for pod in snapshot.pods if pod.node_name not in foreign),
        notes=(*snapshot.notes, Note("policy", fact)),
    )
