"""HTTP sessions with the API server."""

import asyncio

import aiohttp
from nodemix.operator.cluster.connection import Connection

CALL_TIMEOUT_S = 10.0
"""Of a call that names no other; shorter than the lease lasts: a call that hangs must not outlive
the right to make it."""

USER_AGENT = "nodemix"
"""How the API server's audit log knows us, whatever account is used."""


def open_session(connection: Connection) -> aiohttp.ClientSession:
    """A session that trusts and authenticates as ``connection`` says; close it.

    The token is read anew for each call, because those of service accounts rotate.
    """
    ssl_context = connection.ssl_context if connection.ssl_context is not None else True
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=ssl_context, limit=0),
        headers={"User-Agent": USER_AGENT},
        proxy=connection.proxy_url,
        timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S),
        middlewares=(_authentication(connection),),
    )


def _authentication(connection: Connection) -> aiohttp.ClientMiddlewareType:
    async def authenticate(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers.update(await asyncio.to_thread(connection.headers))
        request.server_hostname = connection.server_name
        return await handler(request)

    return authenticate
