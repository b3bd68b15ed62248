"""Whether a plan keeps the accepted risk; the example has 80 scenarios and four options."""

from dataclasses import replace
from typing import Any

import pytest
from nodemix.operator.api.conditions import ConditionStatus
from nodemix.operator.report.risk_finding import RiskVerdict, risk_verdict
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.policy import ServiceLevel

from tests.operator.report.examples import a_recommendation, a_weighed_recommendation

RISKY = {"cvar": 0.15, "worst_pool_loss": 0.3, "shortfall_probability": 0.02}


def judged(kept_by: tuple[str, ...], **risk: Any) -> RiskVerdict:
    """The verdict at the default service level; ``kept_by`` names the options that keep it."""
    plan = a_weighed_recommendation()
    options = tuple(replace(o, meets_slo=o.name in kept_by) for o in plan.options)
    changed = replace(plan, options=options, risk=replace(plan.risk, **risk))
    return risk_verdict(changed, ServiceLevel())


def test_a_plan_that_keeps_the_accepted_risk_says_how_far_it_is_from_it() -> None:
    plan = a_weighed_recommendation()

    verdict = risk_verdict(plan, ServiceLevel(max_cvar=0.1, max_pool_loss=0.2))

    assert (verdict.status, verdict.reason) == (ConditionStatus.TRUE, "WithinAccepted")
    assert verdict.message == (
        "CVaR of the worst 5 %: 3.75 % (accepted 10 %), "
        "loss of the worst pool c7g.xlarge/us-east-1a: 18 % (accepted 20 %), "
        "probability of a shortfall: 0.25 % (accepted 1 %), over 80 scenarios"
    )


def test_no_limit_is_named_as_such() -> None:
    verdict = risk_verdict(a_weighed_recommendation(), ServiceLevel(max_cvar=None))

    assert "3.75 % (no limit)" in verdict.message


@pytest.mark.parametrize(
    ("figure", "reason", "remedy"),
    [
        ("cvar", "CvarAboveAccepted", "objective.slo.maxCvar"),
        ("worst_pool_loss", "PoolLossAboveAccepted", "objective.slo.maxPoolLoss"),
        ("shortfall_probability", "ShortfallAboveAccepted", "objective.slo.shortfallProbability"),
    ],
)
def test_the_figure_that_is_above_gives_the_reason_and_the_remedy(
    figure: str, reason: str, remedy: str
) -> None:
    verdict = judged((), **{figure: RISKY[figure]})

    assert (verdict.status, verdict.reason) == (ConditionStatus.FALSE, reason)
    assert remedy in verdict.message
    assert verdict.message.count(" or raise ") == 1


def test_of_several_figures_every_remedy_is_given() -> None:
    verdict = judged((), **RISKY)

    assert verdict.reason == "CvarAboveAccepted"
    assert verdict.message.count(" or raise ") == 3


def test_the_cheapest_option_that_keeps_it_is_offered() -> None:
    """cheaper 0.772 $/h breaks it; steadier 0.9276 $/h is below safer 1.122 $/h."""
    verdict = judged(("steadier", "safer"), cvar=0.15)

    assert "option steadier keeps it all for 0.9276 $/h" in verdict.message


def test_what_no_figure_explains_is_still_not_accepted() -> None:
    verdict = judged(())

    assert (verdict.status, verdict.reason) == (ConditionStatus.FALSE, "RiskAboveAccepted")
    assert verdict.message.endswith("give the search more offers, a larger budget or more time")


@pytest.mark.parametrize(
    "plan",
    [
        a_recommendation(),
        replace(a_weighed_recommendation(), risk=a_recommendation().risk),
        replace(a_weighed_recommendation(), options=()),
    ],
)
def test_a_plan_that_was_never_tried_is_neither_accepted_nor_refused(plan: Recommendation) -> None:
    verdict = risk_verdict(plan, ServiceLevel())

    assert (verdict.status, verdict.reason) == (ConditionStatus.UNKNOWN, "NotTried")
    assert "; raise spec.searchSeconds" in verdict.message
