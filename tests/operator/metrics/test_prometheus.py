import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import numpy as np
import pytest
from nodemix.operator.errors import PrometheusDownError, PrometheusError
from nodemix.operator.metrics.history import Grid
from nodemix.operator.metrics.prometheus import (
    FIRST_POINTS,
    MAX_POINTS,
    VALUES_AT_ONCE,
    Prometheus,
    PrometheusSettings,
    RangePiece,
)

URL = "http://prometheus.test:9090/prefix/"
SECRET = "geheim"  # noqa: S105 - of no server
SMALL = Grid(900.0, 900.0, 3)

Answer = Callable[[httpx.Request], httpx.Response]


def matrix(*series: dict[str, Any], **more: Any) -> httpx.Response:
    data = {"resultType": "matrix", "result": list(series)}
    return httpx.Response(200, json={"status": "success", "data": data, **more})


class Server:
    """A Prometheus that answers from a script and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | type[httpx.TransportError] | Answer) -> None:
        self.answers = list(answers)
        self.forms: list[dict[str, str]] = []
        self.requests: list[httpx.Request] = []
        self.slept_s: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.forms.append({k: v[0] for k, v in parse_qs(request.content.decode()).items()})
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, type):
            raise answer("played", request=request)
        return answer if isinstance(answer, httpx.Response) else answer(request)

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)

    def query(self, grid: Grid = SMALL, **settings: Any) -> list[RangePiece]:
        async def ask() -> list[RangePiece]:
            client = Prometheus(
                PrometheusSettings(URL, **settings), httpx.MockTransport(self), self.sleep
            )
            async with client as prometheus:
                return [piece async for piece in prometheus.query_range("up", grid)]

        return asyncio.run(ask())


def cart(*values: tuple[float, str]) -> dict[str, Any]:
    return {"metric": {"deployment": "cart"}, "values": [list(v) for v in values]}


def test_a_range_is_asked_under_the_url_with_its_prefix() -> None:
    server = Server(matrix())
    server.query()

    assert str(server.requests[0].url) == f"{URL}api/v1/query_range"
    expected = {"query": "up", "start": "900.000", "end": "2700.000", "step": "900.000"}
    assert server.forms == [expected]


def test_an_answer_keeps_labels_times_and_values() -> None:
    (piece,) = Server(matrix(cart((900, "3"), (1800.5, "4.5")))).query()

    (series,) = piece.series
    assert series.labels == {"deployment": "cart"}
    assert list(series.times_s) == [900, 1800.5]
    assert list(series.values) == [3, 4.5]


def test_special_values_come_through_as_they_are() -> None:
    (piece,) = Server(matrix(cart((1, "NaN"), (2, "+Inf"), (3, "-Inf"), (4, "-7")))).query()

    np.testing.assert_array_equal(piece.series[0].values, [np.nan, np.inf, -np.inf, -7])


def test_warnings_of_the_server_are_handed_on() -> None:
    (piece,) = Server(matrix(cart((900, "3")), warnings=["store down"])).query()

    assert piece.warnings == ("store down",)


def test_a_long_range_is_asked_in_pieces_that_cover_each_step_once() -> None:
    server = Server(matrix(cart((900, "1"))))
    grid = Grid(0.0, 60.0, 3 * MAX_POINTS)
    server.query(grid)

    asked = [
        step
        for form in server.forms
        for step in range(int(float(form["start"])), int(float(form["end"])) + 1, 60)
    ]
    assert asked == [60 * step for step in range(grid.steps)]


def test_no_piece_asks_for_more_points_than_prometheus_allows() -> None:
    server = Server(matrix(cart((900, "1"))))
    server.query(Grid(0.0, 60.0, 3 * MAX_POINTS))

    points = [(float(f["end"]) - float(f["start"])) / 60 + 1 for f in server.forms]
    assert points[0] == FIRST_POINTS
    assert max(points) <= MAX_POINTS


def test_many_series_are_asked_in_smaller_pieces() -> None:
    server = Server(matrix(*[cart((900, "1"))] * 2000))
    server.query(Grid(0.0, 60.0, 500))

    points = [(float(f["end"]) - float(f["start"])) / 60 + 1 for f in server.forms]
    assert all(count * 2000 <= VALUES_AT_ONCE for count in points)


@pytest.mark.parametrize(
    "trouble",
    [httpx.ConnectError, httpx.ReadTimeout, httpx.Response(502), httpx.Response(503, text="wait")],
)
def test_a_passing_trouble_is_waited_out(trouble: Any) -> None:
    server = Server(trouble, trouble, matrix(cart((900, "3"))))

    assert server.query()[0].series[0].values[0] == 3
    assert server.slept_s == [0.5, 1.0]


@pytest.mark.parametrize(
    ("trouble", "fact"),
    [
        (httpx.ConnectError, "no answer (ConnectError: played)"),
        (httpx.ReadTimeout, "no answer (ReadTimeout: played)"),
        (httpx.Response(502, text="<b>bad gateway</b>"), "answered 502 (<b>bad gateway</b>)"),
    ],
)
def test_a_server_that_stays_down_is_named_after_the_attempts(trouble: Any, fact: str) -> None:
    server = Server(trouble)

    with pytest.raises(PrometheusDownError) as caught:
        server.query(attempts=3)

    assert caught.value.subject == f"Prometheus {URL}"
    assert caught.value.fact == fact
    assert "check that it runs" in caught.value.remedy
    assert len(server.requests) == 3


def test_a_query_that_took_too_long_does_not_make_the_server_down() -> None:
    body = {"status": "error", "errorType": "timeout", "error": "query timed out"}

    with pytest.raises(
        PrometheusError, match=r"query timed out\); make the query cheaper"
    ) as caught:
        Server(httpx.Response(503, json=body)).query()

    assert not isinstance(caught.value, PrometheusDownError)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (
            httpx.Response(400, json={"status": "error", "error": "parse error at char 3"}),
            "refused 'up' with 400 (parse error at char 3); correct the query",
        ),
        (httpx.Response(401, text="who?"), "401 (who?); give a token that may query"),
        (httpx.Response(403), "403 (no reason given); give a token that may query"),
        (httpx.Response(404, text="nothing"), "404 (nothing); check the url and its path prefix"),
        (
            httpx.Response(302, headers={"location": "/login"}),
            "302 (no reason given); check the url and its path prefix",
        ),
    ],
)
def test_a_refusal_is_not_repeated_and_says_what_to_do(
    response: httpx.Response, words: str
) -> None:
    server = Server(response)

    with pytest.raises(PrometheusError) as caught:
        server.query()

    assert words in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>Grafana</html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"status": "success"}),
        matrix({"metric": {}, "values": [[1]]}),
        matrix({"metric": {}, "values": [[1, "many"]]}),
        matrix({"metric": {}}),
    ],
)
def test_an_answer_that_is_no_range_is_named(response: httpx.Response) -> None:
    with pytest.raises(PrometheusError, match="answered something that is no range"):
        Server(response).query()


def test_an_answer_of_another_kind_is_refused() -> None:
    data = {"resultType": "vector", "result": []}

    with pytest.raises(PrometheusError, match="refused 'up' with 200"):
        Server(httpx.Response(200, json={"status": "success", "data": data})).query()


def test_a_long_reason_is_cut_to_what_fits_into_a_condition() -> None:
    with pytest.raises(PrometheusError) as caught:
        Server(httpx.Response(400, content=json.dumps({"a": "x" * 9999}))).query()

    assert len(str(caught.value)) < 400


def test_no_token_sends_no_authorization() -> None:
    server = Server(matrix())
    server.query()

    assert "authorization" not in server.requests[0].headers


def test_a_token_is_sent_and_never_shown() -> None:
    server = Server(matrix())
    server.query(bearer_token=SECRET)

    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in repr(PrometheusSettings(URL, bearer_token=SECRET))


def test_a_rotated_token_file_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")

    def rotate(_: httpx.Request) -> httpx.Response:
        token.write_text("second\n")
        return httpx.Response(502)

    server = Server(rotate, matrix())
    server.query(bearer_token_file=token)

    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer first", "Bearer second"]


def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PrometheusError, match=r"token file .*token cannot be read.*; mount it"):
        Server(matrix()).query(bearer_token_file=tmp_path / "token")
