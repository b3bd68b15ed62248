import numpy as np
from nodemix.forecasting.events import event_kinds, same_place_before
from nodemix.forecasting.types import DemandHistory, Event

from tests.forecasting.histories import START_S, STEP_S, make_history


def event(name: str, start: int, stop: int, *series: int) -> Event:
    """From step ``start`` to before ``stop``."""
    named = tuple(f"shop/Deployment/{i}" for i in series)
    return Event(name, START_S + start * STEP_S, START_S + stop * STEP_S, named)


def shop(*events: Event, rows: int = 1) -> DemandHistory:
    return make_history(*np.ones((rows, 6)), events=events)


def kinds(history: DemandHistory, steps: int = 10) -> list[list[int]]:
    found = event_kinds(history, history.start_s, steps)
    assert found is not None
    return [[int(kind) for kind in row] for row in found]


def test_without_events_there_are_no_kinds() -> None:
    assert event_kinds(shop(), START_S, 10) is None


def test_an_event_is_on_from_its_first_step_to_before_its_end() -> None:
    assert kinds(shop(event("sale", 2, 4))) == [[0, 0, 1, 1, 0, 0, 0, 0, 0, 0]]


def test_events_reach_into_the_future_and_from_before_the_beginning() -> None:
    assert kinds(shop(event("sale", 8, 99), event("sale", -5, 1))) == [
        [1, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    ]


def test_kinds_are_told_apart_by_name() -> None:
    assert kinds(shop(event("sale", 0, 2), event("batch", 3, 5), event("sale", 6, 8))) == [
        [2, 2, 0, 1, 1, 0, 2, 2, 0, 0]
    ]


def test_of_two_at_once_the_one_that_began_last_counts() -> None:
    assert kinds(shop(event("b", 2, 4), event("a", 0, 6))) == [[1, 1, 2, 2, 1, 1, 0, 0, 0, 0]]


def test_an_event_moves_the_series_that_it_names_and_all_if_it_names_none() -> None:
    history = shop(event("sale", 0, 2, 1), event("test", 5, 6), rows=2)

    assert kinds(history, steps=6) == [[0, 0, 0, 0, 0, 2], [1, 1, 0, 0, 0, 2]]


def test_every_indicator_of_a_series_sees_its_events() -> None:
    two = DemandHistory(
        ("a", "b"),
        ("pods", "cpu"),
        START_S,
        STEP_S,
        np.ones((2, 2, 4)),
        events=(Event("sale", START_S, START_S + STEP_S, ("b",)),),
    )

    assert kinds(two, steps=2) == [[0, 0], [0, 0], [1, 0], [1, 0]]


def test_the_same_place_in_the_last_event_of_its_kind() -> None:
    known = np.array([[0, 1, 1, 0, 2, 1, 1, 1, 0, 2, 0, 1]])

    found = same_place_before(known)

    assert found.tolist() == [[-1, -1, -1, -1, -1, 1, 2, 3, -1, 4, -1, 5]]


def test_rows_do_not_learn_of_each_others_events() -> None:
    found = same_place_before(np.array([[1, 0, 0], [0, 0, 1]]))

    assert (found == -1).all()
