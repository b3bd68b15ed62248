import pytest

from tests.checker.scene import make_market
from tests.checker_market import Market


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """What is on sale in the small scene."""
    return make_market(tmp_path_factory.mktemp("market"))
