"""The parts of a plan document that say what placing its pods costs, and what leads them."""

from nodemix.operator.report.part import Part, Usd, usd
from nodemix.optimizer.packed import PlacedCost
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import PlannedSteering
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.snapshot import Selector
from pydantic import Field

SHARE_DECIMALS = 6


class ModeEntry(Part):
    """What to expect once the pods are placed in one placement mode."""

    mode: PlacementMode
    usd_per_hour: Usd
    standard_error_usd_per_hour: float = Field(
        ge=0.0, description="Of the mean over the draws; 0 for a single one."
    )
    draws: int = Field(ge=0, description="Of arrival and node order; 0 leaves nothing to chance.")


class PlacedEntry(Part):
    """What the plan is expected to cost once kube-scheduler has placed its pods."""

    mode: PlacementMode = Field(description="The policy's placement.")
    usd_per_hour: float = Field(
        description="The plan's nodes, and further ones for pods that find no place on them."
    )
    saving_kept_share: float | None = Field(
        description="Share of the saving that is left; negative where placing costs more than is "
        "saved, null where nothing is saved."
    )
    by_mode: tuple[ModeEntry, ...] = Field(
        description="Every mode that there was time for, the chosen one always."
    )


class AffinityEntry(Part):
    """A required node affinity of every pod of a workload."""

    workload: str
    terms: tuple[dict[str, tuple[str, ...]], ...] = Field(
        description="One must match; it matches nodes that carry one of the values of each label."
    )


class ReleaseEntry(Part):
    """Pods that are let in after those before them."""

    workload: str
    pods: int = Field(ge=1)


class QuotaEntry(Part):
    """Pods of a workload that belong on the nodes of one cohort, whichever of them."""

    workload: str
    cohort: str
    pods: int = Field(ge=1)


class PinsEntry(Part):
    """What belongs on each node of a cohort."""

    cohort: str
    nodes: int = Field(ge=1)
    pods: dict[str, int] = Field(description="On each node, by owner, headroom included.")


class SteeringEntry(Part):
    """What leads the pods of the new nodes to their places."""

    mode: PlacementMode
    affinities: tuple[AffinityEntry, ...] = ()
    release: tuple[ReleaseEntry, ...] = Field(
        default=(), description="In this order; empty where pods come as they come."
    )
    quotas: tuple[QuotaEntry, ...] = Field(default=(), description="In mode cohort.")
    pins: tuple[PinsEntry, ...] = Field(default=(), description="In mode pinned.")


def placed_entry(recommendation: Recommendation) -> PlacedEntry | None:
    """The costs in whole micro-USD; None where today's nodes are kept."""
    placed = recommendation.placed
    if placed is None:
        return None
    cost = usd(placed.chosen.usd_per_hour)
    return PlacedEntry(
        mode=placed.mode,
        usd_per_hour=cost,
        saving_kept_share=_saving_kept_share(recommendation, cost),
        by_mode=tuple(mode_entry(cost) for cost in placed.by_mode),
    )


def _saving_kept_share(recommendation: Recommendation, placed_usd_per_hour: float) -> float | None:
    """Of the figures as they are shown, so that a reader finds the same."""
    now = usd(recommendation.current_usd_per_hour)
    saving = usd(now - usd(recommendation.plan_usd_per_hour))
    if saving <= 0.0:
        return None
    return round((now - placed_usd_per_hour) / saving, SHARE_DECIMALS) + 0.0


def mode_entry(cost: PlacedCost) -> ModeEntry:
    """The cost in whole micro-USD."""
    return ModeEntry(
        mode=cost.mode,
        usd_per_hour=usd(cost.usd_per_hour),
        standard_error_usd_per_hour=usd(cost.standard_error_usd_per_hour),
        draws=cost.draws,
    )


def steering_entry(steering: PlannedSteering | None) -> SteeringEntry | None:
    """The steering with its names as text; None where today's nodes are kept."""
    if steering is None:
        return None
    return SteeringEntry(
        mode=steering.mode,
        affinities=tuple(
            AffinityEntry(
                workload=str(affinity.workload),
                terms=tuple(values_by_label(term) for term in affinity.terms),
            )
            for affinity in steering.affinities
        ),
        release=tuple(ReleaseEntry(workload=str(w), pods=pods) for w, pods in steering.release),
        quotas=tuple(
            QuotaEntry(workload=str(quota.workload), cohort=quota.cohort, pods=quota.pods)
            for quota in steering.quotas
        ),
        pins=tuple(
            PinsEntry(
                cohort=pins.cohort,
                nodes=pins.nodes,
                pods={str(workload): pods for workload, pods in pins.pods},
            )
            for pins in steering.pins
        ),
    )


def values_by_label(term: Selector) -> dict[str, tuple[str, ...]]:
    """The values that each label may have; a steering asks in no other way."""
    return {requirement.key: requirement.values for requirement in term.requirements}
