"""What the README tells people to type exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

_MOST_LINES = 150


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text()


@pytest.fixture(scope="module")
def commands(readme: str) -> list[str]:
    """Lines of the fenced bash blocks, without comments."""
    blocks = re.findall(r"```(?:bash|sh|console)\n(.*?)```", readme, re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_readme_is_short(readme: str) -> None:
    assert len(readme.splitlines()) <= _MOST_LINES


def test_every_make_target_of_the_readme_exists(repository: Path, commands: list[str]) -> None:
    named = {word for line in commands if line.startswith("make ") for word in line.split()[1:]}
    targets = re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(), re.MULTILINE)

    assert {"demo", "test"} <= named
    assert named - set(targets) == set()


def test_every_nodemix_command_of_the_readme_exists(commands: list[str]) -> None:
    named = {found[1] for line in commands if (found := re.search(r"\bnodemix ([a-z]+)", line))}
    program = Path(sys.executable).with_name("nodemix")

    assert named != set()
    for command in sorted(named):
        done = subprocess.run(
            [str(program), command, "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"nodemix {command}: {done.stderr}"


def test_every_file_named_in_the_readme_exists(repository: Path, readme: str) -> None:
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", readme)
    applied = re.findall(r"kubectl apply (?:--server-side )?-[fk] (\S+)", readme)

    assert linked != []
    assert [path for path in (*linked, *applied) if not (repository / path).exists()] == []
