"""The demo on a real API server: apply, let the operator decide, look, take everything away.

It plays only on a cluster that was named, or whose context says that it is a kind cluster.
"""

import asyncio
import os
import sys
import time
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from nodemix.operator.cluster.connection import connect
from nodemix.operator.cluster.session import open_session
from nodemix.operator.demo.cluster import DemoCluster, demo_cluster
from nodemix.operator.demo.policy import POLICY_NAME, demo_policy
from nodemix.operator.demo.screen import (
    TABLE_FORMAT,
    conditions_table,
    events_table,
    server_lines,
)
from nodemix.operator.demo.stage import Stage, cpu_milli_of, on_demo_nodes, until
from nodemix.operator.errors import DemoError
from nodemix.operator.objects import NODEMIX_API, ObjectWriter
from nodemix.operator.publish import EVENTS_PATH
from nodemix.optimizer.catalog.bundled import bundled_catalog
from rich.console import Console
from rich.text import Text

Json = dict[str, Any]

KIND_PREFIX = "kind-"
LOG_NAME = "nodemix-operator.log"
BOUND_TIMEOUT_S = 60.0
SETTLED_POLLS = 4
STUCK_POLLS = 20
DECIDED_TIMEOUT_S = 150.0
STOP_TIMEOUT_S = 10.0


def kind_kubeconfig(environ: Mapping[str, str]) -> Path | None:
    """The kubeconfig of kubectl if its current context is a kind cluster; else None.

    Several files are never merged here: what they mean together is not for a demo to guess.
    """
    listed = [Path(p) for p in environ.get("KUBECONFIG", "").split(":") if p]
    paths = listed or [Path(environ.get("HOME", "/")) / ".kube" / "config"]
    if len(paths) != 1:
        return None
    try:
        config = yaml.safe_load(paths[0].read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    context = config.get("current-context") if isinstance(config, dict) else None
    return paths[0] if str(context or "").startswith(KIND_PREFIX) else None


async def run_live(kubeconfig: Path, prometheus_url: str, out: Path, console: Console) -> None:
    """Show the operator at work on the cluster of ``kubeconfig``, then remove the demo from it.

    Args:
        prometheus_url: empty plans for the requests as they are.
        out: folder of the operator's log.

    Raises:
        DemoError: the cluster is not free for the demo, or no decision came in time.
        ConnectionFailedError: the API server refuses or cannot be reached.
    """
    connection = connect(os.environ, kubeconfig)
    console.print(Text.assemble("\nThe same live, on ", (connection.url, "bold")))
    async with open_session(connection) as session:
        stage = Stage(ObjectWriter(session, connection.url), session)
        await stage.refuse_strangers()
        try:
            await _play(stage, kubeconfig, prometheus_url, out, console)
        finally:
            with console.status("taking the demo off the cluster ..."):
                await stage.clear()
            console.print(Text("cleaned up: everything the demo made is deleted", style="dim"))


async def _play(
    stage: Stage, kubeconfig: Path, prometheus_url: str, out: Path, console: Console
) -> None:
    cluster = demo_cluster(bundled_catalog())
    started_s = time.monotonic()
    with console.status("applying custom resources, nodes and workloads ..."):
        await _apply(stage, cluster)
        bound, pods = await _await_scheduler(stage)
    applied_s = time.monotonic() - started_s
    console.print(
        f"[bold cyan]apply[/]    {len(cluster.nodes)} nodes and {len(cluster.controllers)} "
        f"workloads; the scheduler bound {bound} of {pods} pods [dim]({applied_s:.1f} s)[/]"
    )
    beats = asyncio.create_task(stage.keep_alive(cluster.nodes))
    try:
        started_s = time.monotonic()
        path = await stage.put_policy(demo_policy(prometheus_url))
        async with _operator(kubeconfig, out / LOG_NAME) as process:
            with console.status("the operator observes, forecasts and decides ..."):
                await _await_decision(stage, path, process, out / LOG_NAME)
            decided_s = time.monotonic() - started_s
            console.print(
                f"[bold cyan]operate[/]  started, decided and reported [dim]({decided_s:.1f} s)[/]"
            )
            await _show(stage, path, console)
    finally:
        beats.cancel()
        with suppress(asyncio.CancelledError):
            await beats


async def _apply(stage: Stage, cluster: DemoCluster) -> None:
    """Large pods first: once small ones are everywhere, no node has room for a large one."""
    await stage.put_crds()
    await stage.put(cluster.namespaces)
    await stage.put(cluster.nodes)
    controllers = sorted(cluster.controllers, key=cpu_milli_of, reverse=True)
    await stage.put([on_demo_nodes(controller) for controller in controllers])
    await stage.put(cluster.budgets)


async def _await_scheduler(stage: Stage) -> tuple[int, int]:
    """Pods with a node and all pods, once these numbers rest."""
    seen = [(0, 0)]

    async def is_settled() -> bool:
        seen.append(await stage.bound_pods())
        bound, pods = seen[-1]
        rest = SETTLED_POLLS if bound == pods else STUCK_POLLS
        return bound > 0 and seen[-rest:] == [seen[-1]] * rest

    await until(is_settled, BOUND_TIMEOUT_S)
    return seen[-1]


@asynccontextmanager
async def _operator(kubeconfig: Path, log: Path) -> AsyncIterator[Process]:
    """The operator as a process of its own; stopped at the end."""
    environment = {
        **os.environ,
        "NODEMIX_KUBECONFIG": str(kubeconfig),
        "NODEMIX_LEADER_ELECTION": "false",
        "NODEMIX_METRICS_PORT": "0",
        "NODEMIX_HEALTH_PORT": "0",
    }
    command = [sys.executable, "-m", "nodemix.operator.main"]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=output, stderr=STDOUT
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _await_decision(stage: Stage, path: str, process: Process, log: Path) -> None:
    async def is_decided() -> bool:
        if process.returncode is not None:
            raise DemoError("the operator", f"ended with code {process.returncode}", f"read {log}")
        status = ((await stage.writer.get(path)) or {}).get("status") or {}
        return bool(status.get("planName"))

    if not await until(is_decided, DECIDED_TIMEOUT_S):
        raise DemoError(
            f"NodeMixPolicy/{POLICY_NAME}",
            f"has no plan after {DECIDED_TIMEOUT_S:.0f} s",
            f"read {log}",
        )


async def _show(stage: Stage, path: str, console: Console) -> None:
    """Resources, conditions and events, as kubectl would show them."""
    console.print(Text("\n$ kubectl get nodemix", style="bold"))
    for plural, kind in (("nodemixpolicies", "nodemixpolicy"), ("nodemixplans", "nodemixplan")):
        answer = await _table(stage, f"{NODEMIX_API}/{plural}")
        for line in server_lines(answer, f"{kind}.nodemix.dev"):
            console.print(Text(line), soft_wrap=True)
        console.print()
    policy = await stage.writer.get(path) or {}
    console.print(Text(f"$ kubectl describe nodemixpolicy {POLICY_NAME}", style="bold"))
    console.print(conditions_table((policy.get("status") or {}).get("conditions") or ()))
    console.print()
    listed = await stage.writer.get(EVENTS_PATH) or {}
    uid = (policy.get("metadata") or {}).get("uid")
    ours = [e for e in listed.get("items") or () if (e.get("regarding") or {}).get("uid") == uid]
    console.print(events_table(ours))
    console.print()


async def _table(stage: Stage, path: str) -> Json:
    url = f"{stage.writer.url}{path}"
    async with stage.session.get(url, headers={"Accept": TABLE_FORMAT}) as response:
        answer: Json = await response.json(content_type=None)
        return answer
