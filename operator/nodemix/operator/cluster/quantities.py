"""Kubernetes quantities as exact numbers.

Requests are rounded up and room is rounded down, each once, after summing: a sum of rounded
parts would let a node overfill or waste a slot.
"""

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Final

from nodemix.operator.errors import QuantityError
from nodemix.optimizer.resources import Resources

Amounts = Mapping[str, Fraction]

MIB: Final = 2**20
LARGEST: Final = 2**63 - 1
_LONGEST_TEXT: Final = 64
_LARGEST_EXPONENT: Final = 30
_SUFFIXES: Final = {
    **{name: Fraction(1, 10**digits) for name, digits in (("n", 9), ("u", 6), ("m", 3))},
    **{name: Fraction(10 ** (3 * i)) for i, name in enumerate(["", "k", "M", "G", "T", "P", "E"])},
    **{f"{name}i": Fraction(2 ** (10 * i)) for i, name in enumerate("KMGTPE", start=1)},
}
_QUANTITY: Final = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)"
)
_CORE: Final = ("cpu", "memory", "ephemeral-storage", "pods")
_HUGE_PAGES: Final = "hugepages-"
_REMEDY: Final = "write a number and one of n u m k M G T P E Ki Mi Gi Ti Pi Ei, e.g. 500m, 2Gi"


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Fraction:
    """The exact value of a quantity in its base unit (cores, bytes, pieces).

    Raises:
        QuantityError: the text is no quantity, or is beyond 2**63 - 1.
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise QuantityError(f"quantity {text[:_LONGEST_TEXT]!r}", "is not a quantity", _REMEDY)
    number, exponent, suffix = match.groups()
    scale = _power_of_ten(text, int(exponent)) if exponent else _SUFFIXES[suffix or ""]
    value = Fraction(number) * scale
    if abs(value) > LARGEST:
        raise QuantityError(f"quantity {text!r}", "is larger than 2**63 - 1", _REMEDY)
    return value


def _power_of_ten(text: str, exponent: int) -> Fraction:
    if abs(exponent) > _LARGEST_EXPONENT:
        raise QuantityError(f"quantity {text!r}", "has an exponent out of range", _REMEDY)
    return Fraction(10) ** exponent


def parse_amount(value: object) -> Fraction:
    """A quantity that is not negative, as JSON or YAML gives it: text or a bare number.

    Raises:
        QuantityError: it is neither, or negative.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise QuantityError(f"quantity {value!r}", "is neither text nor a number", _REMEDY)
    amount = parse_quantity(str(value))
    if amount < 0:
        raise QuantityError(f"quantity {str(value)!r}", "is negative", "write 0 or more")
    return amount


def request_of(amounts: Amounts, pods: int = 1) -> Resources:
    """What a pod asks for, rounded up to whole milli-cores, MiB and pieces.

    Huge pages are an extended resource under their own name, counted in MiB.
    """
    return _resources(amounts, math.ceil, pods)


def room_of(amounts: Amounts) -> Resources:
    """What a node offers, rounded down to whole milli-cores, MiB and pieces."""
    return _resources(amounts, math.floor, math.floor(amounts.get("pods", 0)))


def _resources(amounts: Amounts, rounded: Callable[[Fraction], int], pods: int) -> Resources:
    zero = Fraction(0)
    return Resources.of(
        {name: rounded(_pieces(name, amounts[name])) for name in amounts if _is_extended(name)},
        cpu_milli=rounded(amounts.get("cpu", zero) * 1000),
        memory_mib=rounded(amounts.get("memory", zero) / MIB),
        ephemeral_mib=rounded(amounts.get("ephemeral-storage", zero) / MIB),
        pods=pods,
    )


def _is_extended(name: str) -> bool:
    """Names with a domain, and huge pages; a node lists volume slots too, which are neither."""
    return name not in _CORE and ("/" in name or name.startswith(_HUGE_PAGES))


def _pieces(name: str, amount: Fraction) -> Fraction:
    return amount / MIB if name.startswith(_HUGE_PAGES) else amount
