"""What ``nodemix plan`` decides on: files, and where they are absent, defaults."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from nodemix.forecasting.types import DemandHistory, Horizon
from nodemix.operator.api.policy import ForecastSpec, NodeMixPolicySpec
from nodemix.operator.api.translate import to_policy
from nodemix.operator.errors import PolicyError
from nodemix.operator.metrics.history import DEFAULT_STEP_S, history_from_file, only_series
from nodemix.optimizer.catalog.bundled import bundled_catalog
from nodemix.optimizer.catalog.csv_files import (
    OFFER_COLUMNS,
    load_catalog,
    parse_offers,
    read_records,
)
from nodemix.optimizer.catalog.types import Catalog
from nodemix.optimizer.errors import EmptyCatalogError
from nodemix.optimizer.policy import Policy
from nodemix.optimizer.snapshot import Snapshot

POLICY_KIND = "NodeMixPolicy"
DEFAULT_SEARCH_S = 8.0
"""A person waits longer than a timer; leaves time to read within fifteen seconds."""


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
        PolicyError: the file holds no NodeMixPolicy, or several.
        ValidationError: the policy breaks a rule.
    """
    if path is None:
        spec = NodeMixPolicySpec()
        return Terms(to_policy("default", spec), spec.forecast).searching(DEFAULT_SEARCH_S)
    manifest = _only_policy(path)
    spec = NodeMixPolicySpec.model_validate(manifest.get("spec") or {})
    name = (manifest.get("metadata") or {}).get("name") or path.name
    return Terms(to_policy(name, spec), spec.forecast)


def _only_policy(path: Path) -> Mapping[str, Any]:
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise PolicyError(path.name, f"is not YAML ({err})", "correct it") from err
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
    if catalog_csv is not None:
        return load_catalog(catalog_csv, offers_csv)
    instances = {offer.instance.name: offer.instance for offer in bundled_catalog().offers}
    offers, notes = parse_offers(read_records(offers_csv, OFFER_COLUMNS), instances)
    if not offers:
        why = str(notes[0]) if notes else "the file holds none"
        raise EmptyCatalogError(offers_csv.name, why)
    return Catalog(offers, source=offers_csv.name, notes=notes)


def read_history(path: Path | None, terms: Terms, snapshot: Snapshot) -> DemandHistory | None:
    """The history of the workloads in ``snapshot``; None where there is none of them.

    Raises:
        HistoryError: the file cannot be used.
    """
    if path is None:
        return None
    present = {str(pod.workload) for pod in snapshot.pods}
    return only_series(history_from_file(path, terms.step_s), present)
