"""From a PriceBook to a catalog."""

from dataclasses import dataclass

import httpx
from nodemix.operator.api.pricebook import PriceBookSpec, PriceSource
from nodemix.operator.errors import PriceSourceError
from nodemix.operator.metrics.object_reader import ObjectReader
from nodemix.operator.prices.assemble import catalog_of, instance_facts
from nodemix.operator.prices.config_map import config_map_rows
from nodemix.operator.prices.http_source import http_rows
from nodemix.operator.prices.inline import inline_rows
from nodemix.operator.prices.rows import PriceRows
from nodemix.optimizer.catalog.bundled import bundled_catalog
from nodemix.optimizer.catalog.types import Catalog


@dataclass(frozen=True, slots=True)
class PriceAccess:
    """What reading a price book needs.

    Args:
        api: reads ConfigMaps; None where there is no cluster.
        transport: of HTTP sources; None for the network.
    """

    api: ObjectReader | None = None
    transport: httpx.AsyncBaseTransport | None = None


async def load_prices(name: str, spec: PriceBookSpec, access: PriceAccess) -> Catalog:
    """The offers of a PriceBook that can be bought; those left out are in ``Catalog.notes``.

    Raises:
        PriceSourceError: the source cannot be read.
        EmptyCatalogError: no offer can be used.
    """
    if spec.source is not None and spec.source.bundled is not None:
        return bundled_catalog()
    rows = await _rows(name, spec, access)
    subject = f"PriceBook {name}"
    dated = rows.as_of or spec.as_of or ""
    catalog = catalog_of(rows, instance_facts(bundled_catalog()), subject)
    return Catalog(catalog.offers, subject, dated, catalog.notes)


async def _rows(name: str, spec: PriceBookSpec, access: PriceAccess) -> PriceRows:
    source = spec.source or PriceSource.model_construct()
    if source.http is not None:
        return await http_rows(source.http, access.transport)
    if source.config_map is None:
        return inline_rows(spec)
    if access.api is None:
        raise PriceSourceError(
            f"PriceBook {name}", "reads a ConfigMap, but there is no cluster", "list its offers"
        )
    return await config_map_rows(source.config_map, access.api)
