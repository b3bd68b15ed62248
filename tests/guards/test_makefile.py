"""The Makefile explains itself and offers the agreed targets."""

import subprocess
from pathlib import Path

_TARGETS = {
    "help", "install", "demo", "test", "lint", "generate", "controlplane", "bench", "kind-up",
}  # fmt: skip


def make(repository: Path, *arguments: str) -> str:
    return subprocess.check_output(["make", "-C", str(repository), "-s", *arguments], text=True)


def test_help_is_the_default_and_lists_every_target(repository: Path) -> None:
    listed = {line.split()[0] for line in make(repository).splitlines() if line.startswith("  ")}

    assert listed == _TARGETS


def test_kind_config_and_check_run_are_where_the_makefile_and_the_runner_look(
    repository: Path,
) -> None:
    assert "kind-config.yaml" in make(repository, "--dry-run", "kind-up")
    assert (repository / ".ci" / "run").stat().st_mode & 0o111
