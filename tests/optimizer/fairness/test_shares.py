"""Progressive filling: hand-computed cases, and the laws of dominant-resource fairness."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.optimizer.fairness.shares import (
    Claim,
    amounts,
    cheapest_first,
    fill,
    plus,
    poorest_first,
)
from nodemix.optimizer.snapshot import WorkloadKey


def claim(
    namespace: str,
    wanted: int,
    *request: float,
    now: int = 0,
    name: str = "web",
    usd_per_pod_hour: float = 0.0,
) -> Claim:
    key = WorkloadKey(namespace, "Deployment", name)
    return Claim(key, now, wanted, request, usd_per_pod_hour)


def given_to(
    claims: Sequence[Claim], capacity: Sequence[float], weights: Mapping[str, float] | None = None
) -> tuple[int, ...]:
    """Pods of each claim where a capacity of each resource is dealt out beyond today's pods."""

    def fits(pods: tuple[int, ...]) -> bool:
        return all(u <= c for u, c in zip(amounts(claims, pods), capacity, strict=True))

    today = tuple(claim.pods_now for claim in claims)
    return fill(today, poorest_first(claims, capacity, weights or {}), fits)


def test_the_papers_example() -> None:
    """9 cores and 18 GiB; A's pods take (1, 4), B's (3, 1): three and two, 2/3 dominant each."""
    claims = [claim("a", 99, 1, 4), claim("b", 99, 3, 1)]

    assert given_to(claims, (9, 18)) == (3, 2)


def test_a_weight_of_two_gets_twice_the_share() -> None:
    claims = [claim("a", 99, 1), claim("b", 99, 1)]

    assert given_to(claims, (9,), {"a": 2.0}) == (6, 3)


def test_what_a_modest_namespace_leaves_goes_to_the_others() -> None:
    claims = [claim("a", 1, 1), claim("b", 99, 1), claim("c", 99, 1)]

    assert given_to(claims, (9,)) == (1, 4, 4)


def test_a_namespace_with_many_workloads_gets_no_more_than_one_with_few() -> None:
    many = [claim("a", 9, 1, name=f"w{i}") for i in range(3)]

    assert given_to([*many, claim("b", 9, 1)], (12,)) == (2, 2, 2, 6)


def test_todays_pods_stay_although_their_namespace_has_more_than_its_share() -> None:
    claims = [claim("a", 20, 1, now=8), claim("b", 20, 1, now=1)]

    assert given_to(claims, (12,)) == (8, 4)


def test_who_lacks_a_resource_that_is_used_up_does_not_stop_the_others() -> None:
    claims = [claim("gpu", 9, 1, 1), claim("web", 9, 1, 0)]

    assert given_to(claims, (8, 2)) == (2, 6)


def test_a_budget_is_a_capacity_too() -> None:
    """Places at 0.5 and 0.1 $/h; 2 $/h: equal money until the second has all it wants."""
    assert given_to([claim("a", 9, 0.5), claim("b", 5, 0.1)], (2.0,)) == (3, 5)


def test_pods_that_ask_for_nothing_all_get_a_place() -> None:
    assert given_to([claim("a", 7, 0, 0)], (0, 0)) == (7,)


def test_the_cheapest_place_for_a_share_comes_first() -> None:
    """Of ten cores wanted a small pod takes one for 0.2, a large one four for 0.4."""
    claims = [
        claim("a", 6, 1, usd_per_pod_hour=0.2),
        claim("b", 1, 4, usd_per_pod_hour=0.4),
    ]

    order = cheapest_first(claims, (10,))

    assert list(order((0, 0), ())) == [1, 0, 0, 0, 0, 0, 0]
    assert list(order((4, 0), (1,))) == [0, 0]


@pytest.mark.parametrize("step", [1, 3, 100])
@pytest.mark.parametrize("limit", [0, 1, 6, 7, 11, 30])
def test_the_step_changes_the_questions_and_not_the_answer(step: int, limit: int) -> None:
    claims = [claim("a", 5, 1), claim("b", 6, 1)]
    order = cheapest_first(claims, (11,))

    pods = fill((0, 0), order, lambda pods: sum(pods) <= limit, first_step=step)

    assert sum(pods) == min(limit, 11)


def test_after_so_many_refusals_in_a_row_nobody_is_asked_any_more() -> None:
    claims = [claim("a", 5, 3), claim("b", 5, 2), claim("c", 5, 1, usd_per_pod_hour=9)]
    order = cheapest_first(claims, (30,))

    def fits(pods: tuple[int, ...]) -> bool:
        return amounts(claims, pods)[0] <= 1

    assert fill((0, 0, 0), order, fits) == (0, 0, 1)
    assert fill((0, 0, 0), order, fits, most_in_vain=2) == (0, 0, 0)


# One workload in each namespace, as the theorems of the paper have it.
parties = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=5
)
capacities = st.tuples(st.integers(1, 60), st.integers(1, 60))


def claims_of(parties: Sequence[tuple[int, int, int]]) -> list[Claim]:
    return [claim(f"n{i}", wanted, *request) for i, (wanted, *request) in enumerate(parties)]


@given(parties, capacities)
def test_no_more_is_given_than_there_is_or_is_wanted(
    parties: list[tuple[int, int, int]], capacity: tuple[int, int]
) -> None:
    claims = claims_of(parties)
    pods = given_to(claims, capacity)

    assert all(u <= c for u, c in zip(amounts(claims, pods), capacity, strict=True))
    assert all(n <= c.pods_wanted for n, c in zip(pods, claims, strict=True))


@given(parties, capacities)
def test_no_further_pod_would_fit(
    parties: list[tuple[int, int, int]], capacity: tuple[int, int]
) -> None:
    """Pareto efficiency, in whole pods."""
    claims = claims_of(parties)
    pods = given_to(claims, capacity)

    for i, one in enumerate(claims):
        used = amounts(claims, plus(pods, [i]))
        fits = all(u <= c for u, c in zip(used, capacity, strict=True))
        assert pods[i] == one.pods_wanted or not fits


@given(parties, capacities)
def test_nobody_would_do_better_with_an_equal_part_of_everything(
    parties: list[tuple[int, int, int]], capacity: tuple[int, int]
) -> None:
    """Sharing incentive: all the pods of an n-th of the capacity, but for one."""
    claims = claims_of(parties)
    pods = given_to(claims, capacity)

    for one, n in zip(claims, pods, strict=True):
        part = min(c / len(claims) / r for r, c in zip(one.request, capacity, strict=True) if r)
        assert n >= min(one.pods_wanted, int(part)) - 1


@given(parties, capacities)
def test_nobody_envies_another_but_for_the_last_pod_it_got(
    parties: list[tuple[int, int, int]], capacity: tuple[int, int]
) -> None:
    """What another one has without that pod would hold no more of one's own than one has."""
    claims = claims_of(parties)
    pods = given_to(claims, capacity)

    for one, n in zip(claims, pods, strict=True):
        for other, m in zip(claims, pods, strict=True):
            theirs = [max(m - 1, 0) * r for r in other.request]
            held = min(int(t // r) for t, r in zip(theirs, one.request, strict=True) if r)
            assert min(held, one.pods_wanted) <= n


@given(st.integers(1, 5), st.integers(0, 12), st.integers(1, 4), st.integers(1, 60))
def test_equals_get_the_same_but_for_one_pod(n: int, wanted: int, request: int, size: int) -> None:
    pods = given_to([claim(f"n{i}", wanted, request) for i in range(n)], (size,))

    assert max(pods) - min(pods) <= 1


@given(parties, capacities, st.integers(1, 10))
def test_who_wants_more_gets_no_less(
    parties: list[tuple[int, int, int]], capacity: tuple[int, int], more: int
) -> None:
    claims = claims_of(parties)
    (wanted, *request), *others = parties
    greedy = claims_of([(wanted + more, request[0], request[1]), *others])

    assert given_to(greedy, capacity)[0] >= given_to(claims, capacity)[0]


@given(parties, capacities, st.integers(1, 4))
def test_asking_for_more_than_a_pod_needs_gets_no_more_pods(
    parties: list[tuple[int, int, int]], capacity: tuple[int, int], more: int
) -> None:
    """Strategy-proofness, but for one whole pod."""
    (wanted, cores, memory), *others = parties
    padded = claims_of([(wanted, cores + more, memory), *others])

    assert given_to(padded, capacity)[0] <= given_to(claims_of(parties), capacity)[0] + 1


@given(parties, capacities, st.randoms(use_true_random=False))
def test_the_answer_does_not_depend_on_the_order_of_the_claims(
    parties: list[tuple[int, int, int]], capacity: tuple[int, int], random: st.DataObject
) -> None:
    claims = claims_of(parties)
    shuffled = random.sample(claims, len(claims))  # type: ignore[attr-defined] # a Random

    one, other = given_to(claims, capacity), given_to(shuffled, capacity)

    assert dict(zip(shuffled, other, strict=True)) == dict(zip(claims, one, strict=True))


wishes = st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(1, 3))


@given(st.lists(wishes, min_size=1, max_size=6))
def test_all_is_given_where_there_is_enough(wishes: list[tuple[str, int, int]]) -> None:
    claims = [claim(ns, n, r, name=f"w{i}") for i, (ns, n, r) in enumerate(wishes)]

    assert given_to(claims, (1e9,)) == tuple(claim.pods_wanted for claim in claims)
