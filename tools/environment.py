"""Makes ``.venv`` from the pinned, hashed requirements; done in a moment when nothing changed.

Run ``python3 tools/environment.py``; needs Python >= 3.11 and a package index, nothing else.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_REQUIREMENTS = ROOT / "requirements"
_OLDEST_PYTHON = (3, 11)
_INSTALLATIONS = (
    ("--require-hashes", "-r", "requirements/dev.txt"),
    ("--quiet", "--no-deps", "--no-build-isolation", "-e", "."),
)
_UV_FROM_PIP = {
    "UV_DEFAULT_INDEX": "PIP_INDEX_URL",
    "UV_INDEX": "PIP_EXTRA_INDEX_URL",
    "UV_FIND_LINKS": "PIP_FIND_LINKS",
    "SSL_CERT_FILE": "PIP_CERT",
}


class SetupError(RuntimeError):
    """The environment cannot be made; the message says what is missing."""


def fingerprint(root: Path = ROOT) -> str:
    """Changes whenever the environment has to be made anew."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (root / "requirements" / "dev.txt", root / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install(root: Path = ROOT, environ: Mapping[str, str] = os.environ) -> bool:
    """Bring ``.venv`` up to date; False if it already was.

    Raises:
        SetupError: Python is too old, there is no uv, or the installation failed.
    """
    if sys.version_info < _OLDEST_PYTHON:
        raise SetupError(f"Python {sys.version.split()[0]} is too old; nodemix needs 3.11 or newer")
    python = root / ".venv" / "bin" / "python"
    stamp = root / ".venv" / "nodemix.stamp"
    wanted = fingerprint(root)
    if python.exists() and stamp.is_file() and stamp.read_text() == wanted:
        return False
    _install(find_uv(environ), root, environ)
    stamp.write_text(wanted)
    return True


def _install(uv: str, root: Path, environ: Mapping[str, str]) -> None:
    """By uv; where only pip knows the way to the index (pip.conf), by pip, which is slower."""
    _say("installing the pinned packages into .venv (about 30 s the first time) ...")
    try:
        _install_with_uv(uv, root, environ)
    except SetupError as error:
        _say(f"{error}\ntrying pip instead (about 3 min) ...")
        _install_with_pip(root, environ)


def _install_with_uv(uv: str, root: Path, environ: Mapping[str, str]) -> None:
    python = root / ".venv" / "bin" / "python"
    known = _pip_settings_for_uv(environ)
    if not python.exists():
        _run([uv, "venv", "--clear", "--quiet", "--python", sys.executable, ".venv"], root, known)
    for arguments in _INSTALLATIONS:
        _run([uv, "pip", "install", "--python", str(python), *arguments], root, known)


def _install_with_pip(root: Path, environ: Mapping[str, str]) -> None:
    _run([sys.executable, "-m", "venv", "--clear", ".venv"], root, environ)
    for arguments in _INSTALLATIONS:
        _run([".venv/bin/python", "-m", "pip", "install", *arguments], root, environ)


def _pip_settings_for_uv(environ: Mapping[str, str]) -> dict[str, str]:
    """What uv needs to see the index that pip was told about; its own settings win."""
    known = {ours: environ[theirs] for ours, theirs in _UV_FROM_PIP.items() if theirs in environ}
    return known | dict(environ)


def find_uv(environ: Mapping[str, str] = os.environ) -> str:
    """A ``uv`` that runs: the machine's, or one that pip puts into the cache folder.

    Raises:
        SetupError: there is none, and pip could not install it.
    """
    folder = _cache_folder(environ) / "uv"
    for candidate in (shutil.which("uv", path=environ.get("PATH")), str(folder / "bin" / "uv")):
        if candidate and _runs(candidate):
            return candidate
    _say("no uv on the PATH: installing the pinned one into the cache folder ...")
    for command in _uv_installers(folder):
        done = subprocess.run(command, check=False, stdout=sys.stderr)
        if done.returncode == 0 and _runs(str(folder / "bin" / "uv")):
            return str(folder / "bin" / "uv")
    raise SetupError("no uv: put uv on the PATH, or give this Python a pip (python3 -m ensurepip)")


def _cache_folder(environ: Mapping[str, str]) -> Path:
    root = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "nodemix"


def _uv_installers(folder: Path) -> Iterator[Sequence[str]]:
    """Python's own pip, else the one of a fresh virtual environment."""
    pinned = ["install", "--quiet", "--require-hashes", "-r", str(_REQUIREMENTS / "uv.txt")]
    yield [sys.executable, "-m", "pip", *pinned, "--upgrade", "--target", str(folder)]
    if subprocess.run([sys.executable, "-m", "venv", str(folder)], check=False).returncode == 0:
        yield [str(folder / "bin" / "python"), "-m", "pip", *pinned]


def _runs(program: str) -> bool:
    try:
        done = subprocess.run([program, "--version"], check=False, capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def _run(command: Sequence[str], root: Path, environ: Mapping[str, str]) -> None:
    if subprocess.run(command, check=False, cwd=root, env=environ).returncode != 0:
        raise SetupError(f"this failed: {' '.join(command)}; its reason stands above")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def compile_kernels(root: Path = ROOT, environ: Mapping[str, str] = os.environ) -> None:
    """Compile the packing kernels once, so that the first plan need not wait for it.

    Raises:
        SetupError: they do not compile.
    """
    _say("compiling the kernels (about 20 s, once) ...")
    code = "from nodemix.operator.worker import warm_up; warm_up()"
    _run([".venv/bin/python", "-c", code], root, environ)


def main() -> int:
    """Install, and say what is missing when that fails."""
    try:
        if install():
            compile_kernels()
    except SetupError as error:
        _say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
