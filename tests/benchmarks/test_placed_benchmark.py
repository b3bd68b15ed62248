from pathlib import Path

import pytest

from benchmarks.placed import References, cut_down, main, parse, read_references, run
from tools.local_cluster import LocalCluster


def test_an_instance_is_cut_down_in_proportion_and_keeps_every_group() -> None:
    groups = [{"id": str(count), "count": count} for count in (600, 399, 1)]

    cut = cut_down({"name": "big", "groups": groups}, 100)

    assert [group["count"] for group in cut["groups"]] == [60, 39, 1]
    assert cut["name"] == "big_100"


def test_share_captured_is_of_what_karpenter_pays_above_the_bound() -> None:
    references = References(karpenter=20.0)

    assert references.share_captured(placed=11.0, lower_bound=10.0) == pytest.approx(0.9)
    assert References().share_captured(placed=11.0, lower_bound=10.0) is None


def test_references_are_the_best_of_each_file(tmp_path: Path) -> None:
    (tmp_path / "karpenter_real.csv").write_text(
        "instance,nodepools,lowest_settled_usd_h\na,one,3.5\na,two,2.5\nb,one,1\n"
    )
    (tmp_path / "bounds.csv").write_text("name,certified_lower_bound\na,2.0\n")

    assert read_references(tmp_path, "a") == References(karpenter=2.5, lower_bound=2.0)
    assert read_references(tmp_path, "c") == References()


def test_a_folder_without_the_instance_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "--instance", "d1"]) == 1

    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.slow
def test_a_pinned_plan_costs_on_the_real_scheduler_what_it_says(
    local_cluster: LocalCluster, nodemix_data: Path
) -> None:
    options = parse(
        ["--data", str(nodemix_data / "optimizer"), "--instance", "d1", "--mode", "pinned",
         "--seconds", "0.3"]
    )  # fmt: skip

    (record,) = run(options, local_cluster)

    assert (record["pods"], record["pending_pods"], record["real_extra"]) == (100, 0, 0.0)
    assert record["placed_usd_per_hour"] == record["plan_usd_per_hour"]
    assert record["lower_bound_usd_per_hour"] <= record["plan_usd_per_hour"]
    assert record["share_captured"] > 0.9
