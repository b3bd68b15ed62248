"""Objects that cannot be read end in a condition; what can be read is planned for."""

import pytest
from nodemix.operator.api.conditions import ConditionType
from nodemix.operator.cluster.snapshot import snapshot_of
from nodemix.operator.reconcile import Finding, Tick, reconcile

from tests.api_objects import make_node_object, make_pod_object
from tests.fakes.sources import FakeSources, make_policy_object

pytestmark = pytest.mark.anyio

NOW_S = 1_800_000_000.0


async def tick(*objects: object) -> tuple[Tick, FakeSources]:
    snapshot = snapshot_of(objects, NOW_S)  # type: ignore[arg-type]  # as JSON gives them
    sources = FakeSources(cluster=snapshot)
    return await reconcile(make_policy_object(), (), sources, None, NOW_S), sources


def fresh(result: Tick) -> Finding:
    return next(f for f in result.findings if f.kind is ConditionType.DATA_FRESH)


async def test_quantity_that_cannot_be_parsed_names_the_pod_and_the_remedy() -> None:
    good = make_pod_object("good", node_name="node-1", requests={"cpu": "500m"})
    bad = make_pod_object("bad", node_name="node-1", requests={"cpu": "lots"})

    result, sources = await tick(good, bad, make_node_object("node-1"))

    assert (str(fresh(result).status), fresh(result).reason) == ("False", "UnreadableObjects")
    assert "lots" in fresh(result).message
    assert "bad" in fresh(result).message
    assert "correct the quantity" in fresh(result).message
    assert len(sources.requests) == 1
    assert result.recommendation is not None


async def test_object_of_the_wrong_shape_is_left_out_and_named() -> None:
    good = make_pod_object("good", node_name="node-1", requests={"cpu": "500m"})
    broken = {**make_pod_object("broken"), "spec": None}

    result, sources = await tick(good, broken, make_node_object("node-1"))

    assert "default/Pod/broken" in fresh(result).message
    assert [pod.name for pod in sources.requests[0].snapshot.pods] == ["good"]
    assert result.recommendation is not None
