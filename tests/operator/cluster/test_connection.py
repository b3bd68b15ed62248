import ssl
from pathlib import Path

import pytest
from nodemix.operator.cluster.connection import (
    Connection,
    connect,
    in_cluster_connection,
    kubeconfig_connection,
)
from nodemix.operator.errors import ConnectionFailedError

IN_CLUSTER = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
KUBECONFIG = """\
current-context: here
clusters: [{name: c, cluster: {server: "http://127.0.0.1:8080"}}]
users: [{name: u, user: {token: abc}}]
contexts: [{name: here, context: {cluster: c, user: u}}]
"""


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """The folder that the kubelet mounts into a pod."""
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text(a_certificate())
    return tmp_path


def a_certificate() -> str:
    """Some certificate authority that this machine trusts, or a made-up file without any."""
    trusted = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not trusted:
        pytest.skip("this machine trusts no certificate authority")
    return ssl.DER_cert_to_PEM_cert(trusted[0])


def test_pod_reaches_the_server_of_its_environment_with_its_account(account: Path) -> None:
    connection = in_cluster_connection(IN_CLUSTER, account)

    assert connection.url == "https://10.0.0.1:443"
    assert connection.headers() == {"Authorization": "Bearer first"}
    assert connection.ssl_context is not None
    assert connection.ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert len(connection.ssl_context.get_ca_certs()) == 1


def test_rotated_token_is_read_anew(account: Path) -> None:
    connection = in_cluster_connection(IN_CLUSTER, account)
    (account / "token").write_text("second")

    assert connection.headers() == {"Authorization": "Bearer second"}


def test_token_that_vanished_is_an_error_with_its_file(account: Path) -> None:
    connection = in_cluster_connection(IN_CLUSTER, account)
    (account / "token").unlink()

    with pytest.raises(ConnectionFailedError, match=f"file {account / 'token'}: cannot be read"):
        connection.headers()


def test_address_of_version_6_is_put_into_brackets(account: Path) -> None:
    environ = {**IN_CLUSTER, "KUBERNETES_SERVICE_HOST": "fd00::1"}

    assert in_cluster_connection(environ, account).url == "https://[fd00::1]:443"


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_pod_without_its_account_is_told_how_to_get_one(account: Path, missing: str) -> None:
    (account / missing).unlink()

    with pytest.raises(ConnectionFailedError, match="automountServiceAccountToken"):
        in_cluster_connection(IN_CLUSTER, account)


def test_certificate_authority_that_is_none_is_an_error_with_its_file(account: Path) -> None:
    (account / "ca.crt").write_text("no certificate")

    with pytest.raises(ConnectionFailedError, match=f"file {account / 'ca.crt'}: holds no cert"):
        in_cluster_connection(IN_CLUSTER, account)


def test_given_kubeconfig_comes_before_the_pods_account(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)

    assert connect(IN_CLUSTER, path).url == "http://127.0.0.1:8080"


def test_process_in_a_pod_uses_the_pods_account() -> None:
    with pytest.raises(ConnectionFailedError, match="the service account is not mounted"):
        connect(IN_CLUSTER)


def test_process_elsewhere_uses_the_kubeconfig_of_kubectl(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(KUBECONFIG)

    assert connect({"HOME": str(tmp_path)}).headers() == {"Authorization": "Bearer abc"}


def test_files_of_the_variable_come_before_the_home_folder(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_text(KUBECONFIG.replace("8080", "9999"))
    environ = {"HOME": "/nowhere", "KUBECONFIG": f"/not/there:{path}"}

    assert kubeconfig_connection(environ).url == "http://127.0.0.1:9999"


def test_connection_without_a_token_sends_no_header() -> None:
    assert Connection("http://x", None, lambda: None).headers() == {}
