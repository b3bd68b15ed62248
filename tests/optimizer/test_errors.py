"""Errors cross the border of the decision's process, and must arrive as they left."""

import pickle

import pytest
from nodemix.optimizer.errors import EmptyCatalogError, InfeasiblePlanError, OptimizerError


@pytest.mark.parametrize(
    "error",
    [
        EmptyCatalogError("book", "all are too dear"),
        InfeasiblePlanError("maxNodes", "allows none", "raise it", is_proven=True),
    ],
)
def test_error_survives_pickling(error: OptimizerError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)
