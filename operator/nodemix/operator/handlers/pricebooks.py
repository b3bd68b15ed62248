"""PriceBook: remembered for the policies that refer to it."""

import kopf
from nodemix.operator.catalogs import Catalogs
from nodemix.operator.loops import PolicyLoops
from nodemix.operator.objects import GROUP, VERSION


def register(registry: kopf.OperatorRegistry, catalogs: Catalogs, loops: PolicyLoops) -> None:
    """Follow the price books; event handlers put no finalizer on them."""

    @kopf.on.event(GROUP, VERSION, "pricebooks", registry=registry)
    async def on_price_book(type: str | None, body: kopf.Body, **_: object) -> None:  # noqa: A002 - kopf's name
        name = body["metadata"]["name"]
        if type == "DELETED":
            catalogs.remove(name)
            loops.prices_changed(name)
        elif catalogs.update(dict(body)):
            loops.prices_changed(name)
