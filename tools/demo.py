"""The demo as ``make demo`` shows it: offline, then live on a control plane if one is built.

Run ``python -m tools.demo``.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from nodemix.forecasting.types import DemandHistory
from nodemix.operator.demo.demand import demo_history
from nodemix.operator.demo.live import kind_kubeconfig
from nodemix.operator.demo.run import DemoSettings, run_demo
from rich.console import Console
from rich.text import Text

from tools.binaries import finished_folder
from tools.local_cluster import LocalCluster
from tools.local_prometheus import LocalPrometheus
from tools.real_demand import find_trace, traced_history

HOW_TO_GO_LIVE = (
    "Live: not shown, no control plane is built. `make controlplane` builds one (once, about 10 "
    "minutes on two cores); then `make demo` runs the operator against a real API server, too."
)
METRICS = {
    "Deployment": ("kube_deployment_status_replicas", "deployment"),
    "StatefulSet": ("kube_statefulset_status_replicas", "statefulset"),
}
"""What kube-state-metrics calls the pods of a workload, and the label that names it."""


def main(out: Path = Path("out")) -> None:
    """Show the demo; the live part where there is a cluster to play on."""
    console = Console()
    run_demo(DemoSettings(out), console, with_live=False)
    go_live(out, console, os.environ)


def go_live(out: Path, console: Console, environ: Mapping[str, str]) -> None:
    """Show the live part on a control plane of our own, else on a kind cluster, else say how."""
    if finished_folder("controlplane", environ) is not None:
        _run_on_local_cluster(out, console, find_trace(environ))
    elif kind_kubeconfig(environ) is not None:
        run_demo(DemoSettings(out), console, with_offline=False)
    else:
        console.print(Text(f"\n{HOW_TO_GO_LIVE}", style="dim"))


def _run_on_local_cluster(out: Path, console: Console, trace: Path | None) -> None:
    whose = "a real GPU cluster's trace" if trace else "the demo's patterns"
    with ExitStack() as servers:
        with console.status(f"starting a control plane and a Prometheus with {whose} ..."):
            cluster = servers.enter_context(LocalCluster())
            prometheus_url = _start_prometheus(servers, trace)
        if prometheus_url:
            text = f"\nTwo weeks of demand from {whose} are in Prometheus at {prometheus_url}"
            console.print(Text(text))
        live = DemoSettings(out, cluster.kubeconfig, prometheus_url)
        run_demo(live, console, with_offline=False)


def _start_prometheus(servers: ExitStack, trace: Path | None) -> str:
    """URL of a Prometheus with two weeks of demand; empty where none is built."""
    if finished_folder("prometheus") is None:
        return ""
    now_s = time.time()
    history = (
        traced_history(trace, now_s)
        if trace is not None
        else demo_history(now_s, np.random.default_rng(0))
    )
    folder = servers.enter_context(tempfile.TemporaryDirectory(prefix="nodemix-demo-"))
    backfill = Path(folder) / "history.om"
    backfill.write_text("\n".join(open_metrics(history)) + "\n", encoding="utf-8")
    return servers.enter_context(LocalPrometheus(backfill=backfill)).url


def open_metrics(history: DemandHistory) -> Iterator[str]:
    """The history as kube-state-metrics would have reported it, in OpenMetrics lines."""
    for kind, (metric, label) in METRICS.items():
        yield f"# TYPE {metric} gauge"
        for series, values in zip(history.series, history.values[:, 0], strict=True):
            namespace, its_kind, name = series.split("/")
            if its_kind != kind:
                continue
            labels = f'namespace="{namespace}",{label}="{name}"'
            for step in np.flatnonzero(~np.isnan(values)):
                time_s = history.start_s + step * history.step_s
                yield f"{metric}{{{labels}}} {values[step]:g} {time_s:.0f}"
    yield "# EOF"


if __name__ == "__main__":
    main()
