"""One operator speaks at a time: a lease in the API server.

Peering of operators is no election (equal priorities freeze both), a lease is. The holder renews
it well before it expires; whoever reads an expired one takes over. Writes are refused as soon as
the own lease could have expired by our own clock.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from nodemix.operator.errors import ConnectionFailedError
from nodemix.operator.objects import Manifest, ObjectWriter

LEASE_NAME = "nodemix-operator"
DURATION_S = 15.0
RENEW_S = 5.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Leadership:
    """Holds, or waits for, the lease.

    Args:
        writer: without a leadership check of its own: the lease itself must be written.
        identity: of this process, unique.
        clock: seconds, monotonic; judges how long the own lease still holds.
        now: wall clock, written into the lease for the others.
        problem: why the lease could neither be held nor be seen in other hands; empty if it could.
    """

    writer: ObjectWriter
    namespace: str
    identity: str
    clock: Callable[[], float]
    now: Callable[[], datetime]
    problem: str = ""
    _held_until_s: float = float("-inf")
    _seen: tuple[object, float] = (None, float("-inf"))

    @property
    def is_leader(self) -> bool:
        """Whether the lease cannot have been taken by another yet."""
        return self.clock() < self._held_until_s

    async def hold(self) -> None:
        """Try to get and keep the lease until cancelled."""
        while True:
            # Nothing to do on a failure: is_leader turns False by itself when the lease runs out.
            was_leader, problem = self.is_leader, self.problem
            try:
                await self.try_once()
            except ConnectionFailedError as err:
                self.problem = str(err)
            if (self.is_leader, self.problem) != (was_leader, problem):
                log.info("Leadership", leads=self.is_leader, problem=self.problem)
            await asyncio.sleep(RENEW_S)

    async def release(self) -> None:
        """Give the lease up, so that the next one need not wait for its end."""
        if not self.is_leader:
            return
        self._held_until_s = float("-inf")
        lease = await self.writer.get(f"{self._path}/{LEASE_NAME}")
        if lease is not None and lease.get("spec", {}).get("holderIdentity") == self.identity:
            lease["spec"]["holderIdentity"] = ""
            await self.writer.replace(f"{self._path}/{LEASE_NAME}", lease)

    async def try_once(self) -> bool:
        """Renew or take the lease if possible; whether this process now leads."""
        asked_s = self.clock()
        lease = await self.writer.get(f"{self._path}/{LEASE_NAME}")
        self.problem = ""
        if lease is None:
            written = await self.writer.create(self._path, self._lease({}))
            if written is None:
                self.problem = f"no lease can be created; does namespace {self.namespace} exist?"
        elif self._may_take(lease):
            written = await self.writer.replace(f"{self._path}/{LEASE_NAME}", self._lease(lease))
        else:
            return False
        if written is not None:
            self._held_until_s = asked_s + DURATION_S
        return written is not None

    @property
    def _path(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"

    def _may_take(self, lease: Manifest) -> bool:
        """Ours, given up, or unchanged for longer than it lasts by our own clock."""
        spec = lease.get("spec", {})
        if spec.get("holderIdentity") in (self.identity, "", None):
            return True
        version = lease["metadata"].get("resourceVersion")
        if version != self._seen[0]:
            self._seen = (version, self.clock())
            return False
        return self.clock() - self._seen[1] > float(spec.get("leaseDurationSeconds", DURATION_S))

    def _lease(self, old: Manifest) -> Manifest:
        """The lease as this process writes it; the old version makes a lost race visible."""
        stamp = self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = old.get("spec", {})
        is_ours = spec.get("holderIdentity") == self.identity
        metadata = {"name": LEASE_NAME, "namespace": self.namespace}
        if old:
            metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": int(DURATION_S),
                "acquireTime": spec.get("acquireTime", stamp) if is_ours else stamp,
                "renewTime": stamp,
                "leaseTransitions": int(spec.get("leaseTransitions", 0)) + (not is_ours),
            },
        }
