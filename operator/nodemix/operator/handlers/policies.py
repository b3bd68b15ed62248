"""NodeMixPolicy: each one has a loop."""

import kopf
from nodemix.operator.loops import PolicyLoops
from nodemix.operator.objects import GROUP, VERSION


def register(registry: kopf.OperatorRegistry, loops: PolicyLoops) -> None:
    """Follow the policies; event handlers put no finalizer on them."""

    @kopf.on.event(GROUP, VERSION, "nodemixpolicies", registry=registry)
    async def on_policy(type: str | None, body: kopf.Body, **_: object) -> None:  # noqa: A002 - kopf's name
        if type == "DELETED":
            loops.remove(body["metadata"]["name"])
        else:
            loops.update(dict(body))
