import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from nodemix.operator.logs import configure_logs


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Give the test runner its own handlers back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_own_records_are_json_with_their_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    structlog.get_logger("nodemix.test").info("PlanProposed", policy="shop", nodes=3)

    (record,) = lines(capsys)
    assert (record["event"], record["policy"], record["nodes"]) == ("PlanProposed", "shop", 3)
    assert record["level"] == "info"
    assert str(record["timestamp"]).endswith("Z")


def test_records_of_libraries_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    logging.getLogger("kopf.reactor").warning("watch %s broke", "pods")

    (record,) = lines(capsys)
    assert (record["event"], record["logger"]) == ("watch pods broke", "kopf.reactor")


def test_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    try:
        _ = 1 // len(lines(capsys))
    except ZeroDivisionError:
        structlog.get_logger("nodemix.test").exception("TickCrashed")

    (record,) = lines(capsys)
    assert "ZeroDivisionError" in str(record["exception"])


def test_quiet_level_leaves_out_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning")
    logging.getLogger("nodemix.test").info("every day")
    logging.getLogger("httpx").info("every request")

    assert lines(capsys) == []
