"""Instance types that a price book describes itself."""

import math
import re
from dataclasses import replace

from nodemix.operator.api.pricebook import ShapeSpec
from nodemix.optimizer.catalog.csv_files import GPU_TAINT
from nodemix.optimizer.catalog.labels import instance_labels
from nodemix.optimizer.catalog.types import InstanceType
from nodemix.optimizer.resources import GPU_RESOURCE, Resources

UNNUMBERED_GENERATION = 99
"""A name without a generation counts as current: who lists it wants it bought."""

_AWS_NAME = re.compile(r"^(?P<family>(?P<category>[a-z]+)(?P<generation>\d+)[a-z0-9-]*)\.\w")


def instance_of(name: str, shape: ShapeSpec, known: InstanceType | None = None) -> InstanceType:
    """The instance type that ``shape`` describes.

    Args:
        known: the catalog's facts of the same type; only its room is then taken from ``shape``.
    """
    room = Resources.of(
        {GPU_RESOURCE: shape.gpus},
        cpu_milli=shape.cpu_milli,
        memory_mib=shape.memory_mib,
        pods=shape.pods,
        ephemeral_mib=shape.ephemeral_mib,
    )
    return _foreign(name, shape, room) if known is None else replace(known, allocatable=room)


def _foreign(name: str, shape: ShapeSpec, room: Resources) -> InstanceType:
    family, category, generation = _names(name, shape.gpus)
    vcpus = shape.vcpus or math.ceil(shape.cpu_milli / 1000)
    architecture = str(shape.architecture)
    gpu_name = shape.gpu_name if shape.gpus else None
    labels = instance_labels(
        name,
        family,
        category,
        generation,
        architecture,
        vcpus,
        shape.memory_mib,
        gpu_name=gpu_name,
        gpu_count=shape.gpus,
    )
    return InstanceType(
        name=name,
        family=family,
        category=category,
        generation=generation,
        architecture=architecture,
        vcpus=vcpus,
        memory_mib=shape.memory_mib,
        allocatable=room,
        gpu_name=gpu_name,
        labels=labels,
        taints=(GPU_TAINT,) if shape.gpus else (),
    )


def _names(name: str, gpus: int) -> tuple[str, str, int]:
    """Family, category and generation, read as AWS writes them where the name is of that form."""
    match = _AWS_NAME.match(name)
    if match:
        return match["family"], match["category"], int(match["generation"])
    return name.partition(".")[0], "g" if gpus else "m", UNNUMBERED_GENERATION
