"""The small market of the random clusters, for nodemix and for the plan checker."""

from pathlib import Path

import pytest
from nodemix.optimizer.catalog.csv_files import load_catalog
from nodemix.optimizer.catalog.types import Catalog

from tests.laws.clusters import CATALOG, offers_csv
from tests.plan_checker import Market


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("market")
    (folder / "catalog.csv").write_text(CATALOG)
    (folder / "offers.csv").write_text(offers_csv())
    return folder / "catalog.csv", folder / "offers.csv"


@pytest.fixture(scope="module")
def catalog(files: tuple[Path, Path]) -> Catalog:
    return load_catalog(*files)


@pytest.fixture(scope="module")
def market(files: tuple[Path, Path]) -> Market:
    return Market.from_csv(*files)
