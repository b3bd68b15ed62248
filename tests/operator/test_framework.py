"""kopf writes nothing into the objects, and waits as long as it takes."""

import itertools
from typing import Any

import kopf
import pytest
from nodemix.operator.cluster.connection import Connection
from nodemix.operator.framework import (
    LONGEST_PAUSE_S,
    Patience,
    framework_registry,
    framework_settings,
)
from nodemix.operator.handlers import login

from tests.operator.test_catalogs import make_catalogs

CONNECTION = Connection("http://127.0.0.1:1", None, lambda: "secret")


async def nothing() -> None:
    pass


def make_registry() -> kopf.OperatorRegistry:
    loops: Any = None  # handlers keep it; none is called here
    return framework_registry(CONNECTION, loops, make_catalogs(), nothing)


def test_pauses_grow_and_never_end() -> None:
    pauses = list(itertools.islice(Patience(), 100))

    assert pauses == sorted(pauses)
    assert pauses[0] == 1.0
    assert pauses[-1] == LONGEST_PAUSE_S
    assert list(itertools.islice(Patience(), 100)) == pauses  # each call starts anew


def test_settings_keep_kopf_quiet() -> None:
    settings = framework_settings()

    assert not settings.posting.enabled
    assert not settings.posting.loggers
    assert isinstance(settings.networking.error_backoffs, Patience)


def test_only_our_kinds_are_followed_and_none_gets_a_finalizer() -> None:
    registry = make_registry()

    followed = {str(selector) for selector in registry._watching.get_all_selectors()}
    assert len(followed) == 2
    assert any("nodemixpolicies" in name for name in followed)
    assert any("pricebooks" in name for name in followed)
    for stateful in (registry._changing, registry._spawning, registry._indexing):
        assert list(stateful.get_all_handlers()) == []


def test_registries_share_nothing() -> None:
    first, second = make_registry(), make_registry()

    assert len(first._watching.get_all_handlers()) == len(second._watching.get_all_handlers()) == 2


@pytest.mark.anyio
async def test_login_gives_a_session_with_the_connections_credentials() -> None:
    registry = kopf.OperatorRegistry()
    login.register(registry, CONNECTION)
    (handler,) = registry._activities.get_all_handlers()
    on_login: Any = handler.fn

    found = await on_login()
    await found.aiohttp_session.close()

    assert isinstance(found, kopf.AiohttpSession)
    assert found.server == "http://127.0.0.1:1"
