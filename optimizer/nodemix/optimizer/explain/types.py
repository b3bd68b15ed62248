"""What a plan is held against, and what stands in its way."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the same pods would cost with another way to choose nodes.

    Args:
        name: e.g. ``karpenter-like``.
        headroom: of spare room it would need, as a share of the pods, to fall short no more often
            than the plan does on the same paths.
        usd_per_hour: None where it finds no place for some pod; ``why`` says so.
        cvar, worst_pool_loss: its risk, as of a plan; None where there are no nodes.
        placed_usd_per_hour: expected once kube-scheduler has placed the pods, in the policy's mode.
    """

    name: str
    headroom: float
    usd_per_hour: float | None
    nodes: int
    why: str
    cvar: float | None = None
    worst_pool_loss: float | None = None
    placed_usd_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class Blocker:
    """What keeps nodes as they are and so costs money.

    Args:
        kind: ``PodDisruptionBudget``, ``do-not-disrupt``, ``spread``, ``unsupported``, ...
        subject: the object that says so, e.g. ``shop/PodDisruptionBudget/cart``.
        nodes: names, sorted.
        usd_per_hour: of these nodes; an upper end of what could be saved on them.
    """

    kind: str
    subject: str
    nodes: tuple[str, ...]
    usd_per_hour: float
    remedy: str


@dataclass(frozen=True, slots=True)
class RuleCost:
    """What a rule that the plan keeps costs: the money to be saved without it.

    It is counted as the search counts: money, what reclaims are expected to cost, and changes of
    nodes where the policy gives a cost for them. Rules help each other, so that costs do not add
    up: all workloads with a rule of one kind are priced together as well.

    Args:
        kind: ``on-demand-only``, ``zone-spread``, ``pods-per-host``, ``zone`` or ``node-selector``.
        workloads: that have it, sorted; several where their rules are given up together.
        pods: of them that the plan places anew.
        usd_per_hour: about; between the linear programs with and without the rule, in which nodes
            and pods may be cut.
    """

    kind: str
    workloads: tuple[str, ...]
    pods: int
    usd_per_hour: float
    remedy: str

    @property
    def subject(self) -> str:
        """The workload, or how many they are."""
        several = f"{len(self.workloads)} workloads"
        return self.workloads[0] if len(self.workloads) == 1 else several
