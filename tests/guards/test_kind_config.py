"""kind-config.yaml against the part of kind's v1alpha4 format that it uses."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

_LABELS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}}
_NODE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["role"],
    "properties": {
        "role": {"enum": ["control-plane", "worker"]},
        "image": {"type": "string"},
        "labels": _LABELS,
        "kubeadmConfigPatches": {"type": "array", "items": {"type": "string"}},
    },
}
_CLUSTER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "apiVersion", "nodes"],
    "properties": {
        "kind": {"const": "Cluster"},
        "apiVersion": {"const": "kind.x-k8s.io/v1alpha4"},
        "name": {"type": "string", "pattern": "^[a-z0-9.-]+$"},
        "nodes": {"type": "array", "minItems": 1, "items": _NODE},
        "featureGates": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "networking": {"type": "object"},
    },
}


@pytest.fixture
def config(repository: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((repository / "kind-config.yaml").read_text())
    return loaded


def test_kind_accepts_the_config(config: dict[str, Any]) -> None:
    jsonschema.validate(config, _CLUSTER)


def test_misspelt_field_would_be_noticed(config: dict[str, Any]) -> None:
    config["nodes"][0]["rolle"] = "worker"

    with pytest.raises(jsonschema.ValidationError, match="rolle"):
        jsonschema.validate(config, _CLUSTER)


def test_workers_stand_in_three_zones(config: dict[str, Any]) -> None:
    roles = [node["role"] for node in config["nodes"]]
    zones = {node.get("labels", {}).get("topology.kubernetes.io/zone") for node in config["nodes"]}

    assert roles == ["control-plane", "worker", "worker", "worker"]
    assert len(zones - {None}) == 3
