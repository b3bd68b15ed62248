import pytest
from nodemix.optimizer.explain.risk import plan_risk
from nodemix.optimizer.plan import PlannedNodes

from tests.builders import ON_DEMAND, SPOT, ZONE, make_catalog, make_offer

ON = make_offer(price=0.2)
OFF = make_offer(price=0.06, capacity_type=SPOT, interruptions_per_hour=0.01)
CATALOG = make_catalog(ON, OFF)


def test_spot_shares_are_shares_of_vcpus() -> None:
    nodes = [
        PlannedNodes("m5.xlarge", ZONE, SPOT, 3, (), 0.06),
        PlannedNodes("m5.xlarge", ZONE, ON_DEMAND, 1, (), 0.2),
    ]

    risk = plan_risk(nodes, CATALOG, 0.01)

    assert risk.spot_share == pytest.approx(0.75)
    assert risk.worst_pool_share == pytest.approx(0.75)
    assert risk.interruptions_per_day == pytest.approx(3 * 0.01 * 24)


def test_a_plan_of_nothing_risks_nothing() -> None:
    risk = plan_risk([], CATALOG, None)

    assert (risk.spot_share, risk.worst_pool_share, risk.interruptions_per_day) == (0, 0, 0)
