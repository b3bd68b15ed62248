"""A client of Prometheus' HTTP API: range queries in pieces, with retries."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
import orjson
from nodemix.forecasting.types import FloatArray
from nodemix.operator.errors import PrometheusDownError, PrometheusError
from nodemix.operator.metrics.history import Grid

MAX_POINTS = 11_000
"""Prometheus refuses a range query that asks for more points a series."""

FIRST_POINTS = 96
"""Points of the first piece, from which the number of series is learnt: a day of 15-min steps."""

VALUES_AT_ONCE = 200_000
"""Values in one answer; some 30 MB while it is decoded, so that the operator stays small."""

RETRIED_STATUS = frozenset({408, 429, 500, 502, 503, 504})
DOWN_REMEDY = "check that it runs and that the url is right; the fallback is used meanwhile"

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PrometheusSettings:
    """Where Prometheus is and how patiently to ask.

    Args:
        url: with the path prefix, if it has one, e.g. ``http://prometheus.monitoring:9090``.
        bearer_token: sent with each request; empty for none.
        bearer_token_file: read before each request, because projected tokens are rotated.
        timeout_s: of one request; a piece takes well under a second on a healthy server.
        attempts: of one request, waiting ``backoff_s``, then twice that, between them.
    """

    url: str
    bearer_token: str = field(default="", repr=False)
    bearer_token_file: Path | None = None
    timeout_s: float = 15.0
    attempts: int = 3
    backoff_s: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class RangeSeries:
    """One series of an answer.

    Args:
        times_s: seconds since the epoch, shape (samples,).
        values: shape (samples,); NaN and infinity as Prometheus sent them.
    """

    labels: dict[str, str]
    times_s: FloatArray
    values: FloatArray


@dataclass(frozen=True, slots=True)
class RangePiece:
    """A part of a range query's answer.

    Args:
        warnings: Prometheus' own words on why the answer may be incomplete.
    """

    series: tuple[RangeSeries, ...]
    warnings: tuple[str, ...] = ()


class Prometheus:
    """A client; use it as an async context manager, or close it."""

    def __init__(
        self,
        settings: PrometheusSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._client = httpx.AsyncClient(
            base_url=settings.url.rstrip("/"), timeout=settings.timeout_s, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @property
    def name(self) -> str:
        """How messages call this server."""
        return f"Prometheus {self._settings.url}"

    async def query_range(self, promql: str, grid: Grid) -> AsyncIterator[RangePiece]:
        """The answer on the steps of ``grid``, oldest first, in pieces of bounded size.

        Raises:
            PrometheusDownError: it cannot be reached or stays unavailable after the retries.
            PrometheusError: it refuses the query, or its answer cannot be read.
        """
        first, points = 0, FIRST_POINTS
        while first < grid.steps:
            count = min(points, grid.steps - first)
            piece = await self._piece(promql, grid, first, count)
            yield piece
            first += count
            points = _points_for(len(piece.series))

    async def _piece(self, promql: str, grid: Grid, first: int, count: int) -> RangePiece:
        start_s = grid.start_s + first * grid.step_s
        form = {
            "query": promql,
            "start": f"{start_s:.3f}",
            "end": f"{start_s + (count - 1) * grid.step_s:.3f}",
            "step": f"{grid.step_s:.3f}",
        }
        return self._decode(promql, await self._post("/api/v1/query_range", form))

    async def _post(self, path: str, form: dict[str, str]) -> httpx.Response:
        attempt = 0
        while True:
            outcome = await self._try_post(path, form)
            if isinstance(outcome, httpx.Response):
                return outcome
            attempt += 1
            if attempt >= self._settings.attempts:
                raise outcome
            await self._sleep(self._settings.backoff_s * 2 ** (attempt - 1))

    async def _try_post(self, path: str, form: dict[str, str]) -> httpx.Response | PrometheusError:
        """The response, or the error to raise if no later attempt does better."""
        try:
            response = await self._client.post(path, data=form, headers=self._headers())
        except httpx.HTTPError as err:
            reason = f"no answer ({type(err).__name__}: {err})"
            return PrometheusDownError(self.name, reason, DOWN_REMEDY)
        if response.status_code not in RETRIED_STATUS:
            return response
        fact = f"answered {response.status_code} ({_reason(response)})"
        if _is_error_body(response):
            # The server is well and says so in JSON: this query took too long or failed in it.
            return PrometheusError(self.name, fact, "make the query cheaper or raise its timeout")
        return PrometheusDownError(self.name, fact, DOWN_REMEDY)

    def _headers(self) -> dict[str, str]:
        token = self._settings.bearer_token
        if self._settings.bearer_token_file is not None:
            token = self._token_from(self._settings.bearer_token_file)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _token_from(self, path: Path) -> str:
        try:
            return path.read_text().strip()
        except OSError as err:
            raise PrometheusError(
                self.name, f"token file {path} cannot be read ({err})", "mount it"
            ) from err

    def _decode(self, promql: str, response: httpx.Response) -> RangePiece:
        if response.is_error or response.is_redirect:
            raise self._refused(promql, response)
        try:
            body = orjson.loads(response.content)
            if body["status"] != "success" or body["data"]["resultType"] != "matrix":
                raise self._refused(promql, response)
            series = tuple(_series(entry) for entry in body["data"]["result"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as err:
            raise PrometheusError(
                self.name,
                f"answered something that is no range ({type(err).__name__}: {err})",
                "check that the url is Prometheus' own address, without /graph",
            ) from err
        return RangePiece(series, tuple(str(text) for text in body.get("warnings") or ()))

    def _refused(self, promql: str, response: httpx.Response) -> PrometheusError:
        if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            remedy = "give a token that may query"
        elif response.is_redirect or response.status_code == httpx.codes.NOT_FOUND:
            remedy = "check the url and its path prefix"
        else:
            remedy = "correct the query"
        fact = f"refused {promql!r} with {response.status_code} ({_reason(response)})"
        return PrometheusError(self.name, fact, remedy)


def _points_for(series: int) -> int:
    """Points to ask for at once, so that an answer stays below ``VALUES_AT_ONCE`` values."""
    return min(MAX_POINTS, max(1, VALUES_AT_ONCE // max(1, series)))


def _series(entry: dict[str, Any]) -> RangeSeries:
    samples = entry["values"]
    return RangeSeries(
        labels=entry["metric"],
        times_s=np.array([time_s for time_s, _ in samples], dtype=np.float64),
        values=np.array([float(text) for _, text in samples], dtype=np.float64),
    )


def _is_error_body(response: httpx.Response) -> bool:
    return str(response.headers.get("content-type", "")).startswith("application/json")


def _reason(response: httpx.Response) -> str:
    """What the server says, cut to what fits into a condition."""
    text = response.text
    if _is_error_body(response):
        try:
            text = str(orjson.loads(response.content)["error"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            text = response.text
    return " ".join(text.split())[:200] or "no reason given"
