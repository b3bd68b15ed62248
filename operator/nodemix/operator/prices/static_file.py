"""Prices in files."""

from pathlib import Path

from nodemix.operator.prices.assemble import catalog_of, instance_facts
from nodemix.operator.prices.rows import PriceRows
from nodemix.optimizer.catalog.bundled import bundled_catalog
from nodemix.optimizer.catalog.csv_files import OFFER_COLUMNS, load_catalog, read_records
from nodemix.optimizer.catalog.types import Catalog


def file_catalog(offers_csv: Path, catalog_csv: Path | None = None) -> Catalog:
    """The offers of a file, with the facts of ``catalog_csv`` or, without it, the bundled ones.

    Raises:
        CatalogError: a file cannot be read, or lacks a column.
        EmptyCatalogError: no offer can be used.
    """
    if catalog_csv is not None:
        return load_catalog(catalog_csv, offers_csv)
    rows = PriceRows(tuple(read_records(offers_csv, OFFER_COLUMNS)))
    return catalog_of(rows, instance_facts(bundled_catalog()), offers_csv.name)
