"""How namespaces are treated where a limit leaves less than is wanted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NamespaceShare:
    """What a namespace wants and gets.

    Args:
        dominant_share: largest share, over resources, of all that is wanted, that it gets.
        wanted_share: likewise of what it wants.
    """

    namespace: str
    weight: float
    pods_wanted: int
    pods_given: int
    dominant_resource: str
    dominant_share: float
    wanted_share: float


@dataclass(frozen=True, slots=True)
class Fairness:
    """How equally namespaces are treated where a cap leaves less than is wanted.

    Args:
        mode: ``report`` or ``enforce``.
        binding_caps: names of the caps that bind.
        jain: index of the satisfied, weighted dominant shares, in (0, 1]; 1 is equal.
        price_usd_per_hour: what the headroom costs beyond what as much of it costs without
            fairness, see `nodemix.optimizer.fairness.cut`; 0 in ``report``.
    """

    mode: str
    binding_caps: tuple[str, ...]
    jain: float
    price_usd_per_hour: float
    namespaces: tuple[NamespaceShare, ...]
