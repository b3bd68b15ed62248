"""What can go wrong between a snapshot and a plan.

::

    OptimizerError
    +-- ParameterError         a setting is out of its range
    +-- CatalogError           offers or prices cannot be used
    |   +-- EmptyCatalogError  no offer is left to buy
    +-- PlanError
        +-- InfeasiblePlanError  no mix of offers satisfies the policy
"""

from functools import partial


class OptimizerError(Exception):
    """Root of everything this package raises on purpose."""


class ParameterError(OptimizerError):
    """A setting is out of its range; the message names the setting, the value and the range."""


class CatalogError(OptimizerError):
    """Offers or prices cannot be used; the message names the entry and the remedy."""


class EmptyCatalogError(CatalogError):
    """No offer is left to buy."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(f"{source}: no offer is left ({why}); add offers or widen the filter")
        self.source = source
        self.why = why

    def __reduce__(self) -> tuple[type["EmptyCatalogError"], tuple[str, str]]:
        return type(self), (self.source, self.why)


class PlanError(OptimizerError):
    """No plan can be made."""


class InfeasiblePlanError(PlanError):
    """No mix of offers satisfies the policy, or none was found.

    Args:
        subject: the caps in the way.
        is_proven: whether no mix exists, so that retrying without a change will not help; else
            none was found in the time.
    """

    def __init__(self, subject: str, lacking: str, remedy: str, *, is_proven: bool = False) -> None:
        super().__init__(f"{subject}: {lacking}; {remedy}")
        self.subject = subject
        self.lacking = lacking
        self.remedy = remedy
        self.is_proven = is_proven

    def __reduce__(self) -> tuple[partial["InfeasiblePlanError"], tuple[str, str, str]]:
        made = partial(type(self), is_proven=self.is_proven)
        return made, (self.subject, self.lacking, self.remedy)
