import string
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nodemix.operator.cluster.quantities import (
    LARGEST,
    MIB,
    parse_amount,
    parse_quantity,
    request_of,
    room_of,
)
from nodemix.operator.errors import QuantityError

LAW = settings(deadline=None)  # a busy machine is no mistake

# The definition, written down a second time: k8s.io/apimachinery/pkg/api/resource, suffix.go.
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}

numbers = st.decimals(min_value=-1000, max_value=1000, places=6, allow_nan=False).map(
    lambda d: format(d, "f")
)
suffixes = st.sampled_from([*DECIMAL, *BINARY])
exponents = st.integers(-12, 12)
amounts = st.fractions(min_value=0, max_value=10**12)


def scale_of(suffix: str) -> Fraction:
    if suffix in BINARY:
        return Fraction(2 ** BINARY[suffix])
    return Fraction(10) ** DECIMAL[suffix]


@LAW
@given(number=numbers, suffix=suffixes)
@example(number="1", suffix="Ei")
@example(number="0.1", suffix="")
def test_quantity_is_its_number_times_its_suffix(number: str, suffix: str) -> None:
    exact = Fraction(number) * scale_of(suffix)

    if abs(exact) > LARGEST:
        with pytest.raises(QuantityError, match="larger than"):
            parse_quantity(number + suffix)
    else:
        assert parse_quantity(number + suffix) == exact


@LAW
@given(number=numbers, exponent=exponents, letter=st.sampled_from("eE"))
def test_exponent_is_a_power_of_ten(number: str, exponent: int, letter: str) -> None:
    exact = Fraction(number) * Fraction(10) ** exponent

    assert parse_quantity(f"{number}{letter}{exponent}") == exact


@LAW
@given(st.text(alphabet=string.printable, max_size=12))
def test_any_text_is_a_quantity_or_an_error_that_names_it(text: str) -> None:
    error: QuantityError | None = None
    try:
        parse_quantity(text)
    except QuantityError as err:
        error = err

    assert error is None or repr(text) in str(error)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1E", Fraction(10**18)),
        ("1e3", Fraction(1000)),
        ("1E3", Fraction(1000)),
        ("1Ei", Fraction(2**60)),
        ("5.", Fraction(5)),
        (".5", Fraction(1, 2)),
        ("+1", Fraction(1)),
        ("0.5Gi", Fraction(2**29)),
        ("100m", Fraction(1, 10)),
        ("9223372036854775807", Fraction(LARGEST)),
    ],
)
def test_spellings_that_kubernetes_accepts(text: str, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "abc", "1 Gi", "1gi", "1K", "1KiB", "Gi", ".", "1e", "1.2.3", "--1", "1e3Mi"),
        *("0x10", "1_000", "\u0661", "1\n", "inf", "nan", "9223372036854775808", "1e31", "1" * 65),
    ],
)
def test_what_kubernetes_refuses_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_quantity(text)

    assert caught.value.remedy.startswith("write a number")


@pytest.mark.parametrize(("value", "expected"), [(2, 2), (0.1, Fraction(1, 10)), ("2", 2), (0, 0)])
def test_bare_numbers_count_as_their_text(value: object, expected: Fraction) -> None:
    assert parse_amount(value) == expected


@pytest.mark.parametrize("value", [True, None, [], {"cpu": 1}, float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(QuantityError):
        parse_amount(value)


@pytest.mark.parametrize("value", [-1, "-100m", -0.5])
def test_negative_amount_is_refused(value: object) -> None:
    with pytest.raises(QuantityError, match="is negative; write 0 or more"):
        parse_amount(value)


@LAW
@given(cpu=amounts, memory=amounts)
def test_request_covers_and_room_is_covered_by_less_than_one_unit(
    cpu: Fraction, memory: Fraction
) -> None:
    exact = {"cpu": cpu, "memory": memory}
    request, room = request_of(exact), room_of(exact)

    assert cpu * 1000 <= request.cpu_milli < cpu * 1000 + 1
    assert memory / MIB <= request.memory_mib < memory / MIB + 1
    assert cpu * 1000 - 1 < room.cpu_milli <= cpu * 1000
    assert memory / MIB - 1 < room.memory_mib <= memory / MIB


@LAW
@given(parts=st.lists(amounts, min_size=1, max_size=5))
def test_rounding_once_never_asks_for_more_than_rounding_each(parts: list[Fraction]) -> None:
    together = request_of({"memory": sum(parts, Fraction(0))}).memory_mib
    apart = sum(request_of({"memory": part}).memory_mib for part in parts)

    assert together <= apart


def test_pod_takes_one_slot_and_node_offers_what_its_kubelet_says() -> None:
    assert request_of({"cpu": Fraction(1)}).pods == 1
    assert room_of({"pods": Fraction(110)}).pods == 110
    assert room_of({"cpu": Fraction(1)}).pods == 0


def test_extended_resources_keep_their_names_and_huge_pages_count_in_mib() -> None:
    found = request_of(
        {
            "nvidia.com/gpu": Fraction(2),
            "hugepages-2Mi": Fraction(64 * MIB),
            "attachable-volumes-aws-ebs": Fraction(25),
        }
    )

    assert found.gpus == 2
    assert dict(found.extended) == {"nvidia.com/gpu": 2, "hugepages-2Mi": 64}
