"""What can go wrong between a snapshot and a plan.

::

    OptimizerError
    +-- ParameterError         a setting is out of its range
    +-- CatalogError           offers or prices cannot be used
    |   +-- EmptyCatalogError  no offer is left to buy
    +-- SnapshotError          the observed cluster contradicts itself
    +-- PlanError
        +-- InfeasiblePlanError  no mix of offers satisfies the policy
"""


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


class SnapshotError(OptimizerError):
    """The observed cluster contradicts itself; the message names the object."""


class PlanError(OptimizerError):
    """No plan can be made."""


class InfeasiblePlanError(PlanError):
    """No mix of offers satisfies the policy; retrying without a change will not help."""

    def __init__(self, subject: str, lacking: str, remedy: str) -> None:
        super().__init__(f"{subject}: {lacking}; {remedy}")
        self.subject = subject
        self.lacking = lacking
        self.remedy = remedy
