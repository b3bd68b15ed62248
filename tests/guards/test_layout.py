"""The source roots stay a namespace, and files are named after what they are about."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE_ROOTS = ("operator", "forecasting", "optimizer", "simulator")
_EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def tracked(repository: Path, *patterns: str) -> list[str]:
    """Files that git knows or would add, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--"]
    listed = subprocess.check_output([*command, *patterns], cwd=repository, text=True)
    return [name for name in listed.split("\0") if name and (repository / name).is_file()]


@pytest.mark.parametrize("root", SOURCE_ROOTS)
def test_source_root_holds_its_part_of_the_namespace_and_nothing_else(
    repository: Path, root: str
) -> None:
    parts = {tuple(Path(name).parts[:3]) for name in tracked(repository, root)}
    allowed = {(root, "nodemix", root)} | (
        {(root, "nodemix", "cli.py"), (root, "nodemix", "py.typed")}
        if root == "operator"
        else set()
    )

    assert (root, "nodemix", root) in parts
    assert parts <= allowed


def test_every_sub_package_is_a_package(repository: Path) -> None:
    python = [Path(name) for name in tracked(repository, *SOURCE_ROOTS) if name.endswith(".py")]
    folders = {path.parent for path in python if path.name != "cli.py"}

    assert [str(f) for f in sorted(folders) if not (repository / f / "__init__.py").is_file()] == []


def test_tests_are_no_packages(repository: Path) -> None:
    assert [name for name in tracked(repository, "tests") if name.endswith("__init__.py")] == []


def test_python_m_works_from_the_root(repository: Path) -> None:
    """An importable file in ``operator/`` would hide Python's own ``operator`` module."""
    done = subprocess.run(
        [sys.executable, "-m", "json.tool", "--compact"],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        input='{"a": 1}',
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout.strip(), done.stderr) == ('{"a":1}', "")


def test_no_file_is_named_after_nothing(repository: Path) -> None:
    named = [name for name in tracked(repository) if Path(name).stem in _EMPTY_NAMES]

    assert named == []


def test_no_version_lives_beside_another(repository: Path) -> None:
    endings = ("_v2", "_new", "_old", "_copy", "_backup")
    named = [name for name in tracked(repository) if Path(name).stem.endswith(endings)]

    assert named == []
