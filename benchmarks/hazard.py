"""Measures the hazards of spot pools on real traces: log scores, and intervals of what is lost.

``python -m benchmarks.hazard --data DIR --out FILE``

Each folder of DIR is one campaign of simultaneous traces, and one book of hazards. The first half
in time teaches; the second is scored, each tick by what was known when it began (`rolling`) or by
the rates of days known at half time (`frozen`). Scored against it: the advisor's band, and nodes
lost one by one at the pool's own rate so far (`binomial`), also with the same forgetting as ours
(`fading_binomial`). A tick scores the nodes lost until the next one. A time without a node is a
stock-out; `without_stock_outs` is ours if it is not told of them. Intervals are of the pool's worth
of nodes lost in a number of hours with nodes, and `windows` scores the number of shocks in six of
them. What was chosen on data was chosen in the second quarter after the first taught (`--tune`), or
from the whole first half (`--shared`).
"""

import argparse
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from nodemix.optimizer.catalog.csv_files import interruptions_per_hour
from nodemix.optimizer.problem.types import FloatArray, IntArray
from nodemix.optimizer.risk.hazard import (
    Exposure,
    Hazard,
    HazardBook,
    HazardPrior,
    PoolKey,
    Shock,
    StockOut,
)
from nodemix.optimizer.risk.unrest import CALM
from scipy.stats import betabinom, binom, nbinom

from benchmarks.json_files import write_json
from benchmarks.optimizer import default_data

HIGHEST_BAND = 0.275
"""A month, middle of the band above 20 %: the catalog's only V100. Types that it lacks get it too
(and Google's, for which there is no advisor); a lower band would only be further off where nodes
were lost, but better where none was."""
WINDOWS_H = (1.0, 6.0, 24.0)
MAIN_WINDOW_H = 6.0
CHOICES = ((2.0, 0.5), (1.0, 0.5), (4.0, 0.5), (2.0, 0.3), (2.0, 0.7), (2.0, 1.0))
"""Recent half-lives in hours and steadinesses that were tried: what was chosen, and around it."""
DRAWS = 4_000
LEVEL = 0.95
ROUNDING = 1e-9
SEED = 20_261_126
FEWEST_SHOCKS = 10
"""Of a pool whose company says anything."""
DAY_H = 24
RIVALS = ("advisor", "binomial", "fading_binomial")

Beliefs = dict[PoolKey, dict[int, Hazard]]
"""What is believed of each pool at the start of each tick."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """Traces of the same days.

    Args:
        nodes: running at each tick, shape (ticks,) of each pool; they may end early.
    """

    name: str
    tick_h: float
    nodes: dict[PoolKey, IntArray]

    @property
    def ticks(self) -> int:
        """Of the longest trace."""
        return max(trace.size for trace in self.nodes.values())

    def share(self, share: float) -> int:
        """The tick at which this share of the time is over."""
        return int(self.ticks * share)


def load_campaigns(traces: Path) -> list[Campaign]:
    """Every folder that holds traces."""
    folders = sorted({path.parent for path in traces.rglob("*.json")})
    return [_load_campaign(folder, folder.relative_to(traces).as_posix()) for folder in folders]


def _load_campaign(folder: Path, name: str) -> Campaign:
    nodes: dict[PoolKey, IntArray] = {}
    gap_s = 0.0
    for path in sorted(folder.glob("*.json")):
        trace = json.loads(path.read_text(encoding="utf-8"))
        zone, instance_type = path.stem.split("_", 1)
        gap_s = float(trace["metadata"]["gap_seconds"])
        pool = PoolKey(instance_type.split("_")[0].split("-")[0], zone, instance_type)
        nodes[pool] = np.array(trace["data"], dtype=np.int64)
    return Campaign(name, gap_s / 3600.0, nodes)


@dataclass(frozen=True, slots=True)
class Events:
    """What happened in some ticks of a campaign, in hours since its first."""

    exposures: list[Exposure]
    shocks: list[Shock]
    stock_outs: list[StockOut]


def events(campaign: Campaign, first: int, last: int) -> Events:
    """What happened between two ticks."""
    seen = Events([], [], [])
    for pool, trace in campaign.nodes.items():
        for tick in range(first, min(last, trace.size - 1)):
            before, after = int(trace[tick]), int(trace[tick + 1])
            start_h, end_h = tick * campaign.tick_h, (tick + 1) * campaign.tick_h
            if before == 0:
                seen.stock_outs.append(StockOut(pool, start_h))
                continue
            seen.exposures.append(Exposure(pool, start_h, end_h))
            if after < before:
                seen.shocks.append(Shock(pool, end_h, before, before - after))
    return seen


def beliefs(
    campaign: Campaign, prior: HazardPrior, span: tuple[int, int], knows_stock_outs: bool = True
) -> Beliefs:
    """Follow a campaign tick by tick; what is believed at the start of each tick of the span."""
    advised = interruptions_per_hour(HIGHEST_BAND)
    book = HazardBook.opened(0.0, dict.fromkeys(campaign.nodes, advised), prior)
    believed: Beliefs = {pool: {} for pool in campaign.nodes}
    for tick in range(span[1]):
        if tick >= span[0]:
            for pool, hazard in book.hazards().items():
                believed[pool][tick] = hazard
        seen = events(campaign, tick, tick + 1)
        stock_outs = seen.stock_outs if knows_stock_outs else ()
        book = book.observed((tick + 1) * campaign.tick_h, seen.exposures, seen.shocks, stock_outs)
    return believed


def lost_at(trace: IntArray, first: int, last: int) -> tuple[IntArray, IntArray]:
    """Ticks with nodes, and the nodes lost until the next tick."""
    ticks = np.arange(first, max(first, min(last, trace.size - 1)))
    ticks = ticks[trace[ticks] > 0]
    return ticks, np.maximum(trace[ticks] - trace[ticks + 1], 0)


def own_log_score(
    hazards: Sequence[Hazard], nodes: IntArray, lost: IntArray, tick_h: float
) -> FloatArray:
    """Log probability of what was lost at each tick: no shock, or one that takes a node or more."""
    shape, mean = np.array([hazard.within(tick_h) for hazard in hazards]).T
    alpha, beta = np.array([hazard.severity for hazard in hazards]).T
    none = -shape * np.log1p(mean / shape)
    share = betabinom.logpmf(lost, nodes, alpha, beta)
    nothing = betabinom.pmf(0, nodes, alpha, beta)
    hit: FloatArray = np.log(-np.expm1(none)) + share - np.log1p(-nothing)
    return np.where(lost == 0, none, hit)


def node_rates(
    trace: IntArray, tick_h: float, half_life_h: float, prior_lost: float = 0.5
) -> FloatArray:
    """Nodes lost per node-hour before each tick, half a node added; shape (ticks,)."""
    lost = np.maximum(trace[:-1] - trace[1:], 0)
    keep = 0.5 ** (tick_h / half_life_h)
    rates = np.empty(trace.size)
    gone, hours = 0.0, tick_h
    for tick in range(trace.size):
        rates[tick] = (gone + prior_lost) / hours
        if tick < lost.size:
            gone = keep * gone + float(lost[tick])
            hours = keep * hours + float(trace[tick]) * tick_h
    return rates


def pool_scores(
    campaign: Campaign, pool: PoolKey, believed: Mapping[int, Hazard], half: int
) -> dict[str, float]:
    """Mean log score per tick with nodes, of ours and the rivals."""
    trace, tick_h = campaign.nodes[pool], campaign.tick_h
    ticks, lost = lost_at(trace, half, campaign.ticks)
    nodes = trace[ticks]
    fading_h = HazardPrior().half_life_h
    rates = {
        "advisor": np.full(ticks.size, interruptions_per_hour(HIGHEST_BAND)),
        "binomial": node_rates(trace, tick_h, np.inf)[ticks],
        "fading_binomial": node_rates(trace, tick_h, fading_h)[ticks],
        "frozen_binomial": np.full(ticks.size, node_rates(trace, tick_h, np.inf)[half]),
    }
    scores = {
        name: float(np.mean(binom.logpmf(lost, nodes, -np.expm1(-rate * tick_h))))
        for name, rate in rates.items()
    }
    ours = {
        "rolling": [believed[int(tick)] for tick in ticks],
        "frozen": [replace(believed[half], unrest=CALM)] * ticks.size,
    }
    for name, hazards in ours.items():
        scores[name] = float(own_log_score(hazards, nodes, lost, tick_h).mean())
    return scores


@dataclass(frozen=True, slots=True)
class Window:
    """Hours with nodes, one after the other, and what was lost in them.

    Args:
        tick: at which it starts.
        nodes: at its start.
        pools_lost: sum of the shares lost.
    """

    tick: int
    nodes: int
    mean_nodes: float
    hours: float
    shocks: int
    pools_lost: float


def windows(campaign: Campaign, pool: PoolKey, hours: float, span: tuple[int, int]) -> list[Window]:
    """A trace cut into windows; what is left at the end is not scored."""
    trace = campaign.nodes[pool]
    ticks, lost = lost_at(trace, *span)
    length = round(hours / campaign.tick_h)
    cut = []
    for first in range(0, ticks.size - length + 1, length):
        inside = slice(first, first + length)
        start = int(ticks[first])
        shares = lost[inside] / trace[ticks[inside]]
        hit = int((lost[inside] > 0).sum())
        held_h = length * campaign.tick_h
        mean = float(trace[ticks[inside]].mean())
        cut.append(Window(start, int(trace[start]), mean, held_h, hit, float(shares.sum())))
    return cut


def shocks_log_score(window: Window, hazard: Hazard) -> float:
    """Log probability of the shocks of a window."""
    shape, mean = hazard.within(window.hours)
    return float(nbinom.logpmf(window.shocks, shape, shape / (shape + mean)))


def window_scores(
    campaign: Campaign, pool: PoolKey, believed: Mapping[int, Hazard], half: int
) -> dict[str, float]:
    """Mean log score of the shocks in six hours with nodes; empty without a window."""
    trace, tick_h = campaign.nodes[pool], campaign.tick_h
    cut = windows(campaign, pool, MAIN_WINDOW_H, (half, campaign.ticks))
    if not cut:
        return {}
    fading_h = HazardPrior().half_life_h
    rates = {
        "advisor": np.full(trace.size, interruptions_per_hour(HIGHEST_BAND)),
        "binomial": node_rates(trace, tick_h, np.inf),
        "fading_binomial": node_rates(trace, tick_h, fading_h),
    }
    logs: dict[str, list[float]] = {name: [] for name in rates}
    logs["rolling"] = [shocks_log_score(w, believed[w.tick]) for w in cut]
    for name, rate in rates.items():
        for window in cut:
            hit = -np.expm1(-rate[window.tick] * tick_h * window.mean_nodes)
            ticks = round(window.hours / tick_h)
            logs[name].append(float(binom.logpmf(window.shocks, ticks, hit)))
    return {name: float(np.mean(found)) for name, found in logs.items()}


@dataclass(frozen=True, slots=True)
class Covered:
    """Whether what was lost lies in the interval, by three readings of the interval.

    Args:
        equal_tails: as much left out below as above. Where losing nothing is likely nothing is
            left out below, so that it holds up to 97.5 %.
        ties_split: likewise, but by a rank that splits ties at random: it holds what it says.
        shortest: the shortest that holds enough.
    """

    equal_tails: bool
    ties_split: bool
    shortest: bool


def is_covered(window: Window, hazard: Hazard, rng: np.random.Generator) -> Covered:
    """What was lost in a window against what the hazard made likely."""
    lost, tail = np.sort(_losses(window, hazard, rng)), (1.0 - LEVEL) / 2.0
    least, most = window.pools_lost - ROUNDING, window.pools_lost + ROUNDING
    below = float((lost < least).mean())
    rank = below + rng.random() * (float((lost <= most).mean()) - below)
    low, high = np.quantile(lost, [tail, 1.0 - tail])
    held = int(np.ceil(LEVEL * DRAWS)) - 1
    first = int(np.argmin(lost[held:] - lost[:-held]))
    return Covered(
        bool(low <= most and least <= high),
        tail <= rank <= 1.0 - tail,
        bool(lost[first] <= most and least <= lost[first + held]),
    )


def _losses(window: Window, hazard: Hazard, rng: np.random.Generator) -> FloatArray:
    """Draws of the pool's worth of whole nodes lost, each shock to a full pool; shape (draws,)."""
    shocks = hazard.draw_shocks(window.hours, DRAWS, rng)
    share = rng.beta(*hazard.severity, int(shocks.sum()))
    taken = np.maximum(rng.binomial(window.nodes, share), 1) / window.nodes
    draw = np.repeat(np.arange(DRAWS), shocks)
    return np.bincount(draw, weights=taken, minlength=DRAWS).astype(np.float64)


def tuning(campaigns: Sequence[Campaign]) -> dict[str, Any]:
    """Scores and coverage in the second quarter, by what could be chosen."""
    return {
        f"recent half-life {hours:g} h, steadiness {steadiness:g}": _tuned(
            campaigns, HazardPrior(recent_half_life_h=hours, steadiness=steadiness)
        )
        for hours, steadiness in CHOICES
    }


def _tuned(campaigns: Sequence[Campaign], prior: HazardPrior) -> dict[str, Any]:
    """Mean log score of a tick per hour, of the shocks in a window, and of these the coverage."""
    rng = np.random.default_rng(SEED)
    ticks: list[float] = []
    logs: dict[str, list[float]] = {f"{hours:g}_h": [] for hours in WINDOWS_H}
    covered: dict[float, list[Covered]] = {hours: [] for hours in WINDOWS_H}
    for campaign in campaigns:
        span = campaign.share(0.25), campaign.share(0.5)
        for pool, believed in beliefs(campaign, prior, span).items():
            at, lost = lost_at(campaign.nodes[pool], *span)
            if at.size:
                hazards, nodes = [believed[int(tick)] for tick in at], campaign.nodes[pool][at]
                score = own_log_score(hazards, nodes, lost, campaign.tick_h)
                ticks.append(float(score.mean()) / campaign.tick_h)
            for hours, found in covered.items():
                cut = windows(campaign, pool, hours, span)
                logs[f"{hours:g}_h"] += [shocks_log_score(w, believed[w.tick]) for w in cut]
                found += [is_covered(w, believed[w.tick], rng) for w in cut]
    means = {hours: float(np.mean(found)) for hours, found in logs.items() if found}
    return {"ticks": float(np.mean(ticks)), "windows": means, "coverage": _coverage(covered)}


def shared(campaigns: Sequence[Campaign]) -> dict[str, Any]:
    """How much oftener pools are hit in the same hour than pools on their own, in the first half.

    The excess of the product of two pools' shocks over what it is with one of them moved by a day
    or more is the variance of what they share.
    """
    products: dict[str, list[tuple[float, float]]] = {"zone": [], "family": [], "neither": []}
    for campaign in campaigns:
        hours = {pool: _hours(campaign, pool) for pool in campaign.nodes}
        often = [pool for pool, (hit, _) in hours.items() if hit.sum() >= FEWEST_SHOCKS]
        for one, other in itertools.combinations(often, 2):
            products[_in_common(one, other)].append(_together(hours[one], hours[other]))
    rng = np.random.default_rng(SEED)
    return {kind: _excess(np.array(found), rng) for kind, found in products.items() if found}


def _in_common(one: PoolKey, other: PoolKey) -> str:
    if one.zone == other.zone:
        return "zone"
    return "family" if one.family == other.family else "neither"


def _hours(campaign: Campaign, pool: PoolKey) -> tuple[FloatArray, FloatArray]:
    """Shocks, and ticks with nodes, in each hour of the first half; shapes (hours,)."""
    ticks, lost = lost_at(campaign.nodes[pool], 0, campaign.share(0.5))
    hour = (ticks * campaign.tick_h).astype(np.int64)
    hours = int(campaign.share(0.5) * campaign.tick_h)
    hit, held = (np.bincount(hour, weights, hours)[:hours] for weights in (lost > 0, None))
    return hit.astype(np.float64), held.astype(np.float64)


def _together(
    one: tuple[FloatArray, FloatArray], other: tuple[FloatArray, FloatArray]
) -> tuple[float, float]:
    """Sum of the products of two pools' shocks, and what it would be with nothing in common."""
    hours = one[0].size
    moved = range(min(DAY_H, hours // 2), hours - min(DAY_H, hours // 2) + 1)
    hit, held = (
        np.mean([a @ np.roll(b, hours_on) for hours_on in moved])
        for a, b in zip(one, other, strict=True)
    )
    return float(one[0] @ other[0]), float(one[1] @ other[1] * hit / held)


def _excess(products: FloatArray, rng: np.random.Generator) -> dict[str, float]:
    """Relative, with its 95 % interval over draws of the pairs."""
    pairs = len(products)
    drawn = products[rng.integers(0, pairs, (DRAWS, pairs))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1] - 1.0, [0.025, 0.975])
    seen, alone = products.sum(axis=0)
    excess = float(seen / alone - 1.0)
    return {"pairs": pairs, "excess": excess, "low": float(low), "high": float(high)}


def measure(campaigns: Sequence[Campaign]) -> dict[str, Any]:
    """Scores of each pool and coverage of all, in the second half."""
    rng = np.random.default_rng(SEED)
    rows: list[dict[str, Any]] = []
    covered: dict[float, list[Covered]] = {hours: [] for hours in WINDOWS_H}
    unscored: list[str] = []
    for campaign in campaigns:
        span = campaign.share(0.5), campaign.ticks
        untold = beliefs(campaign, HazardPrior(), span, knows_stock_outs=False)
        for pool, believed in beliefs(campaign, HazardPrior(), span).items():
            if lost_at(campaign.nodes[pool], *span)[0].size:
                rows.append(_row(campaign, pool, believed, untold[pool]))
                _cover(campaign, pool, believed, covered, rng)
            else:
                unscored.append(f"{campaign.name} {pool.zone} {pool.instance_type}")
    found = {"summary": summary(rows), "coverage": _coverage(covered)}
    return found | {"never_up_in_the_second_half": unscored, "pools": rows}


def _row(
    campaign: Campaign,
    pool: PoolKey,
    believed: Mapping[int, Hazard],
    untold: Mapping[int, Hazard],
) -> dict[str, Any]:
    """Scores of a pool in the second half, by those who know of stock-outs and who do not."""
    half, trace = campaign.share(0.5), campaign.nodes[pool]
    scored, lost = lost_at(trace, half, campaign.ticks)
    ticks = pool_scores(campaign, pool, believed, half)
    ticks["without_stock_outs"] = pool_scores(campaign, pool, untold, half)["rolling"]
    return {
        "pool": f"{campaign.name} {pool.zone} {pool.instance_type}",
        "most_nodes": int(trace.max()),
        "shocks": int((lost > 0).sum()),
        "hours": scored.size * campaign.tick_h,
        "ticks": ticks,
        "windows": window_scores(campaign, pool, believed, half),
    }


def _cover(
    campaign: Campaign,
    pool: PoolKey,
    believed: Mapping[int, Hazard],
    covered: dict[float, list[Covered]],
    rng: np.random.Generator,
) -> None:
    """Add the windows of a pool's second half to ``covered``, by their hours."""
    span = (campaign.share(0.5), campaign.ticks)
    for hours, found in covered.items():
        for window in windows(campaign, pool, hours, span):
            found.append(is_covered(window, believed[window.tick], rng))


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares of pools on which ours is better, of all, and of those with two nodes or more."""
    kinds = {
        "all": rows,
        "one_node": [row for row in rows if row["most_nodes"] == 1],
        "more_nodes": [row for row in rows if row["most_nodes"] > 1],
    }
    return {
        kind: {
            "ticks": _wins([row["ticks"] for row in some]),
            "windows": _wins([row["windows"] for row in some if row["windows"]]),
        }
        for kind, some in kinds.items()
    }


def _wins(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    if not scores:
        return {"pools": 0}
    wins: dict[str, float] = {"pools": len(scores)}
    for rival in RIVALS:
        wins[f"better_than_{rival}"] = float(np.mean([s["rolling"] > s[rival] for s in scores]))
    both = [s["rolling"] > max(s["advisor"], s["binomial"]) for s in scores]
    wins["better_than_advisor_and_binomial"] = float(np.mean(both))
    if "frozen" in scores[0]:
        frozen = [s["frozen"] > max(s["advisor"], s["frozen_binomial"]) for s in scores]
        wins["frozen_better_than_advisor_and_frozen_binomial"] = float(np.mean(frozen))
        untold = [s["without_stock_outs"] > max(s["advisor"], s["binomial"]) for s in scores]
        wins["without_stock_outs_better_than_advisor_and_binomial"] = float(np.mean(untold))
    return wins


def _coverage(covered: dict[float, list[Covered]]) -> dict[str, Any]:
    return {
        f"{hours:g}_h": {
            "windows": len(found),
            "equal_tails": float(np.mean([one.equal_tails for one in found])),
            "ties_split": float(np.mean([one.ties_split for one in found])),
            "shortest": float(np.mean([one.shortest for one in found])),
        }
        for hours, found in covered.items()
        if found
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.hazard", description=__doc__)
    parser.add_argument("--data", type=Path, default=default_data() / "spot_traces")
    parser.add_argument("--tune", action="store_true", help="score what could be chosen instead")
    parser.add_argument("--shared", action="store_true", help="say what pools share instead")
    parser.add_argument("--out", type=Path, default=None, help="file for the JSON")
    options = parser.parse_args(arguments)
    campaigns = load_campaigns(options.data)
    work = tuning if options.tune else shared if options.shared else measure
    found = work(campaigns)
    write_json(found, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
