"""The panels of the Grafana dashboard, in the order in which people ask.

They are data, so that a test can ask a real Prometheus every query.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and the name of its lines."""

    promql: str
    legend: str = "{{policy}}"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Args:
        unit: of Grafana's list, e.g. ``currencyUSD``.
        is_stat: a single figure instead of a line over time.
        width: of 24 columns.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]
    description: str
    is_stat: bool = False
    width: int = 12

    @property
    def height(self) -> int:
        """In Grafana's rows."""
        return 4 if self.is_stat else 8


@dataclass(frozen=True, slots=True)
class Section:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


def _of_policy(metric: str, legend: str = "{{policy}}", more: str = "") -> Query:
    return Query(f'{metric}{{policy=~"$policy"{more}}}', legend)


def _stat(title: str, unit: str, promql: str, description: str) -> Panel:
    return Panel(title, unit, (Query(promql, ""),), description, is_stat=True, width=6)


_COST = Section(
    "What does it cost, and what would the plan save?",
    (
        _stat(
            "Cost now",
            "currencyUSD",
            'sum(nodemix_cluster_cost_usd_per_hour{policy=~"$policy"})',
            "USD per hour of today's nodes whose price is known.",
        ),
        _stat(
            "Saving of the plan",
            "currencyUSD",
            'sum(nodemix_plan_saving_usd_per_hour{policy=~"$policy"})',
            "USD per hour less than now.",
        ),
        _stat(
            "Gap",
            "percentunit",
            'max(nodemix_plan_gap_ratio{policy=~"$policy"})',
            "How far the plan can be above the cheapest possible one.",
        ),
        _stat(
            "Budget left",
            "currencyUSD",
            'sum(nodemix_policy_budget_usd_per_hour{policy=~"$policy"} '
            '- on (policy) nodemix_plan_cost_usd_per_hour{policy=~"$policy"})',
            "USD per hour that the plans leave of the budgets; absent without one.",
        ),
        Panel(
            "Cost now, plan, once placed, baseline, lower bound and budget",
            "currencyUSD",
            (
                _of_policy("nodemix_cluster_cost_usd_per_hour", "{{policy}} now"),
                _of_policy("nodemix_plan_cost_usd_per_hour", "{{policy}} plan"),
                _of_policy("nodemix_plan_placed_cost_usd_per_hour", "{{policy}} placed, {{mode}}"),
                _of_policy("nodemix_plan_baseline_cost_usd_per_hour", "{{policy}} {{baseline}}"),
                _of_policy("nodemix_plan_lower_bound_usd_per_hour", "{{policy}} lower bound"),
                _of_policy("nodemix_policy_budget_usd_per_hour", "{{policy}} budget"),
            ),
            "USD per hour. Placed: what to expect once kube-scheduler has placed the pods. "
            "Baseline: the same pods under another way to choose nodes, with the headroom that it "
            "needs. No plan under the policy can cost less than the lower bound.",
        ),
        Panel(
            "What the plan is expected to cost in all",
            "currencyUSD",
            (_of_policy("nodemix_plan_expected_cost_usd_per_hour", "{{policy}} {{part}}"),),
            "What plans are compared by; the parts add up. Placing is further nodes for pods that "
            "kube-scheduler finds no place for, recourse nodes bought later for pods that the "
            "forecast or reclaims leave without one, shortage what lacking them is worth.",
        ),
        Panel(
            "Nodes",
            "short",
            (_of_policy("nodemix_nodes", "{{policy}} {{state}}"),),
            "Nodes now and in the plan.",
            width=24,
        ),
    ),
)

_ROOM = Section(
    "Is there room enough?",
    (
        _stat(
            "Pods without a place",
            "short",
            'sum(nodemix_plan_unplaceable_pods{policy=~"$policy"})',
            "Pods that no allowed offer can hold.",
        ),
        _stat(
            "Probability of a shortfall",
            "percentunit",
            'max(nodemix_plan_shortfall_probability{policy=~"$policy"})',
            "That demand outgrows the plan within the lead time; absent without a forecast.",
        ),
        _stat(
            "Coverage of the 95 % interval",
            "percentunit",
            'min(nodemix_forecast_coverage_ratio{policy=~"$policy", level="0.95"})',
            "Share of observed demand inside the 95 % interval of its forecast, where it is worst.",
        ),
        _stat(
            "Time until a node is ready",
            "s",
            "nodemix_node_boot_median_seconds",
            "Median of the boots seen; absent before the first one.",
        ),
        Panel(
            "Demand: now, forecast and planned",
            "short",
            (_of_policy("nodemix_demand_pods", "{{policy}} {{quantity}}"),),
            "Pods now, the 5, 50 and 95 % quantiles of their highest number within the lead time, "
            "and what the plan has room for.",
        ),
        Panel(
            "Probability that some pod finds no place",
            "percentunit",
            (
                _of_policy("nodemix_plan_shortfall_probability", "{{policy}} demand alone"),
                _of_policy(
                    "nodemix_plan_joint_shortfall_probability", "{{policy}} with reclaims of spot"
                ),
                _of_policy("nodemix_policy_max_shortfall_probability", "{{policy}} accepted"),
            ),
            "Within the lead time. The policy's limit speaks of demand alone.",
        ),
    ),
)

_SEEN = "max(increase(nodemix_spot_interruptions_total[1d]))"

_SPOT = Section(
    "What if spot nodes are taken back?",
    (
        _stat(
            "CVaR",
            "percentunit",
            'max(nodemix_plan_cvar_ratio{policy=~"$policy"})',
            "Mean share of demand without a place in the worst 5 % of what may happen.",
        ),
        _stat(
            "Loss of the worst pool",
            "percentunit",
            'max(nodemix_plan_worst_pool_loss_ratio{policy=~"$policy"})',
            "Share of requests without a place if the provider takes that pool back.",
        ),
        _stat(
            "Interruptions to expect",
            "short",
            'sum(nodemix_plan_interruptions_per_day{policy=~"$policy", estimate="mean"})',
            "Spot nodes taken back a day.",
        ),
        _stat(
            "Interruptions seen",
            "short",
            _SEEN,
            "Spot nodes of the whole cluster taken back within a day.",
        ),
        Panel(
            "CVaR and loss of the worst pool against what is accepted",
            "percentunit",
            (
                _of_policy("nodemix_plan_cvar_ratio", "{{policy}} CVaR"),
                _of_policy("nodemix_policy_max_cvar_ratio", "{{policy}} CVaR accepted"),
                _of_policy("nodemix_plan_worst_pool_loss_ratio", "{{policy}} worst pool"),
                _of_policy("nodemix_policy_max_pool_loss_ratio", "{{policy}} worst pool accepted"),
            ),
            "Shares of demand and of requests without a place.",
        ),
        Panel(
            "Spot",
            "percentunit",
            (
                _of_policy("nodemix_plan_spot_share_ratio", "{{policy}} spot"),
                _of_policy("nodemix_plan_worst_pool_share_ratio", "{{policy}} worst pool"),
            ),
            "Share of the plan's vCPUs on spot, and in the largest spot pool.",
        ),
        Panel(
            "Interruptions a day",
            "short",
            (
                _of_policy("nodemix_plan_interruptions_per_day", "{{policy}} {{estimate}}"),
                Query(_SEEN, "seen, whole cluster"),
            ),
            "Nodes of the plan expected to be taken back, with the ends of the 95 % interval, and "
            "what was seen of today's nodes within a day.",
        ),
        Panel(
            "Shocks a day of the plan's spot pools",
            "short",
            (
                _of_policy("nodemix_plan_pool_shocks_per_day", "{{instance_type}} {{zone}}"),
                Query("nodemix_spot_pool_shocks_last_day", "{{instance_type}} {{zone}} seen"),
            ),
            "How often each of the ten pools whose loss would hurt most is expected to lose nodes, "
            "and how often pools did within a day.",
        ),
        Panel(
            "Loss if a pool goes",
            "percentunit",
            (_of_policy("nodemix_plan_pool_loss_ratio", "{{instance_type}} {{zone}}"),),
            "Share of requests without a place, of the ten pools whose loss would hurt most.",
        ),
        Panel(
            "What was watched",
            "short",
            (
                Query("nodemix_spot_pools_watched", "spot pools"),
                Query("increase(nodemix_spot_watched_pool_hours_total[1d])", "pool-hours a day"),
                Query("increase(nodemix_spot_shocks_total[1d])", "shocks a day"),
                Query(
                    "increase(nodemix_spot_stock_outs_total[1d])", "stock-outs a day {{outcome}}"
                ),
                Query("nodemix_node_boots_remembered", "boots remembered"),
                Query("nodemix_beliefs_kept", "kept beyond a restart"),
            ),
            "The evidence behind the expected interruptions and the lead time.",
        ),
    ),
)

_LIMITS = Section(
    "What holds the saving back?",
    (
        Panel(
            "Limits that bind",
            "currencyUSD",
            (_of_policy("nodemix_plan_limit_price_usd_per_hour", "{{policy}} {{limit}}"),),
            "USD per hour that one more unit of each would save; absent where none binds.",
        ),
        Panel(
            "Fairness",
            "short",
            (
                _of_policy("nodemix_plan_fairness_jain_ratio", "{{policy}} Jain's index"),
                _of_policy("nodemix_plan_fairness_cost_usd_per_hour", "{{policy}} USD per hour"),
            ),
            "How equally namespaces get what they want where a limit binds (1 is equal), and what "
            "that costs; absent where none does.",
        ),
    ),
)

_QUALITY = Section(
    "Can the forecasts be trusted?",
    (
        Panel(
            "Coverage of central intervals",
            "percentunit",
            (_of_policy("nodemix_forecast_coverage_ratio", "{{policy}} {{indicator}} {{level}}"),),
            "Share of observed demand inside the 50, 80 and 95 % intervals of its forecasts; each "
            "line belongs at its level. Below it forecasts are too narrow, above it too wide.",
        ),
        Panel(
            "Exceedance of upper quantiles",
            "percentunit",
            (
                _of_policy(
                    "nodemix_forecast_exceedance_ratio", "{{policy}} {{indicator}} {{level}}"
                ),
            ),
            "Share of observed demand above the .95 and .99 quantiles; 5 and 1 % are right.",
        ),
        Panel(
            "Where demand fell in its forecast",
            "percentunit",
            (_of_policy("nodemix_forecast_pit_ratio", "{{policy}} {{indicator}} {{bin}}"),),
            "Share of observations in each tenth of the forecast distribution (PIT), named by its "
            "upper end; 10 % each is right. High ends: too narrow; high last tenth: demand lies "
            "above its forecasts.",
        ),
        Panel(
            "Stretch of upper quantiles",
            "short",
            (
                _of_policy("nodemix_forecast_stretch_ratio", "{{policy}} {{indicator}} {{level}}"),
                _of_policy("nodemix_forecast_stretch_gain_ratio", "{{policy}} {{indicator}} gain"),
            ),
            "Factor on the distance from the median, learnt from past misses; 1 where changing "
            "nothing was better. Gain: by how much the tail's loss falls, or would fall.",
        ),
        Panel(
            "Evidence of drift",
            "percentunit",
            (
                _of_policy("nodemix_forecast_drift_evidence_ratio", "{{policy}} {{indicator}}"),
                _of_policy("nodemix_forecast_drifting", "{{policy}} {{indicator}} drifting"),
            ),
            "An alarm at 100 %, after which the evidence restarts and forecasts count as drifting "
            "for a day.",
        ),
        Panel(
            "Forecast model",
            "short",
            (_of_policy("nodemix_forecast_model_info", "{{policy}} {{model}}"),),
            "Which model won the backtest and speaks now.",
            width=24,
        ),
        Panel(
            "Observations behind these figures",
            "short",
            (_of_policy("nodemix_forecast_scored_observations", "{{policy}} {{indicator}}"),),
            "Recent ones count fully, those of a day ago half.",
        ),
    ),
)

_DECISIONS = 'increase(nodemix_decisions_total{policy=~"$policy"}[$__rate_interval])'
_DURATIONS = 'rate(nodemix_decision_duration_seconds_bucket{policy=~"$policy"}[$__rate_interval])'
_RELISTS = "increase(nodemix_informer_relists_total[$__rate_interval])"

_OPERATOR = Section(
    "Does the operator work?",
    (
        Panel(
            "Conditions",
            "short",
            (_of_policy("nodemix_condition", "{{policy}} {{type}}"),),
            "1 is True, 0 is False, -1 is Unknown.",
        ),
        Panel(
            "Decisions",
            "short",
            (Query(f"sum by (policy, outcome) ({_DECISIONS})", "{{policy}} {{outcome}}"),),
            "Decisions by outcome.",
        ),
        Panel(
            "Time of a decision",
            "s",
            (
                Query(f"histogram_quantile(0.5, sum by (le) ({_DURATIONS}))", "p50"),
                Query(f"histogram_quantile(0.99, sum by (le) ({_DURATIONS}))", "p99"),
            ),
            "From the snapshot to the recommendation.",
        ),
        Panel(
            "Age of what decisions rest on",
            "s",
            (
                Query("nodemix_cluster_view_age_seconds", "cluster view"),
                Query("nodemix_price_age_seconds", "prices of {{source}}"),
            ),
            "Nothing is decided on a stale view of the cluster.",
        ),
        Panel(
            "Objects in the view",
            "short",
            (Query("nodemix_informer_objects", "{{resource}}"),),
            "What the informer holds.",
        ),
        Panel(
            "Relists",
            "short",
            (Query(f"sum by (resource) ({_RELISTS})", "{{resource}}"),),
            "Full lists; many of them mean that watches break.",
        ),
    ),
)

SECTIONS = (_COST, _ROOM, _SPOT, _LIMITS, _QUALITY, _OPERATOR)
