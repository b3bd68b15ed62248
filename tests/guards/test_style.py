"""Functions stay small."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

from tests.guards.test_layout import SOURCE_ROOTS, tracked

_MEDIAN_LINES = 10
_MOST_LINES = 60
_MOST_FILE_LINES = 500

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(repository: Path) -> Iterator[tuple[str, Function]]:
    for name in tracked(repository, *SOURCE_ROOTS):
        if name.endswith(".py"):
            for node in ast.walk(ast.parse((repository / name).read_text(), filename=name)):
                if isinstance(node, Function):
                    yield f"{name}:{node.lineno} {node.name}", node


def length_lines(function: Function) -> int:
    """Lines of the signature and the body; decorators and the docstring do not count."""
    documented = ast.get_docstring(function, clean=False) is not None
    text = function.body[0]
    docstring = (text.end_lineno or text.lineno) - text.lineno + 1 if documented else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def test_length_leaves_the_docstring_out() -> None:
    source = 'def area(x):\n    """One\n\n    two.\n    """\n    y = x\n    return y\n'
    (function,) = ast.parse(source).body
    assert isinstance(function, Function)

    assert length_lines(function) == 3


def test_median_function_has_at_most_ten_lines(repository: Path) -> None:
    lengths = [length_lines(function) for _, function in functions(repository)]

    assert statistics.median(lengths) <= _MEDIAN_LINES, f"{len(lengths)} functions"


def test_no_function_is_longer_than_a_screen(repository: Path) -> None:
    long = {
        where: lines
        for where, function in functions(repository)
        if (lines := length_lines(function)) > _MOST_LINES
    }

    assert long == {}


def test_no_file_is_longer_than_anyone_reads(repository: Path) -> None:
    python = [name for name in tracked(repository, *SOURCE_ROOTS) if name.endswith(".py")]
    lines = {name: len((repository / name).read_text().splitlines()) for name in python}

    assert {name: n for name, n in lines.items() if n > _MOST_FILE_LINES} == {}


def test_broad_except_occurs_at_most_once(repository: Path) -> None:
    """The one allowed is the operator's outermost loop."""
    broad = [
        f"{name}:{node.lineno}"
        for name in tracked(repository, *SOURCE_ROOTS)
        if name.endswith(".py")
        for node in ast.walk(ast.parse((repository / name).read_text(), filename=name))
        if isinstance(node, ast.ExceptHandler) and is_broad(node)
    ]

    assert len(broad) <= 1, broad


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    return caught is None or (
        isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"}
    )
