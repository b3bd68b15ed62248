"""Imports go one way, and the light process stays light."""

import subprocess
import sys
from pathlib import Path

import pytest

_HEAVY = ("torch", "zuko", "statsmodels", "numba", "highspy", "deap", "matplotlib")


def test_import_contracts_are_kept(repository: Path) -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(program), "--no-cache"], cwd=repository, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["nodemix.operator.main", "nodemix.cli"])
def test_heavy_libraries_are_not_loaded_at_import(repository: Path, module: str) -> None:
    code = f"import sys, {module}; print(*(m for m in {_HEAVY!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
