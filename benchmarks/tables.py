"""Tables and numbers as the pages show them."""

from collections.abc import Iterable, Mapping, Sequence

NOTHING = "n/a"


def dollars(value: float | None) -> str:
    """Four digits; `NOTHING` for None."""
    return NOTHING if value is None else f"{value:.4f}"


def percent_above(cost: float | None, reference: float | None) -> str:
    """How far the cost lies above the reference; `NOTHING` where one of them is missing."""
    if cost is None or reference is None:
        return NOTHING
    share = round(100 * (cost / reference - 1), 2) + 0.0  # no minus before a zero
    return f"{share:+,.0f} %" if abs(share) >= 1000 else f"{share:+.2f} %"


def seconds_and_worst(spread: Mapping[str, float]) -> str:
    """Median and worst, in seconds."""
    return f"{spread['median']:.2f} s (worst {spread['worst']:.2f})"


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table, numbers to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *lines)]
