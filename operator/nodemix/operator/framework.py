"""kopf, embedded: it knows the custom resources, and nothing else of the cluster."""

from collections.abc import Awaitable, Callable, Iterator

import kopf
from nodemix.operator.catalogs import Catalogs
from nodemix.operator.cluster.connection import Connection
from nodemix.operator.handlers import login, policies, pricebooks
from nodemix.operator.loops import PolicyLoops
from nodemix.operator.objects import GROUP

FIRST_PAUSES_S = (1.0, 1.0, 2.0, 3.0, 5.0, 8.0)
LONGEST_PAUSE_S = 15.0


class Patience:
    """Pauses between calls while the API server does not answer; kopf never gives up."""

    def __iter__(self) -> Iterator[float]:
        """Growing at first, then always the same."""
        yield from FIRST_PAUSES_S
        while True:
            yield LONGEST_PAUSE_S


def framework_settings() -> kopf.OperatorSettings:
    """What kopf is told: nothing is written into the objects, no events, and no peering."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False  # our events carry numbers; kopf's would need a right more
    settings.networking.error_backoffs = Patience()
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    return settings


def framework_registry(
    connection: Connection,
    loops: PolicyLoops,
    catalogs: Catalogs,
    at_end: Callable[[], Awaitable[None]],
) -> kopf.OperatorRegistry:
    """The handlers of one operator.

    Args:
        at_end: awaited once kopf listens no more; kopf waits for tasks that still run by then.
    """
    registry = kopf.OperatorRegistry()
    login.register(registry, connection)
    policies.register(registry, loops)
    pricebooks.register(registry, catalogs, loops)

    @kopf.on.cleanup(registry=registry)
    async def on_cleanup(**_: object) -> None:
        await at_end()

    return registry


async def run_framework(registry: kopf.OperatorRegistry) -> None:
    """Follow the custom resources until SIGTERM or SIGINT."""
    await kopf.operator(
        registry=registry, settings=framework_settings(), standalone=True, clusterwide=True
    )
