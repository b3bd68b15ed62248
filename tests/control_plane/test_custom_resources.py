"""The real API server takes the definitions and enforces what the models say."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodemix.operator.api.crd import KINDS, Kind
from nodemix.operator.api.plan import MAX_BESIDE, MAX_NODE_GROUPS, MAX_STEERED, NodeMixPlanSpec
from nodemix.operator.api.plan_risk import MAX_OPTION_POOLS, MAX_OPTIONS
from nodemix.operator.api.policy import NodeMixPolicySpec, NodeMixPolicyStatus
from nodemix.operator.api.pricebook import MAX_INLINE_OFFERS, PriceBookSpec
from pydantic import BaseModel, ValidationError

from tests.control_plane.api_calls import Answer, ApiCalls
from tests.operator.api.broken import BROKEN_BOOKS, BROKEN_POLICIES, Broken
from tools.local_cluster import LocalCluster

Json = dict[str, Any]
POLICIES, PLANS, BOOKS = "nodemixpolicies", "nodemixplans", "pricebooks"
EXAMPLES = Path(__file__).resolve().parents[2] / "manifests" / "examples"
SPECS: dict[str, type[BaseModel]] = {
    "NodeMixPolicy": NodeMixPolicySpec,
    "NodeMixPlan": NodeMixPlanSpec,
    "PriceBook": PriceBookSpec,
}
OFFER = {"instanceType": "m5.large", "zone": "a", "capacityType": "spot", "usdPerHour": 0.1}


@pytest.fixture(scope="module")
def api(installed: LocalCluster) -> ApiCalls:
    return ApiCalls(installed)


@pytest.fixture
def name(api: ApiCalls) -> Iterator[str]:
    """A name of its own for the objects of one test, which are removed after it."""
    own = f"cr-{secrets.token_hex(4)}"
    yield own
    for plural in (POLICIES, PLANS, BOOKS):
        api.delete(plural, own)


def paused(**spec: Any) -> Json:
    """A policy that an operator in the same cluster leaves alone."""
    return {"paused": True, "selector": {"namespaces": ["nowhere"]}, **spec}


def make_pool(number: int = 0) -> Json:
    return {
        "instanceType": f"m7i-flex.{number}xlarge",
        "zone": "us-east-1a",
        "capacityType": "on-demand",
        "nodesNow": 1,
        "nodesPlan": 2,
        "priceUsdPerHour": 0.1234,
        "why": "the cheapest per core of those that fit",
    }


def make_placed() -> Json:
    modes = [{"mode": "Observe", "usdPerHour": 0.28, "draws": 8}]
    return {"mode": "Observe", "usdPerHour": 0.28, "savingKeptPercent": 88, "modes": modes}


def make_beside() -> Json:
    """What only explains a plan."""
    capacity = {"criticalRatio": 0.95, "level": 0.97, "leadTimeSeconds": 400, "bootsSeen": 3}
    share = {"namespace": "shop", "weight": 1, "podsWanted": 4, "podsGiven": 2}
    percents = {"dominantPercent": 40, "wantedPercent": 80}
    return {
        "capacity": {**capacity, "overProvisionPercent": 0, "maxSpotPercent": 100},
        "options": [make_option()],
        "fairness": {
            "mode": "Report",
            "binding": ["budget.usdPerHour"],
            "jain": 0.9,
            "usdPerHour": 0,
            "namespaces": [{**share, **percents}],
            "namespacesInAll": 1,
        },
        "baseline": {"name": "karpenter-like", "usdPerHour": 2, "nodes": 9, "headroomPercent": 10},
        "blockers": [make_blocker()],
        "ruleCosts": [make_rule_cost()],
    }


def make_rule_cost() -> Json:
    return {
        "kind": "on-demand-only",
        "subject": "shop/Deployment/cart",
        "workloads": 1,
        "pods": 12,
        "usdPerHour": 0.12,
        "remedy": "let it run on spot",
    }


def make_blocker() -> Json:
    return {
        "kind": "PodDisruptionBudget",
        "subject": "shop/PodDisruptionBudget/cart",
        "nodes": ["node-1"],
        "nodesInAll": 1,
        "usdPerHour": 0.2,
        "remedy": "allow one disruption",
    }


def make_option(pools: int = 1) -> Json:
    return {
        "name": "chosen",
        "usdPerHour": 0.25,
        "usdPerHourExpected": 0.3,
        "cvarPercent": 2.5,
        "shortfallProbability": 0.02,
        "worstPoolLossPercent": 12,
        "spotPercent": 40.5,
        "nodesChanged": 3,
        "meetsSlo": True,
        "why": "least expected cost of those that keep what the policy accepts",
        "pools": {f"m7i-flex.{n}xlarge/us-east-1a/on-demand": 3 for n in range(pools)},
        "poolsInAll": pools,
    }


def make_plan(**fields: Any) -> Json:
    plan: Json = {
        "policyRef": {"name": "nobody"},
        "createdFrom": {"snapshotTakenAt": "2026-07-01T00:00:00Z", "catalog": "bundled"},
        "expiresAt": "2026-07-01T01:00:00Z",
        "pools": [make_pool()],
        "nodesNow": 1,
        "nodesPlan": 2,
        "usdPerHourNow": 0.5,
        "usdPerHourPlan": 0.25,
        "usdPerHourLowerBound": 0.2,
        "savingPercent": 50.0,
        "gapPercent": 25.0,
        "placed": make_placed(),
        "steering": {"mode": "Observe", "entries": 0},
        "risk": {
            "spotPercent": 40.5,
            "worstPoolPercent": 20,
            "interruptionsPerDay": 0.1,
            "cvarPercent": 2.5,
        },
        "reasons": ["it is cheaper"],
    }
    return {**plan, **fields}


# --- the definitions


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_definition_is_established_and_structural(installed: LocalCluster, kind: Kind) -> None:
    status = installed.get("crd", kind.crd_name)["status"]
    conditions = {c["type"]: c["status"] for c in status["conditions"]}

    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert "NonStructuralSchema" not in conditions
    assert status["acceptedNames"]["shortNames"] == list(kind.short_names)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_explain_describes_the_spec(installed: LocalCluster, kind: Kind) -> None:
    said = installed.kubectl("explain", f"{kind.plural}.spec")

    assert "<no description>" not in said.partition("FIELDS:")[0]


# --- defaults


def test_empty_policy_gets_the_defaults_of_the_model(api: ApiCalls, name: str) -> None:
    stored = api.create(POLICIES, name, {}).body["spec"]
    api.delete(POLICIES, name)

    assert stored["objective"]["slo"] == {
        "shortfallProbability": 0.01,
        "underCostRatio": 19,
        "leadTimeSeconds": 600,
        "maxCvar": 0.1,
        "maxPoolLoss": 0.2,
    }
    assert stored["objective"]["fairness"] == {"mode": "Report"}
    assert NodeMixPolicySpec.model_validate(stored) == NodeMixPolicySpec()


def test_part_of_a_policy_gets_the_defaults_of_the_rest(api: ApiCalls, name: str) -> None:
    spec = paused(objective={"slo": {"leadTimeSeconds": 60}}, forecast={"stepSeconds": 600})
    stored = api.create(POLICIES, name, spec).body["spec"]

    assert stored["objective"]["slo"]["shortfallProbability"] == 0.01
    assert stored["objective"]["spot"] == {
        "minOnDemandShare": 0,
        "overProvision": 0,
        "interruptionUsd": 0.02,
        "returnHours": 6,
        "returnSaving": 0.1,
    }
    assert NodeMixPolicySpec.model_validate(stored) == NodeMixPolicySpec.model_validate(spec)


def test_offer_of_a_book_gets_its_defaults(api: ApiCalls, name: str) -> None:
    stored = api.create(BOOKS, name, {"offers": [OFFER]}).body["spec"]

    assert stored["offers"][0]["interruptionsPerHour"] == 0
    assert PriceBookSpec.model_validate(stored) == PriceBookSpec.model_validate({"offers": [OFFER]})


# --- refusals


def refused(answer: Answer) -> str:
    assert answer.code == 422, answer.body
    return answer.message


@pytest.mark.parametrize("broken", BROKEN_POLICIES, ids=str)
def test_policy_that_breaks_a_rule_is_refused_with_what_to_do(
    api: ApiCalls, broken: Broken
) -> None:
    said = refused(api.create(POLICIES, "broken", broken.spec, is_dry=True))

    assert f"{broken.path}: Invalid value: " in said
    assert broken.message in said


@pytest.mark.parametrize("broken", BROKEN_BOOKS, ids=str)
def test_book_that_breaks_a_rule_is_refused_with_what_to_do(api: ApiCalls, broken: Broken) -> None:
    said = refused(api.create(BOOKS, "broken", broken.spec, is_dry=True))

    assert f"{broken.path}: Invalid value: " in said
    assert broken.message in said


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"mode": "Maybe"}, ('spec.mode: Unsupported value: "Maybe"', '"Recommend", "Apply"')),
        (
            {"offers": {"architectures": ["sparc"]}},
            ('spec.offers.architectures[0]: Unsupported value: "sparc"', '"amd64", "arm64"'),
        ),
        (
            {"forecast": {"queries": [{"indicator": "cpu", "query": "up"}]}},
            ('spec.forecast.queries[0].indicator: Unsupported value: "cpu"', '"cpu_milli"'),
        ),
        ({"limits": {"minNodes": -1}}, ("spec.limits.minNodes", "greater than or equal to 0")),
        ({"intervalSeconds": 1}, ("spec.intervalSeconds", "greater than or equal to 5")),
        ({"searchSeconds": "5"}, ("spec.searchSeconds", "must be of type integer")),
        ({"prometheus": {"url": "prometheus:9090"}}, ("spec.prometheus.url", "https?://")),
        ({"catalogRef": {}}, ("spec.catalogRef.name: Required value",)),
        ({"forecast": {"quantiles": []}}, ("spec.forecast.quantiles", "at least 1 items")),
    ],
)
def test_value_that_is_none_is_refused_with_those_that_are(
    api: ApiCalls, spec: Json, words: tuple[str, ...]
) -> None:
    said = refused(api.create(POLICIES, "wrong", spec, is_dry=True))

    assert [word for word in words if word not in said] == []


def test_misspelt_field_is_refused_by_name(api: ApiCalls) -> None:
    answer = api.create(POLICIES, "wrong", {"limts": {"minNodes": 1}}, is_dry=True)

    assert answer.code == 400
    assert 'unknown field "spec.limts"' in answer.message


def test_offer_listed_twice_is_refused(api: ApiCalls) -> None:
    said = refused(api.create(BOOKS, "wrong", {"offers": [OFFER, OFFER]}, is_dry=True))

    assert "spec.offers[1]: Duplicate value" in said


def test_object_without_a_spec_is_refused(api: ApiCalls) -> None:
    body = {"apiVersion": "nodemix.dev/v1alpha1", "kind": "NodeMixPolicy"}
    path = f"/apis/nodemix.dev/v1alpha1/{POLICIES}?dryRun=All"
    answer = api.call("POST", path, {**body, "metadata": {"name": "wrong"}})

    assert "spec: Required value" in refused(answer)


def test_name_that_no_label_can_hold_is_refused(api: ApiCalls) -> None:
    said = refused(api.create(POLICIES, "a" * 64, {}, is_dry=True))

    assert "longer than the 63 characters of a label, which plans carry; shorten it" in said
    assert api.create(POLICIES, "a" * 63, {}, is_dry=True).is_accepted


def test_there_is_one_risk_book_and_it_has_its_name(api: ApiCalls) -> None:
    said = refused(api.create("spotriskbooks", "another", {}, is_dry=True))

    assert "the operator keeps one book, and its name is cluster; use that name" in said
    assert api.create("spotriskbooks", "cluster", {}, is_dry=True).code in (201, 409)


# --- both halves of every rule agree

_SHARE = st.sampled_from([-0.1, 0, 0.0, 0.3, 0.5, 0.7, 1, 1.0, 1.1])
_COUNT = st.sampled_from([-1, 0, 1, 2, 3])


def some(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Json]:
    """Objects with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def inside(path: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Specs that hold only what is at ``path``."""
    for name in reversed(path.split(".")):
        values = st.fixed_dictionaries({name: values})
    return values


# One part at a time: a spec with two mistakes would hide that only one half sees the first.
_POLICY_SPECS = st.one_of(
    inside("mode", st.sampled_from(["Recommend", "Apply", "apply"])),
    inside("limits", some({"minNodes": _COUNT, "maxNodes": _COUNT})),
    inside("objective.slo", some({"shortfallProbability": _SHARE})),
    inside("objective.slo", some({"underCostRatio": _SHARE})),
    inside("objective.spot", some({"maxShare": _SHARE, "minOnDemandShare": _SHARE})),
    inside("objective.slo", some({"maxCvar": _SHARE})),
    inside("objective.slo", some({"maxPoolLoss": _SHARE})),
    inside("objective.spot", some({"maxPoolShare": _SHARE})),
    inside("objective.spot", some({"maxFamilyShare": _SHARE})),
    inside("objective.spot", some({"maxZoneShare": _SHARE})),
    inside("objective.spot", some({"overProvision": _SHARE})),
    inside("objective.spot", some({"interruptionUsd": _SHARE})),
    inside("objective.spot", some({"returnHours": _SHARE})),
    inside("objective.spot", some({"returnSaving": _SHARE})),
    inside("objective.churn", some({"noReturnHours": _SHARE})),
    inside("objective.fairness.mode", st.sampled_from(["Off", "Report", "Enforce", "off"])),
    inside("objective.fairness.weights", st.dictionaries(st.sampled_from("abc"), _SHARE)),
    inside("objective.budget", some({"usdPerHour": _SHARE})),
    inside("objective.churn", some({"minSavingShare": _SHARE})),
    inside("forecast.quantiles", st.lists(_SHARE, max_size=3)),
    inside(
        "forecast",
        some(
            {
                "stepSeconds": st.sampled_from([59, 60, 600, 3600]),
                "horizonSeconds": st.sampled_from([60, 600, 3600, 7200]),
                "lookbackSeconds": st.sampled_from([600, 3600, 86_400]),
            }
        ),
    ),
    inside("selector.namespaces", st.lists(st.sampled_from(["a", "A", "", "a-b", "-a"]))),
)
_OFFERS = st.lists(
    st.fixed_dictionaries(
        {
            "instanceType": st.sampled_from(["m5.large", "m5.xlarge", ""]),
            "zone": st.just("a"),
            "capacityType": st.sampled_from(["spot", "on-demand"]),
            "usdPerHour": _SHARE,
        },
        optional={"interruptionsPerHour": _SHARE, "shape": some({"cpuMilli": _COUNT})},
    ),
    max_size=2,
)
_SOURCES = some(
    {
        "bundled": st.just({}),
        "http": some({"url": st.sampled_from(["http://p", "https://p/x", "p"])}),
    }
)
_DATES = st.sampled_from(["2026-07-01", "July", "2026-7-1"])
_BOOK_SPECS = st.one_of(
    inside("offers", _OFFERS),
    some({"offers": st.just([OFFER]), "source": _SOURCES}),
    inside("source", _SOURCES),
    st.fixed_dictionaries({"source": st.just({"bundled": {}}), "asOf": _DATES}),
)
_LAW = settings(
    deadline=None,
    max_examples=300,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def accepts(model: type[BaseModel], spec: Json) -> bool:
    try:
        model.model_validate(spec)
    except ValidationError:
        return False
    return True


@_LAW
@given(spec=_POLICY_SPECS)
def test_server_and_command_line_judge_a_policy_alike(api: ApiCalls, spec: Json) -> None:
    answer = api.create(POLICIES, "law", spec, is_dry=True)

    assert answer.is_accepted is accepts(NodeMixPolicySpec, spec), answer.message


@_LAW
@given(spec=_BOOK_SPECS)
def test_server_and_operator_judge_a_book_alike(api: ApiCalls, spec: Json) -> None:
    answer = api.create(BOOKS, "law", spec, is_dry=True)

    assert answer.is_accepted is accepts(PriceBookSpec, spec), answer.message


# --- a plan never changes


@pytest.mark.parametrize("field", sorted(set(NodeMixPlanSpec.model_fields) - {"approved"}))
def test_no_field_of_a_plan_can_be_changed(api: ApiCalls, name: str, field: str) -> None:
    wire = NodeMixPlanSpec.model_fields[field].alias
    assert wire is not None
    plan = make_plan(assumptions=["a"], notes=["n"], nodes=[], unplaceable=[], **make_beside())
    api.create(PLANS, name, plan)
    changes: Json = {
        "policyRef": {"name": "somebody"},
        "createdFrom": {"catalog": "another"},
        "expiresAt": "2027-01-01T00:00:00Z",
        "placed": {"usdPerHour": 99},
        "steering": {"mode": "Pinned"},
        "risk": {"spotPercent": 1},
        "capacity": {"level": 0.5},
        "fairness": {"jain": 0.1},
        "baseline": {"usdPerHour": 99},
    }
    change = changes.get(wire, 99 if isinstance(plan[wire], int | float) else None)

    said = refused(api.patch(PLANS, name, {"spec": {wire: change}}))

    assert f"spec.{wire}" in said
    if change is not None:
        assert "a plan never changes except spec.approved; wait for nodemix to propose" in said


def test_part_that_a_plan_never_had_cannot_be_added(api: ApiCalls, name: str) -> None:
    api.create(PLANS, name, make_plan())

    said = refused(api.patch(PLANS, name, {"spec": {"notes": ["written by somebody else"]}}))

    assert "a plan never changes except spec.approved" in said


def test_plan_can_be_approved_and_the_approval_taken_back(api: ApiCalls, name: str) -> None:
    assert api.create(PLANS, name, make_plan()).body["spec"]["approved"] is False

    assert api.patch(PLANS, name, {"spec": {"approved": True}}).body["spec"]["approved"] is True
    assert api.patch(PLANS, name, {"spec": {"approved": False}}).is_accepted


def test_labels_and_status_of_a_plan_may_change(api: ApiCalls, name: str) -> None:
    api.create(PLANS, name, make_plan())
    condition = {
        "type": "Applied",
        "status": "True",
        "reason": "Done",
        "lastTransitionTime": "2026-07-01T00:00:00Z",
    }

    assert api.patch(PLANS, name, {"metadata": {"labels": {"a": "b"}}}).is_accepted
    assert api.patch(PLANS, name, {"status": {"conditions": [condition]}}, "/status").is_accepted


def test_largest_plan_is_stored_and_can_be_approved(api: ApiCalls, name: str) -> None:
    """Comparing thousands of entries must stay within the cost that a rule may have."""
    groups = [
        {
            **{k: make_pool(n)[k] for k in ("instanceType", "zone", "capacityType")},
            "count": 1,
            "pods": {f"shop-{i}/Deployment/workload-{n}": 3 for i in range(4)},
        }
        for n in range(MAX_NODE_GROUPS)
    ]
    quotas = [
        {"workload": f"shop-{n % 40}/Deployment/workload-{n}", "cohort": f"c{n}", "pods": 3}
        for n in range(MAX_STEERED)
    ]
    steering = {"mode": "Cohort", "entries": MAX_STEERED, "quotas": quotas}
    pools = [make_pool(n) for n in range(2000)]
    beside = make_beside()
    beside["options"] = [make_option(MAX_OPTION_POOLS)] * MAX_OPTIONS
    beside["blockers"] = [make_blocker()] * MAX_BESIDE
    beside["ruleCosts"] = [make_rule_cost()] * MAX_BESIDE
    plan = make_plan(pools=pools, nodes=groups, steering=steering, **beside)

    assert api.create(PLANS, name, plan).code == 201
    assert api.patch(PLANS, name, {"spec": {"approved": True}}).code == 200
    assert "spec.nodes" in refused(api.patch(PLANS, name, {"spec": {"nodes": groups[1:]}}))


def test_largest_book_is_stored(api: ApiCalls, name: str) -> None:
    offers = [
        {**OFFER, "instanceType": f"m7i-flex.{n}xlarge", "interruptionsPerHour": 0.0001}
        for n in range(MAX_INLINE_OFFERS)
    ]

    assert api.create(BOOKS, name, {"offers": offers}).code == 201
    refused(api.create(BOOKS, f"{name}-2", {"offers": [*offers, OFFER]}, is_dry=True))


# --- status and columns


def test_status_of_a_decision_is_taken_and_the_next_one_takes_away_what_it_lacks(
    api: ApiCalls, name: str
) -> None:
    api.create(POLICIES, name, paused())
    first = NodeMixPolicyStatus(nodes_now=3, shortfall_probability=0.004)
    second = NodeMixPolicyStatus(nodes_now=4)

    before = api.patch(POLICIES, name, {"status": first.to_patch()}, "/status").body
    after = api.patch(POLICIES, name, {"status": second.to_patch()}, "/status").body

    assert before["status"]["shortfallProbability"] == 0.004
    assert (after["status"]["nodesNow"], "shortfallProbability" in after["status"]) == (4, False)
    assert after["metadata"]["generation"] == 1


def columns(text: str) -> dict[str, str]:
    """A row of kubectl's table by its headers, which may hold a single space."""
    header, row = text.splitlines()
    starts = [0, *(i for i in range(2, len(header)) if header[i - 2 : i] == "  " != header[i])]
    starts = [start for start in starts if header[start] != " "]
    ends = [*starts[1:], len(header) + 20]
    cut = zip(starts, ends, strict=True)
    return {header[a:b].strip(): row[a:b].strip() for a, b in cut}


def test_columns_of_a_policy_show_its_decision(api: ApiCalls, name: str) -> None:
    api.create(POLICIES, name, paused())
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Decided",
        "lastTransitionTime": "2026-07-01T00:00:00Z",
    }
    status = NodeMixPolicyStatus(
        nodes_now=12,
        nodes_plan=7,
        spot_percent=40.0,
        usd_per_hour_now=3.4,
        usd_per_hour_plan=2.1,
        usd_per_hour_placed=2.3,
        usd_per_hour_baseline=2.6,
        saving_percent=38.2,
        gap_percent=1.5,
        cvar_percent=3.1,
        worst_pool_loss_percent=12.5,
    ).to_patch()
    api.patch(POLICIES, name, {"status": {**status, "conditions": [ready]}}, "/status")

    shown = columns(api.cluster.kubectl("get", "nmp", name))

    assert shown.pop("AGE")
    assert shown == {
        "NAME": name,
        "MODE": "Recommend",
        "READY": "True",
        "NODES": "12",
        "SPOT%": "40",
        "$/H NOW": "3.4",
        "$/H PLAN": "2.1",
        "SAVE%": "38.2",
        "GAP%": "1.5",
        "CVAR%": "3.1",
    }
    wide = columns(api.cluster.kubectl("get", "nmp", name, "-o", "wide"))
    assert (wide["$/H PLACED"], wide["$/H BASELINE"], wide["POOL LOSS%"]) == ("2.3", "2.6", "12.5")


def test_columns_of_a_plan_show_its_figures(api: ApiCalls, name: str) -> None:
    api.create(PLANS, name, make_plan())

    shown = columns(api.cluster.kubectl("get", "nmplan", name))

    assert shown.pop("AGE")
    assert shown == {
        "NAME": name,
        "POLICY": "nobody",
        "NODES": "1",
        "NODES PLAN": "2",
        "SPOT%": "40.5",
        "$/H NOW": "0.5",
        "$/H PLAN": "0.25",
        "SAVE%": "50",
        "GAP%": "25",
        "CVAR%": "2.5",
        "APPROVED": "false",
    }


def test_columns_of_a_book_show_what_was_read(api: ApiCalls, name: str) -> None:
    api.create(BOOKS, name, {"offers": [OFFER]})
    api.patch(
        BOOKS, name, {"status": {"offers": 41, "offersLeftOut": 2, "asOf": "2026-07-01"}}, "/status"
    )

    shown = columns(api.cluster.kubectl("get", "nmpb", name))

    assert (shown["OFFERS"], shown["LEFT OUT"], shown["AS OF"]) == ("41", "2", "2026-07-01")


def test_category_lists_every_kind(api: ApiCalls, name: str) -> None:
    api.create(POLICIES, name, paused())
    api.create(PLANS, name, make_plan())
    api.create(BOOKS, name, {"source": {"bundled": {}}})

    listed = api.cluster.kubectl("get", "nodemix", "-o", "name").split()

    kinds = ("nodemixpolicy", "nodemixplan", "pricebook")
    assert {f"{kind}.nodemix.dev/{name}" for kind in kinds} <= set(listed)


# --- examples


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_example_applies_and_reads_as_it_is_meant(installed: LocalCluster, path: Path) -> None:
    text = path.read_text()
    own = [d for d in yaml.safe_load_all(text) if d["kind"] in SPECS]

    said = installed.kubectl("apply", "-f", "-", stdin=text)
    installed.kubectl("delete", "--wait=false", "-f", "-", stdin=text)

    assert own
    assert [line.split()[-1] for line in said.splitlines()] == ["created"] * text.count("\nkind: ")
    assert text.startswith("# ")
    for document in own:
        SPECS[document["kind"]].model_validate(document["spec"])


def test_full_example_names_every_field_of_a_policy() -> None:
    example = yaml.safe_load((EXAMPLES / "policy-full.yaml").read_text())["spec"]
    spec = NodeMixPolicySpec.model_validate(example)

    assert fields_left_out(spec, "spec") == []


def fields_left_out(model: BaseModel, path: str) -> list[str]:
    missing = sorted(set(type(model).model_fields) - model.model_fields_set)
    inner = [
        entry
        for field in model.model_fields_set
        if isinstance(value := getattr(model, field), BaseModel)
        for entry in fields_left_out(value, f"{path}.{field}")
    ]
    return [*(f"{path}.{field}" for field in missing), *inner]
