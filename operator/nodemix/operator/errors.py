"""What can go wrong between the API server, the outside world and a decision.

::

    OperatorError
    +-- ClusterError              the cluster cannot be observed
    |   +-- ConnectionFailedError   the API server cannot be reached or refuses us
    |   +-- ExpiredVersionError     the API server has forgotten the version we watch from
    |   +-- NotLeadingError         this process may not write any more
    |   +-- StaleViewError          the view is older than a decision may rest on
    |   +-- BeliefsUnreadableError  what was learned cannot be read back
    |   +-- QuantityError           a Kubernetes quantity cannot be parsed
    |   +-- SnapshotFileError       a snapshot file cannot be used
    |   +-- DemoError               the live demo cannot be shown on this cluster
    +-- SourceError               something outside the cluster does not deliver
    |   +-- PrometheusError         it refuses the query or answers nonsense
    |   |   +-- PrometheusDownError   it does not answer at all
    |   +-- MetricsServerError
    |   +-- PriceSourceError
    +-- PolicyError               a policy cannot be carried out
        +-- PolicyConflictError     two policies claim the same pods
        +-- EmptySelectionError     a policy selects nothing
        +-- DecisionFailedError     the decision ended without a plan

Every message names the object, the fact and the remedy.
"""


class OperatorError(Exception):
    """Root of everything this package raises on purpose.

    Args:
        subject: the object the error is about.
        fact: what was found.
        remedy: what to do about it.
    """

    def __init__(self, subject: str, fact: str, remedy: str) -> None:
        super().__init__(f"{subject}: {fact}; {remedy}")
        self.subject = subject
        self.fact = fact
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["OperatorError"], tuple[str, str, str]]:
        return type(self), (self.subject, self.fact, self.remedy)


class ClusterError(OperatorError):
    """The cluster cannot be observed."""


class ConnectionFailedError(ClusterError):
    """The API server cannot be reached, or refuses us."""


class ExpiredVersionError(ClusterError):
    """The API server no longer holds the version asked for (410); listing anew heals it."""


class NotLeadingError(ClusterError):
    """Another process leads, or may lead by now; what was to be written is not."""


class StaleViewError(ClusterError):
    """The view of the cluster is older than a decision may rest on; it heals by itself."""


class BeliefsUnreadableError(ClusterError):
    """What was learned of the cluster cannot be read back; it is learned anew, and kept apart."""


class QuantityError(ClusterError, ValueError):
    """A Kubernetes quantity cannot be parsed."""


class SnapshotFileError(ClusterError):
    """A snapshot file cannot be used."""


class DemoError(ClusterError):
    """The live demo cannot be shown on this cluster; what it had made is removed again."""


class SourceError(OperatorError):
    """Something outside the cluster does not deliver; the last good answer may serve."""


class PrometheusError(SourceError):
    """Prometheus cannot be reached, refuses the query or answers nonsense."""


class PrometheusDownError(PrometheusError):
    """Prometheus does not answer, whatever is asked; asking something else is useless."""


class MetricsServerError(SourceError):
    """The metrics.k8s.io API is absent or does not answer."""


class PriceSourceError(SourceError):
    """A price book cannot be read, or holds prices that cannot be used."""


class PolicyError(OperatorError):
    """A policy cannot be carried out as it stands."""


class PolicyConflictError(PolicyError):
    """Two policies claim the same pods."""


class EmptySelectionError(PolicyError):
    """A policy selects no workload."""


class DecisionFailedError(PolicyError):
    """A decision ended without a plan; the last good plan stays."""
