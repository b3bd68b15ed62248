"""Every package is pinned with hashes, and no index address gets into the repository."""

import re
import subprocess
from pathlib import Path

import pytest

_PIN = re.compile(r"^([A-Za-z0-9._-]+(?:\[[a-z0-9,_-]+\])?)==\S+", re.MULTILINE)


_FILES = sorted((Path(__file__).resolve().parents[2] / "requirements").iterdir())


def entries(path: Path) -> list[str]:
    """Each requirement with its continuation lines joined, comments left out."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [entry for entry in "\n".join(lines).replace("\\\n", " ").splitlines() if entry.strip()]


def test_requirements_exist() -> None:
    assert {"runtime.txt", "dev.txt", "uv.txt", "go.txt"} <= {path.name for path in _FILES}


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_every_requirement_is_pinned_and_hashed(path: Path) -> None:
    loose = [e for e in entries(path) if not _PIN.match(e) or "--hash=sha256:" not in e]

    assert entries(path) != []
    assert loose == []


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_requirements_hold_no_address(path: Path) -> None:
    addresses = r"\S*://\S*|--(?:extra-)?index-url\S*|--find-links\S*"

    assert re.findall(addresses, path.read_text()) == []


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_torch_is_the_plain_release(repository: Path, name: str) -> None:
    """A local version such as +cpu exists on one index only."""
    text = (repository / "requirements" / name).read_text()

    assert re.findall(r"^torch==(\S+)", text, re.MULTILINE) == ["2.13.0"]


def test_development_contains_the_runtime(repository: Path) -> None:
    folder = repository / "requirements"
    runtime, development = (
        {match[0].split(";")[0] for match in _PIN.finditer((folder / name).read_text())}
        for name in ("runtime.txt", "dev.txt")
    )

    assert runtime - development == set()


# In a container image, /tmp is a promise and no accident of one machine.
_SEARCHED = (".", ":!LICENSE", ":!Dockerfile", ":!manifests")
# Each is split so that this file does not match itself.
_REFUSED = (
    "files" + r"\.pythonhosted\.org",
    r"(^|[^a-z])py" + r"pi\.org",
    "download" + r"\.pytorch\.org",
    "registry" + r"\.npmjs\.org",
    "proxy" + r"\.golang\.org",
    r"(^|[^A-Za-z0-9_.])/(ro" + r"ot|wo" + r"rk|home/[a-z]+)/[A-Za-z.]",
    r"(^|[^A-Za-z0-9_.$}])/t" + r"mp/[A-Za-z]",
)


@pytest.mark.parametrize("pattern", _REFUSED)
def test_no_file_names_a_package_host_or_a_folder_of_one_machine(
    repository: Path, pattern: str
) -> None:
    command = ["git", "grep", "--untracked", "-nIE", pattern, "--", *_SEARCHED]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
