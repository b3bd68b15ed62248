"""Settings of the operator process, from its environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

PREFIX = "NODEMIX_"


class Settings(BaseModel):
    """Settings of the operator process.

    Each is read from ``NODEMIX_<NAME>``; what is not set keeps its default.

    Args:
        kubeconfig: None uses the pod's service account, else the current context's file.
        namespace: where the leader lease and the operator's own events live.
        prometheus_url: default for policies that name none; empty means there is none.
        leader_election: off for a single process, on a laptop or in a test.
        view_limit_s: age past which the cluster view is too old to decide on.
        plans_kept: NodeMixPlans kept for each policy; older unapproved ones are removed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kubeconfig: Path | None = None
    namespace: str = "nodemix-system"
    identity: str = "nodemix"
    prometheus_url: str = ""
    metrics_port: int = Field(default=9090, ge=0, le=65535)
    health_port: int = Field(default=8080, ge=0, le=65535)
    log_level: str = "info"
    leader_election: bool = True
    view_limit_s: float = Field(default=120.0, gt=0)
    decision_timeout_s: float = Field(default=120.0, gt=0)
    plans_kept: int = Field(default=10, ge=1)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read ``NODEMIX_*``; unknown names are ignored, bad values are named by pydantic."""
        names = {f"{PREFIX}{name.upper()}": name for name in cls.model_fields}
        return cls.model_validate(
            {names[key]: value for key, value in environment.items() if key in names and value}
        )
