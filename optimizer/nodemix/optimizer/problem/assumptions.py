"""What a plan takes for granted, in sentences."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from nodemix.optimizer.catalog.filters import or_default
from nodemix.optimizer.plan import PlannedNodes
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.problem.caps import tightest_spot_share
from nodemix.optimizer.problem.compatibility import names_a_market
from nodemix.optimizer.problem.demand import PodCounts
from nodemix.optimizer.problem.kept import NodeFate
from nodemix.optimizer.problem.spread import spreads_over_zones
from nodemix.optimizer.snapshot import Note, WorkloadKey

_NAMED_AT_MOST = 3


def assumptions(counts: PodCounts, policy: Policy, kept: Iterable[PlannedNodes]) -> tuple[str, ...]:
    """All that was taken for granted, the market first."""
    return (
        *_markets(counts, policy),
        *_offers(policy),
        *_architectures(counts),
        *_spreads(counts),
        *_room(counts, kept),
        *_commitments(policy),
    )


def _markets(counts: PodCounts, policy: Policy) -> Iterator[str]:
    name, share = tightest_spot_share(policy.spot)
    if share <= 0.0:
        yield f"{name} lets nothing run on spot"
        return
    allowed, stated, denied = _by_market(counts)
    if allowed:
        yield (
            f"spot is allowed for {_workloads(allowed)} because nothing denies it; "
            "annotate a workload with nodemix.dev/spot: deny to keep it on demand"
        )
    for reason, keys in sorted(denied.items()):
        yield f"on demand only, {reason}: {_workloads(keys)}"
    if stated:
        yield f"the market their selectors name: {_workloads(stated)}"


def _by_market(
    counts: PodCounts,
) -> tuple[set[WorkloadKey], set[WorkloadKey], dict[str, set[WorkloadKey]]]:
    """Workloads that may use spot, that name a market, and that are denied it by reason."""
    allowed: set[WorkloadKey] = set()
    stated: set[WorkloadKey] = set()
    denied: defaultdict[str, set[WorkloadKey]] = defaultdict(set)
    for variant, is_selected in zip(counts.variants, counts.is_selected, strict=True):
        if not is_selected:
            continue
        if variant.template.spot_denied:
            denied[variant.template.spot_denied].add(variant.workload)
        elif names_a_market(variant.template):
            stated.add(variant.workload)
        else:
            allowed.add(variant.workload)
    return allowed, stated, denied


def _workloads(keys: Iterable[WorkloadKey]) -> str:
    """``2 workloads (a, b)``; the first few by name."""
    names: Sequence[str] = sorted(map(str, keys))
    rest = len(names) - _NAMED_AT_MOST
    more = f" and {rest} more" if rest > 0 else ""
    word = "workload" if len(names) == 1 else "workloads"
    return f"{len(names)} {word} ({', '.join(names[:_NAMED_AT_MOST])}{more})"


def _offers(policy: Policy) -> Iterator[str]:
    rules = or_default(policy.offers)
    if rules != policy.offers:
        yield (
            f"the policy names no instance categories or families: {', '.join(rules.categories)} "
            f"may be bought, from generation {rules.min_generation} on unless for their GPUs"
        )
    yield "pods that ask for no GPU never go on GPU nodes"


def _architectures(counts: PodCounts) -> Iterator[str]:
    if counts.architectures:
        yield (
            f"images that name no architecture run on {' or '.join(counts.architectures)}, like "
            "today's nodes; name more in spec.offers.architectures if they run there too"
        )


def _spreads(counts: PodCounts) -> Iterator[str]:
    pairs = zip(counts.variants, counts.is_selected, strict=True)
    if any(selected and spreads_over_zones(variant.template) for variant, selected in pairs):
        yield (
            "required zone spreads are planned as an even split, the remainder in the first zones; "
            "the lower bound is for this split"
        )


def _room(counts: PodCounts, kept: Iterable[PlannedNodes]) -> Iterator[str]:
    if nodes := sum(group.count for group in kept):
        yield f"nodes that stay as they are ({nodes}) take no further pods"
    if counts.terminating:
        yield f"pods that are being deleted ({counts.terminating}) need no new place"


def _commitments(policy: Policy) -> Iterator[str]:
    if policy.commitments:
        yield "commitments pay for nodes that stay before they pay for others"
    if any(commitment.is_paid_anyway for commitment in policy.commitments):
        yield "what is paid for commitments in any case is in each cost and in the bound"


def unselected_notes(counts: PodCounts, fates: Iterable[NodeFate]) -> tuple[Note, ...]:
    """A note if pods outside of the policy need a place that the plan does not give them."""
    staying = {fate.node.name for fate in fates if fate.obstacle is not None}
    leaving = (pods for name, pods in counts.on_node.items() if name not in staying)
    lost = sum(
        count
        for pods in (counts.waiting, *leaving)
        for variant, count in pods.items()
        if not counts.is_selected[variant]
    )
    if not lost:
        return ()
    fact = (
        f"{lost} pods that the policy does not select wait for a place or are on nodes that "
        "leave; the plan holds no room for them"
    )
    return (Note("policy", fact, "widen its selector or plan for them by another policy"),)
