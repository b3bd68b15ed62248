"""Checks what a plan document says about placing its pods; shares no code with nodemix."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Json = dict[str, Any]
Place = tuple[str, str]
"""Workload and cohort."""

MODES = ("observe", "pool", "cohort", "pinned")
COHORT = "nodemix.dev/cohort"
LABELS = {
    "node.kubernetes.io/instance-type": "instance_type",
    "topology.kubernetes.io/zone": "zone",
    "karpenter.sh/capacity-type": "capacity_type",
}
ASKED = {
    "observe": set(),
    "pool": {"affinities"},
    "cohort": {"affinities", "release", "quotas"},
    "pinned": {"pins"},
}


def placing_complaints(document: Mapping[str, Any], usd: float) -> list[str]:
    """Complaints about the cost once placed and about what leads pods to their places."""
    placed, steering = document.get("placed"), document.get("steering")
    if not document["is_change"]:
        is_silent = placed is None and steering is None
        return [] if is_silent else ["today's nodes are kept, and the document places pods"]
    if placed is None or steering is None:
        return ["the document does not say what placing the pods costs, or what leads them"]
    plan = _Steered(document["nodes"], steering)
    found = [*_costs(document, placed, usd), *_cohorts(plan), *_affinities(plan)]
    found += [*_released(plan), *_quotas(plan), *_pins(plan)]
    if steering["mode"] != placed["mode"]:
        found.append(f"costs are of mode {placed['mode']}, pods are led by {steering['mode']}")
    if any(steering[part] for part in {"affinities", "release", "quotas", "pins"} - plan.asked):
        found.append(f"mode {steering['mode']} asks for more than it needs")
    return found


def _costs(document: Mapping[str, Any], placed: Json, usd: float) -> Iterator[str]:
    plan = document["plan_usd_per_hour"]
    costs = {entry["mode"]: entry["usd_per_hour"] for entry in placed["by_mode"]}
    if [mode for mode in MODES if mode in costs] != [e["mode"] for e in placed["by_mode"]]:
        yield f"modes are {[e['mode'] for e in placed['by_mode']]}"
    if costs.get(placed["mode"]) != placed["usd_per_hour"]:
        yield f"mode {placed['mode']} is said to cost {placed['usd_per_hour']}, not its own cost"
    yield from (f"mode {m} costs {c}, below the plan" for m, c in costs.items() if c < plan - usd)
    if abs(costs.get("pinned", plan) - plan) > usd:
        yield f"every pod is pinned to its place, and it costs {costs['pinned']}, not {plan}"
    for entry in placed["by_mode"]:
        if (entry["draws"] == 0) != (entry["mode"] == "pinned"):
            yield f"mode {entry['mode']} was drawn {entry['draws']} times"
    saving = document["saving_usd_per_hour"]
    kept = placed["saving_kept_share"]
    if (kept is None) != (saving <= usd) and abs(saving) > usd:
        yield f"saving_kept_share is {kept}, {saving} is saved"
    left = document["current_usd_per_hour"] - placed["usd_per_hour"]
    if kept is not None and abs(kept * saving - left) > 4 * usd + abs(saving) * 1e-6:
        yield f"saving_kept_share is {kept}, {left} of {saving} is left"


@dataclass(frozen=True, eq=False)
class _Steered:
    entries: Sequence[Json]
    steering: Json

    @cached_property
    def asked(self) -> set[str]:
        return set(ASKED[self.steering["mode"]])

    @cached_property
    def new(self) -> list[Json]:
        """Entries of nodes that are not kept as they are."""
        return [entry for entry in self.entries if not entry.get("kept_nodes")]

    @cached_property
    def places(self) -> dict[Place, int]:
        """Places of each workload on all nodes of each cohort, those for forecast pods too."""
        places: Counter[Place] = Counter()
        for entry in self.new:
            for workload, pods in _held(entry).items():
                places[workload, entry["cohort"]] += pods * entry["count"]
        return dict(places)

    @cached_property
    def pods(self) -> Counter[str]:
        pods: Counter[str] = Counter()
        for (workload, _), count in self.places.items():
            pods[workload] += count
        return pods


def _held(entry: Json) -> Counter[str]:
    return Counter(entry["pods"]) + Counter(entry["headroom"])


def _cohorts(plan: _Steered) -> Iterator[str]:
    """Nodes of one cohort are equal; nodes that stay as they are belong to none."""
    patterns: dict[str, object] = {}
    for entry in plan.entries:
        cohort = entry["cohort"]
        if bool(cohort) == bool(entry.get("kept_nodes")):
            yield f"{entry['count']} nodes are of cohort '{cohort}', kept {entry['kept_nodes']}"
        pattern = (*(entry[name] for name in LABELS.values()), _held(entry))
        if cohort and patterns.setdefault(cohort, pattern) != pattern:
            yield f"nodes of cohort {cohort} differ"


def _affinities(plan: _Steered) -> Iterator[str]:
    """Each workload may go to the cohorts or the pools that hold it, and to no others."""
    allowed = {a["workload"]: a["terms"] for a in plan.steering["affinities"]}
    if "affinities" in plan.asked and set(allowed) != set(plan.pods):
        yield f"affinities are of {sorted(allowed)}, new nodes hold {sorted(plan.pods)}"
    known: defaultdict[str, set[str]] = defaultdict(set)
    for entry in plan.new:
        for label, value in _labels(entry).items():
            known[label].add(value)
    for workload, terms in allowed.items():
        for label, values in (pair for term in terms for pair in term.items()):
            if unknown := set(values) - known[label]:
                yield f"{workload}: no new node has {label} {sorted(unknown)}"
        holds = {_place(plan, e) for e in plan.new if workload in _held(e)}
        matched = {_place(plan, e) for e in plan.new if any(_matches(t, e) for t in terms)}
        if matched != holds:
            yield f"{workload}: may go to {sorted(matched)}, the plan has it on {sorted(holds)}"


def _labels(entry: Json) -> dict[str, str]:
    own = {label: str(entry[name]) for label, name in LABELS.items()}
    return {**own, COHORT: entry["cohort"]}


def _matches(term: Json, entry: Json) -> bool:
    labels = _labels(entry)
    return all(labels[label] in values for label, values in term.items())


def _place(plan: _Steered, entry: Json) -> str:
    by_pool = plan.steering["mode"] == "pool"
    return "/".join(entry[name] for name in LABELS.values()) if by_pool else str(entry["cohort"])


def _released(plan: _Steered) -> Iterator[str]:
    released: Counter[str] = Counter()
    for entry in plan.steering["release"]:
        released[entry["workload"]] += entry["pods"]
    if "release" in plan.asked and released != plan.pods:
        yield f"{dict(released)} pods are let in, the new nodes have {dict(plan.pods)}"


def _quotas(plan: _Steered) -> Iterator[str]:
    quotas = [((q["workload"], q["cohort"]), q["pods"]) for q in plan.steering["quotas"]]
    if "quotas" in plan.asked and sorted(quotas) != sorted(plan.places.items()):
        yield f"quotas are {quotas}, the plan has {sorted(plan.places.items())}"


def _pins(plan: _Steered) -> Iterator[str]:
    pinned: list[tuple[Place, int]] = []
    nodes: Counter[str] = Counter()
    for entry in plan.steering["pins"]:
        nodes[entry["cohort"]] += entry["nodes"]
        for workload, pods in entry["pods"].items():
            pinned.append(((workload, entry["cohort"]), pods * entry["nodes"]))
    if "pins" not in plan.asked:
        return
    planned: Counter[str] = Counter()
    for group in plan.new:
        planned[group["cohort"]] += group["count"]
    if nodes != planned or sorted(pinned) != sorted(plan.places.items()):
        yield f"{dict(nodes)} nodes have pins {pinned}, the plan has {dict(plan.places)}"
