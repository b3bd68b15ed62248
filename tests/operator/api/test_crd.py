from pathlib import Path
from typing import Any

import pytest
import yaml
from nodemix.operator.api import crd
from nodemix.operator.api.crd import (
    KINDS,
    PLAN,
    POLICY,
    PRICE_BOOK,
    RISK_BOOK,
    Kind,
    build_crd,
    crds_yaml,
)

FOLDER = "manifests/crds"


def version_of(kind: Kind) -> dict[str, Any]:
    (version,) = build_crd(kind)["spec"]["versions"]
    found: dict[str, Any] = version
    return found


def test_manifests_are_what_the_generator_writes(repository: Path) -> None:
    assert crd.stale_files(repository / FOLDER, crd.crd_files()) == []


def test_folder_holds_nothing_but_generated_files_and_its_kustomization(repository: Path) -> None:
    found = {path.name for path in (repository / FOLDER).iterdir()}

    assert found == {*crd.crd_files(), "kustomization.yaml"}


def test_check_names_each_file_that_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert crd.main([str(tmp_path)]) == 0
    assert crd.main([str(tmp_path), "--check"]) == 0
    (tmp_path / "nodemix.dev_pricebooks.yaml").write_text("old")
    (tmp_path / "nodemix.dev_nodemixplans.yaml").unlink()

    assert crd.main([str(tmp_path), "--check"]) == 1

    said = capsys.readouterr().err.splitlines()
    assert [line.partition(" is out of date; run ")[2] for line in said] == ["`make generate`"] * 2
    assert (tmp_path / "nodemix.dev_pricebooks.yaml").read_text() == "old"


def test_stream_holds_every_definition_without_aliases() -> None:
    documents = list(yaml.safe_load_all(crds_yaml()))

    assert documents == [build_crd(kind) for kind in KINDS]
    assert "&id" not in crds_yaml()


@pytest.mark.parametrize(
    ("kind", "name", "short_name"),
    [
        (POLICY, "nodemixpolicies.nodemix.dev", "nmp"),
        (PLAN, "nodemixplans.nodemix.dev", "nmplan"),
        (PRICE_BOOK, "pricebooks.nodemix.dev", "nmpb"),
        (RISK_BOOK, "spotriskbooks.nodemix.dev", "nmrb"),
    ],
)
def test_kinds_are_cluster_scoped_and_listed_together(
    kind: Kind, name: str, short_name: str
) -> None:
    definition = build_crd(kind)

    assert definition["metadata"]["name"] == name
    assert definition["spec"]["scope"] == "Cluster"
    assert definition["spec"]["names"]["shortNames"] == [short_name]
    assert definition["spec"]["names"]["categories"] == ["nodemix"]
    assert version_of(kind)["subresources"] == {"status": {}}


def test_columns_of_a_policy_are_the_decision_at_a_glance() -> None:
    columns = version_of(POLICY)["additionalPrinterColumns"]

    assert [column["name"] for column in columns if not column.get("priority")] == [
        *(
            "Mode",
            "Ready",
            "Nodes",
            "Spot%",
            "$/h now",
            "$/h plan",
            "Save%",
            "Gap%",
            "CVaR%",
            "Age",
        )
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_column_shows_a_field_of_the_schema_with_its_type(kind: Kind) -> None:
    schema = version_of(kind)["schema"]["openAPIV3Schema"]
    for column in kind.columns:
        if not column.path.startswith((".spec.", ".status.")) or "[?(" in column.path:
            continue
        node = schema
        for part in column.path.lstrip(".").split("."):
            node = node["properties"][part]
        is_moment = node.get("format") == "date-time"
        assert column.kind in {node["type"], *(["date"] if is_moment else [])}, column.name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_conditions_are_merged_by_their_type(kind: Kind) -> None:
    status = version_of(kind)["schema"]["openAPIV3Schema"]["properties"]["status"]

    assert status["properties"]["conditions"]["x-kubernetes-list-map-keys"] == ["type"]
    assert "default" not in status
