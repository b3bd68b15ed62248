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
    RiskSpec,
    UnplaceableSpec,
)
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
from nodemix.operator.api.values import API_VERSION, GROUP, VERSION

__all__ = [
    "API_VERSION",
    "GROUP",
    "VERSION",
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
    "Placement",
    "PlanSource",
    "PolicyRef",
    "PoolSpec",
    "PriceBookSpec",
    "PriceBookStatus",
    "PriceSource",
    "QuerySpec",
    "QuotaSpec",
    "RiskSpec",
    "ShapeSpec",
    "UnplaceableSpec",
]
