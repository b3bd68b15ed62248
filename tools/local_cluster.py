"""A real Kubernetes control plane in a temporary folder, with nodes and pods played by kwok."""

import base64
import json
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.binaries import binaries
from tools.processes import Servers, free_ports

Manifest = Mapping[str, Any]

OPERATOR_USER = "nodemix"
OPERATOR_GROUP = "nodemix:operators"
# Each has a name of its own in the audit log.
_COMPONENTS = ("kube-controller-manager", "kube-scheduler", "kwok")

_START_TIMEOUT_S = 120.0
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
"""


class LocalCluster:
    """etcd, API server, controller manager, scheduler and kwok on free ports of this machine.

    Attributes:
        url: the API server, ``https://127.0.0.1:<port>``.
        ca_file: the certificate authority of ``url``.
        token: bearer token of a cluster administrator.
        operator_token: bearer token of user ``nodemix`` in group ``nodemix:operators``, who may do
            only what RBAC grants (see ``grant_operator``).
        kubeconfig: for the administrator.
        operator_kubeconfig: for the operator.
        audit_log: one JSON event a line (level Metadata) for every request, whoever made it.
        folder: logs and data; removed at the end unless ``keep``.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._bin = binaries("controlplane")
        self._keep = keep
        self.folder = Path(tempfile.mkdtemp(prefix="nodemix-cluster-"))
        self.servers = Servers(self.folder)
        self._etcd_port, self._peer_port, self._api_port = free_ports(3)
        self.url = f"https://127.0.0.1:{self._api_port}"
        self.ca_file = self.folder / "certs" / "apiserver.crt"
        self.token = secrets.token_hex(16)
        self.operator_token = secrets.token_hex(16)
        self._component_tokens = {name: secrets.token_hex(16) for name in _COMPONENTS}
        self.kubeconfig = self.folder / "admin.kubeconfig"
        self.operator_kubeconfig = self.folder / "operator.kubeconfig"
        self.audit_log = self.folder / "audit.log"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run the built kubectl as the administrator and return what it prints.

        Raises:
            KubectlError: it failed; the message holds what it said.
        """
        command = [str(self._bin / "kubectl"), "--cache-dir", str(self.folder / "kubectl")]
        done = subprocess.run(
            [*command, *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise KubectlError(arguments, done.stderr)
        return done.stdout

    def apply(self, objects: Sequence[Manifest]) -> str:
        """Apply ``objects`` server-side; of a new Node also its status (allocatable) is kept."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        return self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=listed)

    def get(self, *arguments: str) -> dict[str, Any]:
        """``kubectl get ... -o json``, parsed."""
        answer: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return answer

    def grant_operator(self, cluster_role: str) -> None:
        """Bind ``cluster_role`` to the operator's group, as the shipped manifests do."""
        name = f"{OPERATOR_GROUP}-{cluster_role}".replace(":", "-")
        group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": OPERATOR_GROUP}
        role = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": cluster_role,
        }
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": role,
            "subjects": [group],
        }
        self.apply([binding])

    def audit_events(self) -> list[dict[str, Any]]:
        """What the API server has logged so far."""
        lines = self.audit_log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    def _start(self) -> None:
        self._write_inputs()
        self._start_etcd()
        self._start_api_server()
        self._start_controllers()

    def _stop(self) -> None:
        self.servers.stop_all()
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _write_inputs(self) -> None:
        (self.folder / "audit-policy.yaml").write_text(_AUDIT_POLICY)
        (self.folder / "sa.key").write_text(signing_key_pem())
        users = [(self.token, "admin", "system:masters")]
        users += [(self.operator_token, OPERATOR_USER, OPERATOR_GROUP)]
        for name, token in self._component_tokens.items():
            users.append((token, f"system:{name}", "system:masters"))
        lines = [f'{token},{user},{user},"{group}"\n' for token, user, group in users]
        (self.folder / "tokens.csv").write_text("".join(lines))

    def _start_etcd(self) -> None:
        client = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{self._peer_port}"
        flags = {
            "data-dir": self.folder / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
        }
        self._launch("etcd", flags, "--unsafe-no-fsync")
        self.servers.wait("etcd", lambda: _answers(f"{client}/health"), _START_TIMEOUT_S)

    def _start_api_server(self) -> None:
        key = self.folder / "sa.key"
        flags = {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port}",
            "cert-dir": self.folder / "certs",
            "bind-address": "127.0.0.1",
            "secure-port": self._api_port,
            "token-auth-file": self.folder / "tokens.csv",
            "authorization-mode": "RBAC",
            "service-cluster-ip-range": "10.0.0.0/24",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "disable-admission-plugins": "ServiceAccount",
            "allow-privileged": "true",
            "enable-priority-and-fairness": "false",
            "max-requests-inflight": 0,
            "max-mutating-requests-inflight": 0,
            "audit-policy-file": self.folder / "audit-policy.yaml",
            "audit-log-path": self.audit_log,
        }
        self._launch("kube-apiserver", flags)
        self.servers.wait("kube-apiserver", lambda: self._serves("/readyz"), _START_TIMEOUT_S)
        self._write_kubeconfig(self.kubeconfig, self.token)
        self._write_kubeconfig(self.operator_kubeconfig, self.operator_token)

    def _start_controllers(self) -> None:
        single = {"leader-elect": "false", "secure-port": 0}
        manager = {
            "service-account-private-key-file": self.folder / "sa.key",
            "controllers": "*,-nodeipam,-cloud-node-lifecycle,-route,-service",
            "kube-api-qps": 500,
            "kube-api-burst": 1000,
        }
        scheduler = {"kube-api-qps": 1000, "kube-api-burst": 2000}
        kwok = {
            "manage-all-nodes": "true",
            "node-lease-duration-seconds": 40,
            "cidr": "10.244.0.0/16",
            "config": self._bin / "stages.yaml",
        }
        self._launch_component("kube-controller-manager", {**single, **manager})
        self._launch_component("kube-scheduler", {**single, **scheduler})
        self._launch_component("kwok", kwok)
        self._await_controllers()

    def _await_controllers(self) -> None:
        first_made = "/api/v1/namespaces/default/serviceaccounts/default"
        self.servers.wait(
            "kube-controller-manager", lambda: self._serves(first_made), _START_TIMEOUT_S
        )
        for name in _COMPONENTS:
            self.servers.check(name)

    def _launch_component(self, name: str, flags: Mapping[str, object]) -> None:
        kubeconfig = self.folder / f"{name}.kubeconfig"
        self._write_kubeconfig(kubeconfig, self._component_tokens[name])
        self._launch(name, {"kubeconfig": kubeconfig, **flags})

    def _launch(self, name: str, flags: Mapping[str, object], *more: str) -> None:
        rendered = [f"--{flag}={value}" for flag, value in flags.items()]
        self.servers.start(name, [str(self._bin / name), *rendered, *more])

    def _serves(self, path: str) -> bool:
        if not self.ca_file.is_file():
            return False
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file))
        except ssl.SSLError:
            return False  # the certificate is being written
        return _answers(f"{self.url}{path}", self.token, context)

    def _write_kubeconfig(self, path: Path, token: str) -> None:
        authority = base64.b64encode(self.ca_file.read_bytes()).decode()
        context = {"cluster": "local", "user": "local", "namespace": "default"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "local",
            "clusters": [
                {
                    "name": "local",
                    "cluster": {"server": self.url, "certificate-authority-data": authority},
                }
            ],
            "users": [{"name": "local", "user": {"token": token}}],
            "contexts": [{"name": "local", "context": context}],
        }
        path.write_text(json.dumps(config))
        path.chmod(0o600)


class KubectlError(RuntimeError):
    """kubectl refused; ``said`` is its standard error."""

    def __init__(self, arguments: Sequence[str], said: str) -> None:
        super().__init__(f"kubectl {' '.join(arguments)}: {said.strip()}")
        self.said = said


def make_node(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "16Gi",
    pods: int = 110,
    gpus: int = 0,
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """A Node manifest that kwok makes Ready and keeps as posted."""
    room = {"cpu": cpu, "memory": memory, "pods": str(pods)}
    if gpus:
        room["nvidia.com/gpu"] = str(gpus)
    standard = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**standard, **(labels or {})}},
        "spec": {"taints": list(taints)} if taints else {},
        "status": {"allocatable": room, "capacity": room},
    }


def signing_key_pem() -> str:
    """A fresh P-256 key for service account tokens, in the short form of RFC 5915.

    The form holds only the secret number and the name of the curve, so that it needs no library.
    """
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    secret = (1 + secrets.randbelow(order - 1)).to_bytes(32, "big")
    curve = bytes.fromhex("a00a06082a8648ce3d030107")
    body = base64.b64encode(bytes.fromhex("30310201010420") + secret + curve).decode()
    lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    return f"-----BEGIN EC PRIVATE KEY-----\n{lines}\n-----END EC PRIVATE KEY-----\n"


def _answers(url: str, token: str = "", context: ssl.SSLContext | None = None) -> bool:
    """Whether ``url`` answers with a success."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=5, context=context):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False
