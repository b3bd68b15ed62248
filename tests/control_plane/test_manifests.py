"""What ships in manifests/: it builds, it fits the code, and the real servers take it."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from nodemix.operator import main
from nodemix.operator.cluster.listing import RESOURCES
from nodemix.operator.health import HealthServer
from nodemix.operator.leader import LEASE_NAME
from nodemix.operator.settings import PREFIX, Settings

from tests.control_plane.api_calls import Answer, ApiCalls
from tools.local_cluster import LocalCluster

Json = dict[str, Any]
MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
NAMESPACE = "nodemix-system"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:nodemix-operator"
FOLDERS = sorted(path.parent for path in MANIFESTS.rglob("kustomization.yaml"))
OWN_GROUP = "nodemix.dev"
WATCHED = [
    (r.path.split("/")[2] if r.path.startswith("/apis/") else "", r.plural) for r in RESOURCES
]


def documents(*parts: str) -> list[Json]:
    return [d for d in yaml.safe_load_all(MANIFESTS.joinpath(*parts).read_text()) if d]


def only(*parts: str) -> Json:
    (document,) = documents(*parts)
    return document


@pytest.fixture(scope="module")
def deployment() -> Json:
    return only("operator", "deployment.yaml")


@pytest.fixture(scope="module")
def pod_spec(deployment: Json) -> Json:
    spec: Json = deployment["spec"]["template"]["spec"]
    return spec


@pytest.fixture(scope="module")
def container(pod_spec: Json) -> Json:
    (found,) = pod_spec["containers"]
    return dict(found)


# --- the Deployment fits the code


def environment(container: Json) -> dict[str, str]:
    """The environment as a pod called web-0 would see it."""
    fields = {"metadata.namespace": NAMESPACE, "metadata.name": "web-0"}
    return {
        e["name"]: e.get("value") or fields[e["valueFrom"]["fieldRef"]["fieldPath"]]
        for e in container["env"]
    }


def test_every_variable_is_a_setting(container: Json) -> None:
    """A misspelt one would be ignored in silence."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}

    assert set(environment(container)) <= known


def test_operator_speaks_of_its_own_pod_and_namespace(container: Json) -> None:
    settings = Settings.from_environment(environment(container))

    assert (settings.namespace, settings.identity) == (NAMESPACE, "web-0")
    assert settings.kubeconfig is None
    assert settings.leader_election


def test_ports_are_those_that_the_operator_listens_on(container: Json) -> None:
    settings = Settings.from_environment(environment(container))
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    assert ports == {"metrics": settings.metrics_port, "health": settings.health_port}


@pytest.mark.parametrize("probe", ["livenessProbe", "readinessProbe"])
def test_probe_asks_what_the_operator_answers(container: Json, probe: str) -> None:
    asked = container[probe]["httpGet"]

    async def answer() -> int:
        server = HealthServer((), ())
        await server.start(0)
        try:
            url = f"http://127.0.0.1:{server.port}{asked['path']}"
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                return response.status
        finally:
            await server.stop()

    assert asked["port"] == "health"
    assert asyncio.run(answer()) == 200


def test_liveness_is_slower_than_readiness_and_than_a_stall_of_a_busy_node(container: Json) -> None:
    alive, ready = container["livenessProbe"], container["readinessProbe"]

    assert alive["periodSeconds"] * alive["failureThreshold"] >= 60
    assert alive["periodSeconds"] > ready["periodSeconds"]


def test_image_has_the_version_of_the_project_and_its_entry_point(
    container: Json, repository: Path
) -> None:
    version = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    entry = (repository / "Dockerfile").read_text().rpartition("ENTRYPOINT ")[2]

    assert container["image"].endswith(f":{version}")
    assert "command" not in container
    assert json.loads(entry) == ["python", "-m", main.__name__]


def test_pod_is_nobody_with_nothing_to_write_but_tmp(
    pod_spec: Json, container: Json, repository: Path
) -> None:
    security = pod_spec["securityContext"]
    user = f"{security['runAsUser']}:{security['runAsGroup']}"

    assert f"USER {user}\n" in (repository / "Dockerfile").read_text()
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert [m["mountPath"] for m in container["volumeMounts"]] == ["/tmp"]  # noqa: S108 - in a pod


def test_memory_is_limited_and_requests_are_given(container: Json) -> None:
    resources = container["resources"]

    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]
    assert "cpu" not in resources["limits"]  # a throttled decision only comes later


def test_service_and_monitor_find_the_operators_metrics(deployment: Json) -> None:
    service, monitor = only("operator", "service.yaml"), only("prometheus", "service-monitor.yaml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    (port,) = service["spec"]["ports"]
    (endpoint,) = monitor["spec"]["endpoints"]

    assert service["spec"]["selector"].items() <= labels.items()
    assert (port["targetPort"], endpoint["port"]) == ("metrics", port["name"])
    assert (
        monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    assert endpoint.get("path", "/metrics") == "/metrics"
    assert {d["metadata"]["namespace"] for d in (service, monitor, deployment)} == {NAMESPACE}


# --- rights


@pytest.fixture(scope="module")
def rules() -> list[Json]:
    """Every rule of the operator's role in the cluster and in its own namespace."""
    found = [*documents("rbac", "cluster-role.yaml"), *documents("rbac", "role.yaml")]
    return [rule for d in found for rule in d.get("rules", ())]


def test_no_right_is_a_wildcard(rules: list[Json]) -> None:
    granted = {w for r in rules for k in ("apiGroups", "resources", "verbs") for w in r[k]}

    assert "*" not in granted


def test_operator_writes_its_own_objects_events_and_lease_only(rules: list[Json]) -> None:
    writing = {
        (group, resource)
        for rule in rules
        if not set(rule["verbs"]) <= {"get", "list", "watch"}
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    others = {entry for entry in writing if entry[0] != OWN_GROUP}

    assert others <= {
        ("events.k8s.io", "events"),
        ("", "events"),
        ("coordination.k8s.io", "leases"),
    }


def test_policies_and_books_belong_to_their_owners(rules: list[Json]) -> None:
    verbs = {
        verb
        for rule in rules
        for resource in rule["resources"]
        if resource in ("nodemixpolicies", "pricebooks")
        for verb in rule["verbs"]
    }

    assert verbs == {"list", "watch"}


def may(api: ApiCalls, verb: str, resource: str, namespace: str = "") -> bool:
    """Whether the operator's ServiceAccount is allowed to; without a namespace, in all of them.

    Args:
        resource: ``<group>/<plural>`` or ``<group>/<plural>/<subresource>``.
    """
    group, plural, *part = resource.split("/")
    attributes = {"verb": verb, "group": group, "resource": plural, "namespace": namespace}
    if part:
        attributes["subresource"] = part[0]
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": ACCOUNT, "resourceAttributes": attributes},
    }
    answer = api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer.body["status"]["allowed"])


@pytest.fixture(scope="module")
def api(installed: LocalCluster) -> ApiCalls:
    return ApiCalls(installed)


@pytest.mark.parametrize("resource", ["/pods", "/nodes"])
def test_account_may_watch_and_never_touch_pods_and_nodes(api: ApiCalls, resource: str) -> None:
    verbs = ("list", "watch", "create", "update", "patch", "delete", "deletecollection")

    assert [verb for verb in verbs if may(api, verb, resource)] == ["list", "watch"]


def test_account_may_not_evict_nor_read_secrets(api: ApiCalls) -> None:
    assert not may(api, "create", "/pods/eviction")
    assert not may(api, "get", "/secrets", NAMESPACE)
    assert not may(api, "get", "/configmaps", "default")


def test_account_may_hold_the_lease_in_its_own_namespace_only(api: ApiCalls) -> None:
    lease = "coordination.k8s.io/leases"

    assert [v for v in ("get", "create", "update", "delete") if may(api, v, lease, NAMESPACE)] == [
        *("get", "create", "update")
    ]
    assert not may(api, "update", lease, "default")


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        *(("list", f"{path}/{plural}") for path, plural in WATCHED),
        *(("watch", f"{path}/{plural}") for path, plural in WATCHED),
        ("patch", "nodemix.dev/nodemixpolicies/status"),
        ("patch", "nodemix.dev/pricebooks/status"),
        ("patch", "nodemix.dev/spotriskbooks/status"),
        ("create", "nodemix.dev/spotriskbooks"),
        ("get", "nodemix.dev/spotriskbooks"),
        ("list", "/events"),
        ("watch", "/events"),
        ("list", "karpenter.sh/nodeclaims"),
        ("watch", "karpenter.sh/nodeclaims"),
        ("create", "nodemix.dev/nodemixplans"),
        ("create", "events.k8s.io/events"),
        ("list", "metrics.k8s.io/pods"),
    ],
)
def test_account_may_do_what_a_decision_needs(api: ApiCalls, verb: str, resource: str) -> None:
    assert may(api, verb, resource)


# --- kustomize and the API server


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: str(f.relative_to(MANIFESTS.parent)))
def test_every_kustomization_builds(installed: LocalCluster, folder: Path) -> None:
    built = list(yaml.safe_load_all(installed.kubectl("kustomize", str(folder))))

    assert built
    assert all(document["kind"] for document in built)


def test_every_manifest_belongs_to_a_kustomization_or_is_an_example() -> None:
    listed = {
        (folder / name).resolve()
        for folder in FOLDERS
        for name in yaml.safe_load((folder / "kustomization.yaml").read_text()).get("resources", ())
    }
    files = {path for path in MANIFESTS.rglob("*.yaml") if path.name != "kustomization.yaml"}
    loose = {p for p in files if "examples" not in p.parts and p.resolve() not in listed}

    assert loose == set()


def test_one_command_installs_all_that_the_operator_needs(installed: LocalCluster) -> None:
    built = yaml.safe_load_all(installed.kubectl("kustomize", str(MANIFESTS)))
    kinds = sorted(document["kind"] for document in built)

    assert kinds == [
        *("ClusterRole", "ClusterRoleBinding"),
        *(["CustomResourceDefinition"] * 4),
        *("Deployment", "Namespace", "Role", "RoleBinding", "Service", "ServiceAccount"),
    ]


def test_whole_installation_is_taken_by_the_server(installed: LocalCluster) -> None:
    arguments = ("apply", "--server-side", "--force-conflicts", "--dry-run=server")

    said = installed.kubectl(*arguments, "-k", str(MANIFESTS))

    assert len(said.splitlines()) == 12
    assert f"deployment.apps/{LEASE_NAME} serverside-applied (server dry run)" in said


def test_dashboard_is_taken_as_a_config_map_that_the_sidecar_finds(installed: LocalCluster) -> None:
    folder = MANIFESTS / "grafana"
    built = yaml.safe_load(installed.kubectl("kustomize", str(folder)))
    said = installed.kubectl("apply", "--server-side", "--dry-run=server", "-k", str(folder))

    assert built["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(built["data"]["nodemix.json"])["uid"] == "nodemix"
    assert said.startswith("configmap/nodemix-dashboard serverside-applied")


def create_pod(api: ApiCalls, deployment: Json, **security: Any) -> Answer:
    """Ask for a pod of the Deployment, without making one."""
    template = json.loads(json.dumps(deployment["spec"]["template"]))
    template["spec"]["securityContext"].update(security)
    template["metadata"]["name"] = "admitted"
    body = {"apiVersion": "v1", "kind": "Pod", **template}
    return api.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", body)


def test_pod_is_admitted_where_the_restricted_level_is_enforced(
    api: ApiCalls, deployment: Json
) -> None:
    labels = api.cluster.get("namespace", NAMESPACE)["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert create_pod(api, deployment).code == 201
    refused = create_pod(api, deployment, runAsNonRoot=False, runAsUser=0)
    assert (refused.code, "PodSecurity" in refused.message) == (403, True)
