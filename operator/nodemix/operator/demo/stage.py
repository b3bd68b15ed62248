"""Objects of the demo on a real API server: put there, and taken away again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
import orjson
import yaml
from nodemix.operator.api.crd import crds_yaml
from nodemix.operator.demo.objects import DEMO_LABEL
from nodemix.operator.demo.policy import demo_namespaces
from nodemix.operator.errors import DemoError
from nodemix.operator.objects import MERGE_PATCH, ObjectWriter

Json = dict[str, Any]

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
NODES = "/api/v1/nodes/"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
BEAT_S = 10.0
POLL_S = 0.3


def collection_path(obj: Json) -> str:
    """Where the API server creates objects like ``obj``."""
    group = obj["apiVersion"]
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    namespace = obj["metadata"].get("namespace")
    inside = f"/namespaces/{namespace}" if namespace else ""
    kind = obj["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return f"{root}{inside}/{plural}"


async def until(check: Callable[[], Awaitable[bool]], timeout_s: float) -> bool:
    """Whether ``check`` came true in time."""
    deadline_s = time.monotonic() + timeout_s
    while not await check():
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(POLL_S)
    return True


def on_demo_nodes(controller: Json) -> Json:
    """The controller with its pods bound to nodes of the demo's kind.

    A kind cluster has nodes of its own, without prices; the demo's pods are not for them.
    """
    requirement = {"key": "karpenter.k8s.aws/instance-family", "operator": "Exists"}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}
    spec = controller["spec"]
    template = spec["template"]
    pod = template["spec"]
    affinity = {
        **pod.get("affinity", {}),
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms},
    }
    template = {**template, "spec": {**pod, "affinity": affinity}}
    return {**controller, "spec": {**spec, "template": template}}


def cpu_milli_of(controller: Json) -> int:
    """What one pod of a demo controller asks for."""
    (container,) = controller["spec"]["template"]["spec"]["containers"]
    return int(container["resources"]["requests"]["cpu"].removesuffix("m"))


@dataclass(slots=True)
class Stage:
    """What the demo has put onto a cluster; only that is taken away again.

    Args:
        patience_s: for a definition to be served, and for pods to end.
    """

    writer: ObjectWriter
    session: aiohttp.ClientSession
    patience_s: float = 30.0
    _made: list[str] = field(default_factory=list)

    async def refuse_strangers(self) -> None:
        """Go on only where every namespace of the demo is free or left over from a demo.

        Raises:
            DemoError: a namespace belongs to somebody else.
        """
        for name in demo_namespaces():
            path = f"/api/v1/namespaces/{name}"
            if await self.writer.get(path) is not None and not await self._is_ours(path):
                raise DemoError(
                    f"Namespace/{name}",
                    "exists already and is not the demo's",
                    "show the demo on another cluster",
                )

    async def put(self, objects: Sequence[Json]) -> None:
        """Create ``objects``; those that are there already stay as they are."""
        for obj in objects:
            collection = collection_path(obj)
            path = f"{collection}/{obj['metadata']['name']}"
            created = await self.writer.create(collection, obj)
            if created is not None or await self._is_ours(path):
                self._made.append(path)

    async def put_crds(self) -> None:
        """Create the custom resource definitions that are missing and wait until they serve.

        Raises:
            DemoError: the API server does not serve one of them.
        """
        definitions = list(yaml.safe_load_all(crds_yaml()))
        await self.put(definitions)
        for definition in definitions:
            name = definition["metadata"]["name"]
            path = f"{collection_path(definition)}/{name}"
            if not await until(partial(self._is_served, path), self.patience_s):
                raise DemoError(name, "is not established", "see the API server's log")

    async def put_policy(self, policy: Json) -> str:
        """Create the policy; where it is served.

        Raises:
            DemoError: there is one of that name, which is not the demo's to replace.
        """
        collection, name = collection_path(policy), policy["metadata"]["name"]
        path = f"{collection}/{name}"
        if await self.writer.create(collection, policy) is None:
            raise DemoError(
                f"NodeMixPolicy/{name}", "exists already", f"kubectl delete nodemixpolicy {name}"
            )
        self._made.append(path)
        return path

    async def bound_pods(self) -> tuple[int, int]:
        """Pods of the demo that have a node, and all of them."""
        listed = await self.writer.get(f"/api/v1/pods?labelSelector={DEMO_LABEL}=true") or {}
        pods = listed.get("items") or []
        return sum("nodeName" in pod["spec"] for pod in pods), len(pods)

    async def keep_alive(self, nodes: Sequence[Json]) -> None:
        """Renew the leases of nodes that no kubelet, real or played, looks after; never ends."""
        await asyncio.sleep(BEAT_S)
        listed = await self.writer.get(LEASES) or {}
        cared_for = {lease["metadata"]["name"] for lease in listed.get("items") or ()}
        alone = sorted({node["metadata"]["name"] for node in nodes} - cared_for)
        await self.put([_lease(name) for name in alone])
        while True:
            await asyncio.sleep(BEAT_S)
            for name in alone:
                await self._renew(name)

    async def clear(self) -> None:
        """Take away what was put: pods are given time to end before their nodes go."""
        made, self._made = self._made[::-1], []
        nodes = [path for path in made if path.startswith(NODES)]
        definitions = [path for path in made if path.startswith(DEFINITIONS)]
        for path in made:
            if path not in nodes and path not in definitions:
                await self.writer.delete(path)
        if nodes:
            await until(self._no_pods, self.patience_s)
        for path in (*nodes, *definitions):
            await self.writer.delete(path)
        for path in definitions:
            await until(partial(self._is_gone, path), self.patience_s)

    async def _no_pods(self) -> bool:
        return (await self.bound_pods())[1] == 0

    async def _is_served(self, path: str) -> bool:
        found = await self.writer.get(path) or {}
        conditions = (found.get("status") or {}).get("conditions") or ()
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    async def _is_gone(self, path: str) -> bool:
        return await self.writer.get(path) is None

    async def _is_ours(self, path: str) -> bool:
        found = await self.writer.get(path) or {}
        return DEMO_LABEL in ((found.get("metadata") or {}).get("labels") or {})

    async def _renew(self, name: str) -> None:
        url = f"{self.writer.url}{LEASES}/{name}"
        patch = orjson.dumps({"spec": {"renewTime": _now()}})
        headers = {"Content-Type": MERGE_PATCH}
        with suppress(aiohttp.ClientError, TimeoutError):  # the next beat makes up for it
            async with self.session.patch(url, data=patch, headers=headers):
                pass


def _lease(name: str) -> Json:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease", "labels": {DEMO_LABEL: "true"}},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": _now()},
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
