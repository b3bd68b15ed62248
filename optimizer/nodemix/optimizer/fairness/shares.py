"""Who gets the next pod's place where there is not enough for all.

Weighted dominant-resource fairness over namespaces: the dominant share of a namespace is the
largest share, over resources, of the total that its pods ask for; the next pod is one of the
namespace whose dominant share is smallest for its weight. Inside of a namespace the workload comes
first that has the least of what it wants. Pods are whole, and ties go by name, so that the answer
is the same each time.

Source: Ghodsi et al., Dominant Resource Fairness: Fair Allocation of Multiple Resource Types,
NSDI 2011 (progressive filling).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import islice

from nodemix.optimizer.deadline import Deadline
from nodemix.optimizer.snapshot import WorkloadKey

_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Claim:
    """What a workload has and wants.

    Args:
        pods_wanted: at least ``pods_now``.
        request: what a pod asks for of each resource; the same resources in all claims.
        usd_per_pod_hour: what a place for one pod costs, about.
    """

    workload: WorkloadKey
    pods_now: int
    pods_wanted: int
    request: tuple[float, ...]
    usd_per_pod_hour: float = 0.0

    @property
    def namespace(self) -> str:
        """To which its pods count."""
        return self.workload.namespace


Pods = tuple[int, ...]
"""Of each claim, in their order."""

Order = Callable[[Pods, Collection[int]], Iterator[int]]
"""The claims that get the next pods, given what each has and which of them get no more."""

Fits = Callable[[Pods], bool]


def amounts(claims: Sequence[Claim], pods: Pods) -> tuple[float, ...]:
    """What the pods ask for of each resource."""
    lines = [[n * r for r in claim.request] for claim, n in zip(claims, pods, strict=True)]
    return tuple(map(sum, zip(*lines, strict=True)))


def wanted_amounts(claims: Sequence[Claim]) -> tuple[float, ...]:
    """All that is wanted of each resource."""
    return amounts(claims, tuple(claim.pods_wanted for claim in claims))


def shares_of(claim: Claim, totals: Sequence[float]) -> tuple[float, ...]:
    """The share of each total that one pod asks for; none of what there is nothing of."""
    return tuple(r / t if t > 0 else 0.0 for r, t in zip(claim.request, totals, strict=True))


def poorest_first(
    claims: Sequence[Claim], totals: Sequence[float], weights: Mapping[str, float]
) -> Order:
    """By rising dominant share for the weight of the namespace.

    Args:
        totals: of each resource, that shares are shares of.
    """
    per_pod = [shares_of(claim, totals) for claim in claims]

    def order(given: Pods, closed: Collection[int]) -> Iterator[int]:
        line = _Line(claims, per_pod, weights, given, closed)
        while (poorest := line.next()) is not None:
            yield poorest

    return order


class _Line:
    """Namespaces by their dominant share for their weight, each with its workloads in a line."""

    def __init__(
        self,
        claims: Sequence[Claim],
        per_pod: Sequence[Sequence[float]],
        weights: Mapping[str, float],
        given: Pods,
        closed: Collection[int],
    ) -> None:
        self._claims, self._per_pod, self._weights = claims, per_pod, weights
        self._given = list(given)
        self._held: dict[str, list[float]] = {}
        self._waiting: defaultdict[str, list[tuple[float, WorkloadKey, int]]] = defaultdict(list)
        for i, claim in enumerate(claims):
            self._add(i, given[i])
            if i not in closed:
                self._queue(claim.namespace, i)
        self._poorest = [(self._share(name), name) for name in self._waiting]
        heapify(self._poorest)

    def next(self) -> int | None:
        """The claim that gets the next pod, which counts as given; None where all have theirs."""
        if not self._poorest:
            return None
        _, name = heappop(self._poorest)
        _, _, i = heappop(self._waiting[name])
        self._given[i] += 1
        self._add(i, 1)
        self._queue(name, i)
        if self._waiting[name]:
            heappush(self._poorest, (self._share(name), name))
        return i

    def _queue(self, name: str, i: int) -> None:
        claim = self._claims[i]
        if self._given[i] < claim.pods_wanted:
            filled = self._given[i] / claim.pods_wanted
            heappush(self._waiting[name], (filled, claim.workload, i))

    def _add(self, i: int, pods: int) -> None:
        per_pod = self._per_pod[i]
        held = self._held.setdefault(self._claims[i].namespace, [0.0] * len(per_pod))
        for resource, share in enumerate(per_pod):
            held[resource] += pods * share

    def _share(self, name: str) -> float:
        return max(self._held[name], default=0.0) / self._weights.get(name, 1.0)


def cheapest_first(claims: Sequence[Claim], totals: Sequence[float]) -> Order:
    """By the price of a place for the dominant share it gives, whoever gets it.

    That order gives out most dominant share for the money; it is what a plan does that looks at
    cost alone.
    """
    dominant = [max(shares_of(claim, totals), default=0.0) for claim in claims]

    def price(i: int) -> tuple[float, WorkloadKey]:
        return claims[i].usd_per_pod_hour / max(dominant[i], _SLACK), claims[i].workload

    ranked = sorted(range(len(claims)), key=price)

    def order(given: Pods, closed: Collection[int]) -> Iterator[int]:
        for i in ranked:
            if i not in closed:
                yield from (i for _ in range(given[i], claims[i].pods_wanted))

    return order


def fill(
    start: Pods,
    order: Order,
    fits: Fits,
    deadline: Deadline | None = None,
    most_in_vain: int | None = None,
    first_step: int = 1,
) -> Pods:
    """Add pods in order for as long as they fit; a claim whose next pod does not gets no more.

    Args:
        start: fits; nothing is taken from it.
        fits: must hold for fewer pods where it holds for more.
        deadline: after which the first claim that is refused ends it.
        most_in_vain: claims that may be refused one after the other; None tries them all.
        first_step: pods that are added at first, to be halved where they do not fit.
    """
    given, closed, in_vain, step = start, set[int](), 0, first_step
    while True:
        before = given
        ahead = order(given, closed)
        given, refused = _as_far_as_it_fits(given, ahead, fits, deadline, step)
        in_vain, step = (in_vain + 1 if given == before else 1), 1
        if refused is None or _has_passed(deadline) or in_vain == most_in_vain:
            return given
        closed.add(refused)


def _has_passed(deadline: Deadline | None) -> bool:
    return deadline is not None and deadline.has_passed


def _as_far_as_it_fits(
    given: Pods, ahead: Iterator[int], fits: Fits, deadline: Deadline | None, step: int
) -> tuple[Pods, int | None]:
    """Add the pods ahead up to the first that does not fit; it, or None where all do.

    Doubles the step while all fits, then halves the last one; past the deadline only roughly.
    """
    pods: list[int] = []
    good, bad = 0, step
    while True:
        pods += islice(ahead, bad - len(pods))
        bad = min(bad, len(pods))
        if bad == good:
            return plus(given, pods), None
        if not fits(plus(given, pods[:bad])):
            break
        good, bad = bad, 2 * bad
    while bad - good > 1 and not _has_passed(deadline):
        middle = (good + bad) // 2
        if fits(plus(given, pods[:middle])):
            good = middle
        else:
            bad = middle
    return plus(given, pods[:good]), pods[good]


def plus(given: Pods, pods: Sequence[int]) -> Pods:
    """With one more pod for each claim named."""
    more = list(given)
    for i in pods:
        more[i] += 1
    return tuple(more)
