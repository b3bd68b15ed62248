"""Why the plan is what it is, in sentences."""

from collections.abc import Iterator

from nodemix.optimizer.explain.capacity import share_sentence
from nodemix.optimizer.explain.placing import placing_sentence
from nodemix.optimizer.plan import Recommendation


def reasons(recommendation: Recommendation) -> tuple[str, ...]:
    """Plain sentences, most important first."""
    sentences = [_headline(recommendation)]
    if recommendation.placed is not None:
        sentences.append(placing_sentence(recommendation, recommendation.placed))
    if recommendation.risk.shortfall_probability is not None:
        sentences.append(
            "on fresh demand paths some pod would lack a place within the lead time with "
            f"probability {recommendation.risk.shortfall_probability:.3f}"
        )
    risk = recommendation.risk
    if recommendation.capacity is not None:
        sentences.append(share_sentence(recommendation.capacity, risk))
    sentences.append(
        f"{risk.interruptions_per_day:.2f} interruptions a day are expected "
        f"({risk.interruptions_per_day_low:.2f} to {risk.interruptions_per_day_high:.2f}) by what "
        "is believed of the pools"
    )
    sentences.extend(
        f"{name} binds: one unit more would save {dual:.4f} $/h"
        for name, dual in recommendation.prices.caps
    )
    sentences.extend(_commitments(recommendation))
    sentences.extend(_churn(recommendation))
    return tuple(sentences)


def _commitments(recommendation: Recommendation) -> Iterator[str]:
    for use in recommendation.commitments:
        yield (
            f"{use.nodes_plan} of {use.count} {use.instance_type} of commitment {use.name} are "
            f"used, {use.nodes_now} today"
        )


def _churn(recommendation: Recommendation) -> Iterator[str]:
    churn = recommendation.churn
    if churn is not None:
        gone = len(churn.nodes_let_go)
        yield (
            f"{len(churn.nodes_in_place)} nodes go on in place, {churn.nodes_new} are new and "
            f"{gone} are let go: that costs {churn.change_usd:.4f} $ once; with it spread over a "
            f"node's life the plan is {churn.objective_usd_per_hour:.4f} $/h and no plan is below "
            f"{churn.objective_lower_bound_usd_per_hour:.4f} $/h"
        )


def _headline(recommendation: Recommendation) -> str:
    """Saving, bound and gap in one sentence."""
    plan = recommendation.plan_usd_per_hour
    bound = recommendation.lower_bound_usd_per_hour
    proof = f"no plan can cost less than {bound:.4f} $/h (gap {recommendation.gap:.1%})"
    if not recommendation.is_change:
        known = all(p.price_usd_per_hour is not None for p in recommendation.pools if p.nodes_now)
        nodes = "today's nodes" if known else "today's nodes (those of known price)"
        return f"{nodes} stay at {plan:.4f} $/h; {proof}"
    saving = recommendation.saving_usd_per_hour
    verb = "saves" if saving >= 0 else "costs"
    return f"{plan:.4f} $/h {verb} {abs(saving):.4f} $/h against today's nodes; {proof}"
