"""The image builds from what is here, and runs as nobody."""

import re
import shlex
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path

import pytest

_PINNED = re.compile(r"^[a-z0-9./-]+:[0-9][\w.-]*(@sha256:[0-9a-f]{64})?$")


@dataclass(frozen=True)
class Step:
    """One instruction."""

    word: str
    text: str

    @property
    def arguments(self) -> list[str]:
        """Without flags, JSON lists as lists."""
        text = re.sub(r'[\[\]",]', " ", self.text) if self.text.startswith("[") else self.text
        return [part for part in shlex.split(text) if not part.startswith("--")]


@pytest.fixture(scope="module")
def steps(repository: Path) -> list[Step]:
    text = (repository / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [Step(*line.split(maxsplit=1)) for line in lines]


def last_stage(steps: list[Step]) -> list[Step]:
    start = max(i for i, step in enumerate(steps) if step.word == "FROM")
    return steps[start:]


def of(steps: list[Step], word: str) -> list[Step]:
    return [step for step in steps if step.word == word]


def test_every_base_image_is_pinned_by_its_tag(steps: list[Step]) -> None:
    images = [step.arguments[0] for step in of(steps, "FROM")]

    assert images
    assert [image for image in images if not _PINNED.match(image)] == []


def test_all_stages_run_the_same_python_as_the_project(steps: list[Step], repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    minimum = project["requires-python"].removeprefix(">=")
    images = {step.arguments[0] for step in of(steps, "FROM")}

    assert len(images) == 1
    assert images.pop().startswith(f"python:{minimum}")


def test_everything_that_is_copied_exists_and_is_sent_to_the_build(
    steps: list[Step], repository: Path
) -> None:
    own = [step for step in of(steps, "COPY") if "--from=" not in step.text]
    sources = [source for step in own for source in step.arguments[:-1]]
    ignored = (repository / ".dockerignore").read_text().splitlines()

    assert {"pyproject.toml", "README.md", "LICENSE"} <= set(sources)
    assert [s for s in sources if not (repository / s).exists()] == []
    assert [s for s in sources if any(fnmatch(s.rstrip("/"), line) for line in ignored)] == []


def test_every_source_root_of_the_wheel_is_copied(steps: list[Step], repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    roots = {package.split("/")[0] for package in packages}
    copied = {step.arguments[0].rstrip("/") for step in of(steps, "COPY")}

    assert roots <= copied


def test_every_file_that_the_wheel_needs_is_copied(steps: list[Step], repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    copied = {source for step in of(steps, "COPY") for source in step.arguments[:-1]}

    assert {project["readme"], *project["license-files"]} <= copied


def test_packages_are_pinned_and_checked_by_their_hashes(
    steps: list[Step], repository: Path
) -> None:
    installs = [part for s in of(steps, "RUN") for part in s.text.split("&&") if "install" in part]
    from_index = [install for install in installs if "--no-index" not in install]

    assert from_index
    for install in from_index:
        assert "--require-hashes" in install
        assert "--no-deps" in install
        (name,) = re.findall(r"-r (\S+)", install)
        assert (repository / name).is_file()


def test_image_runs_as_nobody(steps: list[Step]) -> None:
    (user,) = of(last_stage(steps), "USER")
    uid, gid = user.text.split(":")

    assert int(uid) > 0
    assert int(gid) > 0
    assert last_stage(steps).index(user) < last_stage(steps).index(of(steps, "ENTRYPOINT")[0])


def test_image_starts_the_operator(steps: list[Step]) -> None:
    (entry,) = of(steps, "ENTRYPOINT")

    assert entry.arguments[:2] == ["python", "-m"]
    assert find_spec(entry.arguments[2]) is not None


def test_nothing_is_fetched_outside_the_package_installer(steps: list[Step]) -> None:
    assert of(steps, "ADD") == []
    assert [s for s in of(steps, "RUN") if re.search(r"\b(curl|wget|git|apt-get)\b", s.text)] == []
