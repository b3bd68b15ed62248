import asyncio
import base64
import json
import shutil
import ssl
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from nodemix.operator.cluster.connection import Connection
from nodemix.operator.cluster.kubeconfig import load_context
from nodemix.operator.cluster.session import open_session
from nodemix.operator.errors import ConnectionFailedError

SERVER = "https://api.example.com:6443"


def write(
    folder: Path,
    cluster: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    **top: Any,
) -> Path:
    """A kubeconfig with one context; ``top`` replaces parts of it."""
    config = {
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **(cluster or {})}}],
        "users": [{"name": "u", "user": {"token": "abc"} if user is None else user}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        **top,
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return path


def load(path: Path, context: str | None = None) -> Connection:
    return load_context([path], context)


def trusted_certificate() -> str:
    trusted = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not trusted:
        pytest.skip("this machine trusts no certificate authority")
    return ssl.DER_cert_to_PEM_cert(trusted[0])


def test_token_is_sent_as_a_bearer(tmp_path: Path) -> None:
    connection = load(write(tmp_path))

    assert connection.url == SERVER
    assert connection.headers() == {"Authorization": "Bearer abc"}
    assert connection.ssl_context is not None
    assert connection.ssl_context.check_hostname


def test_token_file_is_read_at_each_call_and_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    connection = load(write(tmp_path, user={"tokenFile": "token"}))
    assert connection.read_token() == "one"

    (tmp_path / "token").write_text("two\n")
    assert connection.read_token() == "two"


def test_authority_may_be_content_or_a_file(tmp_path: Path) -> None:
    certificate = trusted_certificate()
    (tmp_path / "ca.crt").write_text(certificate)
    content = base64.b64encode(certificate.encode()).decode()

    for field in ({"certificate-authority": "ca.crt"}, {"certificate-authority-data": content}):
        context = load(write(tmp_path, cluster=dict(field))).ssl_context
        assert context is not None
        assert len(context.get_ca_certs()) == 1


def test_server_may_be_trusted_blindly_if_the_owner_says_so(tmp_path: Path) -> None:
    context = load(write(tmp_path, cluster={"insecure-skip-tls-verify": True})).ssl_context

    assert context is not None
    assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_NONE)


def test_proxy_and_server_name_are_kept(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"proxy-url": "http://proxy:3128", "tls-server-name": "kubernetes"}
    connection = load(write(tmp_path, cluster=fields))

    assert (connection.proxy_url, connection.server_name) == ("http://proxy:3128", "kubernetes")


def test_plain_http_needs_no_certificates(tmp_path: Path) -> None:
    connection = load(write(tmp_path, cluster={"server": "http://localhost:8080/"}))

    assert (connection.url, connection.ssl_context) == ("http://localhost:8080", None)


def test_named_context_comes_before_the_current_one(tmp_path: Path) -> None:
    other = {"name": "there", "context": {"cluster": "c", "user": "v"}}
    path = write(
        tmp_path,
        contexts=[{"name": "here", "context": {"cluster": "c", "user": "u"}}, other],
        users=[
            {"name": "u", "user": {"token": "abc"}},
            {"name": "v", "user": {"token": "xyz"}},
        ],
    )

    assert load(path, "there").read_token() == "xyz"
    assert load(path).read_token() == "abc"


def test_entries_of_several_files_are_joined_and_the_first_of_a_name_counts(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = write(tmp_path / "a", users=[{"name": "v", "user": {}}], clusters=[])
    other: dict[str, Any] = {"current-context": "else"}
    second = write(tmp_path / "b", **other)

    connection = load_context([first, tmp_path / "missing", second], None)

    assert (connection.url, connection.read_token()) == (SERVER, "abc")


@pytest.mark.parametrize(
    ("top", "fact"),
    [
        ({"current-context": "gone"}, "holds no context 'gone'"),
        ({"current-context": ""}, "names no context"),
        ({"clusters": []}, "holds no cluster 'c'"),
        ({"users": None}, "holds no user 'u'"),
        ({"contexts": [{"name": "here"}]}, "names no cluster"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, "names no server"),
        ({"clusters": ["c"]}, "holds no cluster 'c'"),
    ],
)
def test_incomplete_kubeconfig_says_what_it_lacks(
    tmp_path: Path, top: dict[str, Any], fact: str
) -> None:
    with pytest.raises(ConnectionFailedError) as caught:
        load(write(tmp_path, **top))

    assert caught.value.fact == fact
    assert caught.value.remedy == "check it with `kubectl config view --minify`"


def test_no_file_at_all_names_those_that_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match=f"{tmp_path / 'none'}: does not exist; set"):
        load(tmp_path / "none")


@pytest.mark.parametrize("text", ["a: [", "- a", "hello", "\x00"])
def test_file_that_is_no_kubeconfig_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(ConnectionFailedError, match=f"kubeconfig {path}: "):
        load(path)


@pytest.mark.parametrize(
    ("part", "fields", "fact"),
    [
        ("cluster", {"certificate-authority-data": "???"}, "is not base64"),
        ("cluster", {"certificate-authority-data": "aGVsbG8="}, "holds no certificate authority"),
        ("cluster", {"certificate-authority": "gone.crt"}, "cannot be read"),
        (
            "user",
            {"client-certificate-data": "aGVsbG8=", "client-key-data": "aGVsbG8="},
            "does not fit its key",
        ),
    ],
)
def test_unusable_certificate_is_an_error_that_says_which(
    tmp_path: Path, part: str, fields: dict[str, Any], fact: str
) -> None:
    path = write(tmp_path, **{part: fields})

    with pytest.raises(ConnectionFailedError, match=fact):
        load(path)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a self-signed certificate for 127.0.0.1 (``own.crt``) and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificates of this test; it is not installed")
    folder = tmp_path_factory.mktemp("identity")
    subject = ("-subj", "/CN=somebody", "-addext", "subjectAltName=IP:127.0.0.1")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    files = ("-keyout", str(folder / "own.key"), "-out", str(folder / "own.crt"))
    command = [openssl, "req", "-x509", *curve, *files, *subject, "-days", "1"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


async def answer_with_the_name(request: web.Request) -> web.Response:
    assert request.transport is not None
    shown = request.transport.get_extra_info("peercert") or {}
    names = [value for part in shown.get("subject", ()) for _, value in part]
    return web.json_response({"name": names[0] if names else None})


async def who_calls(identity: Path, connection: Connection) -> str | None:
    """The name in the certificate that a call over ``connection`` shows to a real TLS server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=identity / "own.crt")
    context.load_cert_chain(identity / "own.crt", identity / "own.key")
    context.verify_mode = ssl.CERT_OPTIONAL
    app = web.Application()
    app.router.add_get("/", answer_with_the_name)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    here = replace(connection, url=f"https://127.0.0.1:{runner.addresses[0][1]}")
    try:
        async with open_session(here) as session, session.get(here.url) as response:
            name: str | None = (await response.json())["name"]
            return name
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("is_content", [True, False])
def test_client_certificate_is_shown_to_the_server(
    identity: Path, tmp_path: Path, is_content: bool
) -> None:
    parts = {"client-certificate": "own.crt", "client-key": "own.key"}
    user: dict[str, Any] = {name: str(identity / file) for name, file in parts.items()}
    if is_content:
        encoded = {n: base64.b64encode((identity / f).read_bytes()) for n, f in parts.items()}
        user = {f"{name}-data": content.decode() for name, content in encoded.items()}
    trusted = {"certificate-authority": str(identity / "own.crt")}
    path = write(tmp_path, cluster=trusted, user=user)

    assert asyncio.run(who_calls(identity, load(path))) == "somebody"


def test_user_without_a_certificate_shows_none(identity: Path, tmp_path: Path) -> None:
    path = write(tmp_path, cluster={"certificate-authority": str(identity / "own.crt")})

    assert asyncio.run(who_calls(identity, load(path))) is None


def test_server_that_nobody_vouches_for_is_not_spoken_to(identity: Path, tmp_path: Path) -> None:
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        asyncio.run(who_calls(identity, load(write(tmp_path))))


def test_impersonation_is_refused_rather_than_ignored(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match="impersonates system:admin"):
        load(write(tmp_path, user={"token": "abc", "as": "system:admin"}))


def exec_user(folder: Path, body: str) -> dict[str, Any]:
    """A user whose credentials come from a program with this Python ``body``."""
    program = folder / "plugin.py"
    program.write_text(body)
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(program)],
        "interactiveMode": "Never",
    }
    return {"exec": plugin}


def credential(**status: str) -> str:
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": status,
    }
    return f"print({json.dumps(answer)!r})"


def test_token_of_an_exec_plugin_is_used(tmp_path: Path) -> None:
    user = exec_user(tmp_path, credential(token="from-plugin"))  # noqa: S106 - a test's

    connection = load(write(tmp_path, user=user))

    assert connection.headers() == {"Authorization": "Bearer from-plugin"}


def test_expired_token_of_an_exec_plugin_is_renewed(tmp_path: Path) -> None:
    counting = f"""
import json, pathlib
calls = pathlib.Path({str(tmp_path / "calls")!r})
calls.write_text((calls.read_text() if calls.exists() else "") + "x")
status = {{"token": calls.read_text(), "expirationTimestamp": "2020-01-01T00:00:00Z"}}
kind, version = "ExecCredential", "client.authentication.k8s.io/v1"
print(json.dumps({{"apiVersion": version, "kind": kind, "status": status}}))
"""
    connection = load(write(tmp_path, user=exec_user(tmp_path, counting)))

    first, second = connection.read_token(), connection.read_token()

    assert first is not None
    assert second is not None
    assert len(second) > len(first)


@pytest.mark.parametrize("body", ["import sys; sys.exit(3)", "print('hello')", credential()])
def test_exec_plugin_that_fails_is_an_error_with_the_context(tmp_path: Path, body: str) -> None:
    with pytest.raises(ConnectionFailedError, match="plugin"):
        load(write(tmp_path, user=exec_user(tmp_path, body)))


def test_exec_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "no-such-plugin",
        "interactiveMode": "Never",
    }
    with pytest.raises(ConnectionFailedError, match="no-such-plugin"):
        load(write(tmp_path, user={"exec": plugin}))


def test_exec_plugin_that_fails_later_leaves_its_last_token_for_the_server_to_judge(
    tmp_path: Path,
) -> None:
    expiring = credential(token="t", expirationTimestamp="2020-01-01T00:00:00Z")  # noqa: S106 - a test's
    connection = load(write(tmp_path, user=exec_user(tmp_path, expiring)))
    (tmp_path / "plugin.py").write_text("import sys; sys.exit(1)")

    assert connection.read_token() == "t"
