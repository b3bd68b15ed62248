"""Prices written into a PriceBook itself."""

from nodemix.operator.api.pricebook import PriceBookSpec
from nodemix.operator.prices.rows import PriceRows, rows_of_offers


def inline_rows(spec: PriceBookSpec) -> PriceRows:
    """The offers of ``spec.offers``."""
    return rows_of_offers(spec.offers or (), spec.as_of or "")
