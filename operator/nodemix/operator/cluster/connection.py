"""How to reach the API server: from a kubeconfig, or from inside a pod."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nodemix.operator.errors import ConnectionFailedError

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the API server is, whom we trust and who we are.

    Args:
        ssl_context: with the client's certificate, if there is one; None for plain http.
        read_token: the bearer token of this moment (service account tokens rotate, plugins renew
            theirs), or None. May read a file or run a plugin: call it off the event loop.
        proxy_url: None for a direct connection.
        server_name: the name the server's certificate must carry; None for the URL's host.
    """

    url: str
    ssl_context: ssl.SSLContext | None
    read_token: Callable[[], str | None]
    proxy_url: str | None = None
    server_name: str | None = None

    def headers(self) -> dict[str, str]:
        """The authorization header of this moment."""
        token = self.read_token()
        return {"Authorization": f"Bearer {token}"} if token else {}


def connect(environ: Mapping[str, str], kubeconfig: Path | None = None) -> Connection:
    """The connection for this process: a given kubeconfig, the pod's own account, or kubectl's.

    Raises:
        ConnectionFailedError: none of them is usable.
    """
    if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in environ:
        return in_cluster_connection(environ)
    return kubeconfig_connection(environ, kubeconfig)


def in_cluster_connection(
    environ: Mapping[str, str], account: Path = SERVICE_ACCOUNT
) -> Connection:
    """The connection of the pod's service account.

    Raises:
        ConnectionFailedError: this is no pod, or its account is not mounted as it should be.
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    token_file, ca_file = account / "token", account / "ca.crt"
    if not host or not port or not token_file.is_file() or not ca_file.is_file():
        raise ConnectionFailedError(
            "in-cluster configuration",
            "the service account is not mounted",
            "run in a pod with automountServiceAccountToken, or pass a kubeconfig",
        )
    where = f"[{host}]" if ":" in host else host
    return Connection(
        url=f"https://{where}:{port}",
        ssl_context=_trusting(ca_file),
        read_token=lambda: read_file(token_file).decode().strip(),
    )


def _trusting(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except ssl.SSLError as err:
        fact = f"holds no certificate authority ({err})"
        raise ConnectionFailedError(f"file {ca_file}", fact, "mount the account anew") from err


def kubeconfig_connection(
    environ: Mapping[str, str], path: Path | None = None, context: str | None = None
) -> Connection:
    """The connection of a kubeconfig's context (default: the current one), as kubectl reads it.

    Args:
        path: None for the files of ``KUBECONFIG``, else ``~/.kube/config``.

    Raises:
        ConnectionFailedError: there is no such file or context, or it cannot be used.
    """
    # Deferred: in a pod nobody reads a kubeconfig, and PyYAML is not needed either.
    from nodemix.operator.cluster.kubeconfig import load_context  # noqa: PLC0415

    paths = [path] if path is not None else _default_paths(environ)
    return load_context(paths, context)


def _default_paths(environ: Mapping[str, str]) -> list[Path]:
    listed = [Path(p) for p in environ.get("KUBECONFIG", "").split(":") if p]
    return listed or [Path(environ.get("HOME", "/")) / ".kube" / "config"]


def read_file(path: Path) -> bytes:
    """The content of a credential file.

    Raises:
        ConnectionFailedError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as err:
        remedy = "check that it exists and that this process may read it"
        raise ConnectionFailedError(f"file {path}", f"cannot be read ({err})", remedy) from err
