"""A small fixed recommendation whose every part is in use."""

from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import CohortQuota, PlannedSteering, WorkloadAffinity
from nodemix.optimizer.plan import (
    PlacedCost,
    PlacedCosts,
    PlannedNodes,
    PoolChange,
    PoolMargins,
    Prices,
    Recommendation,
    Risk,
    RunnerUp,
    Savings,
    Unplaceable,
    WorkloadDemand,
)
from nodemix.optimizer.snapshot import CapacityType, Note, Requirement, Selector, WorkloadKey

CART = WorkloadKey("shop", "Deployment", "cart")
TRAIN = WorkloadKey("ml", "Job", "train")
TO_COHORT = Requirement("nodemix.dev/cohort", "In", ("c0",))
MADE_AT_S = 1_795_000_000.0
"""2026-11-18T11:06:40Z."""


def a_recommendation() -> Recommendation:
    """Two careless nodes become one cheap one; one job finds no place."""
    return Recommendation(
        policy="default",
        made_at_s=MADE_AT_S,
        is_change=True,
        nodes=(
            PlannedNodes(
                "c7g.xlarge",
                "us-east-1b",
                CapacityType.SPOT,
                2,
                ((CART, 5),),
                price_usd_per_hour=0.0600000004,
                headroom=((CART, 1),),
                cohort="c0",
            ),
            PlannedNodes(
                "m5.large",
                "us-east-1a",
                CapacityType.ON_DEMAND,
                1,
                (),
                price_usd_per_hour=None,
                kept_nodes=("node-1",),
            ),
        ),
        pools=(
            PoolChange(
                "m5.2xlarge",
                "us-east-1a",
                CapacityType.ON_DEMAND,
                nodes_now=2,
                nodes_plan=0,
                price_usd_per_hour=0.384,
                why="half empty: 31 % of its vCPUs are requested",
            ),
            PoolChange(
                "c7g.xlarge",
                "us-east-1b",
                CapacityType.SPOT,
                nodes_now=0,
                nodes_plan=2,
                price_usd_per_hour=0.06,
                why="cheapest room for shop/Deployment/cart <1 of 5 pods a node>",
                margins=PoolMargins(
                    node_more_usd_per_hour=0.0031,
                    node_less_usd_per_hour=-0.0124,
                    runner_up=RunnerUp(
                        "c6g.xlarge",
                        "us-east-1a",
                        CapacityType.SPOT,
                        price_usd_per_hour=0.0712,
                        break_even_usd_per_hour=0.0600000004,
                    ),
                ),
            ),
            PoolChange(
                "m5.large",
                "us-east-1a",
                CapacityType.ON_DEMAND,
                nodes_now=1,
                nodes_plan=1,
                price_usd_per_hour=None,
                why="kept: its pods cannot be modelled",
            ),
        ),
        current_usd_per_hour=0.768,
        plan_usd_per_hour=0.12,
        lower_bound_usd_per_hour=0.1187654399,
        risk=Risk(
            shortfall_probability=0.004,
            spot_share=0.8,
            worst_pool_share=0.8,
            interruptions_per_day=0.1234567,
        ),
        prices=Prices(
            usd_per_core_hour=0.0123,
            usd_per_gib_hour=0.0011,
            caps=(("budget.usdPerHour", 0.5),),
        ),
        savings=Savings(
            spot_usd_per_hour=0.1640000004,
            shape_usd_per_hour=0.12,
            packing_usd_per_hour=0.3839999996,
            waiting_usd_per_hour=0.0,
            headroom_usd_per_hour=-0.02,
        ),
        placed=PlacedCosts(
            PlacementMode.COHORT,
            (
                PlacedCost(PlacementMode.OBSERVE, 0.1800000004, 0.012, draws=8),
                PlacedCost(PlacementMode.POOL, 0.1512, 0.0071, draws=7),
                PlacedCost(PlacementMode.COHORT, 0.1236, 0.0, draws=8),
                PlacedCost(PlacementMode.PINNED, 0.12, 0.0, draws=0),
            ),
        ),
        steering=PlannedSteering(
            PlacementMode.COHORT,
            affinities=(WorkloadAffinity(CART, (Selector((TO_COHORT,)),)),),
            release=((CART, 12),),
            quotas=(CohortQuota(CART, "c0", 12),),
        ),
        demand=(WorkloadDemand(CART, pods_now=10, pods_planned=12, source="forecast"),),
        unplaceable=(Unplaceable(TRAIN, 3, "asks for 16 GPUs, the largest offer has 8"),),
        reasons=("spot c7g is 84 % cheaper than what runs now",),
        assumptions=("workloads without a word on it may use spot",),
        notes=(
            Note("shop/Deployment/cart", "preferred node affinity is left out"),
            Note("node-1", "no instance type label", "label it", severity="warning"),
        ),
        forecast_model="ets",
        seconds=1.23456,
    )
