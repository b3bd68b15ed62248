import math
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.operator.api.riskbook import MAX_DATA, POOLS_SHOWN
from nodemix.operator.beliefs import ledger as ledger_module
from nodemix.operator.beliefs.book_object import to_status
from nodemix.operator.beliefs.ledger import Ledger, Rates
from nodemix.operator.beliefs.reclaims import WINDOW_H
from nodemix.operator.beliefs.watch import Seen
from nodemix.operator.errors import BeliefsUnreadableError
from nodemix.optimizer.risk.beliefs import UNADVISED_PER_HOUR, Move
from nodemix.optimizer.risk.hazard import Evidence, Exposure, Hazard, PoolKey, StockOut

from tests.operator.beliefs.looks import OTHER, POOL

MOVE = Move(1.0, (("a.large", "z", "spot"),), (("b.large", "z", "spot"),))
NOTHING_ADVISED: Rates = {}


def hour(end_h: float, lost: int = 0, pool: PoolKey = POOL, **fields: object) -> Seen:
    """An hour of a pool of ten nodes."""
    losses = {pool: lost} if lost else {}
    seen = Seen(end_h, (Exposure(pool, end_h - 1.0, end_h),), losses, {pool: 10})
    return replace(seen, **fields)  # type: ignore[arg-type]


def learned(*seen: Seen, advised: Rates = NOTHING_ADVISED) -> Ledger:
    ledger = Ledger()
    for what in seen:
        ledger = ledger.after(what, advised)
    return ledger


def evidence(ledger: Ledger, pool: PoolKey = POOL) -> Evidence:
    book = ledger.believed().hazards
    assert book is not None
    return book.pools[pool]


def hazard(ledger: Ledger, pool: PoolKey = POOL) -> Hazard:
    book = ledger.believed().hazards
    assert book is not None
    return book.hazards()[pool]


def test_hours_and_shocks_are_counted() -> None:
    ledger = learned(hour(1.0), hour(2.0, lost=3), hour(3.0))
    report = ledger.report(pools_watched=1, now_h=3.0)

    assert (report.hours_watched, report.shocks, report.interruptions) == (3.0, 1, 3)
    assert report.shocks_last_day == ((POOL, 1),)
    seen = evidence(ledger)
    assert seen.hours == pytest.approx(3.0, rel=0.02)  # half is forgotten in 72 hours
    assert seen.shocks == pytest.approx(0.5 ** (1 / 72))
    assert seen.share_lost / seen.shares == pytest.approx(0.3)


def test_shock_is_believed_at_once_and_grows_while_it_is_open() -> None:
    first = learned(hour(1.0, lost=2))
    second = first.after(Seen(1.1, (), {POOL: 3}, {POOL: 8}), {})

    assert evidence(first).share_lost == pytest.approx(0.2)
    assert evidence(second).share_lost == pytest.approx(0.5, rel=1e-2)
    assert second.report(1, 1.1).shocks == 1
    assert evidence(second).shocks == pytest.approx(1.0, abs=1e-2)


def test_open_shock_and_closed_one_are_the_same_evidence() -> None:
    opened = learned(hour(1.0, lost=2))
    closed = opened.after(Seen(1.0 + 2 * WINDOW_H), {})
    fading = 0.5 ** (2 * WINDOW_H / 72)

    assert closed.open_shocks == ()
    assert evidence(closed).shocks == pytest.approx(evidence(opened).shocks * fading)
    assert evidence(closed).share_lost == pytest.approx(evidence(opened).share_lost * fading)


def test_shocks_of_the_last_day_leave_the_report_and_the_total_keeps_them() -> None:
    ledger = learned(hour(1.0, lost=1), hour(2.0, lost=1, pool=OTHER))

    assert ledger.report(2, 24.5).shocks_last_day == ((OTHER, 1), (POOL, 1))
    assert ledger.report(2, 25.5).shocks_last_day == ((OTHER, 1),)
    assert learned(hour(1.0, lost=1), hour(26.0)).last_shocks == ()
    assert ledger.report(2, 1000.0).shocks == 2


def test_pool_that_lost_all_its_nodes_at_once_keeps_its_shock() -> None:
    """It is no longer exposed by the time the shock is over, and was watched for seconds only."""
    seconds = Exposure(POOL, 1.0, 1.001)
    ledger = learned(Seen(1.001, (seconds,), {POOL: 2}, {POOL: 2}), Seen(1.5), Seen(2.0))

    assert evidence(ledger).shocks == pytest.approx(1.0, abs=0.02)


def test_advice_that_comes_late_still_counts() -> None:
    """Nodes are seen before any price is."""
    ledger = learned(hour(1.0))
    assert evidence(ledger).advised_per_hour == UNADVISED_PER_HOUR

    assert evidence(ledger.after(hour(2.0), {POOL: 0.01})).advised_per_hour == 0.01
    assert evidence(learned(hour(1.0), advised={POOL: 0.02})).advised_per_hour == 0.02


def test_clock_that_was_set_back_stops_the_book_and_breaks_nothing() -> None:
    ledger = learned(hour(5.0)).after(Seen(4.0, (Exposure(POOL, 3.9, 4.0),), {POOL: 1}), {})

    assert ledger.beliefs.hazards is not None
    assert ledger.beliefs.hazards.at_h == 5.0
    assert ledger.report(1, 4.0).shocks == 1


def test_boots_and_moves_are_kept() -> None:
    ledger = Ledger().after(hour(1.0, boots_s=(40.0, 60.0)), {}, MOVE)

    assert ledger.believed().boots.seconds == (40.0, 60.0)
    assert ledger.believed().moves == (MOVE,)
    assert ledger.report(1, 1.0).boot_median_s == 50.0


def test_believed_hits_are_the_last_shock_of_each_pool() -> None:
    ledger = learned(hour(1.0, lost=1), hour(2.0, lost=1, pool=OTHER), hour(3.0, lost=2))

    assert ledger.believed().hits == ((OTHER, 2.0), (POOL, 3.0))
    assert ledger.believed().hit_within(0.5, 3.0) == {POOL}


# --- stock-outs


def test_stock_out_makes_the_next_hours_of_its_pool_riskier_and_no_other_pool() -> None:
    both = hour(1.0, exposures=(Exposure(POOL, 0.0, 1.0), Exposure(OTHER, 0.0, 1.0)))
    out = replace(both, stock_outs=(StockOut(POOL, 1.0),))
    calm, alarmed = learned(both), learned(out)

    # The rate of a moment is known like half a shock (the prior's steadiness); this is one more.
    assert hazard(alarmed).unrest.ratio / hazard(calm).unrest.ratio == pytest.approx(3.0)
    assert hazard(alarmed, OTHER).unrest == hazard(calm, OTHER).unrest
    assert hazard(alarmed).shocks_per_hour == hazard(calm).shocks_per_hour


def test_stock_out_of_a_pool_without_nodes_is_kept_until_it_has_faded() -> None:
    ledger = learned(Seen(1.0, stock_outs=(StockOut(POOL, 1.0),)))

    assert evidence(ledger).scarcity == 1.0
    assert evidence(ledger.after(Seen(3.0), {})).scarcity == pytest.approx(0.5)
    kept, gone = (ledger.after(Seen(at_h), {}).beliefs.hazards for at_h in (13.0, 16.0))
    assert kept is not None
    assert gone is not None
    assert (set(kept.pools), set(gone.pools)) == ({POOL}, set())


def test_stock_outs_are_counted_for_good() -> None:
    ledger = learned(
        Seen(1.0, stock_outs=(StockOut(POOL, 0.9), StockOut(OTHER, 1.0)), unattributed=3),
        Seen(2.0, unattributed=1),
        hour(500.0, stock_outs=(StockOut(POOL, 500.0),)),
    )

    report = ledger.report(1, 500.0)
    assert (report.stock_outs, report.unattributed) == (3, 4)
    status = to_status(ledger, 1, (), 500.0 * 3600)
    assert (status.stock_outs, status.stock_outs_unattributed) == (3, 4)
    assert [(pool.zone, pool.scarcity) for pool in status.pools] == [(POOL.zone, 1.0)]


def test_book_of_before_has_seen_no_stock_out() -> None:
    numbers = orjson.loads(learned(hour(1.0)).to_json())
    del numbers["stock_outs"], numbers["unattributed"]

    assert Ledger.from_json(orjson.dumps(numbers).decode()) == learned(hour(1.0))


def test_book_knows_until_when_it_looked() -> None:
    assert Ledger().looked_h == -math.inf
    assert Ledger.from_json(learned(hour(1.0), Seen(2.5)).to_json()).looked_h == 2.5


def test_evidence_that_faded_away_is_forgotten() -> None:
    book = learned(hour(1.0), hour(1000.0, pool=OTHER)).beliefs.hazards

    assert book is not None
    assert set(book.pools) == {OTHER}


def test_of_too_many_pools_those_with_the_most_evidence_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger_module, "MOST_POOLS", 2)
    pools = [PoolKey("m5", f"zone-{i}", "m5.large") for i in range(4)]
    ledger = learned(*(hour(i + 1.0, lost=i % 2, pool=p) for i, p in enumerate(pools)), Seen(9.0))

    assert ledger.beliefs.hazards is not None
    assert set(ledger.beliefs.hazards.pools) == {pools[1], pools[3]}


def test_time_alone_is_no_news() -> None:
    ledger = learned(hour(1.0))

    assert ledger.after(hour(2.0), {}).news == ledger.news
    assert ledger.after(hour(2.0, lost=1), {}).news != ledger.news
    assert ledger.after(hour(2.0, pool=OTHER), {}).news != ledger.news
    assert ledger.after(hour(2.0, boots_s=(1.0,)), {}).news != ledger.news
    assert ledger.after(hour(2.0), {}, MOVE).news != ledger.news
    assert ledger.after(hour(2.0, stock_outs=(StockOut(POOL, 2.0),)), {}).news != ledger.news
    assert ledger.after(hour(2.0, unattributed=1), {}).news != ledger.news


@given(
    st.lists(
        st.tuples(
            st.floats(0.001, 30.0), st.integers(0, 5), st.sampled_from([POOL, OTHER]), st.booleans()
        ),
        max_size=12,
    )
)
def test_text_brings_back_all_of_it(steps: list[tuple[float, int, PoolKey, bool]]) -> None:
    ledger, at_h = Ledger(), 0.0
    for pause_h, lost, pool, moves in steps:
        at_h += pause_h
        exposure = Exposure(pool, at_h - pause_h, at_h)
        seen = Seen(at_h, (exposure,), {pool: lost} if lost else {}, {pool: 5}, boots_s=(pause_h,))
        seen = replace(seen, stock_outs=(StockOut(pool, at_h),) * moves, unattributed=lost)
        ledger = ledger.after(seen, {}, MOVE if moves else None)

    assert Ledger.from_json(ledger.to_json()) == ledger


def test_restart_goes_on_as_if_it_had_not_been() -> None:
    before = learned(hour(1.0), hour(2.0, lost=3))
    later = Seen(2.1, (Exposure(POOL, 2.0, 2.1),), {POOL: 1}, {POOL: 7})

    assert Ledger.from_json(before.to_json()).after(later, {}) == before.after(later, {})


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": 99},
        {"beliefs": None},
        {"beliefs": {"schema": 99}},
        {"open": [["m5"]]},
        {"shocks": "many"},
        {"last_shocks": 3},
        {"hours_watched": None},
        {"stock_outs": "many"},
    ],
)
def test_text_of_another_version_or_damaged_is_refused(damage: dict[str, object]) -> None:
    text = orjson.dumps({**orjson.loads(learned(hour(1.0)).to_json()), **damage}).decode()

    with pytest.raises(BeliefsUnreadableError, match=r"cannot be read .*; delete it"):
        Ledger.from_json(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}"])
def test_text_that_is_no_ledger_is_refused(text: str) -> None:
    with pytest.raises(BeliefsUnreadableError):
        Ledger.from_json(text)


def test_number_that_is_none_is_refused_when_read_and_not_in_a_decision() -> None:
    numbers = orjson.loads(learned(hour(1.0)).to_json())
    numbers["beliefs"]["hazards"]["pools"][0][4] = "a shock"

    with pytest.raises(BeliefsUnreadableError):
        Ledger.from_json(orjson.dumps(numbers).decode())


def test_all_that_can_be_kept_fits_the_object() -> None:
    pools = [PoolKey("u-24tb1", f"ap-southeast-{i}a", f"u-24tb1.{i}xlarge") for i in range(500)]
    ledger = Ledger()
    for end_h in (1.1, 2.2, 3.3):
        seen = Seen(
            end_h,
            tuple(Exposure(pool, end_h - 1.0, end_h) for pool in pools),
            dict.fromkeys(pools, 7),
            dict.fromkeys(pools, 9),
            boots_s=(123.456789,) * 100,
        )
        ledger = ledger.after(
            seen, {}, Move(end_h, *[(p, p) for p in [("a" * 20, "b", "spot")]] * 2)
        )

    status = to_status(ledger, len(pools), (), 4.0 * 3600)  # its model bounds the text
    assert status.data is not None
    assert len(status.data) < MAX_DATA / 2
    assert len(status.pools) == POOLS_SHOWN
    assert Ledger.from_json(status.data) == ledger
