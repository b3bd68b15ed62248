"""From a snapshot, a catalog and a policy to the packing problem, and what stays out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nodemix.optimizer.catalog.filters import apply_filter, or_default
from nodemix.optimizer.catalog.types import Catalog, Offer
from nodemix.optimizer.plan import Unplaceable
from nodemix.optimizer.policy import Commitment, Policy
from nodemix.optimizer.problem.architectures import assumed_architectures
from nodemix.optimizer.problem.assumptions import assumptions, unselected_notes
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.caps import KeptShare, cap_problem
from nodemix.optimizer.problem.churn import InPlace, nodes_in_place, price_extras
from nodemix.optimizer.problem.commitments import (
    committed_offers,
    put_under_terms,
    sound_commitments,
)
from nodemix.optimizer.problem.current import current_nodes, kept_share, pods_kept_by_zone
from nodemix.optimizer.problem.demand import PodCounts, count_pods, preferences_left_out
from nodemix.optimizer.problem.fate import pod_fates
from nodemix.optimizer.problem.kept import (
    NodeFate,
    Obstacle,
    keep_nodes,
    node_fates,
    notes_of_kept,
)
from nodemix.optimizer.problem.obstacles import Obstacles
from nodemix.optimizer.problem.overhead import static_load, unplanned_load
from nodemix.optimizer.problem.places import Places, dimensions_of
from nodemix.optimizer.problem.quotas import quota_notes
from nodemix.optimizer.problem.rows import cut_rows, form_groups, narrow_spreads, to_problem
from nodemix.optimizer.problem.safety import Safety
from nodemix.optimizer.problem.types import Problem, Row
from nodemix.optimizer.snapshot import Note, Snapshot, WorkloadKey


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """The cluster in terms of variants, offers and fates: what all its problems have in common."""

    snapshot: Snapshot
    catalog: Catalog
    policy: Policy
    counts: PodCounts
    places: Places
    obstacles: Obstacles
    fates: tuple[NodeFate, ...]
    commitments: tuple[Commitment, ...]
    in_place: tuple[InPlace, ...]
    notes: tuple[Note, ...]

    @property
    def fixed_usd_per_hour(self) -> float:
        """What is paid for commitments in any case."""
        return sum((commitment.fixed_usd_per_hour for commitment in self.commitments), 0.0)


@dataclass(frozen=True, slots=True)
class _Stranded:
    """Pods of today without a place in any plan.

    Args:
        is_lack_of_offers: rather than a rule that the model does not know.
    """

    row: Row
    obstacle: Obstacle
    is_lack_of_offers: bool


def build_problem(
    snapshot: Snapshot,
    catalog: Catalog,
    policy: Policy,
    pods: Mapping[WorkloadKey, int],
    safety: Safety | None = None,
) -> BuiltProblem:
    """The packing problem of a cluster, and all that stays out of it; see `problem_of`."""
    return problem_of(survey(snapshot, catalog, policy), pods, safety)


def problem_of(
    survey: Survey, pods: Mapping[WorkloadKey, int], safety: Safety | None = None
) -> BuiltProblem:
    """The packing problem of a surveyed cluster, and all that stays out of it, with the reasons.

    Args:
        pods: pods to hold of each workload, at least today's; those on nodes that stay and those
            that find no place are among them.
        safety: limits beyond the policy's; None for none.
    """
    snapshot, catalog, policy = survey.snapshot, survey.catalog, survey.policy
    counts, fates = survey.counts, survey.fates
    shares = pod_fates(counts, fates, survey.obstacles.of, pods)
    groups = form_groups(counts.variants, shares.placed, shares.in_play, survey.places)
    rows = list(cut_rows(groups, survey.places, pods_kept_by_zone(fates, counts)))
    stranded = [_strand(survey, variant, lost) for variant, lost in shares.stranded.items()]
    lacking = [(s.row, s.obstacle.fact) for s in stranded if s.is_lack_of_offers]
    problem = to_problem(rows, lacking, survey.places)
    share = _kept_share(survey)
    problem = priced_and_capped(problem, survey, safety, share)
    kept = keep_nodes(fates, counts)
    return BuiltProblem(
        problem=problem,
        rows_now=tuple(cut.pods_now for cut in rows),
        kept=kept,
        current=current_nodes(fates, counts, rows, problem.offers, survey.in_place),
        current_usd_per_hour=sum(fate.price_usd_per_hour for fate in fates)
        + survey.fixed_usd_per_hour,
        kept_usd_per_hour=share.usd_per_hour,
        unpriced_nodes=tuple(fate.node.name for fate in fates if fate.offer is None),
        unplaceable=tuple(_to_unplaceable(one) for one in stranded),
        pods_now=tuple(counts.selected_by_workload().items()),
        pods_planned=tuple(shares.planned_by_workload(counts.variants).items()),
        assumptions=assumptions(counts, policy, kept),
        notes=(
            *(_note_of(one) for one in stranded),
            *shares.notes,
            *notes_of_kept(fates),
            *survey.notes,
            *narrow_spreads(groups, survey.places),
            *unselected_notes(counts, fates),
            *preferences_left_out(counts),
            *snapshot.notes,
            *catalog.notes,
        ),
        commitments=survey.commitments,
        covered=tuple((f.node.name, f.offer) for f in fates if f.offer and f.offer.terms),
        in_place=survey.in_place,
    )


def priced_and_capped(
    problem: Problem, survey: Survey, safety: Safety | None, share: KeptShare | None = None
) -> Problem:
    """A problem of the surveyed cluster with what the policy counts, and within its limits.

    Args:
        share: what kept nodes use of the limits, where it is known already.
    """
    policy = survey.policy
    problem = price_extras(problem, policy.churn.usd_per_node_hour)
    share = share or _kept_share(survey)
    return cap_problem(problem, policy, share, survey.in_place, safety)


def _kept_share(survey: Survey) -> KeptShare:
    instances = {offer.instance.name: offer.instance for offer in survey.catalog.offers}
    return kept_share(survey.fates, survey.policy, survey.fixed_usd_per_hour, instances)


def survey(snapshot: Snapshot, catalog: Catalog, policy: Policy) -> Survey:
    """Look at a cluster once, for all problems that are made of it.

    Args:
        catalog: every offer whose price is known; the policy's filter says which may be bought.

    Raises:
        EmptyCatalogError: no offer passes the policy's filter.
    """
    commitments, faults = sound_commitments(policy, catalog)
    rules = or_default(policy.offers)
    committed = committed_offers(commitments, catalog, rules.zones or catalog.zones())
    offers = (*apply_filter(catalog, rules).offers, *committed)
    counts = count_pods(snapshot, policy.selector, assumed_architectures(snapshot.nodes, policy))
    static, notes = static_load(snapshot)
    dimensions = dimensions_of(variant.template.requests for variant in counts.variants)

    def places_of(offers: Sequence[Offer]) -> Places:
        return Places(offers, snapshot.daemon_sets, static, dimensions)

    places = places_of(offers)
    obstacles = Obstacles(counts.variants, places, lambda: places_of(catalog.offers))
    prices = {**{offer.key: offer for offer in committed}, **catalog.by_key()}
    fates = node_fates(snapshot.nodes, counts, prices, obstacles.of)
    fates = put_under_terms(fates, commitments, committed)
    in_place: tuple[InPlace, ...] = ()
    if policy.churn.node_change_usd > 0:
        movable = [fate.node for fate in fates if fate.obstacle is None]
        load = unplanned_load(snapshot, static)
        in_place = nodes_in_place(movable, offers, _asked_labels(snapshot, counts), load)
        places = places_of((*offers, *(offer for group in in_place for offer in group.offers)))
    notes = (*faults, *quota_notes(policy, catalog), *notes)
    return Survey(
        snapshot, catalog, policy, counts, places, obstacles, fates, commitments, in_place, notes
    )


def _asked_labels(snapshot: Snapshot, counts: PodCounts) -> set[str]:
    """Keys of the labels that some pod or DaemonSet speaks of."""
    templates = [variant.template for variant in counts.variants]
    templates += [daemon_set.template for daemon_set in snapshot.daemon_sets]
    return {key for template in templates for key in template.asked_labels}


def _strand(survey: Survey, variant: int, pods: int) -> _Stranded:
    of = survey.counts.variants[variant]
    obstacle = survey.obstacles.of(variant)
    assert obstacle is not None  # noqa: S101 - that is why it is stranded
    is_lack = survey.obstacles.of_model(of.template) is None
    return _Stranded(Row(of.variant_id, of.workload, pods), obstacle, is_lack)


def _to_unplaceable(stranded: _Stranded) -> Unplaceable:
    obstacle = stranded.obstacle
    why = "; ".join(filter(None, (obstacle.fact, obstacle.remedy)))
    return Unplaceable(stranded.row.workload, stranded.row.pods, why)


def _note_of(stranded: _Stranded) -> Note:
    row, obstacle = stranded.row, stranded.obstacle
    fact = f"{row.pods} pods have no place: {obstacle.fact}"
    return Note(str(row.workload), fact, obstacle.remedy, "error")
