"""How pods are shared over zones, and what limits them on one node."""

from hypothesis import given
from hypothesis import strategies as st
from nodemix.optimizer.problem.spread import (
    foreign_topologies,
    max_per_node,
    share_over_zones,
    spreads_over_zones,
)
from nodemix.optimizer.snapshot import SpreadConstraint

from tests.builders import ZONES, make_template

ZONE_KEY = "topology.kubernetes.io/zone"
HOST_KEY = "kubernetes.io/hostname"

pod_counts = st.integers(min_value=0, max_value=200)


def test_the_remainder_goes_to_the_first_zones() -> None:
    assert share_over_zones(8, ZONES, {}) == dict(zip(ZONES, (3, 3, 2), strict=True))


def test_pods_that_stay_in_a_zone_count_for_the_spread() -> None:
    assert share_over_zones(4, ZONES, {ZONES[0]: 2}) == dict(zip(ZONES, (0, 2, 2), strict=True))


def test_a_zone_that_is_too_full_already_gets_nothing() -> None:
    assert share_over_zones(2, ZONES, {ZONES[0]: 9}) == dict(zip(ZONES, (0, 1, 1), strict=True))


@given(pods=pod_counts, already=st.fixed_dictionaries(dict.fromkeys(ZONES, pod_counts)))
def test_every_pod_gets_a_zone_and_none_goes_to_a_fuller_one(
    pods: int, already: dict[str, int]
) -> None:
    shares = share_over_zones(pods, ZONES, already)

    totals = {zone: already[zone] + shares[zone] for zone in ZONES}
    assert sum(shares.values()) == pods
    assert min(shares.values()) >= 0
    assert all(totals[zone] <= min(totals.values()) + 1 for zone in ZONES if shares[zone])


@given(pods=pod_counts, more=pod_counts)
def test_a_share_for_more_pods_holds_the_share_for_fewer(pods: int, more: int) -> None:
    few = share_over_zones(pods, ZONES, {})
    rest = share_over_zones(more, ZONES, few)

    assert {zone: few[zone] + rest[zone] for zone in ZONES} == share_over_zones(
        pods + more, ZONES, {}
    )


def test_a_hostname_spread_and_an_anti_affinity_both_limit_pods_on_a_node() -> None:
    spread = SpreadConstraint(HOST_KEY, 3)

    assert max_per_node(make_template(spreads=(spread,))) == 3
    assert max_per_node(make_template(spreads=(spread,), max_per_node=1)) == 1
    assert max_per_node(make_template()) is None


def test_only_a_zone_spread_is_cut_by_zone() -> None:
    assert spreads_over_zones(make_template(spreads=(SpreadConstraint(ZONE_KEY, 1),)))
    assert not spreads_over_zones(make_template(spreads=(SpreadConstraint(HOST_KEY, 1),)))


def test_a_spread_over_racks_is_foreign_and_one_over_regions_is_not() -> None:
    keys = (ZONE_KEY, HOST_KEY, "topology.kubernetes.io/region", "example.com/rack")
    template = make_template(spreads=tuple(SpreadConstraint(key, 1) for key in keys))

    assert foreign_topologies(template) == ("example.com/rack",)
