"""Prices behind a URL."""

import httpx
from nodemix.operator.api.pricebook import HttpSource
from nodemix.operator.errors import PriceSourceError
from nodemix.operator.prices.rows import PriceRows, rows_of_text

TIMEOUT_S = 20.0
MAX_BYTES = 32 * 2**20
"""Far above any price list of one region (6,000 offers are 0.3 MB); a guard for the memory."""

URL_REMEDY = "check spec.source.http.url; the last good prices are used meanwhile"


async def http_rows(
    source: HttpSource, transport: httpx.AsyncBaseTransport | None = None
) -> PriceRows:
    """The offers that the URL serves.

    Raises:
        PriceSourceError: it cannot be reached, refuses, or serves no offers.
    """
    async with httpx.AsyncClient(
        timeout=TIMEOUT_S, follow_redirects=True, transport=transport
    ) as client:
        try:
            content = await _body(client, source.url)
        except httpx.HTTPError as err:
            fact = f"no answer ({type(err).__name__}: {err})"
            raise PriceSourceError(source.url, fact, URL_REMEDY) from err
    try:
        text = content.decode()
    except UnicodeDecodeError as err:
        raise PriceSourceError(source.url, f"serves no text ({err})", "serve UTF-8") from err
    return rows_of_text(text, source.url)


async def _body(client: httpx.AsyncClient, url: str) -> bytes:
    content = bytearray()
    async with client.stream("GET", url) as response:
        if response.is_error:
            raise PriceSourceError(url, f"answered {response.status_code}", URL_REMEDY)
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > MAX_BYTES:
                fact = f"serves more than {MAX_BYTES // 2**20} MiB"
                raise PriceSourceError(url, fact, "serve the offers of one region")
    return bytes(content)
