"""What a plan document says, in words that the terminal and the page share."""

from nodemix.operator.report.comparison import (
    BaselineEntry,
    BlockerEntry,
    FairnessEntry,
    RuleCostEntry,
)
from nodemix.operator.report.document import NoteEntry, PlanDocument, PoolEntry
from nodemix.operator.report.options import CapacityChoiceEntry, OptionEntry
from nodemix.operator.report.risk import PoolRiskEntry, RiskEntry

CLOSING_LINE = "dry-run: nothing was changed"
HOURS_PER_MONTH = 730.0
SECONDS_PER_MINUTE = 60.0
ROUND_FROM_USD = 10.0
SMALLEST_SHOWN_USD = 5e-5


def money(usd_per_hour: float) -> str:
    """An hour's cost with as many decimals as it needs."""
    return f"{amount(usd_per_hour)} $/h"


def amount(usd: float) -> str:
    """Dollars with as many decimals as they need."""
    return f"{usd:.{2 if abs(usd) >= ROUND_FROM_USD else 4}f}"


def monthly(usd_per_hour: float) -> str:
    """The same money a month, in whole dollars."""
    return f"about {usd_per_hour * HOURS_PER_MONTH:,.0f} $ a month"


def placed_line(document: PlanDocument) -> str:
    """The plan's cost once its pods are placed, and in the other modes; empty without one."""
    placed = document.placed
    if placed is None:
        return ""
    words = [f"{money(placed.usd_per_hour)} expected in mode {placed.mode}"]
    words[0] += f" ({_more(placed.usd_per_hour, document.plan_usd_per_hour)})"
    if placed.saving_kept_share is not None:
        words.append(f"{placed.saving_kept_share:.0%} of the saving is left")
    others = [e for e in placed.by_mode if e.mode is not placed.mode]
    line = ", ".join(words)
    if others:
        line += "; " + ", ".join(f"{e.mode} {money(e.usd_per_hour)}" for e in others)
    return line


def _more(usd_per_hour: float, plan_usd_per_hour: float) -> str:
    more = usd_per_hour - plan_usd_per_hour
    if more < SMALLEST_SHOWN_USD:
        return "as planned"
    return f"{more / plan_usd_per_hour:+.1%} on the plan"


def saving_sources(document: PlanDocument) -> list[tuple[str, float]]:
    """Each source of the saving that a reader could see, USD per hour; minus is a cost."""
    parts = document.savings
    if parts is None:
        return []
    named = [
        ("spot", parts.spot_usd_per_hour),
        ("shape", parts.shape_usd_per_hour),
        ("packing", parts.packing_usd_per_hour),
        ("pods that wait", parts.waiting_usd_per_hour),
        ("headroom", parts.headroom_usd_per_hour),
        ("commitments", parts.commitments_usd_per_hour),
    ]
    return [(name, usd) for name, usd in named if abs(usd) >= SMALLEST_SHOWN_USD]


def savings_line(document: PlanDocument) -> str:
    """Where the saving comes from; empty where nobody could see it."""
    sources = [f"{name} {usd:+.4f}" for name, usd in saving_sources(document)]
    return f"{', '.join(sources)} $/h" if sources else ""


def runner_up_line(pool: PoolEntry) -> str:
    """The next best offer, and the price that would make it the best; empty without one."""
    return f"next: {runner_up_name(pool)} {runner_up_price(pool)}" if pool.runner_up else ""


def runner_up_price(pool: PoolEntry) -> str:
    """What the next best offer costs, and below which price it wins; empty without one."""
    if pool.runner_up is None:
        return ""
    price, wins_below = pool.runner_up.price_usd_per_hour, pool.runner_up.break_even_usd_per_hour
    return f"{price:.4f}, " + ("wins already" if price < wins_below else f"wins <{wins_below:.4f}")


def runner_up_name(pool: PoolEntry) -> str:
    """The next best offer: its type, and of zone and market what differs; empty without one."""
    other = pool.runner_up
    if other is None:
        return ""
    words = [other.instance_type]
    words += [other.zone] if other.zone != pool.zone else []
    words += [other.capacity_type] if other.capacity_type != pool.capacity_type else []
    return " ".join(words)


def bound_line(document: PlanDocument) -> str:
    """How good the plan is, proved."""
    return (
        f"no plan for these pods costs less than {money(document.lower_bound_usd_per_hour)}, so "
        f"a better one could save {document.gap:.2%} at most (gap); "
        f"searched {document.search_seconds:.1f} s"
    )


def risk_line(risk: RiskEntry) -> str:
    """What can go wrong, in one line."""
    shortfall = (
        "shortfall unknown without a forecast"
        if risk.shortfall_probability is None
        else f"{risk.shortfall_probability:.2%} that a pod finds no place (shortfall)"
    )
    return (
        f"{shortfall}, {risk.spot_share:.0%} of vCPUs on spot, "
        f"{risk.worst_pool_share:.0%} in the largest spot pool, "
        f"{risk.interruptions_per_day:.2f} interruptions a day expected"
    )


def marginal_prices(document: PlanDocument) -> str:
    """Duals as prices of a core, a GiB and a GPU; empty where none is known."""
    prices = document.prices
    units = [
        ("core", prices.usd_per_core_hour),
        ("GiB", prices.usd_per_gib_hour),
        ("GPU", prices.usd_per_gpu_hour),
    ]
    known = [f"{unit} {usd:.4f} $/h" for unit, usd in units if usd is not None]
    caps = [
        f"{cap.name} binds ({cap.saving_usd_per_hour:.4f} $/h saved by a unit more)"
        for cap in prices.caps
    ]
    return ", ".join([*known, *caps])


def grown_line(document: PlanDocument) -> str:
    """How many pods the plan has room for against those of now."""
    now = sum(entry.pods_now for entry in document.demand)
    planned = sum(entry.pods_planned for entry in document.demand)
    return f"room for {planned} pods ({now} now)"


def unplaceable_lines(document: PlanDocument) -> list[str]:
    """One line for each workload that no offer can hold."""
    return [f"{e.workload}: {e.pods} pods, {e.why}" for e in document.unplaceable]


def note_line(note: NoteEntry) -> str:
    """A note as one sentence."""
    remedy = f"; {note.remedy}" if note.remedy else ""
    return f"{note.subject}: {note.fact}{remedy}"


def header_line(document: PlanDocument) -> str:
    """For which cluster, by which policy, made when."""
    subject = f"Plan for {document.cluster}" if document.cluster else "Plan"
    return f"{subject} by policy {document.policy}, {document.made_at:%Y-%m-%d %H:%M UTC}"


def sizes_line(document: PlanDocument) -> str:
    """Nodes and pods, now and in the plan."""
    now, plan = (sum(nodes) for nodes in zip(*_node_counts(document), strict=True))
    model = f", forecast by {document.forecast_model}" if document.forecast_model else ""
    return f"{now} nodes now, {plan} in the plan; {grown_line(document)}{model}"


def _node_counts(document: PlanDocument) -> list[tuple[int, int]]:
    return [(0, 0), *((pool.nodes_now, pool.nodes_plan) for pool in document.pools)]


def kept_line(pools: int, nodes: int) -> str:
    """How much stays as it is."""
    if pools == 1:
        return f"1 pool with {_plural(nodes, 'node')} stays as it is"
    return f"{pools} pools with {_plural(nodes, 'node')} stay as they are"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def risk_lines(risk: RiskEntry) -> list[str]:
    """What can go wrong, a line for each way; one line where no scenario was tried."""
    if risk.scenarios == 0:
        return [risk_line(risk)]
    lines = [_shortfall_line(risk), _cvar_line(risk)]
    lines += [_worst_pool_line(risk.pools[0])] if risk.pools else []
    return [*lines, _interruptions_line(risk), later_line(risk)]


def _shortfall_line(risk: RiskEntry) -> str:
    alone = (
        "unknown by demand alone, without a forecast"
        if risk.shortfall_probability is None
        else f"{risk.shortfall_probability:.2%} by demand alone"
    )
    return (
        f"{risk.joint_shortfall_probability:.2%} that some pod finds no place within the lead time "
        f"({risk.scenarios_short:,} of {risk.scenarios:,} scenarios); {alone}"
    )


def _cvar_line(risk: RiskEntry) -> str:
    error = f" +-{100.0 * risk.cvar_standard_error:.2f}" if risk.cvar_standard_error else ""
    return (
        f"{100.0 * risk.cvar:.2f}{error} % of demand without a place in the worst "
        f"{1.0 - risk.alpha:.0%} of scenarios (CVaR)"
    )


def _worst_pool_line(pool: PoolRiskEntry) -> str:
    return (
        f"worst pool {pool.instance_type} {pool.zone}: reclaimed whole, it leaves "
        f"{pool.loss_if_reclaimed:.1%} of the requests without a place"
    )


def _interruptions_line(risk: RiskEntry) -> str:
    low, high = risk.interruptions_per_day_low, risk.interruptions_per_day_high
    expected = f"{risk.interruptions_per_day:.2f} interruptions a day expected"
    shares = f"{risk.spot_share:.0%} of vCPUs on spot, {risk.worst_pool_share:.0%} in the largest"
    return f"{expected} ({low:.2f} to {high:.2f}); {shares} spot pool"


def later_line(risk: RiskEntry) -> str:
    """What is expected to be paid or lacked beside the plan's own money."""
    return (
        f"expected beside the plan: interruptions {risk.interruption_usd_per_hour:.4f}, nodes "
        f"bought later {risk.recourse_usd_per_hour:.4f}, shortage until then "
        f"{risk.shortage_usd_per_hour:.4f} $/h"
    )


def capacity_lines(document: PlanDocument) -> list[str]:
    """Why so much room, and the figures behind it; none where risk was not looked at."""
    capacity = document.capacity
    if capacity is None:
        return []
    boots = f"{capacity.boots_seen} boots seen" if capacity.boots_seen else "no boot seen yet"
    level, worth = 100.0 * capacity.level, 100.0 * capacity.critical_ratio
    figures = [
        f"covers {level:g} % of the joint paths of demand ({worth:g} % are worth it)",
        f"within {capacity.lead_time_s / SECONDS_PER_MINUTE:.1f} min ({boots})",
    ]
    if capacity.over_provision:
        figures.append(f"{capacity.over_provision:.0%} more places for pods on spot")
    why = [capacity.why] if capacity.why else []
    is_forecast = document.risk.shortfall_probability is not None
    covered = [", ".join(figures)] if is_forecast else []
    return [*why, *covered, _spot_limits_line(capacity)]


def _spot_limits_line(capacity: CapacityChoiceEntry) -> str:
    line = f"at most {capacity.max_spot_share:.0%} of vCPUs may be on spot"
    if capacity.max_pool_share is None:
        return line
    return f"{line}, {capacity.max_pool_share:.0%} in one spot pool"


def option_figures(option: OptionEntry) -> tuple[str, ...]:
    """What ``OPTION_COLUMNS`` name."""
    risk = option.risk
    return (
        amount(option.usd_per_hour),
        amount(option.placed.usd_per_hour) if option.placed else "",
        amount(option.expected_usd_per_hour),
        f"{risk.joint_shortfall_probability:.1%}",
        f"{risk.cvar:.1%}",
        f"{risk.worst_pool_loss:.1%}",
        f"{option.nodes_changed}",
        "yes" if option.meets_slo else "no",
    )


OPTION_COLUMNS = ("$/h", "placed", "expected", "short", "CVaR", "pool", "churn", "SLO")
"""Money, that once the pods are placed, what is expected with all risks, P(a pod finds no place),
mean loss in the worst cases, loss if the worst pool is reclaimed, nodes changed, and whether the
service level is kept. Short names: all of it fits into 80 columns."""


def baseline_line(baseline: BaselineEntry | None, document: PlanDocument) -> str:
    """What another way to choose nodes would cost and risk; empty where nobody compared."""
    if baseline is None:
        return ""
    name = f"{baseline.name} with {baseline.headroom:.0%} headroom"
    if baseline.usd_per_hour is None:
        return _with_why(f"{name}: no place for some pod", baseline.why)
    cost = f"{money(baseline.usd_per_hour)} on {_plural(baseline.nodes, 'node')}"
    verdict = _verdict(baseline.usd_per_hour, document.plan_usd_per_hour)
    line = f"{name}: {cost}, {verdict}{_once_placed(baseline, document)}{_at_risk(baseline)}"
    return _with_why(line, baseline.why)


def _verdict(baseline_usd_per_hour: float, plan_usd_per_hour: float) -> str:
    known = baseline_usd_per_hour > 0
    less = 1.0 - plan_usd_per_hour / baseline_usd_per_hour if known else 0.0
    return f"the plan is {abs(less):.1%} {'cheaper' if less >= 0 else 'dearer'}"


def _once_placed(baseline: BaselineEntry, document: PlanDocument) -> str:
    """Both once the scheduler has placed the pods, where that is known."""
    if baseline.placed_usd_per_hour is None or document.placed is None:
        return ""
    verdict = _verdict(baseline.placed_usd_per_hour, document.placed.usd_per_hour)
    return f"; once placed {money(baseline.placed_usd_per_hour)}, {verdict}"


def _at_risk(baseline: BaselineEntry) -> str:
    if baseline.worst_pool_loss is None:
        return ""
    return f"; without its worst spot pool {baseline.worst_pool_loss:.0%} would have no place"


def _with_why(line: str, why: str) -> str:
    return f"{line}; {why}" if why else line


def blocker_line(blocker: BlockerEntry) -> str:
    """Who keeps how many nodes, what they cost, and what to do."""
    nodes = _plural(len(blocker.nodes), "node")
    remedy = f"; {blocker.remedy}" if blocker.remedy else ""
    return (
        f"{blocker.subject} keeps {nodes}, {money(blocker.usd_per_hour)} ({blocker.kind}){remedy}"
    )


def rule_cost_line(cost: RuleCostEntry) -> str:
    """Which rule of whom costs about how much, and what to do."""
    several = f"{len(cost.workloads)} workloads together"
    subject = cost.workloads[0] if len(cost.workloads) == 1 else several
    pods = _plural(cost.pods, "pod")
    amount = money(cost.usd_per_hour)
    return f"{cost.kind} of {subject} ({pods}) costs about {amount}; {cost.remedy}"


def fairness_lines(fairness: FairnessEntry | None) -> list[str]:
    """How equal namespaces are, and who gets less than it wants; none where no cap binds."""
    if fairness is None:
        return []
    caps = ", ".join(fairness.binding_caps)
    price = f"; its price is {money(fairness.price_usd_per_hour)}"
    summary = f"Jain's index {fairness.jain:.3f} while {caps} binds ({fairness.mode})"
    lacking = [n for n in fairness.namespaces if n.pods_given < n.pods_wanted]
    return [
        summary + (price if fairness.price_usd_per_hour else ""),
        *(
            f"{n.namespace} (weight {n.weight:g}) gets {n.pods_given} of "
            f"{_plural(n.pods_wanted, 'pod')}, {n.dominant_share:.1%} of {n.dominant_resource}"
            for n in lacking
        ),
    ]
