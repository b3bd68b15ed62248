"""A decision without an operator: what ``nodemix plan`` reads, asks and answers."""

import asyncio
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from nodemix.forecasting.types import DemandForecast, DemandHistory, Horizon
from nodemix.operator.api.policy import ForecastSpec, NodeMixPolicySpec
from nodemix.operator.api.translate import to_policy
from nodemix.operator.errors import EmptySelectionError, PolicyError
from nodemix.operator.metrics.history import DEFAULT_STEP_S, history_from_file, only_series
from nodemix.operator.metrics.known_events import with_events
from nodemix.operator.prices.static_file import file_catalog
from nodemix.operator.report.document import PlanDocument, to_document
from nodemix.operator.worker import DecisionOutcome, DecisionRequest, decide_in_worker, warm_up
from nodemix.optimizer.catalog.bundled import bundled_catalog
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.problem.scope import selects
from nodemix.optimizer.snapshot import Note, Snapshot
from pydantic import ValidationError

POLICY_KIND = "NodeMixPolicy"
DEFAULT_SEARCH_S = 5.0
"""A person waits longer than a timer; with reading and loading it stays within fifteen seconds."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A policy and how its demand is forecast."""

    policy: Policy
    forecast: ForecastSpec

    @property
    def step_s(self) -> float:
        """The policy's step where it names one, else that of history files."""
        is_named = "step_seconds" in self.forecast.model_fields_set
        return float(self.forecast.step_seconds) if is_named else DEFAULT_STEP_S

    @property
    def horizon(self) -> Horizon:
        """At least one step."""
        return Horizon(steps=max(1, math.ceil(self.forecast.horizon_seconds / self.step_s)))

    def searching(self, seconds: float | None) -> "Terms":
        """The same terms with another time for the search; None keeps it."""
        if seconds is None:
            return self
        return replace(self, policy=replace(self.policy, search_s=seconds))


def read_terms(path: Path | None) -> Terms:
    """The one NodeMixPolicy in a YAML file, or the default policy.

    Raises:
        PolicyError: the file holds no NodeMixPolicy, or several, or one that breaks a rule.
    """
    if path is None:
        spec = NodeMixPolicySpec()
        return Terms(to_policy("default", spec), spec.forecast).searching(DEFAULT_SEARCH_S)
    return terms_of(_only_policy(path), path.name)


def terms_of(manifest: Mapping[str, Any], origin: str) -> Terms:
    """The terms of a NodeMixPolicy object.

    Args:
        origin: names the object in messages where it has no name itself.

    Raises:
        PolicyError: the policy breaks a rule; each broken one is named.
    """
    name = (manifest.get("metadata") or {}).get("name") or origin
    try:
        spec = NodeMixPolicySpec.model_validate(manifest.get("spec") or {})
    except ValidationError as err:
        raise PolicyError(f"{POLICY_KIND}/{name}", _broken_rules(err), "correct it") from err
    return Terms(to_policy(name, spec), spec.forecast)


def _broken_rules(err: ValidationError) -> str:
    """Where and what, one clause for each broken rule."""
    clauses = []
    for detail in err.errors(include_url=False):
        field = ".".join(str(part) for part in ("spec", *detail["loc"]))
        clauses.append(f"{field}: {detail['msg'].removeprefix('Value error, ')}")
    return ", ".join(clauses)


def _only_policy(path: Path) -> Mapping[str, Any]:
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except OSError as err:
        raise PolicyError(path.name, f"cannot be read ({err})", "check its name") from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        where = " ".join(str(err).split())
        raise PolicyError(path.name, f"is not YAML ({where})", "correct it") from err
    found = [d for d in documents if isinstance(d, dict) and d.get("kind") == POLICY_KIND]
    if len(found) != 1:
        raise PolicyError(
            path.name, f"holds {len(found)} objects of kind {POLICY_KIND}", "give exactly one"
        )
    return found[0]


def read_catalog(catalog_csv: Path | None, offers_csv: Path | None) -> Catalog:
    """Offers from files; instance types and offers that are not given are the bundled ones.

    Raises:
        CatalogError: a file cannot be read or holds nothing to buy.
    """
    if offers_csv is None:
        return bundled_catalog()
    return file_catalog(offers_csv, catalog_csv)


def read_history(path: Path | None, terms: Terms, snapshot: Snapshot) -> DemandHistory | None:
    """The history of the workloads in ``snapshot``; None where there is none of them.

    Raises:
        HistoryError: the file cannot be used.
    """
    if path is None:
        return None
    present = {str(pod.workload) for pod in snapshot.pods}
    history = only_series(history_from_file(path, terms.step_s), present)
    return with_events(history, terms.forecast)


def observe(path: Path | None, kubeconfig: Path | None = None) -> Snapshot:
    """The cluster in a file, or as it is now; reads only.

    The snapshot is dated now: a file does not say when it was recorded, and what is decided on it
    is decided now.

    Args:
        path: None reads the cluster of ``kubeconfig``.
        kubeconfig: None for the current one, as kubectl finds it.

    Raises:
        SnapshotFileError: the file cannot be used.
        ConnectionFailedError: the API server refuses or cannot be reached.
    """
    if path is not None:
        from nodemix.operator.cluster.snapshot import read_snapshot_file  # noqa: PLC0415 - heavy

        return read_snapshot_file(path, time.time())
    from nodemix.operator.cluster.connection import connect  # noqa: PLC0415 - only for clusters
    from nodemix.operator.cluster.listing import fetch_snapshot  # noqa: PLC0415 - heavy

    return asyncio.run(fetch_snapshot(connect(os.environ, kubeconfig), time.time()))


def cluster_name(path: Path | None, kubeconfig: Path | None = None) -> str:
    """What people call the cluster that ``observe`` reads: the file, or where its API server is.

    Raises:
        ConnectionFailedError: no usable kubeconfig names a server.
    """
    if path is not None:
        return path.name
    from nodemix.operator.cluster.connection import connect  # noqa: PLC0415 - only for clusters

    return connect(os.environ, kubeconfig).url


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """All that an answer depends on.

    Args:
        history: None plans for the requests as they are.
        seed: of every random draw.
        cluster: what people call it; no part of the answer's figures.
    """

    snapshot: Snapshot
    terms: Terms
    catalog: Catalog
    history: DemandHistory | None = None
    seed: int = 0
    cluster: str = ""

    def to_request(self, *, is_recorded: bool) -> DecisionRequest:
        """The same question as the operator asks it."""
        now_s = self.snapshot.taken_at_s
        if is_recorded and self.history is not None:
            now_s = self.history.end_s
        return DecisionRequest(
            snapshot=self.snapshot,
            policy=self.terms.policy,
            catalog=self.catalog,
            history=self.history,
            horizon=self.terms.horizon,
            now_s=now_s,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A plan and what it was made from.

    Args:
        forecast: None where the plan is for the requests as they are.
        lead_time_s: from deciding to buy a node until pods run on it; what the plan has room for.
    """

    document: PlanDocument
    history: DemandHistory | None
    forecast: DemandForecast | None
    lead_time_s: float = 0.0

    def to_html(self) -> str:
        """A page that needs no network, with pictures of the costs and of the demand."""
        from nodemix.operator.report.html import render_html  # noqa: PLC0415 - only for pages
        from nodemix.operator.report.pictures import plan_pictures  # noqa: PLC0415 - likewise

        pictures = plan_pictures(self.document, self.history, self.forecast, self.lead_time_s)
        return render_html(self.document, pictures)


def answer(question: Question, *, is_recorded: bool) -> Answer:
    """Forecast and decide as the operator does, in this process.

    Args:
        is_recorded: the snapshot is a recording; the history is then taken to end with it.

    Raises:
        EmptySelectionError: the policy selects no pod.
        OptimizerError: there is no plan; the message says what stands in its way.
    """
    _refuse_empty_selection(question)
    request = question.to_request(is_recorded=is_recorded)
    warm_up()
    outcome = decide_in_worker(request)
    document = to_document(_with_remarks(outcome, request), question.cluster)
    lead_time_s = question.terms.policy.service_level.lead_time_s
    return Answer(document, question.history, outcome.forecast, lead_time_s)


def _refuse_empty_selection(question: Question) -> None:
    policy, pods = question.terms.policy, question.snapshot.pods
    if not any(selects(policy.selector, pod.namespace, pod.template) for pod in pods):
        raise EmptySelectionError(
            f"{POLICY_KIND}/{policy.name}",
            f"spec.selector matches none of the cluster's {len(pods)} pods",
            "correct namespaces and matchLabels, or take the snapshot with its pods",
        )


def _with_remarks(outcome: DecisionOutcome, request: DecisionRequest) -> Recommendation:
    """The recommendation, with what became of the history."""
    recommendation = outcome.recommendation
    if outcome.forecast_failure:
        note = Note("demand history", outcome.forecast_failure, severity="warning")
        return replace(recommendation, notes=(*recommendation.notes, note))
    if request.history is not None and request.now_s != request.snapshot.taken_at_s:
        remark = "the recorded demand history ends when the snapshot was taken"
        return replace(recommendation, assumptions=(*recommendation.assumptions, remark))
    return recommendation
