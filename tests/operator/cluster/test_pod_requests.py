from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nodemix.operator.cluster.pod_requests import RequestReader
from nodemix.optimizer.resources import Resources

from tests.api_objects import make_container, make_pod_spec

LAW = settings(deadline=None)  # a busy machine is no mistake


def requests_of(spec: dict[str, Any]) -> Resources:
    reader = RequestReader()
    requests = reader.effective_requests(spec)
    assert reader.faults == []
    return requests


def sidecar(name: str, **requests: str) -> dict[str, Any]:
    return make_container(name, requests, restartPolicy="Always")


def cpu_of(*init_containers: dict[str, Any], main: str = "1", **spec: Any) -> int:
    """Milli-cores of a pod whose one container asks for ``main``."""
    return requests_of(
        make_pod_spec({"cpu": main}, initContainers=list(init_containers), **spec)
    ).cpu_milli


def test_containers_run_together() -> None:
    spec = {
        "containers": [
            make_container("a", {"cpu": "250m", "memory": "100Mi"}),
            make_container("b", {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}),
        ]
    }

    found = requests_of(spec)

    assert (found.cpu_milli, found.memory_mib, found.gpus, found.pods) == (1250, 1124, 1, 1)


def test_sum_is_rounded_up_once() -> None:
    halves = [make_container(name, {"memory": "512Ki", "cpu": "500u"}) for name in "ab"]

    found = requests_of({"containers": halves})

    assert (found.cpu_milli, found.memory_mib) == (1, 1)


def test_limit_stands_in_for_a_missing_request() -> None:
    container = make_container(requests={"cpu": "1"}, limits={"cpu": "4", "memory": "2Gi"})

    found = requests_of({"containers": [container]})

    assert (found.cpu_milli, found.memory_mib) == (1000, 2048)


def test_pod_without_requests_takes_a_slot_and_nothing_else() -> None:
    assert requests_of({"containers": [make_container()]}) == Resources(pods=1)


def test_init_containers_run_before_and_one_after_the_other() -> None:
    assert cpu_of(make_container("a", {"cpu": "3"}), make_container("b", {"cpu": "2"})) == 3000
    assert cpu_of(make_container("a", {"cpu": "500m"})) == 1000


def test_sidecar_runs_beside_the_containers() -> None:
    assert cpu_of(sidecar("proxy", cpu="200m")) == 1200


def test_init_container_runs_beside_the_sidecars_started_before_it_only() -> None:
    greedy = make_container("greedy", {"cpu": "2"})

    assert cpu_of(sidecar("proxy", cpu="500m"), greedy) == 2500
    assert cpu_of(greedy, sidecar("proxy", cpu="500m")) == 2000


def test_each_resource_has_its_own_peak() -> None:
    setup = make_container("setup", {"cpu": "4", "memory": "128Mi"})
    spec = make_pod_spec({"cpu": "1", "memory": "1Gi"}, initContainers=[setup])

    found = requests_of(spec)

    assert (found.cpu_milli, found.memory_mib) == (4000, 1024)


def test_overhead_of_the_runtime_class_comes_on_top_of_the_peak() -> None:
    setup = make_container("setup", {"cpu": "2"})

    assert cpu_of(setup, overhead={"cpu": "250m"}) == 2250


def test_pod_level_request_overrides_the_sum() -> None:
    spec = make_pod_spec(
        {"cpu": "1", "memory": "1Gi"}, resources={"requests": {"cpu": "3", "memory": "512Mi"}}
    )

    found = requests_of({**spec, "overhead": {"cpu": "100m"}})

    assert (found.cpu_milli, found.memory_mib) == (3100, 512)


def test_pod_level_limit_counts_only_where_nothing_is_requested() -> None:
    spec = make_pod_spec({"cpu": "1"}, resources={"limits": {"cpu": "8", "memory": "2Gi"}})

    found = requests_of(spec)

    assert (found.cpu_milli, found.memory_mib) == (1000, 2048)


def test_pod_level_gpu_is_no_part_of_the_api_and_is_ignored() -> None:
    spec = make_pod_spec({"cpu": "1"}, resources={"requests": {"nvidia.com/gpu": "4"}})

    assert requests_of(spec).gpus == 0


def test_unreadable_quantity_becomes_a_fault_and_the_rest_is_read() -> None:
    spec = {"containers": [make_container("web", {"cpu": "one", "memory": "1Gi"})]}
    reader = RequestReader()

    found = reader.effective_requests(spec)

    assert (found.cpu_milli, found.memory_mib) == (0, 1024)
    (fault,) = reader.faults
    assert fault.startswith("container web cpu: quantity 'one': is not a quantity; write")


@pytest.mark.parametrize("empty", [None, {}])
def test_absent_and_null_resources_are_the_same(empty: dict[str, Any] | None) -> None:
    spec = {"containers": [{"name": "a", "resources": empty}], "initContainers": None}

    assert requests_of(spec) == Resources(pods=1)


@LAW
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 4000)), max_size=6
    ),  # (is a sidecar, milli-cores) in the order of starting
    st.lists(st.integers(0, 4000), min_size=1, max_size=4),
)
def test_effective_request_is_the_peak_of_what_ever_runs_at_once(
    starting: list[tuple[bool, int]], running: list[int]
) -> None:
    """A second way to the same number: play the start of the pod and watch the highest sum."""
    inits = [
        make_container(f"i{n}", {"cpu": f"{milli}m"}, restartPolicy="Always" if stays else None)
        for n, (stays, milli) in enumerate(starting)
    ]
    mains = [make_container(f"c{n}", {"cpu": f"{milli}m"}) for n, milli in enumerate(running)]

    sidecars, peak = 0, 0
    for stays, milli in starting:
        peak = max(peak, sidecars + milli)
        sidecars += milli if stays else 0
    peak = max(peak, sidecars + sum(running))

    found = requests_of({"initContainers": inits, "containers": mains})
    assert found.cpu_milli == peak
