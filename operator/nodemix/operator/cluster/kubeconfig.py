"""Kubeconfig files: contexts with tokens and certificates here, plugins by kubernetes' loader."""

import base64
import os
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from nodemix.operator.cluster.connection import Connection, read_file
from nodemix.operator.errors import ConnectionFailedError

Json = dict[str, Any]
_PLUGINS: Final = ("exec", "auth-provider")
_REMEDY: Final = "check it with `kubectl config view --minify`"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A named entry of a kubeconfig; paths in it are relative to ``folder``."""

    fields: Json
    folder: Path

    def content(self, name: str) -> bytes | None:
        """The content that ``<name>-data`` holds or the file ``<name>`` names."""
        data, file = self.fields.get(f"{name}-data"), self.fields.get(name)
        if data:
            return _decoded(data, name)
        return read_file(self.folder / file) if file else None


def load_context(paths: Sequence[Path], context: str | None) -> Connection:
    """The connection of a context; of entries with one name, the first file's counts.

    Raises:
        ConnectionFailedError: there is no such file, context, cluster or user.
    """
    configs = [(path, _parsed(path)) for path in paths if path.is_file()]
    if not configs:
        listed = ", ".join(str(path) for path in paths)
        raise ConnectionFailedError(
            f"kubeconfig {listed}", "does not exist", "set KUBECONFIG or pass --kubeconfig"
        )
    name = context or next(
        (c["current-context"] for _, c in configs if c.get("current-context")), ""
    )
    chosen = _entry(configs, "context", name).fields
    cluster = _entry(configs, "cluster", chosen.get("cluster") or "")
    user = _entry(configs, "user", chosen.get("user") or "")
    if user.fields.get("as"):
        fact = f"impersonates {user.fields['as']}, which nodemix does not"
        raise ConnectionFailedError(f"kubeconfig context {name}", fact, "use one without `as`")
    if any(user.fields.get(plugin) for plugin in _PLUGINS):
        return _plugin_connection([path for path, _ in configs], name, cluster, user)
    return _connection(cluster, user)


def _parsed(path: Path) -> Json:
    try:
        config = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as err:
        raise ConnectionFailedError(
            f"kubeconfig {path}", f"cannot be read ({err})", _REMEDY
        ) from err
    if not isinstance(config, dict):
        raise ConnectionFailedError(f"kubeconfig {path}", "is not a kubeconfig", _REMEDY)
    return config


def _entry(configs: Sequence[tuple[Path, Json]], kind: str, name: str) -> _Entry:
    for path, config in configs:
        for entry in config.get(f"{kind}s") or ():
            if isinstance(entry, dict) and entry.get("name") == name:
                return _Entry(entry.get(kind) or {}, path.parent)
    fact = f"holds no {kind} {name!r}" if name else f"names no {kind}"
    raise ConnectionFailedError(f"kubeconfig {configs[0][0]}", fact, _REMEDY)


def _connection(cluster: _Entry, user: _Entry) -> Connection:
    server = _server(cluster)
    context = _ssl_context(cluster) if server.startswith("https:") else None
    certificate, key = user.content("client-certificate"), user.content("client-key")
    if context is not None and certificate and key:
        _load_client_certificate(context, certificate, key)
    token, token_file = user.fields.get("token"), user.fields.get("tokenFile")
    return Connection(
        url=server,
        ssl_context=context,
        read_token=(
            (lambda: read_file(user.folder / token_file).decode().strip())
            if token_file and not token
            else (lambda: token)
        ),
        proxy_url=cluster.fields.get("proxy-url"),
        server_name=cluster.fields.get("tls-server-name"),
    )


def _server(cluster: _Entry) -> str:
    server = str(cluster.fields.get("server") or "").rstrip("/")
    if not server:
        raise ConnectionFailedError(f"kubeconfig in {cluster.folder}", "names no server", _REMEDY)
    return server


def _ssl_context(cluster: _Entry) -> ssl.SSLContext:
    authority = cluster.content("certificate-authority")
    try:
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    except (ssl.SSLError, UnicodeDecodeError) as err:
        fact = f"holds no certificate authority ({err})"
        raise ConnectionFailedError(f"kubeconfig in {cluster.folder}", fact, _REMEDY) from err
    if cluster.fields.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Python's ssl takes a client's key from a file only: a private one, gone at once."""
    descriptor, path = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate + b"\n" + key)
        context.load_cert_chain(path)
    except ssl.SSLError as err:
        fact = f"does not fit its key ({err})"
        raise ConnectionFailedError("the user's client certificate", fact, _REMEDY) from err
    finally:
        Path(path).unlink()


def _plugin_connection(
    paths: Sequence[Path], context: str, cluster: _Entry, user: _Entry
) -> Connection:
    """A context whose user is an exec plugin or auth provider."""
    # Deferred: importing kubernetes takes half a second and 40 MiB, and few need its plugins.
    from kubernetes.client import Configuration  # noqa: PLC0415
    from kubernetes.config import ConfigException, load_kube_config  # noqa: PLC0415

    settings = Configuration()
    files = os.pathsep.join(str(path) for path in paths)
    try:
        load_kube_config(files, context, settings, persist_config=False)  # type: ignore[no-untyped-call]
    except ConfigException as err:
        raise ConnectionFailedError(f"kubeconfig {files}", str(err), _REMEDY) from err
    ssl_context = _ssl_context(cluster)
    if settings.cert_file and settings.key_file:
        ssl_context.load_cert_chain(settings.cert_file, settings.key_file)
    elif not settings.api_key.get("BearerToken"):
        plugin = (user.fields.get("exec") or {}).get("command", "")
        fact = f"its credential plugin {plugin} gave neither token nor certificate"
        remedy = "run `kubectl get nodes` with it, which shows what the plugin says"
        raise ConnectionFailedError(f"kubeconfig context {context}", fact, remedy)
    return Connection(
        url=_server(cluster),
        ssl_context=ssl_context,
        read_token=lambda: _plugin_token(settings),
        proxy_url=cluster.fields.get("proxy-url"),
        server_name=cluster.fields.get("tls-server-name"),
    )


def _plugin_token(settings: Any) -> str | None:  # noqa: ANN401 - kubernetes publishes no types
    token = settings.get_api_key_with_prefix("BearerToken")
    return str(token).removeprefix("Bearer ") if token else None


def _decoded(data: str, name: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as err:
        remedy = "write the file's path or its base64 content"
        raise ConnectionFailedError(
            f"kubeconfig field {name}-data", "is not base64", remedy
        ) from err
