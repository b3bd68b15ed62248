import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from nodemix.simulator.cluster import Cluster
from nodemix.simulator.ground import ground_of
from nodemix.simulator.recourse import recourse

from tests.builders import SPOT, make_catalog, make_offer
from tests.simulator.scenes import make_workloads

CATALOG = make_catalog(
    make_offer("m5.xlarge", 0.2),
    make_offer("m5.2xlarge", 0.3, vcpus=8, memory_gib=32),
    make_offer("m5.8xlarge", 0.1, capacity_type=SPOT, vcpus=32, memory_gib=128),
)
GROUND = ground_of(CATALOG.offers, make_workloads([1], [1]))
PRICES = np.array([offer.price_usd_per_hour for offer in CATALOG.offers])


def bought(db: int, web: int) -> dict[str, int]:
    found = recourse(GROUND, np.array([db, web]), PRICES)
    return {GROUND.offers[offer].instance.name: count for offer, count in found.items()}


def test_each_node_is_the_cheapest_for_what_it_takes() -> None:
    """Three pods of 2 cores: 0.1 $ each on the large node, 0.1 $ on the small one for two."""
    assert bought(db=1, web=0) == {"m5.xlarge": 1}
    assert bought(db=0, web=4) == {"m5.2xlarge": 1}
    assert bought(db=4, web=4) == {"m5.2xlarge": 1, "m5.xlarge": 1}


def test_spot_is_never_recourse() -> None:
    assert "m5.8xlarge" not in bought(db=40, web=40)


def test_nothing_lacking_buys_nothing() -> None:
    assert bought(db=0, web=0) == {}


@given(st.integers(0, 30), st.integers(0, 30))
def test_recourse_holds_all_that_lacks(db: int, web: int) -> None:
    lacking = np.array([db, web])
    cluster = Cluster(GROUND)
    for offer, count in recourse(GROUND, lacking, PRICES).items():
        cluster.buy(offer, count, 0.0, 0.0)

    cluster.settle(lacking, 0.0)

    assert cluster.waiting(lacking).sum() == 0
