"""Offers of a catalog, for people and for spreadsheets."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace

from nodemix.optimizer.catalog.types import Catalog, Offer
from rich.box import SIMPLE_HEAD
from rich.table import Table

CSV_COLUMNS = (
    "instance_type",
    "zone",
    "capacity_type",
    "usd_h",
    "arch",
    "vcpu",
    "memory_mib",
    "alloc_cpu_m",
    "alloc_memory_mib",
    "gpu_count",
    "gpu_name",
)


@dataclass(frozen=True, slots=True)
class OfferQuery:
    """Which offers to list; empty strings and None mean any."""

    family: str = ""
    zone: str = ""
    market: str = ""
    has_gpus: bool = False
    min_vcpus: int = 0
    max_vcpus: int | None = None

    def select(self, catalog: Catalog) -> Catalog:
        """The offers asked for, cheapest first."""
        found = sorted(
            (offer for offer in catalog.offers if self.accepts(offer)),
            key=lambda offer: (offer.price_usd_per_hour, offer.key),
        )
        return replace(catalog, offers=tuple(found))

    def accepts(self, offer: Offer) -> bool:
        """Whether ``offer`` is asked for."""
        instance = offer.instance
        return (
            self.family in ("", instance.family)
            and self.zone in ("", offer.zone)
            and self.market in ("", offer.capacity_type.value)
            and (instance.allocatable.gpus > 0 or not self.has_gpus)
            and self.min_vcpus <= instance.vcpus
            and (self.max_vcpus is None or instance.vcpus <= self.max_vcpus)
        )


def offers_table(offers: Iterable[Offer]) -> Table:
    """One row an offer."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("type", "zone", "market"):
        table.add_column(name, no_wrap=True)
    for name in ("$/h", "vCPU", "GiB", "GPUs"):
        table.add_column(name, justify="right", no_wrap=True)
    for offer in offers:
        instance = offer.instance
        gpus = f"{instance.allocatable.gpus} {instance.gpu_name}" if instance.gpu_name else ""
        table.add_row(
            instance.name,
            offer.zone,
            offer.capacity_type.value,
            f"{offer.price_usd_per_hour:.4f}",
            str(instance.vcpus),
            f"{instance.memory_mib / 1024:g}",
            gpus,
        )
    return table


def offers_csv(offers: Iterable[Offer]) -> str:
    """One line an offer, with the columns of an offers file first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_csv_row(offer) for offer in offers)
    return text.getvalue()


def _csv_row(offer: Offer) -> tuple[object, ...]:
    instance, room = offer.instance, offer.instance.allocatable
    return (
        instance.name,
        offer.zone,
        offer.capacity_type.value,
        f"{offer.price_usd_per_hour:.6g}",
        instance.architecture,
        instance.vcpus,
        instance.memory_mib,
        room.cpu_milli,
        room.memory_mib,
        room.gpus,
        instance.gpu_name or "",
    )
