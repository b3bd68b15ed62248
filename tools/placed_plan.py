"""A plan on a local cluster: its nodes, and its pods as the real kube-scheduler places them."""

import http.client
import json
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from nodemix.optimizer.catalog.labels import offer_labels
from nodemix.optimizer.packed import Packing
from nodemix.optimizer.placement.dealing import pod_terms
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.steering import Steering, steer
from nodemix.optimizer.placement.unfolded import node_offers
from nodemix.optimizer.problem.types import IntArray, Problem
from nodemix.optimizer.resources import GPU_RESOURCE
from nodemix.optimizer.snapshot import Selector

from tools.local_cluster import LocalCluster, make_node

PLAN_LABEL = "placed-plan/name"
OFFER_LABEL = "placed-plan/offer"
ROW_LABEL = "placed-plan/row"
WORKLOAD_LABEL = "placed-plan/workload"
PATIENCE_S = 180.0
SETTLED_S = 1.0
"""The scheduler hears a moment later than the API server that pods are gone, and tells nobody."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlacedPlan:
    """A plan whose nodes stand ready and are open to its own pods only.

    Args:
        name: of its namespace.
    """

    cluster: LocalCluster
    name: str
    problem: Problem
    packing: Packing

    def pending(self, order: IntArray, steering: Steering) -> IntArray:
        """Create the pods one after the other; those of each row left without a node.

        The pods are gone when this returns.

        Args:
            order: the row of each pod as they are created, shape (pods,).

        Returns:
            Shape (rows,).
        """
        terms = pod_terms(self.problem, steering, order)
        rows = order.tolist()
        pairs = enumerate(zip(rows, terms, strict=True))
        call(self.cluster, "POST", self._path, (self._pod(number, *pair) for number, pair in pairs))
        unbound = self._await(lambda seen: all(map(is_refused, seen)), "spec.nodeName=")
        left = [int(pod["metadata"]["labels"][ROW_LABEL]) for pod in unbound]
        self._clear()
        return np.bincount(np.array(left, np.int64), minlength=len(self.problem.rows))

    @contextmanager
    def served(self) -> Iterator[None]:
        """A Service before each workload's pods: the scheduler does not spread bare ones.

        With those of a Deployment it does as with those of a Service.
        """
        workloads = sorted({row.workload.name for row in self.problem.rows})
        self.cluster.apply([self._service(workload) for workload in workloads])
        time.sleep(SETTLED_S)
        try:
            yield
        finally:
            self.cluster.kubectl("delete", "services", "--all", "-n", self.name)

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.name}/pods"

    def _await(self, accept: Callable[[list[Json]], bool], selector: str = "") -> list[Json]:
        """The pods that the field selector picks, once they are accepted."""
        seen: list[Json] = []
        asked = ("pods", "-n", self.name, f"--field-selector={selector}")

        def is_accepted() -> bool:
            seen[:] = self.cluster.get(*asked)["items"]
            return accept(seen)

        self.cluster.servers.wait("kube-scheduler", is_accepted, PATIENCE_S)
        return seen

    def _clear(self) -> None:
        """Row by row: the API server gives up on thousands of pods in one request."""
        for row in range(len(self.problem.rows)):
            path = f"{self._path}?labelSelector={ROW_LABEL}%3D{row}"
            call(self.cluster, "DELETE", path, [{"gracePeriodSeconds": 0}])
        self._await(lambda seen: not seen)
        time.sleep(SETTLED_S)

    def _pod(self, number: int, row: int, terms: tuple[Selector, ...]) -> Json:
        asked = dict(zip(self.problem.dimensions, self.problem.requests[row].tolist(), strict=True))
        gpus = asked.get(GPU_RESOURCE, 0)
        requests = {"cpu": f"{asked['cpu_milli']}m", "memory": f"{asked['memory_mib']}Mi"}
        if is_limited(self.problem, row):
            requests[place_of(row)] = "1"
        if gpus:
            requests[GPU_RESOURCE] = str(gpus)
        limits = {name: amount for name, amount in requests.items() if "/" in name}
        labels = {ROW_LABEL: str(row), WORKLOAD_LABEL: self.problem.rows[row].workload.name}
        container = {"resources": {"requests": requests, "limits": limits}}
        tolerated = [PLAN_LABEL, GPU_RESOURCE] if gpus else [PLAN_LABEL]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"p{number:05}", "labels": labels},
            "spec": {
                "containers": [{"name": "main", "image": "nothing", **container}],
                "tolerations": [{"key": key, "operator": "Exists"} for key in tolerated],
                "affinity": {"nodeAffinity": self._affinity(row, terms)},
            },
        }

    def _affinity(self, row: int, terms: tuple[Selector, ...]) -> Json:
        """The row's own offers, and within them what the steering allows."""
        offers = {str(o) for o in node_offers(self.packing) if self.problem.compatible[row, o]}
        own = {"key": OFFER_LABEL, "operator": "In", "values": sorted(offers)}
        selected = [
            {"matchExpressions": [own, *_expressions(term)]} for term in terms or (Selector(),)
        ]
        return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": selected}}

    def _service(self, workload: str) -> Json:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"of-{workload}", "namespace": self.name},
            "spec": {
                "selector": {WORKLOAD_LABEL: workload},
                "clusterIP": "None",
                "ports": [{"port": 80}],
            },
        }


@contextmanager
def standing(
    cluster: LocalCluster, name: str, problem: Problem, packing: Packing
) -> Iterator[PlacedPlan]:
    """The plan's nodes, ready, in a namespace of its own."""
    cluster.kubectl("create", "namespace", name)
    own = ("nodes", "-l", f"{PLAN_LABEL}={name}")
    nodes = plan_nodes(name, problem, packing)
    try:
        cluster.apply(nodes)
        cluster.servers.wait(
            "kwok",
            lambda: sum(map(is_ready, cluster.get(*own)["items"])) == len(nodes),
            PATIENCE_S,
        )
        yield PlacedPlan(cluster, name, problem, packing)
    finally:
        call(cluster, "DELETE", f"/api/v1/nodes?labelSelector={PLAN_LABEL}%3D{name}", [{}])
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def call(cluster: LocalCluster, method: str, path: str, bodies: Iterable[Json]) -> None:
    """Send one request after the other over one connection, which is what keeps it short.

    Raises:
        RuntimeError: the API server refuses.
    """
    context = ssl.create_default_context(cafile=str(cluster.ca_file))
    where = urllib.parse.urlsplit(cluster.url)
    headers = {"Authorization": f"Bearer {cluster.token}", "Content-Type": "application/json"}
    connection = http.client.HTTPSConnection(where.netloc, context=context)
    try:
        for body in bodies:
            connection.request(method, path, json.dumps(body), headers)
            with connection.getresponse() as answer:
                said = answer.read()
                if answer.status >= http.client.BAD_REQUEST:
                    raise RuntimeError(f"{method} {path}: {said.decode()}")
    finally:
        connection.close()


def plan_nodes(name: str, problem: Problem, packing: Packing) -> list[Json]:
    """The plan's nodes with the room that the problem gives them, GPU nodes tainted."""
    labels_of = steer(problem, packing, PlacementMode.OBSERVE).node_labels
    limited = [r for r in range(len(problem.rows)) if is_limited(problem, r)]
    places = {place_of(r): str(problem.max_per_node[r]) for r in limited}
    nodes = []
    for number, offer in enumerate(node_offers(packing).tolist()):
        room = dict(zip(problem.dimensions, problem.room[offer].tolist(), strict=True))
        gpus = room.get(GPU_RESOURCE, 0)
        own = {PLAN_LABEL: name, OFFER_LABEL: str(offer), **dict(labels_of[number])}
        taints = [{"key": PLAN_LABEL, "value": name, "effect": "NoSchedule"}]
        if gpus:
            taints.append({"key": GPU_RESOURCE, "value": "true", "effect": "NoSchedule"})
        node = make_node(
            f"{name}-{number}", cpu=f"{room['cpu_milli']}m", memory=f"{room['memory_mib']}Mi",
            pods=room["pods"], gpus=gpus,
            labels={**offer_labels(problem.offers[offer]), **own}, taints=taints,
        )  # fmt: skip
        shown = {**node["status"]["allocatable"], **places}
        node["status"] = {"allocatable": shown, "capacity": shown}
        nodes.append(node)
    return nodes


def is_ready(node: Json) -> bool:
    """Whether Kubernetes has taken away the taints of a node that is new."""
    taints = node["spec"].get("taints", [])
    return not any(taint["key"].startswith("node.kubernetes.io/") for taint in taints)


def is_limited(problem: Problem, row: int) -> bool:
    """Whether a node may hold only some of the row's pods."""
    return bool(problem.max_per_node[row] < problem.rows[row].pods)


def place_of(row: int) -> str:
    """An extended resource that stands for the places a node has for a limited row."""
    return f"placed-plan/row-{row}"


def is_refused(pod: Json) -> bool:
    """Whether the scheduler found no node for the pod."""
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "PodScheduled" and c["status"] == "False" for c in conditions)


def _expressions(term: Selector) -> list[Json]:
    return [
        {"key": asked.key, "operator": asked.operator, "values": list(asked.values)}
        for asked in term.requirements
    ]
