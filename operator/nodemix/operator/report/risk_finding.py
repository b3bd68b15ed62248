"""Whether a plan keeps the risk that its policy accepts, in words that say what to do."""

from collections.abc import Iterator
from dataclasses import dataclass

from nodemix.operator.api.conditions import ConditionStatus
from nodemix.operator.report.status_risk import chosen_option, worst_pool
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.plan_risk import PlanOption, PoolRisk, Risk
from nodemix.optimizer.policy import ServiceLevel


@dataclass(frozen=True, slots=True)
class RiskVerdict:
    """What the condition ``RiskAccepted`` will say."""

    status: ConditionStatus
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure of the plan beside what is accepted.

    Args:
        reason: CamelCase, for when it is above.
        accepted: None for no limit.
    """

    reason: str
    words: str
    found: float
    accepted: float | None
    remedy: str

    @property
    def is_above(self) -> bool:
        """Whether the plan breaks it."""
        return self.accepted is not None and self.found > self.accepted

    def __str__(self) -> str:
        limit = "no limit" if self.accepted is None else f"accepted {_percent(self.accepted)}"
        return f"{self.words}: {_percent(self.found)} ({limit})"


def _percent(share: float) -> str:
    return f"{100.0 * share:.4g} %"


def risk_verdict(recommendation: Recommendation, accepted: ServiceLevel) -> RiskVerdict:
    """True where the plan keeps the accepted risk, with the figures.

    Args:
        accepted: the service level of the policy that the plan was made for.
    """
    chosen = chosen_option(recommendation)
    if chosen is None or recommendation.risk.scenarios == 0:
        message = (
            "the plan was made without trying what may happen to it; "
            "raise spec.searchSeconds if this stays"
        )
        return RiskVerdict(ConditionStatus.UNKNOWN, "NotTried", message)
    figures = tuple(_figures(recommendation.risk, accepted))
    words = ", ".join(map(str, figures))
    if chosen.meets_slo:
        message = f"{words}, over {recommendation.risk.scenarios} scenarios"
        return RiskVerdict(ConditionStatus.TRUE, "WithinAccepted", message)
    above = [figure for figure in figures if figure.is_above]
    reason = above[0].reason if above else "RiskAboveAccepted"
    remedy = _remedy(above, recommendation.options)
    return RiskVerdict(ConditionStatus.FALSE, reason, f"{words}; {remedy}")


def _figures(risk: Risk, accepted: ServiceLevel) -> Iterator[_Figure]:
    """What a policy limits, most telling first."""
    yield _Figure(
        "CvarAboveAccepted",
        f"CVaR of the worst {_percent(1.0 - risk.alpha)}",
        risk.cvar,
        accepted.max_cvar,
        "lower objective.spot.maxShare or raise objective.slo.maxCvar",
    )
    yield _Figure(
        "PoolLossAboveAccepted",
        f"loss of the worst pool{_named(worst_pool(risk))}",
        risk.worst_pool_loss,
        accepted.max_pool_loss,
        "allow more zones and families in spec.offers, or raise objective.slo.maxPoolLoss",
    )
    if risk.shortfall_probability is not None:
        yield _Figure(
            "ShortfallAboveAccepted",
            "probability of a shortfall",
            risk.shortfall_probability,
            accepted.shortfall_probability,
            "leave more room in objective.budget, spec.limits and quotas, or raise "
            "objective.slo.shortfallProbability",
        )


def _named(worst: PoolRisk | None) -> str:
    return f" {worst.instance_type}/{worst.zone}" if worst else ""


def _remedy(above: list[_Figure], options: tuple[PlanOption, ...]) -> str:
    """What to change, and which option needs no change."""
    remedies = "; ".join(figure.remedy for figure in above)
    keeping = [option for option in options if option.meets_slo]
    if keeping:
        cheapest = min(keeping, key=lambda option: option.usd_per_hour)
        offered = f"option {cheapest.name} keeps it all for {cheapest.usd_per_hour:.4f} $/h"
        return f"{offered}; {remedies}" if remedies else offered
    return remedies or "give the search more offers, a larger budget or more time"
