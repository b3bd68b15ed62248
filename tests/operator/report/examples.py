"""Small fixed recommendations: one of a plan alone, and one that was weighed against others."""

from dataclasses import replace

from nodemix.optimizer.catalog.types import PoolKey
from nodemix.optimizer.explain.types import Baseline, Blocker, RuleCost
from nodemix.optimizer.fairness.types import Fairness, NamespaceShare
from nodemix.optimizer.packed import PlacedCost
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import CohortQuota, PlannedSteering, WorkloadAffinity
from nodemix.optimizer.plan import (
    PlacedCosts,
    PlannedNodes,
    PoolChange,
    PoolMargins,
    Prices,
    Recommendation,
    RunnerUp,
    Savings,
    Unplaceable,
    WorkloadDemand,
)
from nodemix.optimizer.plan_risk import CapacityChoice, FrontPoint, PlanOption, PoolRisk, Risk
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


C7G_A: PoolKey = ("c7g.xlarge", "us-east-1a", CapacityType.SPOT)
C7G_B: PoolKey = ("c7g.xlarge", "us-east-1b", CapacityType.SPOT)
M6G: PoolKey = ("m6g.large", "us-east-1a", CapacityType.SPOT)
M5: PoolKey = ("m5.large", "us-east-1a", CapacityType.ON_DEMAND)
OLD: PoolKey = ("m5.2xlarge", "us-east-1a", CapacityType.ON_DEMAND)
PRICES = {C7G_A: 0.058, C7G_B: 0.06, M6G: 0.0308, M5: 0.096, OLD: 0.384}


def a_pool_risk(pool: PoolKey, nodes: int, shocks: float, lost: float, loss: float) -> PoolRisk:
    """A loss of one node costs 3 cents."""
    return PoolRisk(
        instance_type=pool[0],
        zone=pool[1],
        nodes=nodes,
        shocks_per_hour=shocks,
        shocks_per_hour_low=shocks / 4.0,
        shocks_per_hour_high=shocks * 3.0,
        share_lost=lost,
        loss_if_reclaimed=loss,
        interruption_usd_per_node=0.03,
        interruption_usd_per_hour=nodes * shocks * lost * 0.03,
    )


def a_risk(
    pools: tuple[PoolRisk, ...], short: int, worst: tuple[float, ...], spot_share: float
) -> Risk:
    """Of 80 scenarios and 1.90 $/h on demand."""
    mean = sum(worst) / 80
    interruptions = 24.0 * sum(p.nodes * p.shocks_per_hour * p.share_lost for p in pools)
    return Risk(
        shortfall_probability=0.0025,
        spot_share=spot_share,
        worst_pool_share=spot_share / 2,
        interruptions_per_day=interruptions,
        interruptions_per_day_low=interruptions / 4,
        interruptions_per_day_high=interruptions * 3,
        joint_shortfall_probability=short / 80,
        cvar=sum(worst) / len(worst),
        cvar_standard_error=0.0042,
        worst_pool_loss=max((p.loss_if_reclaimed for p in pools), default=0.0),
        mean_loss=mean,
        interruption_usd_per_hour=sum(p.interruption_usd_per_hour for p in pools),
        on_demand_usd_per_hour=1.9,
        recourse_usd_per_hour=1.9 * mean,
        shortage_usd_per_hour=19.0 * 1.9 * mean,
        scenarios=80,
        scenarios_short=short,
        worst_losses=worst,
        pools=pools,
    )


def an_option(
    name: str, nodes: dict[PoolKey, int], risk: Risk, changed: int, why: str, *, meets_slo: bool
) -> PlanOption:
    """Priced by ``PRICES``; placing adds 5 %, a change of a node 0.4 cents an hour."""
    usd_per_hour = sum(count * PRICES[pool] for pool, count in nodes.items())
    return PlanOption(
        name=name,
        pools=tuple(sorted(nodes.items())),
        usd_per_hour=usd_per_hour,
        placed=PlacedCost(PlacementMode.OBSERVE, 1.05 * usd_per_hour, 0.011, draws=8),
        changes_usd_per_hour=0.004 * changed,
        risk=risk,
        nodes_changed=changed,
        meets_slo=meets_slo,
        why=why,
    )


def some_options() -> tuple[PlanOption, ...]:
    """The plan, a cheaper and riskier one, a safer one and one that changes less."""
    alone = (a_pool_risk(C7G_A, 10, 0.004, 0.6, 0.41),)
    halves = (
        a_pool_risk(C7G_A, 5, 0.004, 0.6, 0.18),
        a_pool_risk(C7G_B, 4, 0.011, 0.7, 0.11),
        a_pool_risk(M6G, 2, 0.0008, 0.55, 0.02),
    )
    thirds = (a_pool_risk(C7G_A, 3, 0.004, 0.6, 0.06), a_pool_risk(C7G_B, 3, 0.011, 0.7, 0.05))
    cheaper = a_risk(alone, 4, (0.41, 0.3, 0.2, 0.1), 0.91)
    chosen = a_risk(halves, 2, (0.12, 0.03, 0.0, 0.0), 0.72)
    safer = a_risk(thirds, 1, (0.02, 0.0, 0.0, 0.0), 0.4)
    return (
        an_option(
            "cheaper", {C7G_A: 10, M5: 2}, cheaper, 13,
            "all spot nodes in one pool: 41 % of the requests go with it", meets_slo=False,
        ),
        an_option(
            "chosen", {C7G_A: 5, C7G_B: 4, M6G: 2, M5: 3}, chosen, 15,
            "least expected cost of those that keep what the policy accepts", meets_slo=True,
        ),
        an_option(
            "steadier", {C7G_A: 5, M6G: 2, M5: 2, OLD: 1}, chosen, 9,
            "keeps a node of today", meets_slo=True,
        ),
        an_option(
            "safer", {C7G_A: 3, C7G_B: 3, M5: 8}, safer, 16,
            "more on demand", meets_slo=True,
        ),
    )  # fmt: skip


def a_pool(pool: PoolKey, now: int, plan: int, why: str, *, bought: bool = False) -> PoolChange:
    """With a runner-up where it is bought."""
    other = RunnerUp("c6g.xlarge", "us-east-1a", CapacityType.SPOT, 0.0712, 0.0596)
    margins = PoolMargins(0.0031, -0.0124, other) if bought else None
    return PoolChange(*pool, now, plan, PRICES[pool], why, margins)


def a_weighed_recommendation() -> Recommendation:
    """A larger plan with everything that ``decide`` says about risk and about other plans."""
    options = some_options()
    chosen = options[1]
    return replace(
        a_recommendation(),
        policy="frugal",
        current_usd_per_hour=2.0976,
        plan_usd_per_hour=chosen.usd_per_hour,
        lower_bound_usd_per_hour=0.8613,
        nodes=tuple(
            PlannedNodes(*pool, count, ((CART, 1),), PRICES[pool], cohort="c0")
            for pool, count in chosen.pools
        ),
        pools=(
            a_pool(OLD, 4, 0, "half empty: 31 % of its vCPUs are requested"),
            a_pool(C7G_A, 2, 5, "cheapest room for shop/Deployment/cart", bought=True),
            a_pool(C7G_B, 0, 4, "a second zone, so that no pool holds more than 50 %", bought=True),
            a_pool(M5, 4, 3, "its pods may not run on spot, and three nodes hold them"),
            a_pool(M6G, 2, 2, "kept"),
        ),
        risk=chosen.risk,
        savings=Savings(0.6, 0.4, 0.238, 0.0, -0.02),
        placed=PlacedCosts(
            PlacementMode.OBSERVE,
            (chosen.placed,),
        ),
        capacity=CapacityChoice(
            critical_ratio=0.95,
            level=0.97,
            over_provision=0.05,
            lead_time_s=412.0,
            boots_seen=23,
            max_pool_share=0.5,
            max_spot_share=1.0,
            why="lacking room costs 19 times what spare room does, so the 95 % quantile of demand "
            "within 7 min is worth covering; 97 % were needed to fall short in 1 % of cases",
        ),
        options=options,
        front=(
            FrontPoint(0.79, 0.31, 14),
            FrontPoint(0.83, 0.12, 14),
            FrontPoint(0.9, 0.04, 15),
            FrontPoint(1.02, 0.01, 16),
            FrontPoint(1.3, 0.0, 17),
        ),
        fairness=Fairness(
            mode="report",
            binding_caps=("budget.usdPerHour",),
            jain=0.9,
            price_usd_per_hour=0.0,
            namespaces=(
                NamespaceShare("ml", 1.0, 3, 0, "gpu", 0.0, 1.0),
                NamespaceShare("shop", 2.0, 12, 12, "cpu", 0.8, 0.8),
            ),
        ),
        baseline=Baseline(
            "karpenter-like", 0.18, 1.184, 17, "tuned on the same paths as the plan",
            cvar=0.08, worst_pool_loss=0.41, placed_usd_per_hour=1.25,
        ),
        blockers=(
            Blocker(
                "PodDisruptionBudget", "shop/PodDisruptionBudget/cart", ("node-1", "node-7"), 0.192,
                "allow one disruption",
            ),
            Blocker("do-not-disrupt", "ml/Pod/train-0", ("node-3",), 0.096, "remove it at night"),
        ),
        rule_costs=(
            RuleCost(
                "on-demand-only", ("ml/Job/train", "shop/Deployment/cart"), 15, 0.1834,
                "let them run on spot",
            ),
            RuleCost(
                "on-demand-only", ("shop/Deployment/cart",), 12, 0.1211,
                "let it run on spot: take annotation nodemix.dev/spot: deny off",
            ),
        ),
    )  # fmt: skip
