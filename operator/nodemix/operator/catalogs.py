"""Which price book each policy buys from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nodemix.operator.api.policy import NodeMixPolicySpec
from nodemix.operator.api.pricebook import PriceBookSpec
from nodemix.operator.errors import PriceSourceError
from nodemix.operator.prices.books import PriceBooks, PriceReading
from nodemix.optimizer.catalog.bundled import bundled_catalog
from pydantic import ValidationError


@dataclass(slots=True)
class Catalogs:
    """The price books of the cluster, by name.

    Args:
        books: reads them and keeps the last good prices.
        now: seconds since the epoch.
    """

    books: PriceBooks
    now: Callable[[], float]
    _bodies: dict[str, dict[str, Any]] = field(default_factory=dict)

    def update(self, body: dict[str, Any]) -> None:
        """Take over a new or changed PriceBook."""
        self._bodies[body["metadata"]["name"]] = body

    def remove(self, name: str) -> None:
        """Forget a deleted PriceBook."""
        self._bodies.pop(name, None)
        self.books.forget(name)

    async def read(self, policy: NodeMixPolicySpec) -> PriceReading:
        """The prices the policy refers to, or those that ship with nodemix.

        Raises:
            PriceSourceError: the book is absent or cannot be read.
            CatalogError: it holds no offer that can be used.
        """
        if policy.catalog_ref is None:
            return PriceReading(bundled_catalog(), self.now())
        name = policy.catalog_ref.name
        body = self._bodies.get(name)
        if body is None:
            raise PriceSourceError(
                f"PriceBook/{name}",
                "does not exist",
                "create it, or leave spec.catalogRef out for the catalog that ships with nodemix",
            )
        try:
            spec = PriceBookSpec.model_validate(body.get("spec") or {})
        except ValidationError as err:
            raise PriceSourceError(f"PriceBook/{name}", str(err), "correct its spec") from err
        return await self.books.read(name, spec)
