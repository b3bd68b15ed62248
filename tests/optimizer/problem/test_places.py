"""Offers with the room they have for pods."""

import numpy as np
from nodemix.optimizer.problem.places import Places, dimensions_of, largest_of
from nodemix.optimizer.resources import GPU_RESOURCE, Resources

from tests.builders import SPOT, ZONES, make_offer, make_resources, make_template

DIMENSIONS = ("cpu_milli", "memory_mib", "pods", GPU_RESOURCE)


def make_places(*offers: object) -> Places:
    return Places(offers, (), Resources(), DIMENSIONS)  # type: ignore[arg-type]


def test_an_offer_holds_a_pod_only_if_every_dimension_fits() -> None:
    places = make_places(make_offer("m5.large", vcpus=2, memory_gib=8))

    assert places.holding(make_template(cpu_milli=2000, memory_mib=8192)).tolist() == [True]
    assert places.holding(make_template(cpu_milli=2001)).tolist() == [False]
    assert places.holding(make_template(memory_mib=8193)).tolist() == [False]


def test_holding_also_asks_the_rules() -> None:
    places = make_places(make_offer(), make_offer(capacity_type=SPOT))

    assert places.holding(make_template(spot_denied="said so")).tolist() == [True, False]


def test_zones_are_those_of_the_marked_offers() -> None:
    places = make_places(*(make_offer(zone=zone) for zone in ZONES))

    assert places.zones_of(np.array([True, False, True])) == (ZONES[0], ZONES[2])
    assert places.zones_of(np.zeros(3, dtype=np.bool_)) == ()


def test_ephemeral_storage_is_a_dimension_only_where_somebody_asks_for_it() -> None:
    asking = make_resources(ephemeral_mib=10)

    assert dimensions_of([make_resources()]) == ("cpu_milli", "memory_mib", "pods")
    assert dimensions_of([asking]) == ("cpu_milli", "memory_mib", "pods", "ephemeral_mib")


def test_extended_resources_are_dimensions_by_name() -> None:
    asked = [make_resources(gpus=1), Resources.of({"example.com/fpga": 1})]

    assert dimensions_of(asked)[3:] == ("example.com/fpga", GPU_RESOURCE)


def test_the_largest_covers_each_request_and_nothing_more() -> None:
    one = make_resources(cpu_milli=100, memory_mib=900, gpus=1)
    other = make_resources(cpu_milli=300, memory_mib=200)

    assert largest_of([one, other]) == make_resources(cpu_milli=300, memory_mib=900, gpus=1)
