import httpx
import pytest
from nodemix.operator.health import Check, HealthServer, probe


def well() -> str:
    return ""


def ill() -> str:
    return "pods: no event for 400 s"


def test_a_probe_fails_with_the_reason_of_the_failing_check() -> None:
    status, answers = probe((Check("loop", well), Check("view", ill)))

    assert status == 503
    assert answers == {"loop": "ok", "view": "pods: no event for 400 s"}


def test_a_probe_passes_when_nothing_is_wrong() -> None:
    assert probe((Check("loop", well),)) == (200, {"loop": "ok"})


@pytest.mark.anyio
async def test_liveness_and_readiness_are_answered_apart() -> None:
    server = HealthServer(alive=(Check("loop", well),), ready=(Check("view", ill),))
    await server.start(0)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
        alive = await client.get("/healthz")
        ready = await client.get("/readyz")
    await server.stop()

    assert (alive.status_code, ready.status_code) == (200, 503)
    assert ready.json() == {"view": "pods: no event for 400 s"}
