"""A part of the shared cluster that belongs to one test: nodes, workloads, prices, policies."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.waiting import wait_for
from tools.local_cluster import LocalCluster, make_node

LABEL = "scene"
DECISION_S = 120.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything carries the namespace as a label, so that it can be taken away.

    Nodes repel the pods of other scenes by a taint: a node selector would ask for a label that no
    offer has.
    """

    cluster: LocalCluster
    namespace: str

    def nodes(self, count: int, instance_type: str, room: Mapping[str, Any], **labels: str) -> None:
        """Add ready on-demand nodes; ``room`` is what ``make_node`` takes."""
        number = len(self.cluster.get("nodes", "-l", self._own)["items"])
        standard = {
            LABEL: self.namespace,
            "node.kubernetes.io/instance-type": instance_type,
            "topology.kubernetes.io/zone": "us-east-1a",
            "karpenter.sh/capacity-type": "on-demand",
        }
        taint = {"key": LABEL, "value": self.namespace, "effect": "NoSchedule"}
        names = [f"{self.namespace}-{number + i}" for i in range(count)]
        self.cluster.apply(
            [make_node(n, labels={**standard, **labels}, taints=[taint], **room) for n in names]
        )

    def deploy(self, name: str, replicas: int, **requests: str) -> None:
        """Add or scale a Deployment."""
        self.cluster.apply([self._deployment(name, replicas, requests)])

    def config_map(self, name: str, **data: str) -> None:
        """Add a ConfigMap where the operator may read it."""
        metadata = {**self._metadata(name), "namespace": "nodemix-system"}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        self.cluster.apply([{**body, "data": data}])

    def price_book(self, name: str, **spec: Any) -> None:
        """Add or replace a PriceBook."""
        self._apply_own("PriceBook", name, spec)

    def policy(self, name: str = "", **spec: Any) -> str:
        """Add or replace a policy over this namespace; its name."""
        name = name or self.namespace
        selector = {"namespaces": [self.namespace]}
        quick = {"selector": selector, "intervalSeconds": 5, "searchSeconds": 1}
        self._apply_own("NodeMixPolicy", name, {**quick, **spec})
        return name

    def await_pods(self, count: int, phase: str = "Running") -> None:
        """Wait until this many pods are in ``phase``."""
        found = wait_for(lambda: self._phases().count(phase), lambda n: n == count)
        assert found == count, self._phases()

    def await_condition(
        self, kind: str, reason: str, name: str = "", plural: str = "nodemixpolicies"
    ) -> Json:
        """The condition once it has the reason; fails with what is there instead."""
        name = name or self.namespace
        found = self.await_object(
            plural, name, lambda seen: condition(seen, kind).get("reason") == reason
        )
        assert condition(found, kind).get("reason") == reason, found.get("status")
        return condition(found, kind)

    def await_object(self, plural: str, name: str, accept: Callable[[Json], bool]) -> Json:
        """The object once it is accepted, or as it was last; nobody waits out a crash."""
        return wait_for(
            lambda: self.cluster.get(plural, name),
            lambda seen: accept(seen) or condition(seen, "Ready").get("reason") == "Crashed",
            DECISION_S,
        )

    def await_plan(self, name: str = "", than: str = "") -> Json:
        """The plan that the policy's status names, once it is another than ``than``."""
        policy = self.await_object(
            "nodemixpolicies",
            name or self.namespace,
            lambda seen: seen.get("status", {}).get("planName", than) != than,
        )
        plan_name = policy.get("status", {}).get("planName")
        assert plan_name not in (None, than), policy.get("status")
        return self.cluster.get("nodemixplans", plan_name)

    def clear(self) -> None:
        """Take away what no namespace holds; nodes are gone when this returns."""
        kinds = "nodemixpolicies,pricebooks,nodes"
        self.cluster.kubectl("delete", kinds, "-l", self._own, "--ignore-not-found")
        maps = ("configmaps", "-n", "nodemix-system", "-l", self._own)
        self.cluster.kubectl("delete", *maps, "--wait=false")

    @property
    def _own(self) -> str:
        return f"{LABEL}={self.namespace}"

    def _metadata(self, name: str) -> Json:
        return {"name": name, "labels": {LABEL: self.namespace}}

    def _apply_own(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        body = {"apiVersion": "nodemix.dev/v1alpha1", "kind": kind, "spec": dict(spec)}
        self.cluster.apply([{**body, "metadata": self._metadata(name)}])

    def _phases(self) -> list[str]:
        pods = self.cluster.get("pods", "-n", self.namespace)["items"]
        return [pod["status"].get("phase", "") for pod in pods]

    def _deployment(self, name: str, replicas: int, requests: Mapping[str, str]) -> Json:
        labels = {"app": name}
        gpus = {k: v for k, v in requests.items() if "/" in k}
        resources: Json = {"requests": dict(requests), **({"limits": gpus} if gpus else {})}
        container = {"name": "main", "image": "nothing", "resources": resources}
        tolerations = [{"key": LABEL, "value": self.namespace}, {"key": "nvidia.com/gpu"}]
        pod = {
            "containers": [container],
            "tolerations": [
                {**t, "operator": "Equal" if "value" in t else "Exists"} for t in tolerations
            ],
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }


@contextmanager
def staged(cluster: LocalCluster, namespace: str) -> Iterator[Scene]:
    """A scene of several tests, in a namespace of its own."""
    cluster.kubectl("create", "namespace", namespace)
    scene = Scene(cluster, namespace)
    try:
        yield scene
    finally:
        scene.clear()
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def condition(obj: Json, kind: str) -> Json:
    """The condition of that type; empty where there is none."""
    conditions = obj.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == kind), {})
