"""The index of equality and what it is computed from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodemix.optimizer.fairness.report import (
    fair_level,
    fairness_report,
    jain_index,
    satisfaction,
)
from nodemix.optimizer.fairness.shares import Claim
from nodemix.optimizer.policy import FairnessMode
from nodemix.optimizer.snapshot import WorkloadKey


def claim(namespace: str, wanted: int, *request: float) -> Claim:
    return Claim(WorkloadKey(namespace, "Deployment", "web"), 0, wanted, request)


@pytest.mark.parametrize(
    ("values", "index"),
    [([1, 1, 1], 1.0), ([1, 0, 0, 0], 0.25), ([2, 1], 0.9), ([], 1.0), ([0, 0], 1.0)],
)
def test_jain(values: list[float], index: float) -> None:
    assert jain_index(values) == pytest.approx(index)


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=9), st.floats(1e-3, 1e3))
def test_jain_lies_between_one_and_one_nth_and_knows_no_scale(
    values: list[float], scale: float
) -> None:
    index = jain_index(values)

    assert 1.0 / len(values) - 1e-9 <= index <= 1.0 + 1e-9
    assert jain_index([scale * x for x in values]) == pytest.approx(index)


@given(
    st.lists(st.tuples(st.floats(0.01, 9), st.floats(0.1, 5)), min_size=1, max_size=6),
    st.floats(0.0, 1.0),
)
def test_the_level_gives_out_what_there_is(parties: list[tuple[float, float]], part: float) -> None:
    wanted, weights = zip(*parties, strict=True)
    total = part * sum(wanted)

    level = fair_level(wanted, weights, total)

    given_out = sum(min(w, own * level) for w, own in parties)
    assert given_out == pytest.approx(total, abs=1e-9)


def test_shares_are_of_all_that_is_wanted() -> None:
    """Forty cores and 100 GiB are wanted; a gets ten pods of (1, 1), b five of (2, 8)."""
    claims = [claim("a", 20, 1, 1), claim("b", 10, 2, 8)]

    report = fairness_report(
        FairnessMode.REPORT, ["maxNodes"], claims, (10, 5), ("cpu_milli", "memory_mib"), {"b": 2.0}
    )

    a, b = report.namespaces
    assert (report.mode, report.binding_caps) == ("report", ("maxNodes",))
    assert (a.dominant_resource, a.pods_wanted, a.pods_given, a.weight) == ("cpu_milli", 20, 10, 1)
    assert (a.dominant_share, a.wanted_share) == pytest.approx((0.25, 0.5))
    assert (b.dominant_resource, b.weight) == ("memory_mib", 2.0)
    assert (b.dominant_share, b.wanted_share) == pytest.approx((0.4, 0.8))


def test_equality_is_measured_against_what_would_be_fair() -> None:
    """0.65 are given out: at weights 1 and 2 fair is 0.2167 and 0.4333; got are 0.25 and 0.4."""
    claims = [claim("a", 20, 1, 1), claim("b", 10, 2, 8)]
    resources = ("cpu_milli", "memory_mib")
    report = fairness_report(FairnessMode.REPORT, [], claims, (10, 5), resources, {"b": 2.0})
    x, y = 0.25 / (0.65 / 3), 0.4 / (1.3 / 3)

    assert satisfaction(report.namespaces) == pytest.approx([x, y])
    assert report.jain == pytest.approx((x + y) ** 2 / (2 * (x * x + y * y)))


def test_who_wants_little_and_gets_it_takes_nothing_from_equality() -> None:
    claims = [claim("modest", 1, 1), claim("a", 50, 1), claim("b", 49, 1)]

    report = fairness_report(FairnessMode.ENFORCE, [], claims, (1, 20, 20), ("cpu_milli",), {})

    assert report.jain == pytest.approx(1.0)


def test_one_who_gets_nothing_takes_much_from_equality() -> None:
    claims = [claim("a", 50, 1), claim("b", 50, 1)]

    report = fairness_report(FairnessMode.REPORT, [], claims, (40, 0), ("cpu_milli",), {})

    assert report.jain == pytest.approx(0.5)


def test_namespaces_that_want_nothing_are_shown_and_do_not_count() -> None:
    claims = [claim("a", 5, 1), claim("idle", 0, 1)]

    report = fairness_report(FairnessMode.REPORT, [], claims, (3, 0), ("cpu_milli",), {})

    assert [n.namespace for n in report.namespaces] == ["a", "idle"]
    assert report.jain == 1.0
