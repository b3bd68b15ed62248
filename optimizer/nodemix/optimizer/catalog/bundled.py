"""The catalog that ships with the package: facts of AWS, us-east-1.

``data/README.md`` says where each number comes from and what is an estimate.
"""

import gzip
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files

from nodemix.optimizer.catalog.csv_files import (
    INSTANCE_COLUMNS,
    parse_instances,
    parse_offers,
    parse_records,
)
from nodemix.optimizer.catalog.types import Catalog

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
ON_DEMAND_AS_OF = "2026-07-20"
SPOT_AS_OF = "2025-06"
MONTHLY_INTERRUPTIONS_BY_BAND = {"0": 0.025, "1": 0.075, "2": 0.125, "3": 0.175, "4": 0.275}
"""Middle of the Spot Advisor's band: below 5 %, 5-10, 10-15, 15-20, above 20 % a month."""

_COLUMNS = (*INSTANCE_COLUMNS, "od_usd_h", "spot_usd_h_est", "spot_band")


@cache
def bundled_catalog() -> Catalog:
    """Every bundled AWS type in three zones, on demand and, where the advisor knows it, on spot.

    Spot prices are estimates: on-demand price less the average saving, equal in all zones.
    """
    packed = files("nodemix.optimizer.catalog").joinpath("data/aws.csv.gz").read_bytes()
    text = gzip.decompress(packed).decode()
    records = parse_records(text, _COLUMNS, "aws.csv.gz")
    instances, bad_types = parse_instances(records)
    offers, bad_offers = parse_offers(_offer_records(records), instances)
    return Catalog(
        offers,
        source=f"bundled AWS us-east-1 catalog (spot estimated, {SPOT_AS_OF})",
        as_of=ON_DEMAND_AS_OF,
        notes=(*bad_types, *bad_offers),
    )


def _offer_records(records: Iterable[Mapping[str, str]]) -> Iterator[dict[str, str]]:
    """The offers of each instance type as lines of an offers file."""
    for record in records:
        for zone in ZONES:
            place = {"instance_type": record["instance_type"], "zone": zone}
            yield {**place, "capacity_type": "on-demand", "usd_h": record["od_usd_h"]}
            if record["spot_usd_h_est"]:
                yield {
                    **place,
                    "capacity_type": "spot",
                    "usd_h": record["spot_usd_h_est"],
                    "monthly_interruption_prob_mid": str(
                        MONTHLY_INTERRUPTIONS_BY_BAND[record["spot_band"]]
                    ),
                }
