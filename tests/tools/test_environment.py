"""The environment is made once, by uv if it can and by pip if it must."""

import os
from pathlib import Path

import pytest

from tools.environment import SetupError, compile_kernels, find_uv, fingerprint, install

_PATH = os.pathsep.join(("/usr/bin", "/bin"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with the two files that decide what is installed."""
    folder = tmp_path / "checkout"
    (folder / "requirements").mkdir(parents=True)
    (folder / "requirements" / "dev.txt").write_text("")
    (folder / "pyproject.toml").write_text("")
    return folder


def put_uv(folder: Path, body: str) -> dict[str, str]:
    """A ``uv`` that notes its arguments; gives the environment that finds it first."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "uv").write_text(f'#!/bin/sh\necho "$@" >> {folder / "calls"}\n{body}')
    (folder / "uv").chmod(0o755)
    cache = str(folder / "cache")
    return {"PATH": os.pathsep.join((str(folder), _PATH)), "XDG_CACHE_HOME": cache}


_MAKES_A_PYTHON = 'if [ "$1" = venv ]; then mkdir -p .venv/bin && touch .venv/bin/python; fi\n'


def test_second_install_does_nothing(root: Path, tmp_path: Path) -> None:
    environ = put_uv(tmp_path / "bin", _MAKES_A_PYTHON)

    assert install(root, environ)
    assert not install(root, environ)


def test_changed_pins_are_installed_again(root: Path, tmp_path: Path) -> None:
    environ = put_uv(tmp_path / "bin", _MAKES_A_PYTHON)
    install(root, environ)

    (root / "requirements" / "dev.txt").write_text("more==1\n")

    assert install(root, environ)


def test_hashes_are_required_and_the_checkout_is_editable(root: Path, tmp_path: Path) -> None:
    install(root, put_uv(tmp_path / "bin", _MAKES_A_PYTHON))

    calls = (tmp_path / "bin" / "calls").read_text()
    assert "--require-hashes -r requirements/dev.txt" in calls
    assert "--no-deps --no-build-isolation -e ." in calls


def test_uv_learns_the_index_that_pip_was_told_about(root: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    environ = put_uv(tmp_path / "bin", f'{_MAKES_A_PYTHON}echo "$UV_DEFAULT_INDEX" >> {seen}\n')

    install(root, {**environ, "PIP_INDEX_URL": "https://packages.example.org/simple"})

    assert "https://packages.example.org/simple" in seen.read_text()


def test_install_that_fails_both_ways_leaves_no_stamp(root: Path, tmp_path: Path) -> None:
    environ = put_uv(tmp_path / "bin", '[ "$1" = --version ] || exit 1\n')
    (root / ".venv").write_text("in the way of a folder")

    with pytest.raises(SetupError, match="this failed"):
        install(root, environ)

    assert not (root / ".venv" / "nodemix.stamp").exists()


def test_uv_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    """A version manager leaves such shims behind."""
    environ = put_uv(tmp_path / "bin", "exit 127\n")
    put_uv(Path(environ["XDG_CACHE_HOME"]) / "nodemix" / "uv" / "bin", "")

    assert find_uv(environ) == str(tmp_path / "bin" / "cache/nodemix/uv/bin/uv")


def test_fingerprint_follows_both_files(root: Path) -> None:
    before = fingerprint(root)

    (root / "pyproject.toml").write_text("[project]\n")

    assert fingerprint(root) != before


def test_kernels_are_compiled_by_the_new_python(root: Path, tmp_path: Path) -> None:
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "$2" > {tmp_path / "ran"}\n')
    python.chmod(0o755)

    compile_kernels(root)

    assert "warm_up()" in (tmp_path / "ran").read_text()


def test_kernels_that_do_not_compile_are_an_error(root: Path) -> None:
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)

    with pytest.raises(SetupError, match="this failed"):
        compile_kernels(root)
