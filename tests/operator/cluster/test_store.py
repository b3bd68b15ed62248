import pytest
from nodemix.operator.cluster.store import SnapshotStore, snapshot_of
from nodemix.operator.errors import SnapshotFileError
from nodemix.optimizer.snapshot import Note

from tests.api_objects import (
    make_claim_object,
    make_node_object,
    make_pod_object,
    make_refusal_object,
)

LABELS = {"labels": {"app": "web"}}


def names(store: SnapshotStore) -> list[str]:
    return [pod.name for pod in store.snapshot(0.0).pods]


def store_of(*pods: str) -> SnapshotStore:
    store = SnapshotStore()
    store.replace("Pod", [make_pod_object(name) for name in pods])
    return store


def test_new_state_of_an_object_replaces_the_old_one() -> None:
    store = store_of("a")
    store.upsert("Pod", make_pod_object("a", node_name="node-1"))

    assert [pod.node_name for pod in store.snapshot(0.0).pods] == ["node-1"]


def test_same_name_in_two_namespaces_is_two_objects() -> None:
    store = store_of("a")
    store.upsert("Pod", make_pod_object("a", namespace="other"))

    assert store.count("Pod") == 2


def test_object_is_deleted_by_its_name_and_an_unknown_one_is_no_error() -> None:
    store = store_of("a", "b")
    store.delete("Pod", make_pod_object("a"))
    store.delete("Pod", make_pod_object("never seen"))

    assert names(store) == ["b"]


def test_replacing_forgets_what_is_not_listed_of_that_kind_only() -> None:
    store = store_of("a", "b")
    store.upsert("Node", make_node_object("node-1"))
    store.replace("Pod", [make_pod_object("c")])

    assert names(store) == ["c"]
    assert store.count("Node") == 1


def test_snapshot_does_not_change_when_the_store_does() -> None:
    store = store_of("a")
    before = store.snapshot(0.0)
    store.upsert("Pod", make_pod_object("b"))

    assert [pod.name for pod in before.pods] == ["a"]


def test_equal_pods_share_one_template_however_they_arrive() -> None:
    store = SnapshotStore()
    store.replace("Pod", [make_pod_object(n, owner=("Job", "j"), metadata=LABELS) for n in "ab"])
    store.upsert("Pod", make_pod_object("c", owner=("Job", "j"), metadata=LABELS))

    assert len({id(pod.template) for pod in store.snapshot(0.0).pods}) == 1


def test_shapes_that_no_pod_has_any_more_are_forgotten_at_the_next_list() -> None:
    store = SnapshotStore()
    for milli in range(50):
        store.upsert("Pod", make_pod_object("a", requests={"cpu": f"{milli}m"}))
    store.replace("Pod", [make_pod_object("a")])

    assert len(store._shapes) == 1


def test_unreadable_object_is_left_out_and_noted() -> None:
    store = store_of("a")
    store.upsert("Pod", {**make_pod_object("b"), "spec": None})

    assert names(store) == ["a"]
    (note,) = store.snapshot(0.0).notes
    assert (note.subject, note.severity) == ("default/Pod/b", "error")
    assert "cannot be read (" in note.fact


def test_unreadable_new_state_takes_the_old_one_away() -> None:
    store = store_of("a")
    store.upsert("Pod", {**make_pod_object("a"), "spec": []})

    assert names(store) == []
    assert len(store.snapshot(0.0).notes) == 1


@pytest.mark.parametrize("end", ["delete", "correct", "replace"])
def test_note_goes_when_its_object_is_deleted_or_corrected(end: str) -> None:
    store = SnapshotStore()
    store.upsert("Node", {**make_node_object("n"), "status": "broken"})
    assert store.snapshot(0.0).notes[0].subject == "Node/n"

    if end == "delete":
        store.delete("Node", make_node_object("n"))
    elif end == "correct":
        store.upsert("Node", make_node_object("n"))
    else:
        store.replace("Node", [])

    assert store.snapshot(0.0).notes == ()


def test_kinds_that_no_decision_needs_are_counted() -> None:
    service = {"kind": "Service", "metadata": {"name": "s"}}
    found = snapshot_of([service, service, make_pod_object()], 0.0)

    assert found.notes == (Note("Service", "2 objects are not used"),)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"kind": "Pod"},
        {"kind": "Pod", "metadata": {}},
        {"metadata": {"name": "a"}},
        {"kind": "Pod", "metadata": {"name": 7}},
        {"kind": "Pod", "metadata": "a"},
    ],
)
def test_object_without_kind_or_name_is_named_by_its_place(wrong: dict[str, object]) -> None:
    with pytest.raises(SnapshotFileError, match="object 2: has no kind or no name; give each"):
        snapshot_of([make_pod_object(), wrong], 0.0)


def test_look_shows_the_nodes_and_the_last_state_of_those_deleted() -> None:
    store = SnapshotStore()
    store.replace("Node", [make_node_object("a"), make_node_object("b")])
    store.delete("Node", make_node_object("a", unschedulable=True))
    store.delete("Node", make_node_object("never seen"))
    look = store.look(7.0)

    assert (look.at_s, [record.node.name for record in look.nodes]) == (7.0, ["b"])
    gone = {record.node.name: record.node.is_leaving for record in look.departed}
    assert gone == {"a": True, "never seen": False}


def test_deleted_node_that_cannot_be_read_is_no_departure() -> None:
    store = SnapshotStore()
    store.delete("Node", {**make_node_object("a"), "spec": {"taints": 3}})

    assert store.look(0.0).departed == ()
    assert store.snapshot(0.0).notes == ()


def test_event_marks_the_node_that_it_is_about_gone_or_not() -> None:
    store = SnapshotStore()
    store.replace("Node", [make_node_object("a"), make_node_object("b"), make_node_object("c")])
    about = [{"kind": "Node", "name": name} for name in ("a", "b")]
    events = [{"metadata": {"name": o["name"]}, "reason": "SpotInterrupted"} for o in about]
    for event, node in zip(events, about, strict=True):
        store.upsert("Event", {**event, "involvedObject": node})
    store.delete("Node", make_node_object("a"))
    look = store.look(0.0)

    marks = {r.node.name: str(r.departure) for r in (*look.nodes, *look.departed)}
    assert marks == {"a": "reclaimed", "b": "reclaimed", "c": "none"}
    store.delete("Event", {"metadata": {"name": "b"}})
    assert {str(record.departure) for record in store.look(0.0).nodes} == {"none"}


def test_refusal_is_told_with_its_claim_though_that_was_deleted_at_once() -> None:
    store = SnapshotStore()
    store.upsert("NodeClaim", make_claim_object("gpu-1", zones=["z1"]))
    store.delete("NodeClaim", make_claim_object("gpu-1", zones=["z1"]))
    store.upsert("Refusal", make_refusal_object("gpu-1", "no capacity"))
    store.upsert("Refusal", make_refusal_object("never-seen", "no capacity"))
    store.upsert("Refusal", {"metadata": {"name": "e"}, "reason": "Scheduled"})

    told = {refusal.claim_name: refusal for refusal in store.look(0.0).refusals}
    assert {name: refusal.claim is None for name, refusal in told.items()} == {
        "gpu-1": False,
        "never-seen": True,
    }
    assert told["gpu-1"].claim is not None
    assert told["gpu-1"].claim.zones == ("z1",)


def test_claim_of_the_same_name_that_is_there_is_preferred_to_one_that_went() -> None:
    store = SnapshotStore()
    store.delete("NodeClaim", make_claim_object("gpu-1", zones=["z1"]))
    store.upsert("NodeClaim", make_claim_object("gpu-1", zones=["z2"]))
    store.upsert("Refusal", make_refusal_object("gpu-1", "no capacity"))

    (refusal,) = store.look(0.0).refusals
    assert refusal.claim is not None
    assert refusal.claim.zones == ("z2",)


def test_claim_that_waits_complains_until_it_is_launched_or_gone() -> None:
    store = SnapshotStore()
    store.upsert("NodeClaim", make_claim_object("gpu-1", launched=("Unknown", "no capacity")))

    (refusal,) = store.look(0.0).refusals
    assert (refusal.message, refusal.at_s, refusal.is_final) == ("no capacity", None, False)
    store.upsert("NodeClaim", make_claim_object("gpu-1", launched=("True", "")))
    assert store.look(0.0).refusals == ()


def test_claim_that_cannot_be_read_hides_nothing_and_troubles_no_decision() -> None:
    store = SnapshotStore()
    store.upsert("NodeClaim", {"metadata": {"name": "a"}, "spec": 3})

    assert store.look(0.0).refusals == ()
    assert store.snapshot(0.0).notes == ()
