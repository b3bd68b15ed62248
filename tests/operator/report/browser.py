"""A real Chromium without a window, by its DevTools protocol: what a page shows, says and asks."""

import asyncio
import base64
import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

Json = dict[str, Any]

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 120.0
HEIGHT = 900

SHOWN = """({
  text: document.body.innerText,
  width: document.documentElement.scrollWidth,
  scrolled: [...document.querySelectorAll(".scroll")].filter(
    e => e.scrollWidth > e.clientWidth + 1
  ).map(e => e.firstElementChild.className),
  wide: [...document.querySelectorAll("body *")].filter(e => {
    const picture = e.closest("svg");
    const end = picture ? picture.getBoundingClientRect().right : innerWidth;
    return !e.closest(".scroll") && e.getBoundingClientRect().right > end + 1;
  }).map(e => `${e.tagName}: ${e.textContent.trim().slice(0, 40)}`).slice(0, 5),
})"""
"""What the page shows: its visible text, its width, and what does not fit into it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A page as it was rendered.

    Args:
        text: visible characters.
        width: of the whole page, in CSS pixels; more than the window's means that it overflows.
        sticking_out: elements beyond the right end of the window or of their picture; those in
            boxes that scroll are left out.
        scrolled: classes of the tables that a reader has to move sideways.
        complaints: errors and warnings of the console, and exceptions.
        requests: addresses that were asked for, the page's own left out.
        png: a screenshot of the whole page.
    """

    text: str
    width: int
    sticking_out: tuple[str, ...]
    scrolled: tuple[str, ...]
    complaints: tuple[str, ...]
    requests: tuple[str, ...]
    png: bytes


def find_chromium() -> str:
    """The program; skips the test without one, and in CI fails it."""
    for name in PROGRAMS:
        if program := shutil.which(name):
            return program
    missing = f"none of {', '.join(PROGRAMS)} is installed; Debian's package is `chromium`"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def render(page: Path, profile: Path, width: int, *, is_dark: bool = False) -> Shown:
    """``page`` in a window of ``width`` CSS pixels.

    Args:
        profile: an empty folder for the browser's own files.
    """
    command = [
        *(find_chromium(), "--headless=new", "--no-sandbox", "--disable-gpu"),
        *("--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage"),
        *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
    ]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return asyncio.run(_render(page, profile, width, is_dark=is_dark))
    finally:
        browser.terminate()
        browser.wait(PATIENCE_S)


async def _render(page: Path, profile: Path, width: int, *, is_dark: bool) -> Shown:
    url = await _address_of_tab(profile)
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as link:
        tab = _Tab(link)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.do(f"{domain}.enable")
        screen = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width < 600}
        await tab.do("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        await tab.do("Emulation.setEmulatedMedia", {"features": [scheme]})
        await tab.do("Page.navigate", {"url": page.as_uri()})
        await tab.wait_for("Page.loadEventFired")
        return await tab.shown(page.as_uri())


async def _address_of_tab(profile: Path) -> str:
    """Where the browser's only tab listens, as soon as it does."""
    port_file = profile / "DevToolsActivePort"
    async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as session:
        while True:
            with suppress(FileNotFoundError, ValueError, aiohttp.ClientError):
                port = int(port_file.read_text().splitlines()[0])
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    for target in await answer.json():
                        if target["type"] == "page":
                            return str(target["webSocketDebuggerUrl"])
            await asyncio.sleep(0.05)


class _Tab:
    """Sends commands, and keeps the events that come between."""

    def __init__(self, link: aiohttp.ClientWebSocketResponse) -> None:
        self._link = link
        self._sent = 0
        self._events: list[Json] = []

    async def do(self, method: str, params: Mapping[str, object] | None = None) -> Json:
        self._sent += 1
        await self._link.send_json({"id": self._sent, "method": method, "params": params or {}})
        async with asyncio.timeout(PATIENCE_S):
            while (message := await self._link.receive_json()).get("id") != self._sent:
                self._events.append(message)
        assert "error" not in message, message
        result: Json = message["result"]
        return result

    async def wait_for(self, method: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not any(event.get("method") == method for event in self._events):
                self._events.append(await self._link.receive_json())

    async def shown(self, own_url: str) -> Shown:
        found = await self.do("Runtime.evaluate", {"expression": SHOWN, "returnByValue": True})
        value = found["result"]["value"]
        full = {"captureBeyondViewport": True}
        png = await self.do("Page.captureScreenshot", full)
        return Shown(
            text=value["text"],
            width=value["width"],
            sticking_out=tuple(value["wide"]),
            scrolled=tuple(value["scrolled"]),
            complaints=tuple(filter(None, map(_complaint, self._events))),
            requests=tuple(url for url in map(_request, self._events) if url not in {"", own_url}),
            png=base64.b64decode(png["data"]),
        )


def _complaint(event: Json) -> str:
    """Of the page's own scripts or of the browser about the page; empty for other events."""
    params = event.get("params", {})
    match event.get("method"):
        case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning", "assert"}:
            return str(params["args"])
        case "Runtime.exceptionThrown":
            return str(params["exceptionDetails"])
        case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
            return str(params["entry"]["text"])
    return ""


def _request(event: Json) -> str:
    is_request = event.get("method") == "Network.requestWillBeSent"
    return str(event["params"]["request"]["url"]) if is_request else ""
