import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from nodemix.cli import answer_console, app
from nodemix.forecasting.checkpoint import about, digest, unpacked
from rich.text import Text
from typer.testing import CliRunner, Result

from tests.operator.small_files import (
    CHEAP,
    WEB,
    a_cluster,
    a_node,
    write_history,
    write_offers,
    write_policy,
    write_snapshot,
)

Plan = Callable[..., Result]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """``nodemix plan`` for the small cluster and its two offers, searching half a second."""
    snapshot = write_snapshot(tmp_path / "cluster.json", a_cluster())
    offers = write_offers(tmp_path / "offers.csv")

    def run_plan(*more: object, snapshot: Path = snapshot, offers: Path = offers) -> Result:
        return run("plan", "--snapshot", snapshot, "--offers", offers, "--seconds", "0.5", *more)

    return run_plan


@pytest.fixture(scope="session")
def schema(repository: Path) -> dict[str, Any]:
    text = (repository / "docs/reference/plan-document.schema.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_proposed_changes_are_exit_code_2_and_json_on_stdout(
    plan: Plan, schema: dict[str, Any]
) -> None:
    result = plan("-o", "json")

    assert result.exit_code == 2, result.output
    document = json.loads(result.stdout)
    jsonschema.validate(document, schema)
    assert document["current_usd_per_hour"] == pytest.approx(0.768)
    assert document["plan_usd_per_hour"] == pytest.approx(0.192)
    (nodes,) = document["nodes"]
    assert (nodes["instance_type"], nodes["count"], nodes["pods"]) == (CHEAP, 1, {WEB: 2})


def test_nothing_to_change_is_exit_code_0(plan: Plan, tmp_path: Path) -> None:
    tight = [a_node("node-1", CHEAP), *a_cluster()[2:]]
    for obj in tight:
        if obj["kind"] == "Pod":
            obj["spec"]["nodeName"] = "node-1"

    result = plan("-o", "json", snapshot=write_snapshot(tmp_path / "tight.json", tight))

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["is_change"] is False


def test_yaml_is_a_document_of_the_same_form(plan: Plan, schema: dict[str, Any]) -> None:
    document = yaml.safe_load(plan("-o", "yaml").stdout)

    jsonschema.validate(document, schema)
    assert document["plan_usd_per_hour"] == pytest.approx(0.192)


def test_html_is_a_page_with_a_picture(plan: Plan) -> None:
    result = plan("-o", "html")

    assert result.exit_code == 2
    assert result.stdout.startswith("<!doctype html>")
    assert "<svg" in result.stdout


def test_table_shows_pools_money_bound_and_what_was_assumed(plan: Plan) -> None:
    text = plan().stdout

    for part in ("now -> plan", "2 -> 0", "saves 0.5760 $/h", "costs less than", "gap"):
        assert part in text, part
    assert "no demand history" in text
    assert "spot is allowed" in text


def test_explained_every_reason_is_printed_and_nothing_is_changed(plan: Plan) -> None:
    result = plan("--explain")

    assert result.exit_code == 2, result.output
    text = result.stdout
    assert text.startswith("Plan for cluster.json by policy default, ")
    assert re.search(
        r"^  - m5\.2xlarge us-east-1a on-demand +2 -> 0 +0\.3840 +-0\.7680$", text, re.MULTILINE
    )
    assert re.search(
        r"^  \+ m5\.xlarge us-east-1a on-demand +0 -> 1 +0\.1920 +\+0\.1920$", text, re.MULTILINE
    )
    for label in ("Total", "Risk", "Why", "Assumed", "Not done"):
        assert re.search(rf"^{label} ", text, re.MULTILINE), label
    assert text.splitlines()[-1] == "dry-run: nothing was changed"


def test_what_is_piped_has_no_colours_and_no_blanks_at_its_ends(plan: Plan) -> None:
    text = plan("--explain").stdout

    assert "\x1b" not in text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize(("no_color", "is_colored"), [("", True), ("1", False)])
def test_colours_are_left_out_where_nobody_wants_them(
    no_color: str, is_colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    console = answer_console()

    with console.capture() as capture:
        console.print(Text("so", style="bold red"))

    assert ("\x1b" in capture.get()) is is_colored


def test_an_explanation_is_for_people_and_no_other_format(plan: Plan) -> None:
    result = plan("--explain", "-o", "json")

    assert result.exit_code == 1
    assert "json holds every reason anyway" in " ".join(result.stderr.split())


def test_json_names_the_file_that_was_planned_for(plan: Plan) -> None:
    assert json.loads(plan("-o", "json").stdout)["cluster"] == "cluster.json"


def test_report_is_written_beside_the_answer(plan: Plan, tmp_path: Path) -> None:
    report = tmp_path / "report.html"

    result = plan("-o", "json", "--report", report)

    assert report.read_text().startswith("<!doctype html>")
    assert "report: " in result.stderr
    assert "report: " not in result.stdout


def test_the_same_seed_gives_the_same_plan(plan: Plan) -> None:
    first, second = (json.loads(plan("-o", "json", "--seed", "7").stdout) for _ in range(2))

    assert first["nodes"] == second["nodes"]


def test_history_makes_room_for_the_demand_to_come(plan: Plan, tmp_path: Path) -> None:
    history = write_history(tmp_path / "demand.csv", pods=5, end_s=1_790_000_100)

    document = json.loads(plan("-o", "json", "--history", history).stdout)

    assert document["forecast_model"] != ""
    assert document["demand"][0]["pods_planned"] >= 5
    assert any("ends when the snapshot was taken" in text for text in document["assumptions"])


@pytest.mark.slow
def test_a_process_prints_nothing_but_json_on_stdout(tmp_path: Path) -> None:
    """Libraries of C print past Python's streams, so only a real process can tell."""
    snapshot = write_snapshot(tmp_path / "cluster.json", a_cluster())
    offers = write_offers(tmp_path / "offers.csv")
    program = str(Path(sys.executable).with_name("nodemix"))
    files = ["--snapshot", str(snapshot), "--offers", str(offers)]

    done = subprocess.run(
        [program, "plan", *files, "--seconds", "0.5", "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["is_change"] is True
    assert "observed 2 nodes and 2 pods" in done.stderr


def error_line(result: Result) -> str:
    """The one line on stderr that says what is wrong; stdout stays empty."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("observed ")]
    assert len(lines) == 1, lines
    return lines[0]


def test_absent_snapshot_is_named_with_how_to_make_one(plan: Plan, tmp_path: Path) -> None:
    line = error_line(plan(snapshot=tmp_path / "absent.yaml"))

    assert "absent.yaml" in line
    assert "kubectl get nodes,pods" in line


def test_a_file_that_is_no_snapshot_is_refused(plan: Plan, tmp_path: Path) -> None:
    prose = tmp_path / "prose.yaml"
    prose.write_text("just a sentence")

    assert "prose.yaml" in error_line(plan(snapshot=prose))


def test_yaml_with_a_mistake_is_one_line(plan: Plan, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1,\nb: }")

    assert "broken.yaml: is neither YAML nor JSON" in error_line(plan(snapshot=broken))


def test_prices_of_nothing_leave_no_offer(plan: Plan, tmp_path: Path) -> None:
    free = write_offers(tmp_path / "free.csv", [f"{CHEAP},us-east-1a,on-demand,0"])

    line = error_line(plan(offers=free))

    assert "free.csv: no offer is left" in line
    assert "add offers" in line


def test_offers_without_a_column_are_refused(plan: Plan, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("instance_type,zone\nm5.large,a\n")

    assert "wrong.csv" in error_line(plan(offers=wrong))


def test_a_broken_rule_names_policy_field_and_remedy(plan: Plan, tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy.yaml", objective={"budget": {"usdPerHour": -1}})

    line = error_line(plan("--policy", policy))

    assert "NodeMixPolicy/mine: spec.objective.budget: usdPerHour must be above 0" in line


def test_a_misspelt_field_is_named(plan: Plan, tmp_path: Path) -> None:
    line = error_line(plan("--policy", write_policy(tmp_path / "policy.yaml", limit={})))

    assert "spec.limit" in line


def test_a_policy_that_selects_nothing_says_so(plan: Plan, tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy.yaml", selector={"namespaces": ["elsewhere"]})

    line = error_line(plan("--policy", policy))

    assert "NodeMixPolicy/mine: spec.selector matches none of the cluster's 2 pods" in line


def test_a_policy_that_allows_no_offer_says_so(plan: Plan, tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy.yaml", offers={"zones": ["eu-west-1a"]})

    assert "no offer is left" in error_line(plan("--policy", policy))


def test_an_unusable_history_names_its_line(plan: Plan, tmp_path: Path) -> None:
    history = tmp_path / "demand.csv"
    history.write_text("timestamp,workload,indicator,value\nyesterday,a/Deployment/b,pods,3\n")

    assert "demand.csv line 2" in error_line(plan("--history", history))


def test_a_pod_that_no_offer_holds_is_listed_and_the_others_are_planned(
    plan: Plan, tmp_path: Path
) -> None:
    objects = a_cluster()
    objects[2]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "900"
    del objects[2]["spec"]["nodeName"]
    snapshot = write_snapshot(tmp_path / "huge.json", objects)

    document = json.loads(plan("-o", "json", snapshot=snapshot).stdout)

    (entry,) = document["unplaceable"]
    assert (entry["workload"], entry["pods"]) == (WEB, 1)
    assert entry["why"] != ""
    assert sum(group["count"] * sum(group["pods"].values()) for group in document["nodes"]) == 1


def test_an_unreachable_cluster_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    absent = tmp_path / "absent.kubeconfig"

    line = error_line(run("plan", "--kubeconfig", absent))

    assert "absent.kubeconfig: does not exist" in line
    assert "--kubeconfig" in line


@pytest.mark.parametrize(
    "arguments",
    [("plan", "--nonsense"), ("plan", "-o", "xml"), ("plan", "--catalog", "types.csv"), ("none",)],
)
def test_misuse_is_exit_code_1_and_not_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 1


def test_crds_are_definitions_ready_to_apply() -> None:
    result = run("crds")

    definitions = list(yaml.safe_load_all(result.stdout))
    assert result.exit_code == 0
    assert {d["kind"] for d in definitions} == {"CustomResourceDefinition"}
    assert {d["spec"]["names"]["kind"] for d in definitions} == {
        "NodeMixPolicy",
        "NodeMixPlan",
        "PriceBook",
        "SpotRiskBook",
    }


def test_catalog_lists_what_is_asked_for_cheapest_first() -> None:
    result = run("catalog", "--family", "m5", "--market", "on-demand", "-o", "csv")

    rows = [line.split(",") for line in result.stdout.splitlines()[1:]]
    prices = [float(row[3]) for row in rows]
    assert result.exit_code == 0
    assert {row[0].split(".")[0] for row in rows} == {"m5"}
    assert prices == sorted(prices)


def test_catalog_lists_gpu_types_in_a_table() -> None:
    result = run("catalog", "--gpu", "--limit", "3")

    assert "GPUs" in result.stdout
    assert "3 of " in result.stderr


def test_help_is_instant_and_names_the_exit_codes() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "nodemix.cli", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "2 changes proposed" in done.stdout
    assert "numba" not in done.stderr
    assert "pydantic" not in done.stderr


HOUR_S = 3600
WAVE_END_S = 1_790_000_000 // HOUR_S * HOUR_S
API = "default/Deployment/api"


@pytest.fixture(scope="module")
def demand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of two daily waves every hour, and two hours in which one was not seen."""
    return write_waves(tmp_path_factory.mktemp("demand") / "demand.csv", hours=240)


def write_waves(path: Path, hours: int) -> Path:
    rng = np.random.default_rng(0)
    rows = ["timestamp,workload,indicator,value"]
    for ago in reversed(range(hours)):
        wave = 20.0 + 10.0 * np.sin(2 * np.pi * ago / 24)
        for name, share in ((WEB, 1.0), (API, 0.5)):
            pods = round(share * wave * (1.0 + 0.1 * rng.standard_normal()))
            if name == WEB or ago not in {5, 6}:
                rows.append(f"{WAVE_END_S - ago * HOUR_S},{name},pods,{pods}")
    path.write_text("\n".join(rows) + "\n")
    return path


HOURLY = ("--step-seconds", HOUR_S, "--horizon-hours", 6)
QUICK = ("--networks", 1, "--training-steps", 4)
SIMPLE_ONES = ("--model", "last-value", "--model", "seasonal-naive")


@pytest.fixture(scope="module")
def weights(demand: Path) -> Path:
    """A file of weights, of four steps of training."""
    out = demand.with_name("weights.safetensors")
    result = run("forecast", "train", demand, "--out", out, *HOURLY, *QUICK)
    assert result.exit_code == 0, result.output
    return out


def test_train_writes_weights_that_say_what_they_are(weights: Path) -> None:
    said = about(weights.read_bytes())

    assert (said["series"], said["days"], said["step_seconds"]) == ("2", "10.00", "3600")
    assert said["made_by"] == "nodemix forecast train"
    assert len(unpacked(weights.read_bytes())) == 1


def test_training_twice_gives_the_same_file_and_tells_its_checksum(
    demand: Path, weights: Path, tmp_path: Path
) -> None:
    again = tmp_path / "new" / "again.safetensors"

    result = run("forecast", "train", demand, "--out", again, *HOURLY, *QUICK)

    assert again.read_bytes() == weights.read_bytes()
    for part in (digest(again.read_bytes()), "held-out loss", "seconds"):
        assert part in result.stdout


def test_train_goes_on_from_a_file(demand: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned.safetensors"
    tiny = ("--training-steps", 2)

    result = run("forecast", "train", demand, "--out", out, "--from", weights, *tiny, *HOURLY)

    assert result.exit_code == 0, result.output
    assert about(out.read_bytes())["start"].startswith("weights.safetensors, sha256 ")


def test_too_short_a_history_says_how_long_it_must_be(tmp_path: Path) -> None:
    short = write_waves(tmp_path / "short.csv", hours=48)

    trained = run("forecast", "train", short, "--out", tmp_path / "w", *HOURLY, *QUICK)
    compared = run("forecast", "evaluate", short.with_name("short.csv"), "--horizon-hours", 24)

    assert "2.0 days of history, needs 3.2" in error_line(trained)
    assert "needs 3.0: give a longer one" in error_line(compared)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("option", ["--from", "--weights"])
def test_damaged_weights_are_refused_with_the_remedy(
    option: str, demand: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no weights at all")
    command = "train" if option == "--from" else "show"

    line = error_line(
        run("forecast", command, demand, "--out", tmp_path / "o.svg", option, damaged, *HOURLY)
    )

    assert "damaged.safetensors" in line
    assert "it is not a safetensors file; train or copy it again" in line


def test_weights_that_are_absent_are_named(demand: Path, tmp_path: Path) -> None:
    line = error_line(run("forecast", "evaluate", demand, "--weights", tmp_path / "absent"))

    assert "absent cannot be read" in line
    assert "cold-start" in line


def test_evaluate_compares_the_champion_the_flow_and_the_simple_models(
    demand: Path, weights: Path, tmp_path: Path
) -> None:
    found = tmp_path / "found.json"
    some = ("--origins", 3, "--json", found, *SIMPLE_ONES, "--model", "flow")

    result = run("forecast", "evaluate", demand, "--weights", weights, *some, *HOURLY)

    assert result.exit_code == 0, result.output
    document = json.loads(found.read_text())
    assert set(document["models"]) == {"nodemix", "flow", "last-value", "seasonal-naive"}
    assert len(document["origins"]) == 3
    assert document["models"]["seasonal-naive"]["scrps"] < document["models"]["last-value"]["scrps"]
    assert 0.0 < document["models"]["nodemix"]["coverage_95"] <= 1.0
    for part in ("sCRPS", "nodemix", "speaks in"):
        assert part in result.stdout


def test_evaluate_says_when_weights_have_seen_what_is_compared(
    demand: Path, weights: Path, tmp_path: Path
) -> None:
    header, *rows = demand.read_text().splitlines()
    earlier = tmp_path / "earlier.csv"
    earlier.write_text("\n".join([header, *rows[:-96]]) + "\n")

    result = run("forecast", "evaluate", earlier, "--weights", weights, *SIMPLE_ONES, *HOURLY)

    assert "fitted to part of what is compared" in result.stderr


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_show_draws_gaps_events_and_who_speaks(
    suffix: str, demand: Path, weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / f"fan.{suffix}"
    start_s = WAVE_END_S + HOUR_S
    event = ("--event", f"sale={start_s}/{start_s + 2 * HOUR_S}@{API}")
    some = (*event, "--series", API, *SIMPLE_ONES, "--model", "flow")

    result = run("forecast", "show", demand, "--out", out, "--weights", weights, *some, *HOURLY)

    assert result.exit_code == 0, result.output
    text = out.read_text()
    for part in (API, "not observed", "known event", "sale", "time (UTC)", "speak"):
        assert part in text
    assert "picture: " in result.stderr
    assert "were not observed" not in result.stderr


def test_show_trains_where_no_weights_are_given(demand: Path, tmp_path: Path) -> None:
    out = tmp_path / "fan.png"
    some = ("--model", "flow", "--model", "last-value", "--training-steps", 2)

    result = run("forecast", "show", demand, "--out", out, *some, *HOURLY)

    assert out.read_bytes().startswith(b"\x89PNG")
    assert "flow" in result.stdout


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (("--series", "a/Deployment/b"), "no series a/Deployment/b; it has"),
        (("--indicator", "cpu_milli"), "no indicator cpu_milli; it has pods"),
        (("--event", "sale"), "write NAME=START/END[@SERIES]"),
        (("--model", "flow"), "enable at least one"),
    ],
)
def test_what_cannot_be_shown_is_said(
    more: tuple[str, ...], part: str, demand: Path, tmp_path: Path
) -> None:
    assert part in error_line(run("forecast", "show", demand, "--out", tmp_path / "f.svg", *more))


def test_a_picture_of_no_known_format_is_refused(demand: Path, tmp_path: Path) -> None:
    result = run("forecast", "show", demand, "--out", tmp_path / "fan.gif")

    assert result.exit_code == 1
    assert ".svg, .png or .html" in " ".join(result.stderr.split())


def test_help_of_the_forecast_commands_is_instant() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "nodemix.cli", "forecast", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert all(command in done.stdout for command in ("train", "evaluate", "show"))
    assert "numpy" not in done.stderr
