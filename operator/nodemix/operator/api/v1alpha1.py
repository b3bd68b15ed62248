"""The custom resources of group ``nodemix.dev``, version ``v1alpha1``."""

from nodemix.operator.api.capacity import CommitmentSpec, QuotaSpec
from nodemix.operator.api.conditions import Condition, Conditions, ConditionStatus, ConditionType
from nodemix.operator.api.plan import (
    NodeGroupSpec,
    NodeMixPlanSpec,
    NodeMixPlanStatus,
    PlanSource,
    PolicyRef,
    PoolSpec,
    UnplaceableSpec,
)
from nodemix.operator.api.plan_risk import CapacitySpec, OptionSpec, PoolRiskSpec, RiskSpec
from nodemix.operator.api.policy import (
    ForecastSpec,
    Indicator,
    Mode,
    NodeMixPolicySpec,
    NodeMixPolicyStatus,
    Placement,
    QuerySpec,
)
from nodemix.operator.api.pricebook import (
    ConfigMapSource,
    HttpSource,
    OfferSpec,
    PriceBookSpec,
    PriceBookStatus,
    PriceSource,
    ShapeSpec,
)
from nodemix.operator.api.riskbook import PoolEvidence, SpotRiskBookSpec, SpotRiskBookStatus
from nodemix.operator.api.values import API_VERSION, GROUP, VERSION

__all__ = [
    "API_VERSION",
    "GROUP",
    "VERSION",
    "CapacitySpec",
    "CommitmentSpec",
    "Condition",
    "ConditionStatus",
    "ConditionType",
    "Conditions",
    "ConfigMapSource",
    "ForecastSpec",
    "HttpSource",
    "Indicator",
    "Mode",
    "NodeGroupSpec",
    "NodeMixPlanSpec",
    "NodeMixPlanStatus",
    "NodeMixPolicySpec",
    "NodeMixPolicyStatus",
    "OfferSpec",
    "OptionSpec",
    "Placement",
    "PlanSource",
    "PolicyRef",
    "PoolEvidence",
    "PoolRiskSpec",
    "PoolSpec",
    "PriceBookSpec",
    "PriceBookStatus",
    "PriceSource",
    "QuerySpec",
    "QuotaSpec",
    "RiskSpec",
    "ShapeSpec",
    "SpotRiskBookSpec",
    "SpotRiskBookStatus",
    "UnplaceableSpec",
]
