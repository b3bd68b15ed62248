"""What the operator did to the API server, by the API server's own audit log."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from nodemix.operator.cluster.session import USER_AGENT

from tests.control_plane.karpenter import install_claims
from tests.control_plane.operator_process import NAMESPACE, OperatorProcess
from tests.control_plane.scene import Scene, staged
from tests.waiting import wait_for
from tools.local_cluster import OPERATOR_USER, LocalCluster

WRITES = {"create", "update", "patch", "delete", "deletecollection"}
OFFERS = """\
instance_type,zone,capacity_type,usd_h
m5.xlarge,us-east-1a,on-demand,0.192
m5.2xlarge,us-east-1a,on-demand,0.384
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One answered request."""

    group: str
    resource: str
    verb: str
    status: int

    @property
    def right(self) -> tuple[str, str, str]:
        return self.group, self.resource, self.verb


@pytest.fixture(scope="module")
def calls(installed: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """Everything that one operator asked for in its life, from start to shutdown."""
    folder = tmp_path_factory.mktemp("operator")
    lease = ("lease", "nodemix-operator", "-n", NAMESPACE)
    installed.kubectl("delete", *lease, "--ignore-not-found")  # of an operator before this one
    installed.kubectl("delete", "spotriskbooks", "--all")
    install_claims(installed)
    earlier = len(installed.audit_events())
    with (
        staged(installed, "rights") as scene,
        OperatorProcess(installed.operator_kubeconfig, folder, plans_kept="1") as operator,
    ):
        live_a_life(scene)
        assert operator.terminate() == 0
    return [to_call(event) for event in installed.audit_events()[earlier:] if is_ours(event)]


def live_a_life(scene: Scene) -> None:
    """A decision, a changed one, and the removal of the plan that was one too many."""
    scene.nodes(3, "m5.2xlarge", {"cpu": "7910m", "memory": "30Gi"})
    scene.deploy("web", 4, cpu="500m", memory="1Gi")
    scene.config_map("prices-of-rights", **{"offers.csv": OFFERS})
    source = {"namespace": NAMESPACE, "name": "prices-of-rights"}
    scene.price_book("rights", source={"configMap": source})
    scene.policy(catalogRef={"name": "rights"})
    first = scene.await_plan()["metadata"]["name"]
    scene.deploy("web", 20, cpu="500m", memory="1Gi")
    scene.await_plan(than=first)
    plans = ("nodemixplans", "-l", "nodemix.dev/policy=rights")
    wait_for(lambda: scene.cluster.get(*plans)["items"], lambda found: len(found) == 1)


def is_ours(event: dict[str, Any]) -> bool:
    """Whether the operator's process asked; kubectl may use its account in other tests."""
    is_agent = str(event.get("userAgent", "")).startswith(USER_AGENT)
    return event["user"]["username"] == OPERATOR_USER and is_agent and "objectRef" in event


def to_call(event: dict[str, Any]) -> Call:
    target = event["objectRef"]
    part = f"/{target['subresource']}" if "subresource" in target else ""
    return Call(
        target.get("apiGroup", ""),
        f"{target['resource']}{part}",
        event["verb"],
        event["responseStatus"]["code"],
    )


def granted(repository: Path) -> set[tuple[str, str, str]]:
    """What the shipped roles allow, as (group, resource, verb)."""
    rights = set()
    for name in ("cluster-role.yaml", "role.yaml"):
        for document in yaml.safe_load_all((repository / "manifests/rbac" / name).read_text()):
            for rule in document.get("rules", ()):
                assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
                rights |= {
                    (group, resource, verb)
                    for group in rule["apiGroups"]
                    for resource in rule["resources"]
                    for verb in rule["verbs"]
                }
    return rights


def test_only_own_objects_events_and_the_lease_are_written(calls: list[Call]) -> None:
    written = {(call.group, call.resource) for call in calls if call.verb in WRITES}

    assert written == {
        ("nodemix.dev", "nodemixplans"),
        ("nodemix.dev", "nodemixpolicies/status"),
        ("nodemix.dev", "pricebooks/status"),
        ("nodemix.dev", "spotriskbooks"),
        ("nodemix.dev", "spotriskbooks/status"),
        ("events.k8s.io", "events"),
        ("coordination.k8s.io", "leases"),
    }


def test_nothing_is_refused(calls: list[Call]) -> None:
    assert [call for call in calls if call.status in (401, 403)] == []


def test_every_right_is_used(calls: list[Call], repository: Path) -> None:
    assert {call.right for call in calls} == granted(repository)


def test_nothing_fails_but_what_is_absent(calls: list[Call]) -> None:
    """Conflicts and server errors would show two writers, or objects that the API refuses."""
    unwanted = [call for call in calls if call.status >= 400]

    assert {(call.resource, call.verb, call.status) for call in unwanted} <= {
        ("leases", "get", 404),
        ("spotriskbooks", "get", 404),
        ("pods", "list", 404),  # of metrics.k8s.io
        # The API server is not ready for a new kind at once, and says to come again.
        ("nodemixpolicies", "list", 429),
        ("pricebooks", "list", 429),
    }
