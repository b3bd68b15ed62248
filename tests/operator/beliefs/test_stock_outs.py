"""Messages are worded as providers word them; types and zones are this test's own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.operator.beliefs.stock_outs import (
    HEARSAY_S,
    Names,
    RefusalWatch,
    Told,
    pools_refused,
)
from nodemix.operator.cluster.look import Look
from nodemix.operator.cluster.refusals import ClaimRecord, Refusal
from nodemix.optimizer.risk.hazard import PoolKey, StockOut

from tests.operator.beliefs.looks import OTHER, POOL, START_S

NAMES = Names.of([POOL, OTHER, PoolKey("Standard_D4s_v5", "eastus-1", "Standard_D4s_v5")])
FLEET = "creating instance, insufficient capacity, with fleet error(s), "
ZONAL = (
    "InsufficientInstanceCapacity: We currently do not have sufficient m5.xlarge capacity in the "
    "Availability Zone you requested (us-east-1a). Our system will be working on provisioning "
    "additional capacity. You can currently get m5.xlarge capacity by not specifying an "
    "Availability Zone in your request or choosing us-east-1b."
)
NO_SPOT = (
    "InsufficientInstanceCapacity: There is no Spot capacity available that matches your request."
)
ALL_OUT = "creating instance, insufficient capacity, all requested instance types were unavailable "
QUOTA = "MaxSpotInstanceCountExceeded: Max spot instance count exceeded"
ELSEWHERE = PoolKey("m5", "us-east-1b", "m5.xlarge")


def claim(
    *types: str, zones: tuple[str, ...] = ("us-east-1a",), markets: tuple[str, ...] = ("spot",)
) -> ClaimRecord:
    return ClaimRecord("u", "general-x7k2q", types, zones, markets)


ONE, TWO = claim("m5.xlarge"), claim("m5.xlarge", zones=("us-east-1a", "us-east-1b"))
MIXED = claim("m5.xlarge", markets=("on-demand", "spot"))
BOUGHT = claim("m5.xlarge", markets=("on-demand",))


def said(message: str, by: ClaimRecord | None = None, pool: str = "general") -> Refusal:
    """An event as Karpenter writes it."""
    name = f"{pool}-x7k2q"
    return Refusal(message, START_S, name, f"NodeClaim {name} event: {message}", by)


def complained(message: str, by: ClaimRecord) -> Refusal:
    return replace(by, complaint=message).refusal()


def refused(refusal: Refusal, names: Names = NAMES) -> list[PoolKey] | None:
    pools = pools_refused(refusal, names)
    return None if pools is None else sorted(pools)


# --- what names its pools


def test_zone_that_is_sold_out_is_told_from_those_that_are_not() -> None:
    assert refused(said(FLEET + ZONAL, ONE)) == [POOL]


def test_every_sentence_that_names_a_pool_counts() -> None:
    other = ZONAL.replace("m5.xlarge", "c5.large").replace("(us-east-1a)", "(us-east-1b)")

    assert refused(said(f"{FLEET}{ZONAL}; {other}", claim("m5.xlarge", "c5.large"))) == [
        OTHER,
        POOL,
    ]


def test_message_that_was_cut_tells_what_it_still_names() -> None:
    whole = FLEET + ZONAL
    cut = whole.index("You can currently get m5.xl") + len("You can currently get m5.xl")
    in_the_zone = whole.index("(us-east-1a)") + len("(us-east-1a")

    assert refused(said(f"{whole[:cut]}...", ONE)) == [POOL]
    assert refused(said(f"{whole[:in_the_zone]}...", ONE)) == [POOL]  # the claim knows the zone
    assert refused(said(f"{whole[:in_the_zone]}...", TWO)) is None


def test_types_and_zones_are_known_by_their_looks_and_by_the_price_book() -> None:
    def lack(instance_type: str, zone: str) -> Refusal:
        return said(f"no Spot capacity available for {instance_type} in {zone}.")

    assert refused(lack("u-6tb1.metal", "ap-southeast-2c")) == [
        PoolKey("u-6tb1", "ap-southeast-2c", "u-6tb1.metal")
    ]
    assert refused(lack("n2-standard-8", "us-central1-a")) is None
    names = Names.of([PoolKey("n2", "us-central1-b", "n2-standard-8")])
    assert refused(lack("n2-standard-8", "us-central1-a"), names) == [
        PoolKey("n2-standard-8", "us-central1-a", "n2-standard-8")
    ]
    assert refused(lack("n2-standard-8", "us-central1-b"), names) == [
        PoolKey("n2", "us-central1-b", "n2-standard-8")
    ]


def test_azure_names_size_zone_and_market_in_the_claim_that_it_tries_again() -> None:
    several = claim("Standard_D4s_v5", "Standard_D8s_v5", zones=("eastus-1", "eastus-2"))
    azure = PoolKey("Standard_D4s_v5", "eastus-1", "Standard_D4s_v5")
    sku = (
        "the requested SKU is unavailable for instance type Standard_D4s_v5 in zone eastus-1 with "
        "capacity type spot, for more details please visit: https://aka.ms/azureskunotavailable"
    )
    zonal = (
        "unable to allocate resources in the selected zone (eastus-1) with spot capacity type and "
        "Standard_D4s_v5 VM size. (will try a different zone, capacity type or VM size)"
    )

    assert refused(complained(sku, several)) == [azure]
    assert refused(complained(zonal, several)) == [azure]
    assert refused(complained(sku.replace("type spot", "type on-demand"), several)) == []


# --- what only its claim can tell


def test_spot_refusal_is_of_all_that_a_claim_for_spot_names() -> None:
    assert refused(said(FLEET + NO_SPOT, ONE)) == [POOL]
    assert refused(said(FLEET + NO_SPOT, TWO)) == [POOL, ELSEWHERE]


@pytest.mark.parametrize(
    "by",
    [
        None,
        claim("m5.xlarge", zones=()),
        claim(),
        replace(TWO, markets=("on-demand", "spot")),
        claim("m5.xlarge", "c5.large", "r5.large", zones=tuple(f"us-east-1{z}" for z in "abcde")),
    ],
    ids=["gone", "any zone", "any type", "dear types untried", "too many to be tried"],
)
def test_refusal_whose_pools_are_not_sure_is_not_attributed(by: ClaimRecord | None) -> None:
    assert refused(said(FLEET + NO_SPOT, by)) is None


def test_one_pool_is_sure_even_of_a_mixed_claim_if_the_message_is_about_spot() -> None:
    assert refused(said(FLEET + NO_SPOT, MIXED)) == [POOL]
    assert refused(said(FLEET + ZONAL, MIXED)) is None


def test_complaint_is_about_one_attempt_and_not_about_all_of_its_claim() -> None:
    words = "unable to allocate resources"

    assert refused(complained(words, TWO)) is None
    assert refused(complained(words, ONE)) == [POOL]


def test_summary_of_what_was_refused_before_counts_for_its_claim() -> None:
    assert refused(said(ALL_OUT + "during launch", ONE)) == [POOL]
    assert refused(said(ALL_OUT + "during launch")) is None


def test_what_else_failed_makes_the_pools_unsure() -> None:
    assert refused(said(f"{FLEET}{NO_SPOT}; {QUOTA}", TWO)) is None
    assert refused(said(f"{FLEET}{NO_SPOT}; {QUOTA[:9]}...", TWO)) is None  # as good as any other


# --- what is no stock-out of a spot pool


@pytest.mark.parametrize(
    "message",
    [
        FLEET + QUOTA,
        FLEET + "VcpuLimitExceeded: You have requested more vCPU capacity than your limit of 5.",
        FLEET + "InsufficientFreeAddressesInSubnet: There are not enough free addresses in subnet.",
        FLEET + "Unsupported: Your requested instance type (m5.xlarge) is not supported in your "
        "requested Availability Zone (us-east-1a).",
        FLEET + "ReservationCapacityExceeded: The requested reservation does not have sufficient "
        "compatible and available capacity for this request. "
        "(aws-error-code=UnfulfillableCapacity, aws-status-code=200)",
        "regional spot vCPU quota limit for subscription has been reached",
        "resolving nodeclass, not found",
        "object is awaiting reconciliation",
        "",
    ],
)
def test_other_causes_are_no_stock_outs(message: str) -> None:
    assert refused(said(message, ONE)) == []
    assert refused(complained(message, ONE)) == []


def test_on_demand_pools_say_nothing_of_spot_pools() -> None:
    assert refused(said(FLEET + ZONAL, BOUGHT)) == []


def test_causes_in_the_name_of_a_node_pool_are_none() -> None:
    assert refused(said(FLEET + NO_SPOT, ONE, pool="no-quota-limit")) == [POOL]
    assert refused(said(FLEET + ZONAL, BOUGHT, pool="spot")) == []


def test_identifiers_that_karpenter_adds_are_not_read() -> None:
    added = " (aws-error-code=UnfulfillableCapacity, aws-request-id=0e..."

    assert refused(said(FLEET + NO_SPOT + added, TWO)) == [POOL, ELSEWHERE]


@given(
    st.lists(st.sampled_from([ZONAL, NO_SPOT, QUOTA, "Unknown: words."]), max_size=3),
    st.sampled_from([None, ONE, TWO, MIXED, BOUGHT]),
    st.integers(0, 400),
)
def test_no_pool_is_blamed_that_neither_message_nor_claim_names(
    reasons: list[str], by: ClaimRecord | None, length: int
) -> None:
    text = FLEET + "; ".join(reasons)
    message = text if len(text) < length else f"{text[:length]}..."
    pools = pools_refused(said(message, by), NAMES)

    for pool in pools or ():
        assert pool.instance_type in message or (by and pool.instance_type in by.instance_types)
        assert pool.zone in message or (by and pool.zone in by.zones)
        assert by is None or "spot" in by.markets


# --- each refusal counts once


def looked(*refusals: Refusal, after_s: float = 0.0) -> Look:
    return Look(START_S + after_s, (), refusals=refusals)


def told(*looks: Look, told_until_s: float = 0.0) -> list[Told]:
    watch, all_of_it = RefusalWatch(), []
    for look in looks:
        watch, what = watch.after(look, told_until_s, [POOL])
        all_of_it.append(what)
    return all_of_it


OUT = said(FLEET + NO_SPOT, ONE)
UNKNOWN = replace(said(FLEET + NO_SPOT), key="unknown")
STOCK_OUT = StockOut(POOL, START_S / 3600)


def test_refusal_is_told_once_and_again_when_it_is_said_again() -> None:
    later = replace(OUT, key="said again", at_s=START_S + 60.0)

    found = told(looked(OUT), looked(OUT, after_s=5), looked(later, after_s=60))
    assert [len(what.stock_outs) for what in found] == [1, 0, 1]
    assert found[0].stock_outs == (STOCK_OUT,)


def test_refusals_of_unknown_pools_are_counted() -> None:
    other = replace(UNKNOWN, key="other")

    assert told(looked(UNKNOWN), looked(UNKNOWN, other, OUT)) == [
        Told((), 1),
        Told((STOCK_OUT,), 1),
    ]


def test_restart_tells_only_what_was_said_since() -> None:
    before, since = said(FLEET + NO_SPOT, ONE), replace(OUT, key="since", at_s=START_S + 1.0)

    (found,) = told(looked(before, since, after_s=9), told_until_s=START_S)
    assert found.stock_outs == (StockOut(POOL, (START_S + 1.0) / 3600),)


def test_events_that_are_listed_late_are_not_told_again_after_a_restart() -> None:
    assert told(looked(), looked(OUT, after_s=5), told_until_s=START_S) == [Told(), Told()]


def test_complaint_that_stood_at_the_first_look_was_told_by_an_earlier_process() -> None:
    stands, fresh = complained("no Spot capacity available", ONE), complained("unavailable", ONE)

    found = told(looked(stands), looked(stands), looked(fresh, after_s=10))
    at_h = (START_S + 10.0) / 3600
    assert [what.stock_outs for what in found] == [(), (), (StockOut(POOL, at_h),)]


def test_clock_of_the_provisioner_that_is_ahead_puts_nothing_into_the_future() -> None:
    ahead = replace(OUT, at_s=START_S + 99.0)

    assert told(looked(ahead))[0].stock_outs == (STOCK_OUT,)


@pytest.mark.parametrize(
    ("cause", "before_s", "counts"),
    [(QUOTA, HEARSAY_S, False), (QUOTA, HEARSAY_S + 1, True), (NO_SPOT, 1.0, True)],
)
def test_summary_of_a_quota_that_was_used_up_is_no_stock_out(
    cause: str, before_s: float, counts: bool
) -> None:
    first = replace(said(FLEET + cause, BOUGHT), key="first", at_s=START_S - before_s)
    summary = said(ALL_OUT + "during launch", ONE)

    assert told(looked(first, summary))[0] == Told((STOCK_OUT,) if counts else (), 0)
