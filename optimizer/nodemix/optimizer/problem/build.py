"""From a snapshot, a catalog and a policy to the packing problem, and what stays out of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from nodemix.optimizer.catalog.filters import apply_filter, or_default
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.plan import Unplaceable
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.problem.architectures import assumed_architectures
from nodemix.optimizer.problem.assumptions import assumptions, unselected_notes
from nodemix.optimizer.problem.built import BuiltProblem
from nodemix.optimizer.problem.caps import cap_problem
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
from nodemix.optimizer.problem.overhead import static_load
from nodemix.optimizer.problem.places import Places, dimensions_of
from nodemix.optimizer.problem.rows import cut_rows, form_groups, narrow_spreads, to_problem
from nodemix.optimizer.problem.types import Row
from nodemix.optimizer.snapshot import Note, Snapshot, WorkloadKey


@dataclass(frozen=True, slots=True, eq=False)
class _Survey:
    """The cluster in terms of variants, offers and fates."""

    counts: PodCounts
    places: Places
    obstacles: Obstacles
    fates: tuple[NodeFate, ...]
    notes: tuple[Note, ...]


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
    snapshot: Snapshot, catalog: Catalog, policy: Policy, pods: Mapping[WorkloadKey, int]
) -> BuiltProblem:
    """The packing problem of a cluster, and all that stays out of it, with the reasons.

    Args:
        catalog: every offer whose price is known; the policy's filter says which may be bought.
        pods: pods to hold of each workload, at least today's; those on nodes that stay and those
            that find no place are among them.

    Raises:
        EmptyCatalogError: no offer passes the policy's filter.
    """
    survey = _survey(snapshot, catalog, policy)
    counts, fates = survey.counts, survey.fates
    shares = pod_fates(counts, fates, survey.obstacles.of, pods)
    groups = form_groups(counts.variants, shares.placed, shares.in_play, survey.places)
    rows = list(cut_rows(groups, survey.places, pods_kept_by_zone(fates, counts)))
    stranded = [_strand(survey, variant, lost) for variant, lost in shares.stranded.items()]
    lacking = [(s.row, s.obstacle.fact) for s in stranded if s.is_lack_of_offers]
    problem = to_problem(rows, lacking, survey.places)
    problem = cap_problem(problem, policy, kept_share(fates))
    kept = keep_nodes(fates, counts)
    return BuiltProblem(
        problem=problem,
        rows_now=tuple(cut.pods_now for cut in rows),
        kept=kept,
        current=current_nodes(fates, counts, rows, problem.offers),
        current_usd_per_hour=sum(fate.price_usd_per_hour for fate in fates),
        kept_usd_per_hour=sum(f.price_usd_per_hour for f in fates if f.obstacle is not None),
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
    )


def _survey(snapshot: Snapshot, catalog: Catalog, policy: Policy) -> _Survey:
    allowed = apply_filter(catalog, or_default(policy.offers))
    architectures = assumed_architectures(snapshot.nodes, policy)
    counts = count_pods(snapshot, policy.selector, architectures)
    static, notes = static_load(snapshot)
    dimensions = dimensions_of(variant.template.requests for variant in counts.variants)

    def places_of(offers: Catalog) -> Places:
        return Places(offers.offers, snapshot.daemon_sets, static, dimensions)

    places = places_of(allowed)
    obstacles = Obstacles(counts.variants, places, lambda: places_of(catalog))
    fates = node_fates(snapshot.nodes, counts, catalog.by_key(), obstacles.of)
    return _Survey(counts, places, obstacles, fates, notes)


def _strand(survey: _Survey, variant: int, pods: int) -> _Stranded:
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
