"""CustomResourceDefinitions from the pydantic models; the models are the source of truth.

``python -m nodemix.operator.api.crd DIR`` writes one file per kind, ``--check`` only compares.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from nodemix.operator.api.plan import NodeMixPlanSpec, NodeMixPlanStatus
from nodemix.operator.api.policy import NodeMixPolicySpec, NodeMixPolicyStatus
from nodemix.operator.api.pricebook import PriceBookSpec, PriceBookStatus
from nodemix.operator.api.riskbook import RISK_BOOK_NAME, SpotRiskBookSpec, SpotRiskBookStatus
from nodemix.operator.api.rules import RULES_KEY, Rule
from nodemix.operator.api.structural import JsonSchema, structural_schema
from nodemix.operator.api.values import GROUP, VERSION
from pydantic import BaseModel

CATEGORY = "nodemix"
DEFAULT_FOLDER = Path("manifests/crds")
_HEADER = "# Generated from nodemix.operator.api; change the models and run `make generate`.\n"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that ``kubectl get`` prints.

    Args:
        priority: 0 is always shown, 1 only with ``-o wide``.
    """

    name: str
    kind: str
    path: str
    priority: int = 0

    def to_object(self) -> dict[str, Any]:
        """The entry of ``additionalPrinterColumns``."""
        entry: dict[str, Any] = {"name": self.name, "type": self.kind, "jsonPath": self.path}
        return {**entry, "priority": self.priority} if self.priority else entry


@dataclass(frozen=True, slots=True)
class Kind:
    """A custom resource.

    Args:
        rules: about the object as a whole; only its name is known there beside spec and status.
    """

    name: str
    plural: str
    short_names: tuple[str, ...]
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()

    @property
    def crd_name(self) -> str:
        """Name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"


def _condition(kind: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].status'


_AGE = Column("Age", "date", ".metadata.creationTimestamp")

POLICY = Kind(
    name="NodeMixPolicy",
    plural="nodemixpolicies",
    short_names=("nmp",),
    spec=NodeMixPolicySpec,
    status=NodeMixPolicyStatus,
    columns=(
        Column("Mode", "string", ".spec.mode"),
        Column("Placement", "string", ".spec.placement", priority=1),
        Column("Ready", "string", _condition("Ready")),
        Column("Nodes", "integer", ".status.nodesNow"),
        Column("Nodes plan", "integer", ".status.nodesPlan", priority=1),
        Column("Spot%", "number", ".status.spotPercent"),
        Column("$/h now", "number", ".status.usdPerHourNow"),
        Column("$/h plan", "number", ".status.usdPerHourPlan"),
        Column("$/h placed", "number", ".status.usdPerHourPlaced", priority=1),
        Column("$/h baseline", "number", ".status.usdPerHourBaseline", priority=1),
        Column("Save%", "number", ".status.savingPercent"),
        Column("Gap%", "number", ".status.gapPercent"),
        Column("CVaR%", "number", ".status.cvarPercent"),
        Column("Pool loss%", "number", ".status.worstPoolLossPercent", priority=1),
        Column("Risk OK", "string", _condition("RiskAccepted"), priority=1),
        Column("Plan", "string", ".status.planName", priority=1),
        Column("Why", "string", '.status.conditions[?(@.type=="Ready")].reason', priority=1),
        _AGE,
    ),
    rules=(
        Rule(
            "self.metadata.name.size() <= 63",
            "the name is longer than the 63 characters of a label, which plans carry; shorten it",
        ),
    ),
)

# No short name `plan`: kubectl prefers a short name over the kind `Plan` of the upgrade controller
# that many clusters run, so `kubectl get plan` would silently show something else.
PLAN = Kind(
    name="NodeMixPlan",
    plural="nodemixplans",
    short_names=("nmplan",),
    spec=NodeMixPlanSpec,
    status=NodeMixPlanStatus,
    columns=(
        Column("Policy", "string", ".spec.policyRef.name"),
        Column("Nodes", "integer", ".spec.nodesNow"),
        Column("Nodes plan", "integer", ".spec.nodesPlan"),
        Column("Spot%", "number", ".spec.risk.spotPercent"),
        Column("$/h now", "number", ".spec.usdPerHourNow"),
        Column("$/h plan", "number", ".spec.usdPerHourPlan"),
        Column("$/h placed", "number", ".spec.placed.usdPerHour", priority=1),
        Column("$/h baseline", "number", ".spec.baseline.usdPerHour", priority=1),
        Column("Placement", "string", ".spec.placed.mode", priority=1),
        Column("Save%", "number", ".spec.savingPercent"),
        Column("Gap%", "number", ".spec.gapPercent"),
        Column("CVaR%", "number", ".spec.risk.cvarPercent"),
        Column("Pool loss%", "number", ".spec.risk.worstPoolLossPercent", priority=1),
        Column("Approved", "boolean", ".spec.approved"),
        Column("Expires", "string", ".spec.expiresAt", priority=1),
        _AGE,
    ),
)

PRICE_BOOK = Kind(
    name="PriceBook",
    plural="pricebooks",
    short_names=("nmpb",),
    spec=PriceBookSpec,
    status=PriceBookStatus,
    columns=(
        Column("Ready", "string", _condition("Ready")),
        Column("Offers", "integer", ".status.offers"),
        Column("Left out", "integer", ".status.offersLeftOut"),
        Column("As of", "string", ".status.asOf"),
        Column("Source", "string", ".status.source", priority=1),
        _AGE,
    ),
)

RISK_BOOK = Kind(
    name="SpotRiskBook",
    plural="spotriskbooks",
    short_names=("nmrb",),
    spec=SpotRiskBookSpec,
    status=SpotRiskBookStatus,
    columns=(
        Column("Ready", "string", _condition("Ready")),
        Column("Pools", "integer", ".status.poolsWatched"),
        Column("Shocks", "integer", ".status.shocks"),
        Column("Reclaimed", "integer", ".status.nodesReclaimed"),
        Column("Stock-outs", "integer", ".status.stockOuts", priority=1),
        Column("Hours", "number", ".status.hoursWatched"),
        Column("Boot s", "number", ".status.bootMedianSeconds"),
        Column("Updated", "date", ".status.updatedAt"),
        _AGE,
    ),
    rules=(
        Rule(
            f"self.metadata.name == '{RISK_BOOK_NAME}'",
            f"the operator keeps one book, and its name is {RISK_BOOK_NAME}; use that name",
        ),
    ),
)

KINDS = (POLICY, PLAN, PRICE_BOOK, RISK_BOOK)


def build_crd(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of ``kind``."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.crd_name},
        "spec": {
            "group": GROUP,
            "names": _names(kind),
            "scope": "Cluster",
            "versions": [_version(kind)],
        },
    }


def _names(kind: Kind) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "shortNames": list(kind.short_names),
        "categories": [CATEGORY],
    }


def _version(kind: Kind) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.to_object() for column in kind.columns],
        "schema": {"openAPIV3Schema": _object_schema(kind)},
    }


def _object_schema(kind: Kind) -> JsonSchema:
    rules = {RULES_KEY: [rule.to_schema() for rule in kind.rules]} if kind.rules else {}
    return {
        "type": "object",
        "description": structural_schema(kind.spec)["description"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(kind.spec),
            "status": _status_schema(kind),
        },
        **rules,
    }


def _status_schema(kind: Kind) -> JsonSchema:
    """The status without defaults: an object that was never decided has an empty one."""
    schema = structural_schema(kind.status)
    conditions = schema["properties"]["conditions"]
    conditions["x-kubernetes-list-type"] = "map"
    conditions["x-kubernetes-list-map-keys"] = ["type"]
    return schema


class _PlainDumper(yaml.SafeDumper):
    """Writes equal parts out each time: an alias is no part of what people expect in a manifest."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - yaml's signature
        return True


def crd_yaml(kind: Kind) -> str:
    """One CustomResourceDefinition as YAML, always the same for the same models."""
    text: str = yaml.dump(build_crd(kind), Dumper=_PlainDumper, sort_keys=False, width=100)
    return text


def crds_yaml() -> str:
    """All CustomResourceDefinitions as one YAML stream, ready for ``kubectl apply -f -``."""
    return "---\n".join(crd_yaml(kind) for kind in KINDS)


def crd_files() -> dict[str, str]:
    """Content of each generated file, by its name."""
    return {f"{GROUP}_{kind.plural}.yaml": _HEADER + crd_yaml(kind) for kind in KINDS}


def stale_files(folder: Path, files: dict[str, str]) -> list[str]:
    """Names of the files in ``folder`` that differ from ``files`` or are missing."""
    return [name for name, text in files.items() if _read(folder / name) != text]


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write every file into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the generated files; 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(prog="nodemix.operator.api.crd", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT_FOLDER)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    if not options.check:
        write_files(options.folder, crd_files())
        return 0
    stale = stale_files(options.folder, crd_files())
    for name in stale:
        sys.stderr.write(f"{options.folder / name} is out of date; run `make generate`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
