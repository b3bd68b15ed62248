"""How equally namespaces are treated, in numbers that can be computed again from each other."""

from collections.abc import Mapping, Sequence

from nodemix.optimizer.fairness.shares import Claim, Pods, shares_of, wanted_amounts
from nodemix.optimizer.fairness.types import Fairness, NamespaceShare
from nodemix.optimizer.policy import FairnessMode


def jain_index(values: Sequence[float]) -> float:
    """How equal values of 0 or more are: ``(sum x)^2 / (n sum x^2)``, in [1 / n, 1].

    1 where all are equal, also where all are 0 or there is none.

    Source: Jain, Chiu, Hawe, A quantitative measure of fairness and discrimination for resource
    allocation in shared computer systems, DEC-TR-301 (1984).
    """
    squares = sum(x * x for x in values)
    return sum(values) ** 2 / (len(values) * squares) if squares > 0 else 1.0


def fair_level(wanted: Sequence[float], weights: Sequence[float], total: float) -> float:
    """The level L at which ``sum of min(wanted, weight * L)`` is ``total``.

    Args:
        wanted: of each party, 0 or more.
        total: at most the sum of ``wanted``; all of that at the highest level where it is more.
    """
    left, weight, level = total, sum(weights), 0.0
    for need, own in sorted((w / own, own) for w, own in zip(wanted, weights, strict=True)):
        if left <= weight * (need - level):
            return level + left / weight
        left -= weight * (need - level)
        weight -= own
        level = need
    return level


def satisfaction(namespaces: Sequence[NamespaceShare]) -> list[float]:
    """What each namespace gets for what would be fair, by dominant shares.

    Fair is ``min(wanted share, weight * L)``, with the level L at which these add up to what is
    given. Namespaces that want nothing are left out.
    """
    wanting = [n for n in namespaces if n.wanted_share > 0]
    wanted, weights = [n.wanted_share for n in wanting], [n.weight for n in wanting]
    level = fair_level(wanted, weights, sum(n.dominant_share for n in wanting))
    fair = [min(n.wanted_share, n.weight * level) for n in wanting]
    return [n.dominant_share / f for n, f in zip(wanting, fair, strict=True) if f > 0]


def fairness_report(
    mode: FairnessMode,
    binding_caps: Sequence[str],
    claims: Sequence[Claim],
    given: Pods,
    resources: Sequence[str],
    weights: Mapping[str, float],
    price_usd_per_hour: float = 0.0,
) -> Fairness:
    """What each namespace wants and gets, as shares of all that is wanted, and how equal that is.

    Args:
        resources: names, in the order of the claims' requests.
        price_usd_per_hour: see `nodemix.optimizer.fairness.cut`.
    """
    namespaces = tuple(
        _share(name, claims, given, resources, weights.get(name, 1.0))
        for name in sorted({claim.namespace for claim in claims})
    )
    return Fairness(
        mode=str(mode),
        binding_caps=tuple(binding_caps),
        jain=jain_index(satisfaction(namespaces)),
        price_usd_per_hour=price_usd_per_hour,
        namespaces=namespaces,
    )


def _share(
    name: str, claims: Sequence[Claim], given: Pods, resources: Sequence[str], weight: float
) -> NamespaceShare:
    """The dominant resource is that of what it gets, and of what it wants where it gets nothing."""
    totals = wanted_amounts(claims)
    own = [(c, n) for c, n in zip(claims, given, strict=True) if c.namespace == name]
    wanted = _sum_shares([(c, c.pods_wanted) for c, _ in own], totals)
    gets = _sum_shares(own, totals)
    dominant = max(range(len(resources)), key=lambda r: (gets[r], wanted[r], -r))
    return NamespaceShare(
        namespace=name,
        weight=weight,
        pods_wanted=sum(c.pods_wanted for c, _ in own),
        pods_given=sum(n for _, n in own),
        dominant_resource=resources[dominant],
        dominant_share=gets[dominant],
        wanted_share=max(wanted),
    )


def _sum_shares(pods: Sequence[tuple[Claim, int]], totals: Sequence[float]) -> list[float]:
    """The share of each total that (claim, pods) ask for together."""
    per_pod = [(shares_of(claim, totals), n) for claim, n in pods]
    return [sum(shares[r] * n for shares, n in per_pod) for r in range(len(totals))]
