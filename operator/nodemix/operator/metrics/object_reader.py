"""Reading single objects of the API server."""

from typing import Any, Protocol


class ObjectReader(Protocol):
    """Reads single objects of the API server."""

    async def get(self, path: str) -> dict[str, Any] | None:
        """The object at ``path``; None where there is none.

        Raises:
            ConnectionFailedError: the server cannot be reached, or refuses.
        """
        ...
