"""Rules of workloads that a plan keeps, and their pods without one of them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from nodemix.optimizer.catalog.labels import ARCH_LABEL, HOSTNAME_LABEL
from nodemix.optimizer.problem.build import Survey
from nodemix.optimizer.problem.compatibility import MARKET_KEYS
from nodemix.optimizer.problem.demand import SINGLE_REPLICA
from nodemix.optimizer.problem.spread import ZONE_KEYS
from nodemix.optimizer.snapshot import PodTemplate, Selector, WorkloadKey

ON_DEMAND_ONLY, ZONE_SPREAD, PODS_PER_HOST = "on-demand-only", "zone-spread", "pods-per-host"
ZONE, NODE_SELECTOR = "zone", "node-selector"

TOGETHER = {
    ON_DEMAND_ONLY: "let them run on spot",
    ZONE_SPREAD: "allow them a larger maxSkew over zones, or ScheduleAnyway",
    PODS_PER_HOST: "allow more of their pods on a host",
    ZONE: "let them run in other zones",
}
"""What to do about rules of several workloads."""

VALUES_SHOWN = 3

Templates = Mapping[int, PodTemplate]
"""Templates by the index of their variant."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of one workload.

    Args:
        label: key of the node label that it asks for; empty where it asks for none.
        templates: of the workload's variants, without the rule.
    """

    kind: str
    label: str
    workload: WorkloadKey
    templates: Templates
    remedy: str


def rules_of(survey: Survey) -> Iterator[Rule]:
    """Each rule of each selected workload."""
    counts = survey.counts
    own_labels = _labels_of_owners(survey)
    for workload in counts.selected_by_workload():
        variants = [i for i in counts.of_workload(workload) if counts.is_selected[i]]
        templates = {i: counts.variants[i].template for i in variants}
        yield from _rules_of(workload, templates, own_labels[workload], survey)


def _labels_of_owners(survey: Survey) -> defaultdict[WorkloadKey, set[str]]:
    """Labels that pods themselves ask for; where images run is assumed for some."""
    labels: defaultdict[WorkloadKey, set[str]] = defaultdict(set)
    templates = {(pod.workload, id(pod.template)): pod.template for pod in survey.snapshot.pods}
    for (workload, _), template in templates.items():
        labels[workload] |= template.asked_labels
    return labels


def _rules_of(
    workload: WorkloadKey, templates: Templates, labels: set[str], survey: Survey
) -> Iterator[Rule]:
    selectors = sorted(labels - MARKET_KEYS - ZONE_KEYS)
    ways: list[tuple[str, str, Callable[[PodTemplate], PodTemplate]]] = [
        (ON_DEMAND_ONLY, "", partial(_on_any_market, survey=survey)),
        (ZONE_SPREAD, "", _without_zone_spread),
        (PODS_PER_HOST, "", _without_limit_per_host),
        (ZONE, "", partial(_without_labels, keys=ZONE_KEYS)),
        *((NODE_SELECTOR, key, partial(_without_labels, keys={key})) for key in selectors),
    ]
    for kind, label, without in ways:
        relaxed = {i: without(template) for i, template in templates.items()}
        if any(relaxed[i] != template for i, template in templates.items()):
            remedy = _remedy(kind, label, templates.values())
            yield Rule(kind, label, workload, relaxed, remedy)


def _on_any_market(template: PodTemplate, survey: Survey) -> PodTemplate:
    """Itself where it may run on spot already."""
    if not template.spot_denied and MARKET_KEYS.isdisjoint(template.asked_labels):
        return template
    index = survey.places.index
    if not template.spot_denied and (index.allowed_by(template) & index.is_spot).any():
        return template
    return replace(_without_labels(template, MARKET_KEYS), spot_denied=None)


def _without_zone_spread(template: PodTemplate) -> PodTemplate:
    spreads = tuple(s for s in template.spreads if s.topology_key not in ZONE_KEYS)
    return replace(template, spreads=spreads)


def _without_limit_per_host(template: PodTemplate) -> PodTemplate:
    spreads = tuple(s for s in template.spreads if s.topology_key != HOSTNAME_LABEL)
    return replace(template, spreads=spreads, max_per_node=None)


def _without_labels(template: PodTemplate, keys: Iterable[str]) -> PodTemplate:
    """A term of the affinity that asks for nothing any more lets the pod run anywhere."""
    if template.asked_labels.isdisjoint(keys):
        return template
    terms = tuple(_without_keys(term, keys) for term in template.required_terms)
    if not all(term.requirements for term in terms):
        terms = ()
    required = _without_keys(template.required_labels, keys)
    return replace(template, required_labels=required, required_terms=terms)


def _without_keys(selector: Selector, keys: Iterable[str]) -> Selector:
    return Selector(tuple(r for r in selector.requirements if r.key not in keys))


def remedy_together(rule: Rule) -> str:
    """What to do about rules of several workloads that are like this one."""
    return TOGETHER.get(rule.kind) or f"let them run on nodes with another {rule.label}"


def _remedy(kind: str, label: str, templates: Iterable[PodTemplate]) -> str:
    template = next(iter(templates))
    if kind == ON_DEMAND_ONLY:
        return _remedy_of_market(template)
    if kind == NODE_SELECTOR:
        return _remedy_of_label(label, template)
    return TOGETHER[kind].replace("their", "its").replace("them", "it")


def _remedy_of_market(template: PodTemplate) -> str:
    if template.spot_denied == SINGLE_REPLICA:
        return "run two replicas, so that they may go on spot"
    if template.spot_denied:
        return f"let it run on spot: take {template.spot_denied} off"
    keys = ", ".join(sorted(MARKET_KEYS & template.asked_labels))
    return f"let it run on spot: take {keys} out of what it asks of nodes"


def _remedy_of_label(label: str, template: PodTemplate) -> str:
    selectors = (template.required_labels, *template.required_terms)
    values = [
        value for s in selectors for r in s.requirements if r.key == label for value in r.values
    ]
    if label == ARCH_LABEL:
        return f"build its images for more than {' and '.join(values)}"
    rest = len(values) - VALUES_SHOWN
    shown = ", ".join(values[:VALUES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
    return f"let it run on nodes with another {label} than {shown}"
