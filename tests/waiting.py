"""Waiting for the real world: polling with a deadline."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

POLL_S = 0.2

T = TypeVar("T")


def wait_for(read: Callable[[], T], accept: Callable[[T], bool], patience_s: float = 40.0) -> T:
    """The first value of ``read`` that is accepted, or the last one seen."""
    deadline_s = time.monotonic() + patience_s
    while not accept(seen := read()) and time.monotonic() < deadline_s:
        time.sleep(POLL_S)
    return seen


async def until(condition: Callable[[], object], patience_s: float = 10.0) -> None:
    """Wait until another task of this loop makes ``condition`` true; a timeout fails the test."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.002)
