import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.optimizer.problem.types import IntArray
from nodemix.optimizer.snapshot import WorkloadKey
from nodemix.simulator.cluster import Cluster
from nodemix.simulator.ground import Ground, ground_of
from nodemix.simulator.workload import workloads_of

from tests.builders import make_pods, make_snapshot
from tests.simulator.scenes import CHEAP, OFFERS, OTHER, PLAIN, WEB, make_history, make_workloads

GROUND = ground_of(OFFERS.offers, make_workloads([1], [1]))
"""Rows: db with 1 core, web with 2 cores; nodes have 4."""


def want(db: int, web: int) -> IntArray:
    return np.array([db, web], dtype=np.int64)


def a_cluster(ground: Ground = GROUND, **counts: int) -> Cluster:
    """Ready nodes: ``plain``, ``cheap``, ``other``."""
    cluster = Cluster(ground)
    pools = {"plain": PLAIN, "cheap": CHEAP, "other": OTHER}
    for name, count in counts.items():
        offer = ground.index_of(pools[name])
        assert offer is not None
        cluster.buy(offer, count, 0.0, 0.0)
    return cluster


def test_pods_without_room_wait() -> None:
    cluster = a_cluster(plain=1)

    cluster.settle(want(db=2, web=2), 0.0)

    assert cluster.pods.tolist() == [[0, 2]]
    assert cluster.waiting(want(db=2, web=2)).tolist() == [2, 0]


def test_the_fullest_node_with_room_is_taken() -> None:
    cluster = a_cluster(plain=2)
    cluster.settle(want(db=1, web=0), 0.0)
    cluster.settle(want(db=1, web=1), 0.0)

    assert sorted(cluster.pods.tolist()) == [[0, 0], [1, 1]]


def test_a_node_that_boots_takes_no_pods_yet() -> None:
    cluster = Cluster(GROUND)
    cluster.buy(0, 1, 0.0, 600.0)

    cluster.settle(want(db=1, web=0), 0.0)
    assert cluster.waiting(want(db=1, web=0)).tolist() == [1, 0]
    assert cluster.lacking_once_ready(want(db=1, web=0)).tolist() == [0, 0]
    assert cluster.next_ready_s(0.0) == 600.0
    cluster.settle(want(db=1, web=0), 600.0)
    assert cluster.waiting(want(db=1, web=0)).tolist() == [0, 0]


def test_pods_too_many_go_from_the_emptiest_node() -> None:
    cluster = a_cluster(plain=2)
    cluster.settle(want(db=5, web=0), 0.0)
    assert sorted(cluster.pods[:, 0].tolist()) == [1, 4]

    cluster.settle(want(db=4, web=0), 0.0)

    assert sorted(cluster.pods[:, 0].tolist()) == [0, 4]


def test_a_reclaim_takes_nodes_and_their_pods_wait() -> None:
    cluster = a_cluster(cheap=2, plain=1)
    cluster.settle(want(db=12, web=0), 0.0)

    cluster.reclaim(CHEAP, 2, 60.0)

    assert cluster.pools() == {PLAIN: 1}
    assert cluster.waiting(want(db=12, web=0)).tolist() == [8, 0]
    assert [lease.until_s for lease in cluster.ended] == [60.0, 60.0]


def test_a_node_let_go_drains_only_if_its_pods_have_room_elsewhere() -> None:
    cluster = a_cluster(plain=2)
    cluster.settle(want(db=5, web=0), 0.0)
    cluster.follow({PLAIN: 1}, 10.0, 600.0)
    assert cluster.drain(10.0) == 0

    cluster.settle(want(db=4, web=0), 20.0)

    assert cluster.drain(20.0) == 1
    assert cluster.counts() == {PLAIN: 1}
    assert cluster.waiting(want(db=4, web=0)).tolist() == [0, 0]


def test_nothing_drains_while_a_replacement_boots() -> None:
    cluster = a_cluster(plain=1)
    cluster.settle(want(db=1, web=1), 0.0)
    cluster.follow({CHEAP: 1}, 0.0, 600.0)

    assert cluster.drain(0.0) == 0
    assert cluster.pools() == {PLAIN: 1, CHEAP: 1}
    assert cluster.drain(600.0) == 1
    assert cluster.pools() == {CHEAP: 1}
    assert cluster.pods.tolist() == [[1, 1]]


def test_a_node_let_go_is_taken_back_before_another_is_bought() -> None:
    cluster = a_cluster(plain=2)
    cluster.follow({PLAIN: 1}, 0.0, 600.0)
    cluster.follow({PLAIN: 2}, 0.0, 600.0)

    assert cluster.counts() == {PLAIN: 2}
    assert len(cluster.leases) == 2


def test_pods_that_may_not_share_a_node_do_not() -> None:
    snapshot = make_snapshot(make_pods(1, max_per_node=1))
    ground = ground_of(OFFERS.offers, workloads_of(snapshot, make_history({WEB: [1]})))
    cluster = a_cluster(ground, plain=2)

    cluster.settle(np.array([3]), 0.0)

    assert cluster.pods.tolist() == [[1], [1]]


def test_pods_that_refuse_spot_stay_off_it() -> None:
    snapshot = make_snapshot(make_pods(1, spot_denied="asks for it"))
    ground = ground_of(OFFERS.offers, workloads_of(snapshot, make_history({WEB: [1]})))
    cluster = a_cluster(ground, cheap=1, plain=1)

    cluster.settle(np.array([5]), 0.0)

    assert cluster.waiting(np.array([5])).tolist() == [1]
    assert cluster.pods.sum(axis=1).tolist() == [0, 4]


def test_what_is_seen_is_what_is_there() -> None:
    workloads = make_workloads([1], [1])
    cluster = a_cluster(plain=1, other=1)
    wanted = want(db=3, web=3)
    cluster.settle(wanted, 0.0)

    nodes, pods = cluster.seen(workloads, wanted)

    assert [(n.instance_type, n.zone, n.capacity_type) for n in nodes] == [PLAIN, OTHER]
    counted: dict[tuple[str | None, WorkloadKey], int] = {}
    for pod in pods:
        counted[pod.node_name, pod.workload] = counted.get((pod.node_name, pod.workload), 0) + 1
    assert sum(counted.values()) == 6
    assert counted[None, workloads.keys[0]] == 1
    assert len({pod.name for pod in pods}) == 6


def test_a_copy_is_another_cluster() -> None:
    cluster = a_cluster(cheap=2)
    twin = cluster.copy()
    twin.reclaim(CHEAP, 2, 0.0)

    assert cluster.pools() == {CHEAP: 2}
    assert twin.pools() == {}


def test_the_share_short_is_that_of_the_scarcer_resource() -> None:
    """Of 4 cores and 3 GiB, a pod of 2 cores and 1 GiB: a half, not a third."""
    assert GROUND.share_short(want(db=2, web=1), want(db=0, web=1)) == 0.5
    assert GROUND.share_short(want(db=0, web=0), want(db=0, web=0)) == 0.0


counts = st.integers(0, 12)
steps = st.lists(
    st.tuples(counts, counts, st.integers(0, 3), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=8,
)


@given(steps)
def test_no_node_overflows_and_no_pod_is_lost_or_made_up(
    happening: list[tuple[int, int, int, int, bool]],
) -> None:
    cluster = Cluster(GROUND)
    for k, (db, web, plain, cheap, is_hit) in enumerate(happening):
        now_s, wanted = 100.0 * k, want(db, web)
        cluster.follow({PLAIN: plain, CHEAP: cheap}, now_s, 150.0)
        if is_hit:
            cluster.reclaim(CHEAP, 1, now_s)
        cluster.settle(wanted, now_s)
        cluster.drain(now_s)

        used = cluster.pods @ GROUND.requests
        assert (used <= GROUND.room[cluster.offers]).all()
        assert (cluster.pods >= 0).all()
        assert (cluster.pods.sum(axis=0) + cluster.waiting(wanted) == wanted).all()
        assert cluster.pods[cluster.ready_s > now_s].sum() == 0
        assert len(cluster.leases) == len(cluster.names) == len(cluster.pods)


@given(counts, counts, st.integers(1, 4))
def test_waiting_pods_have_no_room(db: int, web: int, nodes: int) -> None:
    cluster = a_cluster(plain=nodes)
    wanted = want(db, web)
    cluster.settle(wanted, 0.0)
    free = GROUND.room[cluster.offers] - cluster.pods @ GROUND.requests

    for row in np.flatnonzero(cluster.waiting(wanted)):
        assert not (GROUND.requests[row] <= free).all(axis=1).any()


def test_an_unknown_pool_has_no_position() -> None:
    assert GROUND.index_of(("x9.huge", "moon", PLAIN[2])) is None


def test_prices_of_booting_nodes_count() -> None:
    cluster = a_cluster(plain=1)
    cluster.buy(int(cluster.offers[0]), 1, 0.0, 600.0)

    prices = np.array([offer.price_usd_per_hour for offer in OFFERS.offers])

    assert cluster.usd_per_hour(prices) == pytest.approx(0.4)
