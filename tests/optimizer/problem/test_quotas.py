"""What nodes use of a quota, and how it limits a plan."""

import pytest
from nodemix.optimizer.policy import Quota, QuotaUnit
from nodemix.optimizer.problem.caps import KeptShare, cap_problem
from nodemix.optimizer.problem.quotas import quota_notes, quota_use
from nodemix.optimizer.snapshot import CapacityType

from tests.builders import SPOT, ZONE, make_catalog, make_offer, make_policy, make_problem

PLAIN = make_offer("m5.xlarge", 0.2, vcpus=4)
GPU_SPOT = make_offer("g5.12xlarge", 1.9, vcpus=48, gpus=4, capacity_type=SPOT)


@pytest.mark.parametrize(
    ("selection", "used"),
    [
        ({}, 48.0),
        ({"unit": QuotaUnit.NODES}, 1.0),
        ({"unit": QuotaUnit.GPUS}, 4.0),
        ({"categories": ("g", "p")}, 48.0),
        ({"categories": ("m",)}, 0.0),
        ({"families": ("g5",)}, 48.0),
        ({"families": ("g6",)}, 0.0),
        ({"instance_types": ("g5.12xlarge",)}, 48.0),
        ({"instance_types": ("g5.xlarge",)}, 0.0),
        ({"zones": (ZONE,)}, 48.0),
        ({"zones": ("us-east-1f",)}, 0.0),
        ({"capacity_type": CapacityType.SPOT}, 48.0),
        ({"capacity_type": CapacityType.ON_DEMAND}, 0.0),
    ],
)
def test_a_quota_counts_what_it_selects_in_its_unit(
    selection: dict[str, object], used: float
) -> None:
    quota = Quota("q", 100, **selection)  # type: ignore[arg-type]  # test

    assert quota_use(quota, GPU_SPOT) == used


def test_a_quota_becomes_a_cap_less_what_kept_nodes_use() -> None:
    problem = make_problem(offers=[PLAIN, GPU_SPOT])
    policy = make_policy(quotas=(Quota("spot-g", 64, capacity_type=SPOT),))

    (cap,) = cap_problem(problem, policy, KeptShare(quotas=(("spot-g", 16.0),))).caps

    assert (cap.name, cap.coefficients.tolist(), cap.limit) == ("quotas (spot-g)", [0, 48], 48)


def test_kept_nodes_above_a_quota_leave_nothing_to_buy() -> None:
    problem = make_problem(offers=[PLAIN, GPU_SPOT])
    policy = make_policy(quotas=(Quota("spot-g", 8, capacity_type=SPOT),))

    (cap,) = cap_problem(problem, policy, KeptShare(quotas=(("spot-g", 16.0),))).caps

    assert cap.limit == 0.0


def test_a_quota_on_what_is_not_offered_is_no_cap() -> None:
    policy = make_policy(quotas=(Quota("p", 8, categories=("p",)),))

    assert cap_problem(make_problem(offers=[PLAIN]), policy, KeptShare()).caps == ()


def test_a_name_that_the_catalog_does_not_know_is_noted_with_the_remedy() -> None:
    quota = Quota("spot-g", 8, families=("g5", "gg5"), zones=("mars",))

    notes = quota_notes(make_policy(name="shop", quotas=(quota,)), make_catalog(GPU_SPOT))

    assert [str(note) for note in notes] == [
        (
            "NodeMixPolicy/shop: quota spot-g: the catalog knows no family gg5; correct the name, "
            "or take it out; the quota limits nothing there"
        ),
        (
            "NodeMixPolicy/shop: quota spot-g: the catalog knows no zone mars; correct the name, "
            "or take it out; the quota limits nothing there"
        ),
    ]
