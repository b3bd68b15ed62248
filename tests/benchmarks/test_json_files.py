from pathlib import Path

import pytest

from benchmarks.json_files import read_json, write_json

FIGURES = {"b": [1, 2.5], "a": "±"}


def test_what_is_written_is_read_again_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"

    write_json(FIGURES, path)

    assert read_json(path) == FIGURES
    assert path.read_text(encoding="utf-8").endswith("}\n")


def test_without_a_file_the_same_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"

    write_json(FIGURES, path)
    write_json(FIGURES)

    assert capsys.readouterr().out == path.read_text(encoding="utf-8")


def test_keys_are_in_order_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"

    write_json(FIGURES, path, sort_keys=True)

    assert list(read_json(path)) == ["a", "b"]
