"""``SpotRiskBook``: what the operator has learned of its cluster, kept over restarts."""

from nodemix.operator.api.conditions import Conditions, Moment
from nodemix.operator.api.rules import ApiModel, StatusModel
from nodemix.operator.api.values import Count, Percent, Word
from pydantic import Field

RISK_BOOK_NAME = "cluster"
MAX_DATA = 393_216
"""Characters; the evidence of 500 pools takes about a fifth of it, and etcd accepts 1.5 MiB."""
POOLS_SHOWN = 20


class SpotRiskBookSpec(ApiModel):
    """What the operator has learned of the cluster's spot pools; delete it to start afresh."""


class PoolEvidence(StatusModel):
    """A spot pool; recent evidence counts more, and half of it is forgotten in three days."""

    instance_type: Word
    """Instance type, e.g. m7g.xlarge."""
    zone: Word
    """Zone, as the label topology.kubernetes.io/zone spells it."""
    hours: float = Field(ge=0)
    """Hours watched with at least one node, discounted."""
    shocks: float = Field(ge=0)
    """Events in which it lost nodes, discounted."""
    shocks_per_day: float = Field(ge=0)
    """Expected from all that is known, other pools included."""
    share_lost_percent: Percent = Field(ge=0)
    """Expected share of its nodes that such an event takes."""
    scarcity: float = Field(default=0.0, ge=0, le=1)
    """1 right after the provider had nothing to sell, half of it two hours later."""


class SpotRiskBookStatus(StatusModel):
    """The evidence, for people and for the operator."""

    conditions: Conditions = Field(default=(), max_length=16)
    """What holds and what does not, each with its reason and what to do."""
    pools_watched: Count | None = None
    """Spot pools with a node now."""
    hours_watched: float | None = Field(default=None, ge=0)
    """Pool-hours, all that were ever watched."""
    shocks: Count | None = None
    """Events in which a pool lost nodes, ever."""
    nodes_reclaimed: Count | None = None
    """Spot nodes taken back, ever."""
    stock_outs: Count | None = None
    """Times that a spot pool had nothing to sell, ever."""
    stock_outs_unattributed: Count | None = None
    """Times that something could not be had and nobody said of which pool, ever."""
    boots: Count | None = None
    """Nodes whose boot was timed and is remembered."""
    boot_median_seconds: float | None = Field(default=None, ge=0)
    """From a node's joining until it was ready, half of the time."""
    pools: tuple[PoolEvidence, ...] = Field(default=(), max_length=POOLS_SHOWN)
    """The pools that are hit most often, worst first."""
    updated_at: Moment | None = None
    """When this was written."""
    data: str | None = Field(default=None, max_length=MAX_DATA)
    """All of the evidence as JSON, for the operator."""
