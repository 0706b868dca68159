"""Certificates: which are trusted, and what is raised for others."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from couchdb_client import Server, Session
from couchdb_client.http import CertificateError, ConnectionFailed, TLSError

trustme = pytest.importorskip("trustme")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"version":"3.5.0"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


class QuietServer(HTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust the certificate hangs up."""


@pytest.fixture(scope="module")
def authority() -> Any:
    return trustme.CA()


@pytest.fixture(scope="module")
def url(authority: Any) -> Iterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    server = QuietServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def no_certificates_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bundle(authority: Any, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize(
    "kind",
    [
        CertificateError,
        TLSError,
        ConnectionFailed,
        ssl.SSLCertVerificationError,
        ssl.SSLError,
        requests.exceptions.SSLError,
    ],
)
def test_a_certificate_that_is_not_trusted_is_refused(url: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="CERTIFICATE_VERIFY_FAILED"):
        Server(url).version()


def test_a_server_without_tls_is_a_tls_error(serve: object) -> None:
    def play(connection: object) -> None:
        connection.send(b"HTTP/1.0 400 Bad Request\r\n\r\n")  # type: ignore[attr-defined]

    plain = serve(play)  # type: ignore[operator]
    with pytest.raises(ssl.SSLError):
        Server(plain.url.replace("http:", "https:")).version()


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_of_the_environment_are_trusted(
    url: str, bundle: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, bundle)
    with Server(url) as server:
        assert server.version() == "3.5.0"


def test_a_bundle_of_ones_own_session_is_trusted(url: str, bundle: str) -> None:
    with requests.Session() as transport:
        transport.verify = bundle
        assert Server(url, session=transport).version() == "3.5.0"
        transport.verify = True
        with pytest.raises(CertificateError):
            Server(url, session=transport).version()


def test_verification_can_be_switched_off(url: str) -> None:
    session = Session()
    assert not session._disable_ssl_verification
    session.disable_ssl_verification()
    assert session._disable_ssl_verification
    with pytest.warns(Warning, match="Unverified HTTPS request"):
        assert Server(url, session=session).version() == "3.5.0"
    session.close()


def test_the_operating_systems_store_can_be_used(url: str, bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("truststore")
    with pytest.raises(CertificateError):
        Server(url, session=Session(truststore=True)).version()
    session = Session(truststore=True)
    session.transport.verify = bundle
    assert Server(url, session=session).version() == "3.5.0"
    session.close()


def test_truststore_is_for_sessions_of_the_clients_own() -> None:
    with pytest.raises(ValueError, match="truststore"):
        Session(transport=requests.Session(), truststore=True)
