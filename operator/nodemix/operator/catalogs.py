"""Which price book each policy buys from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nodemix.operator.api.conditions import Conditions, parse_conditions
from nodemix.operator.api.policy import NodeMixPolicySpec
from nodemix.operator.api.pricebook import PriceBookSpec
from nodemix.operator.api.rules import complaint
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

    @property
    def names(self) -> tuple[str, ...]:
        """The price books there are."""
        return tuple(self._bodies)

    def generation(self, name: str) -> int | None:
        """The generation of a price book's spec; None where there is no such book."""
        body = self._bodies.get(name)
        return None if body is None else int(body["metadata"].get("generation", 0))

    def conditions(self, name: str) -> Conditions:
        """The conditions that an earlier process left in a price book."""
        status = self._bodies.get(name, {}).get("status") or {}
        return parse_conditions(status.get("conditions") or ())

    def update(self, body: dict[str, Any]) -> bool:
        """Take over a new or changed PriceBook; whether its spec is new."""
        name = body["metadata"]["name"]
        former = self._bodies.get(name)
        self._bodies[name] = body
        return former is None or former.get("spec") != body.get("spec")

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
        return await self.read_book(policy.catalog_ref.name)

    async def read_book(self, name: str) -> PriceReading:
        """The prices of one book.

        Raises:
            PriceSourceError: the book is absent or cannot be read.
            CatalogError: it holds no offer that can be used.
        """
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
            raise PriceSourceError(f"PriceBook/{name}", complaint(err), "correct it") from err
        return await self.books.read(name, spec)
