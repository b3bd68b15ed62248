"""Plain calls to the API server, for what kubectl would change or check on its own."""

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from tools.local_cluster import LocalCluster

Json = dict[str, Any]
NODEMIX = "/apis/nodemix.dev/v1alpha1"
KINDS = {
    "nodemixpolicies": "NodeMixPolicy",
    "nodemixplans": "NodeMixPlan",
    "pricebooks": "PriceBook",
    "spotriskbooks": "SpotRiskBook",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer."""

    code: int
    body: Json

    @property
    def is_accepted(self) -> bool:
        return self.code < 300

    @property
    def message(self) -> str:
        """What a refusal says."""
        return str(self.body.get("message", ""))


@dataclass(frozen=True, slots=True)
class ApiCalls:
    """Calls as the administrator."""

    cluster: LocalCluster

    def create(self, plural: str, name: str, spec: Json, *, is_dry: bool = False) -> Answer:
        body = {
            "apiVersion": "nodemix.dev/v1alpha1",
            "kind": KINDS[plural],
            "metadata": {"name": name},
            "spec": spec,
        }
        query = "?fieldValidation=Strict" + ("&dryRun=All" if is_dry else "")
        return self.call("POST", f"{NODEMIX}/{plural}{query}", body)

    def patch(self, plural: str, name: str, patch: Json, part: str = "") -> Answer:
        path = f"{NODEMIX}/{plural}/{name}{part}"
        return self.call("PATCH", path, patch, "application/merge-patch+json")

    def delete(self, plural: str, name: str) -> Answer:
        return self.call("DELETE", f"{NODEMIX}/{plural}/{name}")

    def call(
        self, method: str, path: str, body: Json | None = None, kind: str = "application/json"
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self.cluster.token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - our own server
            self.cluster.url + path, data=data, method=method, headers=headers
        )
        context = ssl.create_default_context(cafile=str(self.cluster.ca_file))
        try:
            with urllib.request.urlopen(request, context=context) as answer:  # noqa: S310
                return Answer(answer.status, json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, json.load(error))
