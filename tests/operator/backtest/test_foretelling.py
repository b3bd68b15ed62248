import numpy as np
import pytest
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.types import DemandHistory, Horizon
from nodemix.operator.backtest.foretelling import Remembering, recent, settings_for

DAY_S = 86_400.0


def a_history(steps: int) -> DemandHistory:
    values = 5.0 + np.arange(steps, dtype=np.float64) % 4
    return DemandHistory(("shop/Deployment/web",), ("pods",), 0.0, 900.0, values[None, None, :])


def test_recent_is_the_newest_part() -> None:
    shown = recent(a_history(10), 2700.0)

    assert (shown.start_s, shown.end_s, shown.steps) == (6300.0, 8100.0, 3)
    assert shown.values[0, 0].tolist() == [8.0, 5.0, 6.0]
    assert recent(a_history(2), 2700.0).steps == 2


def test_it_speaks_as_the_operator_does_and_remembers_who_spoke() -> None:
    foretell = Remembering(Horizon(4), settings_for(("last-value", "window-quantile")), DAY_S * 14)
    history = a_history(300)

    said = foretell(history, history.end_s)

    assert said is not None
    assert said.series == history.series
    assert said.steps == 4
    assert set(foretell.models) <= {"last-value", "window-quantile"}
    assert foretell.models


def test_without_anything_to_learn_from_it_is_silent_and_says_why() -> None:
    foretell = Remembering(Horizon(4), settings_for(("last-value",)), DAY_S)
    nothing = DemandHistory(("a",), ("pods",), 0.0, 900.0, np.full((1, 1, 5), np.nan))

    assert foretell(nothing, nothing.end_s) is None
    assert len(foretell.failures) == 1


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ForecastError, match="oracle"):
        settings_for(("oracle",))
