"""What a user installs holds every part and every data file of the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.guards.test_layout import SOURCE_ROOTS, tracked


@pytest.fixture(scope="module")
def packed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names inside a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("nodemix-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_every_file_of_the_source_roots(repository: Path, packed: set[str]) -> None:
    expected = {name.split("/", 1)[1] for name in tracked(repository, *SOURCE_ROOTS)}

    assert expected - packed == set()


def test_wheel_holds_nothing_else(repository: Path, packed: set[str]) -> None:
    expected = {name.split("/", 1)[1] for name in tracked(repository, *SOURCE_ROOTS)}
    surplus = {name for name in packed - expected if ".dist-info/" not in name}

    assert surplus == set()


def test_wheel_carries_the_command_and_the_licence(packed: set[str]) -> None:
    ends = {name.split(".dist-info/")[1] for name in packed if ".dist-info/" in name}

    assert {"entry_points.txt", "licenses/LICENSE"} <= ends


def test_wheel_carries_the_weights_of_a_cold_start_and_their_checksum(packed: set[str]) -> None:
    weights = {"cold_start.safetensors", "cold_start.sha256"}

    assert {f"nodemix/forecasting/weights/{name}" for name in weights} <= packed


def test_wheel_has_no_package_in_the_namespace_itself(packed: set[str]) -> None:
    assert "nodemix/__init__.py" not in packed
