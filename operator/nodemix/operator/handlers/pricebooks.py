"""PriceBook: remembered for the policies that refer to it."""

from typing import Any

import kopf
from nodemix.operator.objects import GROUP, VERSION
from nodemix.operator.prices.shelf import PriceShelf


def register(registry: kopf.OperatorRegistry, shelf: PriceShelf) -> None:
    """Follow the price books; event handlers put no finalizer on them."""

    @kopf.on.event(GROUP, VERSION, "pricebooks", registry=registry)
    async def on_price_book(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name
        if type == "DELETED":
            shelf.remove(body["metadata"]["name"])
        else:
            shelf.update(dict(body))
