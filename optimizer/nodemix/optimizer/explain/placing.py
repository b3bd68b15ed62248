"""What placing its pods adds to a plan, in sentences."""

from nodemix.optimizer.packed import PlacedCost
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.plan import PlacedCosts, Recommendation
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.snapshot import Note

NOTED_LOSS_SHARE = 0.05
"""Of the plan's cost: what real schedulers made of unguided plans, and more than most gaps."""

WORTH_NAMING_USD_PER_HOUR = 5e-5
"""What four decimals show."""

GOOD_ENOUGH_SHARE = 0.9
"""A gentler mode is named when it keeps so much of what the firmest would keep."""


def placing_sentence(recommendation: Recommendation, placed: PlacedCosts) -> str:
    """What the plan costs once its pods are placed, why that is more, and what would be less."""
    lost = placed.chosen.usd_per_hour - recommendation.plan_usd_per_hour
    if placed.mode is PlacementMode.PINNED:
        return "with every pod bound to its node (placement pinned) the plan costs what it says"
    if lost < WORTH_NAMING_USD_PER_HOUR:
        return (
            f"kube-scheduler is expected to find every pod its place (placement {placed.mode}), so "
            "the plan costs what it says"
        )
    sentence = (
        f"once placed (placement {placed.mode}) it is expected to cost "
        f"{placed.chosen.usd_per_hour:.4f} $/h: kube-scheduler fills nodes in its own way, and "
        "pods that find no place need further nodes"
    )
    better = better_mode(placed)
    if better is None:
        return sentence
    kept = placed.chosen.usd_per_hour - better.usd_per_hour
    return f"{sentence}; {better.mode} placement would keep {kept:.4f} $/h more"


def better_mode(placed: PlacedCosts) -> PlacedCost | None:
    """The gentlest mode that keeps most of what any could; None where none is better."""
    chosen = placed.chosen.usd_per_hour
    most = chosen - min(cost.usd_per_hour for cost in placed.by_mode)
    if most < WORTH_NAMING_USD_PER_HOUR:
        return None
    good = (c for c in placed.by_mode if chosen - c.usd_per_hour >= GOOD_ENOUGH_SHARE * most)
    return next(good)


def placing_note(recommendation: Recommendation) -> tuple[Note, ...]:
    """A warning where placing the pods costs too much of what the plan says."""
    placed, plan = recommendation.placed, recommendation.plan_usd_per_hour
    if placed is None or placed.chosen.usd_per_hour - plan <= NOTED_LOSS_SHARE * plan:
        return ()
    lost = (placed.chosen.usd_per_hour - plan) / plan
    fact = f"placement {placed.mode} is expected to add {lost:.1%} to the plan's cost"
    if placed.chosen.usd_per_hour >= recommendation.current_usd_per_hour:
        fact += ", and nothing of the saving is left"
    better = better_mode(placed)
    remedy = "" if better is None else f"set spec.placement to {better.mode.capitalize()}"
    return (Note(f"NodeMixPolicy/{recommendation.policy}", fact, remedy, "warning"),)


def lost_saving_note(
    policy: Policy, plan_usd_per_hour: float, hosting_usd_per_hour: float, *, is_lost: bool
) -> tuple[Note, ...]:
    """Say so where a plan would save something but for what kube-scheduler makes of it."""
    if not is_lost:
        return ()
    fact = (
        f"today's nodes stay: a plan of {plan_usd_per_hour:.4f} $/h exists, but placement "
        f"{policy.placement} is expected to add {hosting_usd_per_hour:.4f} $/h to it"
    )
    remedy = "set spec.placement to Cohort or Pinned to see what guided placement would save"
    return (Note(f"NodeMixPolicy/{policy.name}", fact, remedy, "warning"),)
