"""kopf speaks to the API server by the same connection as everything else."""

import asyncio

import kopf
from nodemix.operator.cluster.connection import Connection
from nodemix.operator.cluster.session import open_session

PAUSE_S = 5.0
"""Before logging in again: refused credentials must not become a storm of calls."""


def register(registry: kopf.OperatorRegistry, connection: Connection) -> None:
    """Log in as ``connection`` says; kopf closes the session when it is refused, or at its end."""
    sessions_opened = 0

    @kopf.on.login(registry=registry)
    async def on_login(**_: object) -> kopf.AiohttpSession:
        nonlocal sessions_opened
        if sessions_opened:
            await asyncio.sleep(PAUSE_S)
        sessions_opened += 1
        return kopf.AiohttpSession(server=connection.url, aiohttp_session=open_session(connection))
