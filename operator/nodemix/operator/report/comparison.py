"""The parts of a plan document about who gets what, about another way, and about what blocks."""

from nodemix.operator.report.part import Count, Part, Share, Usd, usd
from nodemix.optimizer.explain.types import Baseline, Blocker, RuleCost
from nodemix.optimizer.fairness.types import Fairness, NamespaceShare
from pydantic import Field


class NamespaceEntry(Part):
    """What a namespace wants and gets."""

    namespace: str
    weight: float = Field(gt=0.0)
    pods_wanted: Count
    pods_given: Count
    dominant_resource: str
    dominant_share: Share = Field(
        description="Largest share, over resources, of all that is given out, that it gets."
    )
    wanted_share: float = Field(ge=0.0, description="Likewise of what it wants.")


class FairnessEntry(Part):
    """How equally namespaces are treated where a cap leaves less than is wanted."""

    mode: str = Field(description="'report' or 'enforce'.")
    binding_caps: tuple[str, ...]
    jain: Share = Field(
        description="Jain's index of the satisfied, weighted dominant shares; 1 is equal."
    )
    price_usd_per_hour: float = Field(
        description="What fairness costs against the plan without it; 0 in 'report'."
    )
    namespaces: tuple[NamespaceEntry, ...]


class BaselineEntry(Part):
    """What the same pods would cost with another way to choose nodes."""

    name: str
    headroom: float = Field(
        ge=0.0,
        description="Spare room it would need, as a share of the pods, to fall short no more often "
        "than the plan.",
    )
    usd_per_hour: Usd | None = Field(description="Null where it finds no place for some pod.")
    nodes: Count
    why: str
    placed_usd_per_hour: Usd | None = Field(
        default=None, description="Expected once its pods are placed, in the plan's mode."
    )
    cvar: Share | None = Field(
        default=None, description="Mean share of demand without a place in the worst 5 %."
    )
    worst_pool_loss: Share | None = Field(
        default=None, description="Share of requests without a place if its worst pool goes whole."
    )


class BlockerEntry(Part):
    """What keeps nodes as they are and so costs money."""

    kind: str = Field(description="'PodDisruptionBudget', 'do-not-disrupt', 'spread', ...")
    subject: str = Field(description="The object that says so.")
    nodes: tuple[str, ...] = Field(description="Names of the nodes it keeps.")
    usd_per_hour: Usd = Field(
        description="Of these nodes; an upper end of what could be saved on them."
    )
    remedy: str


class RuleCostEntry(Part):
    """What a rule that the plan keeps costs."""

    kind: str = Field(
        description="'on-demand-only', 'zone-spread', 'pods-per-host', 'zone' or 'node-selector'."
    )
    workloads: tuple[str, ...] = Field(
        description="That have it; several where their rules are given up together."
    )
    pods: Count = Field(description="Of them, that the plan places anew.")
    usd_per_hour: Usd = Field(
        description="About what would be saved without it, net of reclaims and changes; by the "
        "linear relaxation. Those of several rules do not add up."
    )
    remedy: str


def fairness_entry(fairness: Fairness | None) -> FairnessEntry | None:
    """The entry; None where no cap binds, or the policy asks for none."""
    if fairness is None:
        return None
    return FairnessEntry(
        mode=fairness.mode,
        binding_caps=fairness.binding_caps,
        jain=fairness.jain,
        price_usd_per_hour=usd(fairness.price_usd_per_hour),
        namespaces=tuple(_namespace_entry(share) for share in fairness.namespaces),
    )


def _namespace_entry(share: NamespaceShare) -> NamespaceEntry:
    return NamespaceEntry(
        namespace=share.namespace,
        weight=share.weight,
        pods_wanted=share.pods_wanted,
        pods_given=share.pods_given,
        dominant_resource=share.dominant_resource,
        dominant_share=share.dominant_share,
        wanted_share=share.wanted_share,
    )


def baseline_entry(baseline: Baseline | None) -> BaselineEntry | None:
    """The entry; None where there was no time to compare."""
    if baseline is None:
        return None
    return BaselineEntry(
        name=baseline.name,
        headroom=baseline.headroom,
        usd_per_hour=_usd_or_none(baseline.usd_per_hour),
        nodes=baseline.nodes,
        why=baseline.why,
        placed_usd_per_hour=_usd_or_none(baseline.placed_usd_per_hour),
        cvar=baseline.cvar,
        worst_pool_loss=baseline.worst_pool_loss,
    )


def _usd_or_none(amount: float | None) -> float | None:
    return None if amount is None else usd(amount)


def blocker_entry(blocker: Blocker) -> BlockerEntry:
    """The entry of one blocker."""
    return BlockerEntry(
        kind=blocker.kind,
        subject=blocker.subject,
        nodes=blocker.nodes,
        usd_per_hour=usd(blocker.usd_per_hour),
        remedy=blocker.remedy,
    )


def rule_cost_entry(cost: RuleCost) -> RuleCostEntry:
    """The entry of one rule, or of all of a kind."""
    return RuleCostEntry(
        kind=cost.kind,
        workloads=cost.workloads,
        pods=cost.pods,
        usd_per_hour=usd(cost.usd_per_hour),
        remedy=cost.remedy,
    )
