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
