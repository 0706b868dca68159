"""The `requests.Session` that the client makes where it is not given one."""

from __future__ import annotations

import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter

__all__ = ["own_session"]


def own_session(*, truststore: bool = False) -> requests.Session:
    """Return a session without cookies, with room for the connections of any number of threads.

    With ``truststore`` certificates are verified against the operating system's store. Raise ModuleNotFoundError if the
    package of that name is not installed.
    """
    session = requests.Session()
    session.headers["User-Agent"] = f"couchdb_client {requests.utils.default_user_agent()}"
    del session.headers["Connection"]  # HTTP/1.1 keeps connections by itself
    # An AuthSession cookie that came with an answer would outrank the credentials of the requests that follow.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    # A pool of size 0 keeps every connection that was ever needed at the same time.
    session.mount("http://", HTTPAdapter(pool_maxsize=0))
    session.mount("https://", _TruststoreAdapter(pool_maxsize=0) if truststore else HTTPAdapter(pool_maxsize=0))
    return session


class _TruststoreAdapter(HTTPAdapter):
    """Verifies certificates against the operating system's store, unless the session names a bundle of its own."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        import truststore  # an option: not a requirement of the client

        kwargs["ssl_context"] = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        super().init_poolmanager(*args, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        super().cert_verify(conn, url, verify, cert)
        if verify is True:
            conn.ca_certs = None
