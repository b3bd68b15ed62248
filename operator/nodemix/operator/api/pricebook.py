"""``PriceBook``: what is on sale, and at which price."""

from collections import Counter
from typing import Annotated, ClassVar

from nodemix.operator.api.conditions import Conditions, Moment
from nodemix.operator.api.policy import Architecture
from nodemix.operator.api.rules import ApiModel, Rule, StatusModel, field_rule
from nodemix.operator.api.values import Count, DnsName, HttpUrl, Sentence, Word
from nodemix.optimizer.snapshot import CapacityType
from pydantic import Field, model_validator

MAX_INLINE_OFFERS = 5000
"""About 1 MiB of JSON, which is what etcd accepts; larger books belong in a source."""

OFFER_KEYS = ("instanceType", "zone", "capacityType")


class ShapeSpec(ApiModel):
    """An instance type that the bundled catalog does not know."""

    cpu_milli: int = Field(ge=1)
    """Allocatable CPU for pods."""
    memory_mib: int = Field(ge=1)
    """Allocatable memory for pods."""
    pods: int = Field(default=110, ge=1)
    """Pods that the kubelet accepts."""
    ephemeral_mib: int = Field(default=20_480, ge=0)
    """Allocatable ephemeral storage."""
    gpus: int = Field(default=0, ge=0)
    """NVIDIA GPUs, requested by pods as nvidia.com/gpu."""
    gpu_name: Word | None = None
    """Model of the GPUs as the vendor's labels spell it, e.g. a10g."""
    architecture: Architecture = Architecture.AMD64
    vcpus: int | None = Field(default=None, ge=1)
    """vCPUs of the machine; absent means cpuMilli rounded up to whole ones."""


class OfferSpec(ApiModel):
    """An instance type in a zone on a market, at a price."""

    rules: ClassVar[tuple[Rule, ...]] = (
        field_rule(
            "usd_per_hour",
            "{} >= 0.0",
            lambda value: value >= 0,
            "usdPerHour must not be negative; correct the price or remove the offer",
        ),
    )

    instance_type: Word
    """Instance type, e.g. m7g.xlarge."""
    zone: Word
    """Zone, as the label topology.kubernetes.io/zone spells it."""
    capacity_type: CapacityType
    usd_per_hour: float
    """Price of one node; an offer with price 0 is left out and reported in the conditions."""
    interruptions_per_hour: float = Field(default=0.0, ge=0)
    """Rate at which one spot node is taken back."""
    shape: ShapeSpec | None = None
    """Needed only for types that the bundled catalog does not know."""


class ConfigMapSource(ApiModel):
    """Offers in a ConfigMap, as CSV with the columns of a PriceBook's offers."""

    namespace: DnsName
    """Namespace of the ConfigMap; outside the operator's own, it needs the right to read it."""
    name: DnsName
    """Name of the ConfigMap."""
    key: Annotated[str, Field(min_length=1, max_length=253)] = "offers.csv"
    """Key of its data."""


class HttpSource(ApiModel):
    """Offers behind a URL, as CSV with the columns of a PriceBook's offers."""

    url: HttpUrl
    """Address of the file, read again every few minutes."""


class BundledSource(ApiModel):
    """The catalog that ships with nodemix."""


def _one_source(source: "PriceSource") -> bool:
    return sum(s is not None for s in (source.config_map, source.http, source.bundled)) == 1


class PriceSource(ApiModel):
    """Where offers are read from."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.configMap), has(self.http), has(self.bundled)].filter(s, s).size() == 1",
            "give exactly one of configMap, http and bundled; remove the others",
            _one_source,
        ),
    )

    config_map: ConfigMapSource | None = None
    http: HttpSource | None = None
    bundled: BundledSource | None = None


def _inline_or_source(book: "PriceBookSpec") -> bool:
    return (book.offers is None) != (book.source is None)


class PriceBookSpec(ApiModel):
    """Offers written here, or where to read them."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.offers) != has(self.source)",
            "give exactly one of offers and source; remove the other",
            _inline_or_source,
        ),
    )

    offers: tuple[OfferSpec, ...] | None = Field(
        default=None,
        max_length=MAX_INLINE_OFFERS,
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": list(OFFER_KEYS),
        },
    )
    """Offers, each instance type, zone and capacity type once."""
    source: PriceSource | None = None
    as_of: str | None = Field(default=None, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", max_length=10)
    """Date of the prices."""

    @model_validator(mode="after")
    def _lists_no_offer_twice(self) -> "PriceBookSpec":
        """What the API server knows by the keys of the list."""
        offers = Counter((o.instance_type, o.zone, o.capacity_type) for o in self.offers or ())
        for key, number in offers.items():
            if number > 1:
                raise ValueError(f"offers lists {'/'.join(key)} {number} times; keep one of them")
        return self


class PriceBookStatus(StatusModel):
    """What was read."""

    conditions: Conditions = Field(default=(), max_length=16)
    """What holds and what does not, each with its reason and what to do."""
    observed_generation: Count | None = None
    """Generation of the spec that this status speaks about."""
    offers: Count | None = None
    """Offers that can be bought."""
    offers_left_out: Count | None = None
    """Offers that were left out; the conditions say why."""
    source: Sentence | None = None
    """Where the prices came from."""
    as_of: str | None = Field(default=None, max_length=64)
    """Date of the prices, as far as the source tells."""
    read_at: Moment | None = None
    """When they were read."""
