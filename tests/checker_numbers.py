"""When two numbers are the same to the checkers."""

from collections.abc import Iterator, Mapping

RELATIVE = 1e-6


def differ(shown: float, true: float, tolerance: float = 0.0) -> bool:
    """Whether ``shown`` is another number than ``true``; one that is no number is.

    Args:
        tolerance: that rounding explains; numbers that are not rounded agree relatively.
    """
    allowed = max(tolerance, RELATIVE * max(abs(shown), abs(true)))
    return not abs(shown - true) <= allowed


def faults(
    where: str, shown: Mapping[str, float], true: Mapping[str, float], tolerance: float = 0.0
) -> Iterator[str]:
    """A complaint for each of ``true`` that ``shown`` says otherwise."""
    for name, value in true.items():
        if differ(shown[name], value, tolerance):
            yield f"{where}{name} is {shown[name]}, not {value:.9g}"
