"""What the demo's owner asks for."""

from typing import Any

from nodemix.operator.api.values import API_VERSION
from nodemix.operator.demo.demand import STEP_S
from nodemix.operator.demo.workloads import WORKLOADS

POLICY_NAME = "demo"
HORIZON_S = 6 * 3600


def demo_namespaces() -> tuple[str, ...]:
    """The namespaces of the demo's teams, sorted."""
    return tuple(sorted({workload.namespace for workload in WORKLOADS}))


def demo_policy(prometheus_url: str = "") -> dict[str, Any]:
    """A NodeMixPolicy for the demo's namespaces that spreads its bets on spot.

    Its images run on amd64 only, as most people's do.

    Args:
        prometheus_url: where the demand history is; empty plans for the requests as they are.
    """
    spec: dict[str, Any] = {
        "mode": "Recommend",
        "selector": {"namespaces": list(demo_namespaces())},
        "objective": {"spot": {"minOnDemandShare": 0.2, "maxPoolShare": 0.25}},
        "offers": {"architectures": ["amd64"]},
        "forecast": {"horizonSeconds": HORIZON_S, "stepSeconds": int(STEP_S)},
        "searchSeconds": 12,
    }
    if prometheus_url:
        spec["prometheus"] = {"url": prometheus_url}
    return {
        "apiVersion": API_VERSION,
        "kind": "NodeMixPolicy",
        "metadata": {"name": POLICY_NAME},
        "spec": spec,
    }
