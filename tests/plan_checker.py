"""Checks a plan document against the cluster and the market it was made for.

It shares no code with nodemix: it reads the raw Kubernetes objects, the raw price lists and the
JSON that ``nodemix plan -o json`` prints, and complains in words. No complaint means: every pod
has one place that Kubernetes would let it have, and every figure that can be computed from the
others, the prices and the policy is what it has to be.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tests import checker_comparison, checker_money, checker_options, checker_pods, checker_risk
from tests.checker_capacity import churn_faults, commitment_faults, quota_faults
from tests.checker_market import Market
from tests.checker_objects import Json, read_cluster
from tests.checker_placing import placing_complaints
from tests.checker_plan import Plan

__all__ = ["Market", "check_plan"]

USD = 1e-6
"""Amounts are rounded to a micro-USD, so they differ from exact ones by half of that."""


def check_plan(
    document: Mapping[str, Any],
    objects: Sequence[Json],
    market: Market,
    namespaces: Collection[str] = (),
    usd: float = USD,
    spec: Mapping[str, Any] | None = None,
) -> list[str]:
    """Complaints about a plan; none if it is right.

    Pods of one workload with different templates cannot be told apart in a document: of these,
    the least demanding is checked.

    Args:
        document: JSON of the plan.
        objects: of the cluster the plan was made for, as the API server lists them.
        namespaces: only their pods are planned for; all if empty.
        usd: difference of two amounts that rounding explains.
        spec: of the policy: its quotas, commitments, cost of a change, and what it says of risk.
    """
    plan = Plan(document, read_cluster(objects, namespaces), market, usd, spec or {})
    complaints = [complaint for rule in RULES for complaint in rule(plan)]
    return complaints + placing_complaints(document, usd)


def _capacity_is_kept(plan: Plan) -> Iterator[str]:
    today = [node.pool for node in plan.cluster.nodes.values()]
    yield from commitment_faults(plan.document, plan.spec, plan.market, today)
    yield from quota_faults(plan.document, plan.spec, plan.market)
    yield from churn_faults(plan.document, plan.spec, plan.cluster, plan.usd)


RULES = (
    *checker_pods.RULES,
    *checker_money.RULES,
    *checker_risk.RULES,
    *checker_options.RULES,
    *checker_comparison.RULES,
    _capacity_is_kept,
)
