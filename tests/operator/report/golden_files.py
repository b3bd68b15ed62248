"""What plans look like in a terminal, kept as files.

``.venv/bin/python -m tests.operator.report.golden_files`` writes them anew; read the difference
before you commit it.
"""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

from nodemix.operator.report.document import PlanDocument, to_document
from nodemix.operator.report.explanation import render_explanation
from nodemix.operator.report.text import render_text
from nodemix.optimizer.plan import Recommendation
from rich.console import Console

from tests.operator.report.examples import a_recommendation, a_weighed_recommendation

FOLDER = Path(__file__).parent / "goldens"
WIDTHS = (80, 120)
CLUSTER = "cluster.yaml"

Render = Callable[[PlanDocument, Console], None]


def printed(render: Render, recommendation: Recommendation, width: int) -> str:
    """What a plain terminal of ``width`` columns shows."""
    text = StringIO()
    console = Console(file=text, width=width, color_system=None, legacy_windows=False)
    render(to_document(recommendation, CLUSTER), console)
    return text.getvalue()


def golden_texts() -> dict[str, str]:
    """What each file has to hold, by its name."""
    return {
        f"{name}-{width}.txt": printed(render, recommendation, width)
        for width in WIDTHS
        for name, render, recommendation in (
            ("plan", render_text, a_recommendation()),
            ("explained", render_explanation, a_weighed_recommendation()),
            ("explained-plain", render_explanation, a_recommendation()),
        )
    }


if __name__ == "__main__":
    for name, text in golden_texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
