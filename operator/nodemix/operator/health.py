"""Liveness and readiness that tell the truth."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Check:
    """One fact a probe asks for.

    Args:
        problem: says what is wrong; an empty string when nothing is.
    """

    name: str
    problem: Callable[[], str]


def probe(checks: tuple[Check, ...]) -> tuple[int, dict[str, str]]:
    """HTTP status and the answer of each check."""
    answers = {check.name: check.problem() or "ok" for check in checks}
    return (200 if all(answer == "ok" for answer in answers.values()) else 503), answers


@dataclass(slots=True)
class HealthServer:
    """Answers ``/healthz`` (restart me?) and ``/readyz`` (do I do my work?).

    The server shares the operator's event loop: when the loop stalls, the probe times out, and
    that is the truth.
    """

    alive: tuple[Check, ...]
    ready: tuple[Check, ...]
    _runner: web.AppRunner | None = None
    port: int = 0

    async def start(self, port: int) -> None:
        """Listen on ``port``; 0 takes a free one, which ``self.port`` then tells."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, port=port)
        await site.start()
        # Of port 0 each address family gets a port of its own, in any order; IPv4's is told.
        self.port = min(self._runner.addresses, key=len)[1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        status, answers = probe(self.alive)
        return web.json_response(answers, status=status)

    async def _readyz(self, _: web.Request) -> web.Response:
        status, answers = probe(self.ready)
        return web.json_response(answers, status=status)
