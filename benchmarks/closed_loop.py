"""Measures decisions in closed loop: lost pools, spot against on-demand, and moves back and forth.

``python -m benchmarks.closed_loop --data DIR --out FILE``

A scene is a real trace as pods of workloads whose requests come from a real cluster's snapshot (or
from the trace itself), bought from the bundled catalog under the default policy. The first part of
the trace is only history; the rest is replayed. Reclaims are drawn from the hazards that are
believed before anything is seen, or are those of real spot traces, one dealt at random to each
pool. ``reclaimed_pools``: a plan is made at several times, and each of its spot pools taken back
whole. ``spot_against_on_demand``: the whole replay under the default policy and under the same
without spot; ``returns`` counts in it the moves to a pool that was left within 24 h.
``--parts rivals`` compares nodemix with static, reactive and perfect foresight, too. A search has
so many seconds of CPU time, so that it does not matter what else the machine does.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from nodemix.forecasting.champion import COSTLY, SIMPLE, ForecastSettings
from nodemix.forecasting.errors import ForecastError
from nodemix.forecasting.memory import ForecastMemory, forecast_and_remember
from nodemix.forecasting.types import DemandForecast, DemandHistory, Horizon
from nodemix.operator.cluster.snapshot import read_snapshot_file
from nodemix.optimizer.catalog.bundled import bundled_catalog
from nodemix.optimizer.catalog.filters import apply_filter, or_default
from nodemix.optimizer.catalog.labels import CAPACITY_TYPE_LABEL
from nodemix.optimizer.catalog.types import Catalog, PoolKey
from nodemix.optimizer.policy import Policy, SpotRules
from nodemix.optimizer.problem.types import FloatArray
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.risk.beliefs import Beliefs
from nodemix.optimizer.snapshot import (
    CapacityType,
    Pod,
    PodTemplate,
    Selector,
    Snapshot,
    WorkloadKey,
)
from nodemix.simulator.backtest import Question, backtest
from nodemix.simulator.clock import Span
from nodemix.simulator.market import Market, Reclaim, drawn_reclaims
from nodemix.simulator.policies import Deciding, Nodemix, Observation, Target, reaching, target_of
from nodemix.simulator.replay import Run, Scene, opened, replay
from nodemix.simulator.score import Blocks, saving_against, scored
from nodemix.simulator.workload import PODS, workloads_of

from benchmarks.hazard import Campaign, load_campaigns, lost_at
from benchmarks.json_files import write_json
from benchmarks.optimizer import default_data
from benchmarks.traces import read_trace

BOOT_S = 600.0
DLRM_SCALE = 32
"""Pods of the trace ask for up to 96 cores; a 32nd of that is a usual pod."""
DLRM_APPS = 30
FISHER_BUSY = 4.0
"""Percent of a core's time for which one more pod is wanted."""
RECLAIM_AFTER_S = 60.0
SEED = 20_261_126


@dataclass(slots=True)
class Champion:
    """The operator's forecaster, with what it remembers.

    Args:
        settings: which models may speak.
    """

    horizon: Horizon
    settings: ForecastSettings
    seed: int = SEED
    _memory: ForecastMemory = field(default_factory=ForecastMemory)

    def __call__(self, history: DemandHistory, now_s: float) -> DemandForecast | None:
        """What is believed to come; None where too little is known."""
        rng = np.random.default_rng((self.seed, history.steps))
        try:
            said, self._memory = forecast_and_remember(
                history, self.horizon, rng, now_s, self._memory, self.settings
            )
        except ForecastError:
            return None
        return said


def fisher(data: Path) -> tuple[Snapshot, DemandHistory]:
    """Ten containers of a service with a daily season, as pods with the shapes of snapshot d1.

    Four of these may not run on spot; they are a third of the bill.
    """
    trace = read_trace(data / "traces" / "fisher_10min.parquet").history
    busy = trace.values[:, trace.indicators.index("cpu.busy")]
    recorded = data / "snapshots" / "karpenter_d1_micro100-one.yaml.gz"
    found = {pod.workload: pod.template for pod in read_snapshot_file(recorded, 0.0).pods}
    templates = [found[key] for key in sorted(found)]
    return _cluster(trace, np.ceil(busy / FISHER_BUSY), templates)


def fisher_on_spot(data: Path) -> tuple[Snapshot, DemandHistory]:
    """The same, and every pod may run on spot."""
    snapshot, history = fisher(data)
    freed = (replace(pod, template=_freed(pod.template)) for pod in snapshot.pods)
    return replace(snapshot, pods=tuple(freed)), history


def _freed(template: PodTemplate) -> PodTemplate:
    rules = template.required_labels.requirements
    others = tuple(rule for rule in rules if rule.key != CAPACITY_TYPE_LABEL)
    return replace(template, required_labels=Selector(others))


def dlrm(data: Path) -> tuple[Snapshot, DemandHistory]:
    """Inference services without a season whose pods come and go in steps."""
    trace = read_trace(data / "traces" / "alibaba_dlrm_gpu_15min.parquet").history
    count, cpu, memory = (trace.indicators.index(name) for name in (PODS, "cpu", "memory"))
    plain = [i for i, series in enumerate(trace.series) if series.endswith("-CN")]
    change = np.nanstd(trace.values[:, count], axis=1)
    chosen = sorted(plain, key=lambda i: -change[i])[:DLRM_APPS]
    pods = trace.values[:, count]
    each = np.nanmax(trace.values / np.maximum(pods, 1.0)[:, None], axis=2)
    templates = [
        PodTemplate(
            Resources.of(
                {},
                cpu_milli=max(100, round(1000 * each[i, cpu] / DLRM_SCALE)),
                memory_mib=max(128, round(1024 * each[i, memory] / DLRM_SCALE)),
                pods=1,
            )
        )
        for i in chosen
    ]
    return _cluster(trace.only(chosen), pods[chosen], templates)


def _cluster(
    trace: DemandHistory, pods: FloatArray, templates: Sequence[PodTemplate]
) -> tuple[Snapshot, DemandHistory]:
    """One pod of each series, and the pods that each series wants over time."""
    keys = [WorkloadKey("bench", "Deployment", name.replace(".", "-")) for name in trace.series]
    shapes = [templates[i % len(templates)] for i in range(len(keys))]
    running = [Pod("bench", k.name, k, t) for k, t in zip(keys, shapes, strict=True)]
    history = replace(
        trace, series=tuple(map(str, keys)), indicators=(PODS,), parents=(), observed=None,
        values=pods[:, None, :],
    )  # fmt: skip
    return Snapshot(0.0, pods=tuple(running)), history


SCENES = {"fisher": fisher, "fisher-on-spot": fisher_on_spot, "dlrm": dlrm}


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """One scene and how it is decided in.

    Args:
        scene: without reclaims.
        catalog: what may be bought.
        models: of the forecaster.
    """

    scene: Scene
    span: Span
    policy: Policy
    catalog: Catalog
    models: tuple[str, ...]
    seed: int

    def foretell(self) -> Champion:
        """A forecaster that remembers nothing yet."""
        ahead_s = self.span.every_s + self.scene.boot_s
        step_s = self.scene.workloads.history.step_s
        horizon = Horizon(steps=max(1, int(np.ceil(ahead_s / step_s))))
        return Champion(horizon, ForecastSettings(models=self.models), self.seed)

    def nodemix(self, policy: Policy) -> Nodemix:
        """Decides anew for the time until the nodes of the next decision are ready."""
        ahead_s = self.span.every_s + self.scene.boot_s
        deciding = Deciding(reaching(policy, ahead_s), time.process_time, self.seed)
        return Nodemix(deciding, self.foretell())


def setting_of(name: str, options: argparse.Namespace, policy: Policy) -> Setting:
    """The last ``--days`` of a scene."""
    snapshot, history = SCENES[name](options.data)
    catalog = apply_filter(bundled_catalog(), or_default(policy.offers))
    scene = Scene(workloads_of(snapshot, history), Market(catalog), BOOT_S)
    start_s = history.end_s - options.days * 86_400.0
    span = Span(start_s, history.end_s, options.every)
    return Setting(scene, span, policy, catalog, tuple(options.models), options.seed)


@dataclass(frozen=True, slots=True)
class Fixed:
    """The nodes of one plan, with recourse."""

    target: Target
    name: str = "fixed"
    has_recourse: bool = True

    def step(self, seen: Observation) -> Target | None:  # noqa: ARG002 - nothing matters to it
        """The same for ever."""
        return self.target


def reclaimed_pools(setting: Setting, times: int) -> dict[str, Any]:
    """Each spot pool of the plan of several times taken back whole."""
    tried = [one for at_s in _times(setting.span, times) for one in _pools_at(setting, at_s)]
    worst = max(tried, key=lambda one: one["share_short"], default=None)
    return {
        "pools_tried": len(tried),
        "minutes_deep": sum(one["minutes_deep"] for one in tried),
        "pools_with_deep_minutes": sum(one["minutes_deep"] > 0 for one in tried),
        "worst": worst,
        "tried": tried,
    }


def _times(span: Span, times: int) -> list[float]:
    steps = np.linspace(0, span.decisions - 1, times).round().astype(int)
    return [span.start_s + float(step) * span.every_s for step in np.unique(steps)]


def _pools_at(setting: Setting, at_s: float) -> Iterator[dict[str, Any]]:
    short = Span(at_s, at_s + setting.span.every_s, setting.span.every_s)
    remembered = _Remembering(setting.nodemix(setting.policy))
    calm = replay(setting.scene, remembered, short)
    for pool, nodes in sorted(remembered.target.items()):
        if pool[2] is CapacityType.SPOT:
            reclaim = Reclaim(at_s + RECLAIM_AFTER_S, pool, 1.0)
            scene = replace(setting.scene, market=Market(setting.catalog, (reclaim,)))
            hit = replay(scene, Fixed(remembered.target), short)
            yield {
                "at_s": at_s,
                "pool": list(map(str, pool)),
                "nodes": nodes,
                "plan_nodes": sum(remembered.target.values()),
                "share_short": max(i.share_short for i in hit.intervals),
                "share_short_without_it": max(i.share_short for i in calm.intervals),
                "minutes_deep": _deep_minutes(hit),
            }


@dataclass(slots=True)
class _Remembering:
    """Asks another policy and remembers what it said."""

    asked: Nodemix
    target: Target = field(default_factory=dict)
    name: str = "nodemix"
    has_recourse: bool = True

    def step(self, seen: Observation) -> Target | None:
        forecast = self.asked.foretell(seen.history, seen.now_s)
        self.target = target_of(self.asked.deciding.decide(seen, forecast)) or {}
        return self.target


def _deep_minutes(run: Run) -> float:
    return sum(60.0 * i.hours for i in run.intervals if i.share_short > 0.2)


def believed_reclaims(setting: Setting) -> tuple[Reclaim, ...]:
    """Drawn from what is believed before anything is seen."""
    beliefs: Beliefs = opened(setting.scene, setting.span.start_s)
    hazards = beliefs.hazards_of(setting.catalog, setting.span.start_s / 3600.0)
    rng = np.random.default_rng(setting.seed)
    span = setting.span
    return drawn_reclaims(setting.catalog.offers, hazards, span.start_s, span.end_s, rng)


def traced_reclaims(setting: Setting, campaigns: Sequence[Campaign]) -> tuple[Reclaim, ...]:
    """A real pool's losses for each pool, dealt at random, from a random moment of its trace on."""
    rng = np.random.default_rng(setting.seed)
    traces = [losses for campaign in campaigns for losses in _losses(campaign)]
    spot = [offer.key for offer in setting.catalog.offers if offer.is_spot]
    found = [r for pool in spot for r in _dealt(pool, traces, setting.span, rng)]
    return tuple(sorted(found, key=lambda r: (r.at_s, r.pool)))


def _losses(campaign: Campaign) -> Iterator[tuple[FloatArray, FloatArray, float]]:
    """Of each pool: seconds of its losses in time with nodes, shares lost, seconds in all."""
    for trace in campaign.nodes.values():
        ticks, lost = lost_at(trace, 0, trace.size)
        if ticks.size:
            hit = np.flatnonzero(lost)
            tick_s = 3600.0 * campaign.tick_h
            shares: FloatArray = lost[hit] / trace[ticks[hit]]
            times_s = ((hit + 1) * tick_s).astype(np.float64)
            yield times_s, shares, ticks.size * tick_s


def _dealt(
    pool: PoolKey,
    traces: Sequence[tuple[FloatArray, FloatArray, float]],
    span: Span,
    rng: np.random.Generator,
) -> Iterator[Reclaim]:
    times_s, shares, length_s = traces[int(rng.integers(len(traces)))]
    begin_s = rng.random() * length_s
    for turn in range(int(3600.0 * span.hours // length_s) + 2):
        at = span.start_s + times_s - begin_s + turn * length_s
        for at_s, share in zip(at, shares, strict=True):
            if span.start_s < at_s < span.end_s:
                yield Reclaim(float(at_s), pool, float(share))


def spot_against_on_demand(
    setting: Setting, markets: Mapping[str, tuple[Reclaim, ...]]
) -> dict[str, Any]:
    """The default policy in each market, and the same without spot, which no reclaim touches."""
    without = replace(setting.policy, spot=SpotRules(max_share=0.0))
    plain = replay(setting.scene, setting.nodemix(without), setting.span)
    blocks = Blocks.of(setting.span, np.random.default_rng(setting.seed))
    found: dict[str, Any] = {"on_demand": asdict(scored(plain, blocks))}
    for name, reclaims in markets.items():
        scene = replace(setting.scene, market=Market(setting.catalog, reclaims))
        mixed = replay(scene, setting.nodemix(setting.policy), setting.span)
        found[name] = _against(setting.policy, mixed, plain, blocks)
    return found


def _against(policy: Policy, mixed: Run, plain: Run, blocks: Blocks) -> dict[str, Any]:
    score, accepted = scored(mixed, blocks), policy.service_level.shortfall_probability
    return {
        "cheaper": asdict(saving_against(mixed, plain, blocks)),
        "accepted_share_short": accepted,
        "is_slo_met": score.share_short.value <= accepted,
        "returns_within_24_h": score.returns,
        "spot": asdict(score),
        "moves": [{"at_h": m.at_h, "left": m.left, "entered": m.entered} for m in mixed.moves],
    }


def against_rivals(setting: Setting, reclaims: tuple[Reclaim, ...]) -> dict[str, Any]:
    """What ``nodemix backtest`` reports."""
    question = Question(
        scene=replace(setting.scene, market=Market(setting.catalog, reclaims)),
        span=setting.span,
        policy=setting.policy,
        foretell=setting.foretell(),
        clock=time.process_time,
        seed=setting.seed,
    )
    found = backtest(question)
    return {
        "nodemix": asdict(found.nodemix),
        "rivals": [asdict(rival) for rival in found.rivals],
        "failures": found.failures,
    }


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of a scene."""
    setting = setting_of(name, options, Policy(search_s=options.seconds))
    markets: Mapping[str, tuple[Reclaim, ...]] = {
        "believed": believed_reclaims(setting),
        "traced": traced_reclaims(setting, load_campaigns(options.data / "optimizer/spot_traces")),
    }
    found: dict[str, Any] = {"pods_at_start": _pods_at_start(setting)}
    _rehearse(setting)
    if "pools" in options.parts:
        found["reclaimed_pools"] = reclaimed_pools(setting, options.times)
    if "spot" in options.parts:
        found["spot_against_on_demand"] = spot_against_on_demand(setting, markets)
    if "rivals" in options.parts:
        found["rivals"] = against_rivals(setting, markets["believed"])
    return found


def _rehearse(setting: Setting) -> None:
    """One decision that does not count: the first of a process compiles what it needs."""
    span = setting.span
    once = Span(span.start_s, span.start_s + span.every_s, span.every_s)
    replay(setting.scene, setting.nodemix(setting.policy), once)


def _pods_at_start(setting: Setting) -> int:
    return int(setting.scene.workloads.wanted_at(setting.span.start_s).sum())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.closed_loop", description=__doc__)
    parser.add_argument("--data", type=Path, default=default_data().parent)
    parser.add_argument("--scene", nargs="+", choices=SCENES, default=list(SCENES))
    parts = ("pools", "spot", "rivals")
    parser.add_argument("--parts", nargs="+", choices=parts, default=["pools", "spot"])
    parser.add_argument("--days", type=float, default=2.0, help="replayed, the newest ones")
    parser.add_argument("--every", type=float, default=1800.0, help="seconds between decisions")
    parser.add_argument(
        "--seconds", type=float, default=Policy().search_s, help="CPU time for a search"
    )
    parser.add_argument("--times", type=int, default=6, help="plans whose pools are taken back")
    parser.add_argument("--models", nargs="+", default=[*SIMPLE, *COSTLY], help="of the forecaster")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=None, help="file for the JSON")
    options = parser.parse_args(arguments)
    kept = {key: value for key, value in vars(options).items() if key not in ("data", "out")}
    found = {"options": kept, "scenes": {name: measure(name, options) for name in options.scene}}
    write_json(found, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
