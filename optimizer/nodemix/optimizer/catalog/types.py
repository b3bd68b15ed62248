"""Instance types, offers and the catalog that holds them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import CapacityType, Note, Taint


@dataclass(frozen=True, slots=True)
class InstanceType:
    """Facts of one machine shape.

    Args:
        allocatable: room for pods and DaemonSets, after kube, system and eviction reservations.
        architecture: ``amd64`` or ``arm64``.
        gpu_name: model as the vendor's labels spell it, e.g. ``a10g``; None without GPUs.
        labels: well-known labels a node of this type carries, type-wide ones only.
    """

    name: str
    family: str
    category: str
    generation: int
    architecture: str
    vcpus: int
    memory_mib: int
    allocatable: Resources
    gpu_name: str | None = None
    is_metal: bool = False
    accelerator: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[Taint, ...] = ()


PoolKey = tuple[str, str, CapacityType]
"""Instance type, zone and market."""

OfferVariant = tuple[str, str, CapacityType, str, bool]
"""Instance type, zone, market, terms, and whether the node runs already."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An instance type in a zone on a market, at a price.

    Args:
        price_usd_per_hour: of one node; 0 only for a node that is paid for in any case.
        interruptions_per_hour: prior rate at which one node is taken back; 0 for on-demand.
        terms: name of the commitment whose price this is; empty for what anybody may buy. A
            catalog has none of these, a problem has a limited number of nodes of each.
        is_in_place: these nodes run already; a problem has a limited number of them.
        interruption_usd_per_hour: what its reclaims are counted with in each hour of a node's life;
            a decision fills it in by what it believes.
    """

    instance: InstanceType
    zone: str
    capacity_type: CapacityType
    price_usd_per_hour: float
    interruptions_per_hour: float = 0.0
    terms: str = ""
    is_in_place: bool = False
    interruption_usd_per_hour: float = 0.0

    @property
    def key(self) -> tuple[str, str, CapacityType]:
        """The pool; what tells two offers of a catalog apart, but not those of a problem."""
        return (self.instance.name, self.zone, self.capacity_type)

    @property
    def variant(self) -> OfferVariant:
        """The pool with the terms; what tells two offers of a problem apart in later ones."""
        return (*self.key, self.terms, self.is_in_place)

    @property
    def is_spot(self) -> bool:
        """Whether the provider may take the node back."""
        return self.capacity_type is CapacityType.SPOT

    def __str__(self) -> str:
        terms = f" ({self.terms})" if self.terms else ""
        return f"{self.instance.name}/{self.zone}/{self.capacity_type}{terms}"


@dataclass(frozen=True, slots=True)
class Catalog:
    """Offers on sale, sorted by key, each key once, every price positive and finite.

    Args:
        source: where the prices come from, for messages and reports.
        as_of: date of the prices, ISO 8601; empty where the source does not say.
        notes: entries left out (price missing, zero or negative), and why.
    """

    offers: tuple[Offer, ...]
    source: str
    as_of: str = ""
    notes: tuple[Note, ...] = ()

    def where(self, keep: Callable[[Offer], bool]) -> "Catalog":
        """The same catalog with only the offers that ``keep`` accepts."""
        return replace(self, offers=tuple(offer for offer in self.offers if keep(offer)))

    def zones(self) -> tuple[str, ...]:
        """Zones with at least one offer, sorted."""
        return tuple(sorted({offer.zone for offer in self.offers}))

    def by_key(self) -> dict[tuple[str, str, CapacityType], Offer]:
        """Offers by (instance type, zone, capacity type)."""
        return {offer.key: offer for offer in self.offers}
