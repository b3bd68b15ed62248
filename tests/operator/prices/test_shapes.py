from nodemix.operator.api.pricebook import ShapeSpec
from nodemix.operator.prices.shapes import instance_of
from nodemix.optimizer.catalog.bundled import bundled_catalog
from nodemix.optimizer.catalog.filters import default_offer_filter, is_allowed
from nodemix.optimizer.resources import GPU_RESOURCE

GPU_SHAPE = ShapeSpec(cpu_milli=3500, memory_mib=14_000, gpus=2, gpu_name="l4")


def test_a_described_type_has_the_room_of_its_shape() -> None:
    room = instance_of("n2-standard-4", ShapeSpec(cpu_milli=3920, memory_mib=13_000)).allocatable

    assert (room.cpu_milli, room.memory_mib, room.pods) == (3920, 13_000, 110)


def test_vcpus_are_rounded_up_where_the_shape_does_not_say() -> None:
    assert instance_of("own", ShapeSpec(cpu_milli=3920, memory_mib=1)).vcpus == 4


def test_a_type_with_gpus_keeps_other_pods_away() -> None:
    instance = instance_of("g2-standard-8", GPU_SHAPE)

    assert instance.allocatable.gpus == 2
    assert instance.gpu_name == "l4"
    assert [taint.key for taint in instance.taints] == [GPU_RESOURCE]


def test_a_gpu_name_without_gpus_is_no_gpu() -> None:
    assert instance_of("own", ShapeSpec(cpu_milli=1, memory_mib=1, gpu_name="l4")).gpu_name is None


def test_an_aws_name_tells_family_category_and_generation() -> None:
    instance = instance_of("m9gd.4xlarge", ShapeSpec(cpu_milli=15_890, memory_mib=60_000))

    assert (instance.family, instance.category, instance.generation) == ("m9gd", "m", 9)


def test_a_foreign_type_passes_the_default_filter() -> None:
    for shape in (ShapeSpec(cpu_milli=4000, memory_mib=8000), GPU_SHAPE):
        assert is_allowed(instance_of("Standard_D4s_v5", shape), default_offer_filter())


def test_a_known_type_takes_only_its_room_from_the_shape() -> None:
    known = bundled_catalog().offers[0].instance

    changed = instance_of(known.name, ShapeSpec(cpu_milli=500, memory_mib=900), known)

    assert changed.allocatable.cpu_milli == 500
    assert (changed.labels, changed.vcpus) == (known.labels, known.vcpus)
