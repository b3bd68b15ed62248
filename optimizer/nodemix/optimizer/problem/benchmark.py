"""Packing instances from JSON files, with one exact meaning, so that solvers can be compared.

The rules are those of the data set's README. They are simpler than a cluster's: one DaemonSet
load for all nodes, no labels beside zone and architecture.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from nodemix.optimizer.catalog.csv_files import load_catalog
from nodemix.optimizer.catalog.filters import apply_filter
from nodemix.optimizer.catalog.types import Offer
from nodemix.optimizer.errors import CatalogError
from nodemix.optimizer.policy import OfferFilter
from nodemix.optimizer.problem.types import BoolArray, IntArray, Problem, Row
from nodemix.optimizer.resources import GPU_RESOURCE
from nodemix.optimizer.snapshot import WorkloadKey
from pydantic import BaseModel, ConfigDict, ValidationError

DIMENSIONS = ("cpu_milli", "memory_mib", "pods", GPU_RESOURCE)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Group(_Part):
    """Identical pods of an instance."""

    id: str
    count: int
    cpu_m: int
    memory_mib: int
    gpu: int = 0
    gpu_models: tuple[str, ...] | None = None
    arch: str = "any"
    spot_ok: bool = True
    zone_spread: bool = False
    zone: str | None = None
    max_per_node: int | None = None


class DaemonSetLoad(_Part):
    """What the DaemonSets take of every node."""

    cpu_m: int
    memory_mib: int
    pods: int


class NodePoolRules(_Part):
    """Which instance types may be bought."""

    categories: tuple[str, ...]
    exclude_metal: bool = True
    min_generation: int | None = None
    max_vcpu: int | None = None


class Instance(_Part):
    """One instance file."""

    name: str
    zones: tuple[str, ...]
    daemonset: DaemonSetLoad
    nodepool: NodePoolRules
    groups: tuple[Group, ...]


def read_instance(instance_json: Path, catalog_csv: Path, offers_csv: Path) -> Problem:
    """The problem of one instance file; rows no offer can hold are in ``unplaceable``.

    Raises:
        CatalogError: a file cannot be read.
    """
    instance = _parse(instance_json)
    rules = instance.nodepool
    allowed = OfferFilter(
        categories=rules.categories,
        min_generation=rules.min_generation,
        max_vcpus=rules.max_vcpu,
        allow_metal=not rules.exclude_metal,
    )
    catalog = apply_filter(load_catalog(catalog_csv, offers_csv), allowed)
    return to_problem(instance, catalog.offers)


def _parse(path: Path) -> Instance:
    try:
        return Instance.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as err:
        raise CatalogError(f"{path}: is no instance file ({err}); see its README") from err


def to_problem(instance: Instance, offers: Sequence[Offer]) -> Problem:
    """The problem of an instance over ``offers``, which its node pool already allows."""
    pairs = list(_rows(instance))
    room = _room(offers, instance.daemonset)
    has_room = (room[:, :3] > 0).all(axis=1)
    requests = np.array(
        [[g.cpu_m, g.memory_mib, 1, g.gpu] for _, g in pairs], dtype=np.int64
    ).reshape(-1, len(DIMENSIONS))
    compatible = _compatible(pairs, offers) & has_room
    for dimension in range(len(DIMENSIONS)):
        compatible &= requests[:, dimension, None] <= room[None, :, dimension]
    placeable = np.flatnonzero(compatible.any(axis=1)).tolist()
    useful = np.flatnonzero(compatible.any(axis=0)).tolist()
    bought = tuple(offers[o] for o in useful)
    return Problem(
        dimensions=DIMENSIONS,
        rows=tuple(pairs[r][0] for r in placeable),
        requests=requests[placeable],
        max_per_node=_max_per_node([pairs[r] for r in placeable]),
        offers=bought,
        room=room[useful],
        price_usd_per_hour=np.array([o.price_usd_per_hour for o in bought], dtype=np.float64),
        compatible=compatible[np.ix_(placeable, useful)],
        unplaceable=tuple(
            (row, "no allowed offer can hold it")
            for i, (row, _) in enumerate(pairs)
            if not compatible[i].any()
        ),
    )


def _rows(instance: Instance) -> Iterator[tuple[Row, Group]]:
    """Rows in the order of the groups; a zone spread cuts a group into one row a zone."""
    for group in instance.groups:
        workload = WorkloadKey("default", "Deployment", group.id)
        if not group.zone_spread:
            yield Row(group.id, workload, group.count, group.zone), group
            continue
        quotient, remainder = divmod(group.count, len(instance.zones))
        for i, zone in enumerate(instance.zones):
            if pods := quotient + (i < remainder):
                yield Row(f"{group.id}@{zone}", workload, pods, zone), group


def _room(offers: Sequence[Offer], load: DaemonSetLoad) -> IntArray:
    table = [[o.instance.allocatable.amount(name) for name in DIMENSIONS] for o in offers]
    room = np.array(table, dtype=np.int64).reshape(-1, len(DIMENSIONS))
    return room - np.array([load.cpu_m, load.memory_mib, load.pods, 0], dtype=np.int64)


def _max_per_node(pairs: Sequence[tuple[Row, Group]]) -> IntArray:
    limits = [min(row.pods, g.max_per_node or row.pods) for row, g in pairs]
    return np.array(limits, dtype=np.int64)


def _compatible(pairs: Sequence[tuple[Row, Group]], offers: Sequence[Offer]) -> BoolArray:
    """Zone, market, architecture and GPU model, shape (rows, offers)."""
    facts = {
        "zone": np.array([o.zone for o in offers]),
        "arch": np.array([o.instance.architecture for o in offers]),
        "gpu_name": np.array([o.instance.gpu_name or "" for o in offers]),
        "has_gpus": np.array([o.instance.allocatable.gpus > 0 for o in offers], dtype=np.bool_),
        "is_spot": np.array([o.is_spot for o in offers], dtype=np.bool_),
    }
    masks = [_allowed(row, group, facts) for row, group in pairs]
    return np.array(masks, dtype=np.bool_).reshape(len(pairs), len(offers))


def _allowed(
    row: Row, group: Group, facts: Mapping[str, np.ndarray[tuple[int], np.dtype[np.generic]]]
) -> BoolArray:
    mask: BoolArray = facts["has_gpus"] == (group.gpu > 0)
    if row.zone is not None:
        mask &= facts["zone"] == row.zone
    if group.arch != "any":
        mask &= facts["arch"] == group.arch
    if group.gpu_models is not None:
        mask &= np.isin(facts["gpu_name"], group.gpu_models)
    if not group.spot_ok:
        mask &= ~facts["is_spot"].astype(np.bool_)
    return mask
