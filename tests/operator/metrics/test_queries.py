from nodemix.operator.api.policy import QuerySpec
from nodemix.operator.metrics.queries import KUBE_STATE_METRICS, DemandQuery, queries_with
from nodemix.optimizer.snapshot import WorkloadKey


def test_the_step_is_filled_in() -> None:
    query = DemandQuery("pods", "Deployment", "max_over_time(x[$step])")

    assert query.text(900.0) == "max_over_time(x[900s])"


def test_a_series_is_called_as_its_workload() -> None:
    (query, *_) = KUBE_STATE_METRICS

    name = query.series({"namespace": "shop", "deployment": "cart"})

    assert name == str(WorkloadKey("shop", "Deployment", "cart"))


def test_a_series_without_its_labels_has_no_workload() -> None:
    (query, *_) = KUBE_STATE_METRICS

    assert query.series({"namespace": "shop"}) is None
    assert query.series({"deployment": "cart", "namespace": ""}) is None


def test_without_queries_of_its_own_a_policy_has_the_default_ones() -> None:
    assert queries_with(()) == KUBE_STATE_METRICS


def test_a_policys_query_replaces_the_default_of_its_indicator_and_kind() -> None:
    spec = QuerySpec.model_validate({"indicator": "pods", "kind": "Deployment", "query": "own"})

    queries = queries_with([spec])

    assert [(query.kind, query.promql) for query in queries if query.kind == "Deployment"] == [
        ("Deployment", "own")
    ]
    assert {query.kind for query in queries} == {"Deployment", "StatefulSet"}


def test_a_policys_query_for_another_indicator_is_added() -> None:
    spec = QuerySpec.model_validate(
        {"indicator": "cpu_milli", "query": "own", "labels": {"namespace": "ns", "name": "app"}}
    )

    queries = queries_with([spec])

    assert len(queries) == len(KUBE_STATE_METRICS) + 1
    assert queries[-1].series({"ns": "shop", "app": "cart"}) == "shop/Deployment/cart"
    assert queries[-1].indicator == "cpu_milli"
