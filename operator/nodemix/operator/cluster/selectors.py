"""Label selectors and taints, from the API's form to records."""

from collections.abc import Iterable
from typing import Any

from nodemix.optimizer.snapshot import Requirement, Selector, Taint, Toleration

Json = dict[str, Any]


def label_selector(selector: Json | None) -> Selector | None:
    """A label selector; None where the API's absent selector matches nothing."""
    if selector is None:
        return None
    exact = exact_selector(selector.get("matchLabels")).requirements
    return _selector((*exact, *_expressions(selector.get("matchExpressions"))))


def exact_selector(labels: Json | None) -> Selector:
    """A node selector's pairs."""
    return _selector(Requirement(k, "In", (str(v),)) for k, v in (labels or {}).items())


def node_terms(affinity: Json) -> tuple[Selector, ...]:
    """The expressions of required node affinity; a term without any matches no node."""
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or ()
    return tuple(
        _selector(_expressions(term["matchExpressions"]))
        for term in terms
        if term.get("matchExpressions") and not term.get("matchFields")
    )


def tolerations(spec: Json) -> tuple[Toleration, ...]:
    """The tolerations of a pod spec, with the API's defaults filled in."""
    found = {
        Toleration(
            key=t.get("key") or "",
            operator=t.get("operator") or "Equal",
            value=t.get("value") or "",
            effect=t.get("effect") or "",
        )
        for t in spec.get("tolerations") or ()
    }
    return tuple(sorted(found, key=lambda t: (t.key, t.operator, t.value, t.effect)))


def taints(spec: Json) -> tuple[Taint, ...]:
    """The taints of a node spec."""
    found = (
        Taint(t.get("key") or "", t.get("value") or "", t.get("effect") or "")
        for t in spec.get("taints") or ()
    )
    return tuple(sorted(found, key=lambda t: (t.key, t.value, t.effect)))


def _expressions(expressions: Iterable[Json] | None) -> Iterable[Requirement]:
    for e in expressions or ():
        values = tuple(sorted(str(v) for v in e.get("values") or ()))
        yield Requirement(e["key"], e["operator"], values)


def _selector(requirements: Iterable[Requirement]) -> Selector:
    ordered = sorted(set(requirements), key=lambda r: (r.key, r.operator, r.values))
    return Selector(tuple(ordered))
