import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nodemix.forecasting.errors import HistoryError
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.cluster.session import USER_AGENT
from nodemix.operator.errors import EmptySelectionError, PolicyError, SnapshotFileError
from nodemix.operator.metrics.history import DEFAULT_STEP_S
from nodemix.operator.offline import (
    DEFAULT_SEARCH_S,
    Question,
    answer,
    cluster_name,
    observe,
    read_catalog,
    read_history,
    read_terms,
    terms_of,
)
from nodemix.optimizer.errors import CatalogError

from tests.builders import make_catalog, make_node, make_offer, make_pods, make_snapshot
from tests.operator.small_files import (
    CHEAP,
    WEB,
    a_cluster,
    write_history,
    write_offers,
    write_policy,
    write_snapshot,
)
from tools.local_cluster import LocalCluster

NOW_S = 1_790_000_000.0


def a_history(pods: float = 3.0, end_s: float = NOW_S, steps: int = 200) -> DemandHistory:
    values = np.full((1, 1, steps), pods)
    start_s = end_s - (steps - 1) * DEFAULT_STEP_S
    return DemandHistory((WEB,), ("pods",), start_s, DEFAULT_STEP_S, values)


def a_question(history: DemandHistory | None = None) -> Question:
    """Three pods of web on one node that fits them loosely."""
    offer = make_offer(CHEAP, price=0.192)
    snapshot = make_snapshot(make_pods(3, node_name="node-1"), [make_node("node-1", offer)])
    snapshot = replace(snapshot, taken_at_s=NOW_S)
    terms = read_terms(None).searching(0.3)
    return Question(snapshot, terms, make_catalog(offer), history)


def test_a_file_is_observed_as_of_now(tmp_path: Path) -> None:
    before_s = time.time()

    snapshot = observe(write_snapshot(tmp_path / "cluster.json", a_cluster()))

    assert before_s <= snapshot.taken_at_s <= time.time()
    assert (len(snapshot.nodes), len(snapshot.pods)) == (2, 2)


def test_a_file_without_objects_of_a_cluster_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotFileError, match="holds neither nodes nor pods"):
        observe(write_snapshot(tmp_path / "empty.json", []))


def test_the_cluster_of_a_kubeconfig_is_only_read(
    local_cluster: LocalCluster, namespace: str
) -> None:
    seen = len(local_cluster.audit_events())

    snapshot = observe(None, local_cluster.kubeconfig)

    mine = [e for e in local_cluster.audit_events()[seen:] if e["userAgent"] == USER_AGENT]
    assert snapshot.taken_at_s > NOW_S
    assert {event["verb"] for event in mine} == {"list"}


def test_default_terms_search_for_as_long_as_a_person_waits() -> None:
    terms = read_terms(None)

    assert terms.policy.search_s == DEFAULT_SEARCH_S
    assert terms.policy.name == "default"


def test_terms_come_from_the_file(tmp_path: Path) -> None:
    forecast = {"horizonSeconds": 7200, "stepSeconds": 600}
    path = write_policy(tmp_path / "policy.yaml", searchSeconds=3, forecast=forecast)

    terms = read_terms(path)

    assert (terms.policy.name, terms.policy.search_s) == ("mine", 3.0)
    assert (terms.step_s, terms.horizon.steps) == (600.0, 12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Deployment", "holds 0 objects of kind NodeMixPolicy; give exactly one"),
        ("a: [1", "is not YAML"),
    ],
)
def test_a_file_without_a_policy_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)

    with pytest.raises(PolicyError, match=said):
        read_terms(path)


def test_an_absent_policy_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"absent\.yaml: cannot be read"):
        read_terms(tmp_path / "absent.yaml")


def test_every_broken_rule_of_a_policy_is_named() -> None:
    spec = {"objective": {"slo": {"shortfallProbability": 2}}, "limits": {"maxNodes": 0}}

    with pytest.raises(PolicyError) as caught:
        terms_of({"metadata": {"name": "mine"}, "spec": spec}, "file")

    assert caught.value.subject == "NodeMixPolicy/mine"
    assert "spec.objective.slo: shortfallProbability must lie" in caught.value.fact
    assert "spec.limits.maxNodes" in caught.value.fact


def test_offers_alone_are_prices_of_bundled_types(tmp_path: Path) -> None:
    catalog = read_catalog(None, write_offers(tmp_path / "offers.csv"))

    assert [str(offer) for offer in catalog.offers] == [
        "m5.2xlarge/us-east-1a/on-demand",
        "m5.xlarge/us-east-1a/on-demand",
    ]


def test_absent_prices_are_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"absent\.csv"):
        read_catalog(None, tmp_path / "absent.csv")


def test_history_of_other_workloads_is_left_out(tmp_path: Path) -> None:
    path = write_history(tmp_path / "demand.csv", pods=2, end_s=NOW_S)
    question = a_question()
    elsewhere = make_snapshot(make_pods(1, workload="other"))

    known = read_history(path, question.terms, question.snapshot)

    assert known is not None
    assert known.series == (WEB,)
    assert read_history(path, question.terms, elsewhere) is None


def test_an_empty_history_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demand.csv"
    path.write_text("timestamp,workload,indicator,value\n")

    with pytest.raises(HistoryError, match=r"demand\.csv: no samples"):
        read_history(path, a_question().terms, a_question().snapshot)


def test_a_recorded_history_ends_with_the_snapshot() -> None:
    old = a_history(end_s=NOW_S - 90 * 86_400)

    assert a_question(old).to_request(is_recorded=True).now_s == old.end_s
    assert a_question(old).to_request(is_recorded=False).now_s == NOW_S


def test_without_history_the_plan_is_for_the_requests() -> None:
    found = answer(a_question(), is_recorded=True)

    assert found.forecast is None
    assert [entry.source for entry in found.document.demand] == ["requests"]
    assert any("no demand history" in text for text in found.document.assumptions)


def test_a_history_is_forecast_and_drawn() -> None:
    found = answer(a_question(a_history()), is_recorded=True)

    assert found.forecast is not None
    assert [entry.source for entry in found.document.demand] == ["forecast"]
    assert found.to_html().count("<svg") >= 3


def test_a_stale_history_is_said_and_the_requests_count() -> None:
    stale = a_history(end_s=NOW_S - 86_400)

    found = answer(a_question(stale), is_recorded=False)

    notes = {note.subject: note for note in found.document.notes}
    assert found.forecast is None
    assert notes["demand history"].severity == "warning"
    assert "old" in notes["demand history"].fact


def test_a_selector_that_matches_nothing_is_refused() -> None:
    spec = {"selector": {"matchLabels": {"team": "nobody"}}}
    question = replace(a_question(), terms=terms_of({"spec": spec}, "mine.yaml"))

    with pytest.raises(EmptySelectionError, match=r"mine\.yaml: spec\.selector matches none"):
        answer(question, is_recorded=True)


def test_a_cluster_in_a_file_has_the_files_name() -> None:
    assert cluster_name(Path("/somewhere/cluster.yaml.gz")) == "cluster.yaml.gz"


def test_a_running_cluster_has_the_name_of_its_server(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        """
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "http://127.0.0.1:6443"}}]
users: [{name: me, user: {token: secret}}]
"""
    )

    assert cluster_name(None, kubeconfig) == "http://127.0.0.1:6443"


def test_the_plan_names_the_cluster() -> None:
    question = replace(a_question(), cluster="cluster.yaml")

    assert answer(question, is_recorded=True).document.cluster == "cluster.yaml"
