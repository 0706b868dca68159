"""Probes of ``[chttpd]``, ``[cors]``, ``[csp]`` and ``[x_frame_options]``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from couchfake.api.changes import feed_timeout
from couchfake.settings import (
    ADMIN_ONLY_ALL_DBS,
    ALLOW_JSONP,
    AUTHENTICATION_HANDLERS,
    BIND_ADDRESS,
    CHANGES_TIMEOUT,
    CORS_CREDENTIALS,
    CORS_EXPOSED_HEADERS,
    CORS_HEADERS,
    CORS_MAX_AGE,
    CORS_METHODS,
    CORS_ORIGINS,
    CSP_ATTACHMENTS_ENABLE,
    CSP_ATTACHMENTS_HEADER_VALUE,
    CSP_SHOWLIST_ENABLE,
    CSP_SHOWLIST_HEADER_VALUE,
    CSP_UTILS_ENABLE,
    CSP_UTILS_HEADER_VALUE,
    DECODE_PLUS_TO_SPACE,
    ENABLE_CORS,
    ENABLE_XFRAME_OPTIONS,
    MAX_DB_NUMBER_FOR_DBS_INFO_REQ,
    MAX_HTTP_REQUEST_SIZE,
    MAX_URI_LENGTH,
    PORT,
    PREFER_MINIMAL,
    REQUIRE_VALID_USER,
    REQUIRE_VALID_USER_EXCEPT_FOR_UP,
    REWRITE_LIMIT,
    SECURE_REWRITES,
    VHOST_GLOBAL_HANDLERS,
    WWW_AUTHENTICATE,
    X_FORWARDED_HOST,
    X_FORWARDED_PROTO,
    X_FORWARDED_SSL,
    X_FRAME_HOSTS,
    X_FRAME_SAME_ORIGIN,
)

from .probing import NOBODY, Probe, Server

PAGE = {"Origin": "http://app.example"}
CORS = {"chttpd": {"enable_cors": "true"}, "cors": {"origins": "http://app.example"}}
CSP = "Content-Security-Policy"
FRAMES = {"chttpd": {"enable_xframe_options": "true"}}
UTILS_POLICY = (
    "child-src 'self' data: blob:; default-src 'self'; img-src 'self' data:; font-src 'self';"
    " script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
)


def name_of_a_local_source(server: Server) -> str:
    """The source of a running replication between two databases of this server, in ``_scheduler/jobs``."""
    server.made("/a", "/b")
    server.json("POST", "/_replicate", {"source": "a", "target": "b", "continuous": True})
    [job] = server.json("GET", "/_scheduler/jobs")["jobs"]
    server.json("POST", "/_replicate", {"source": "a", "target": "b", "continuous": True, "cancel": True})
    return str(job["source"])


def ids_after_a_plus(server: Server) -> list[str]:
    server.made("/db", "/db/a+b", json={})
    return [row["id"] for row in server.json("GET", "/db/_all_docs")["rows"]]


def rewritten(server: Server, *rewrites: dict[str, str]) -> int:
    server.made("/db").made("/db/_design/d", json={"rewrites": list(rewrites)})
    return server.status("GET", "/db/_design/d/_rewrite/x")


def location(server: Server, name: str, value: str) -> str | None:
    headers = {"Host": "couch.example", name: value}
    return server.made("/db").header("Location", "PUT", "/db/doc", json=None, data="{}", headers=headers)


def preflight(server: Server, answer: str, method: str = "PUT", asked: str = "") -> str | None:
    headers = {**PAGE, "Access-Control-Request-Method": method}
    if asked:
        headers["Access-Control-Request-Headers"] = asked
    return server.header(answer, "OPTIONS", "/db", NOBODY, headers=headers)


def attachment_policy(server: Server) -> str | None:
    server.made("/db").made("/db/doc/a", json={})
    return server.header(CSP, "GET", "/db/doc/a")


def show_policy(server: Server) -> str | None:
    server.made("/db").made("/db/_design/d", json={"shows": {"s": "function () { return 'x'; }"}})
    return server.header(CSP, "GET", "/db/_design/d/_show/s")


def utils_policy(server: Server) -> str | None:
    with TemporaryDirectory() as folder:
        Path(folder, "index.html").write_text("Fauxton", "utf-8")
        server.fake.serve_fauxton(folder)
        return server.header(CSP, "GET", "/_utils/", NOBODY)


def statuses(server: Server, login: Any = NOBODY) -> tuple[int, int]:
    return server.status("GET", "/", login=login), server.status("GET", "/_up", login=login)


PROBES = [
    Probe(ADMIN_ONLY_ALL_DBS, "false", lambda server: server.status("GET", "/_all_dbs", login=NOBODY), 401, 200),
    Probe(
        ALLOW_JSONP,
        "true",
        lambda server: server.header("Content-Type", "GET", "/?callback=f"),
        "application/json",
        "application/javascript",
    ),
    Probe(
        AUTHENTICATION_HANDLERS,
        "{chttpd_auth, default_authentication_handler}",
        lambda server: server.json("GET", "/_session")["info"]["authentication_handlers"],
        ["cookie", "default"],
        ["default"],
    ),
    Probe(BIND_ADDRESS, "::1", name_of_a_local_source, "http://127.0.0.1:5984/a/", "http://[::1]:5984/a/"),
    Probe(PORT, "80", name_of_a_local_source, "http://127.0.0.1:5984/a/", "http://127.0.0.1:80/a/"),
    Probe(CHANGES_TIMEOUT, "5", lambda server: feed_timeout(90000, None, server.fake.node.config), 60.0, 0.005),
    Probe(DECODE_PLUS_TO_SPACE, "false", ids_after_a_plus, ["a b"], ["a+b"]),
    Probe(
        ENABLE_CORS,
        "true",
        lambda server: server.header("Access-Control-Allow-Origin", "GET", "/", headers=PAGE),
        None,
        "http://app.example",
        {"cors": {"origins": "http://app.example"}},
    ),
    Probe(ENABLE_XFRAME_OPTIONS, "true", lambda server: server.header("X-Frame-Options", "GET", "/"), None, "DENY"),
    Probe(
        MAX_DB_NUMBER_FOR_DBS_INFO_REQ,
        "1",
        lambda server: server.status("POST", "/_dbs_info", {"keys": ["a", "b"]}),
        200,
        400,
    ),
    Probe(
        MAX_HTTP_REQUEST_SIZE, "20", lambda server: server.made("/db").status("PUT", "/db/a", {"n": "x" * 20}), 201, 413
    ),
    Probe(MAX_URI_LENGTH, "20", lambda server: server.status("GET", "/_up?" + "x" * 20), 200, 414),
    Probe(
        PREFER_MINIMAL,
        "Server",
        lambda server: server.header("Content-Type", "GET", "/", headers={"Prefer": "return=minimal"}),
        "application/json",
        None,
    ),
    Probe(REQUIRE_VALID_USER, "true", statuses, (200, 200), (401, 401)),
    Probe(REQUIRE_VALID_USER_EXCEPT_FOR_UP, "true", statuses, (200, 200), (401, 200)),
    Probe(
        REWRITE_LIMIT,
        "1",
        lambda server: rewritten(
            server, {"from": "x", "to": "_rewrite/y"}, {"from": "y", "to": "_rewrite/z"}, {"from": "z", "to": "../.."}
        ),
        200,
        400,
    ),
    Probe(
        SECURE_REWRITES,
        "false",
        lambda server: rewritten(server, {"from": "x", "to": "../../../_all_dbs"}),
        500,
        200,
    ),
    Probe(
        VHOST_GLOBAL_HANDLERS,
        "_utils",
        lambda server: server.made("/db").status("GET", "/_uuids", headers={"Host": "shop.example"}),
        200,
        404,
        {"vhosts": {"shop.example": "/db"}},
    ),
    Probe(
        WWW_AUTHENTICATE,
        'Basic realm="shop"',
        lambda server: server.header("WWW-Authenticate", "GET", "/_all_dbs", NOBODY),
        None,
        'Basic realm="shop"',
    ),
    Probe(
        X_FORWARDED_HOST,
        "X-Own",
        lambda server: location(server, "X-Own", "shop.example"),
        "http://couch.example/db/doc",
        "http://shop.example/db/doc",
    ),
    Probe(
        X_FORWARDED_PROTO,
        "X-Own",
        lambda server: location(server, "X-Own", "https"),
        "http://couch.example/db/doc",
        "https://couch.example/db/doc",
    ),
    Probe(
        X_FORWARDED_SSL,
        "X-Own",
        lambda server: location(server, "X-Own", "on"),
        "http://couch.example/db/doc",
        "https://couch.example/db/doc",
    ),
    Probe(
        CORS_CREDENTIALS,
        "true",
        lambda server: server.header("Access-Control-Allow-Credentials", "GET", "/", headers=PAGE),
        None,
        "true",
        CORS,
    ),
    Probe(
        CORS_EXPOSED_HEADERS,
        "X-One",
        lambda server: "x-one" in str(server.header("Access-Control-Expose-Headers", "GET", "/", headers=PAGE)),
        False,
        True,
        CORS,
    ),
    Probe(
        CORS_HEADERS,
        "X-One",
        lambda server: preflight(server, "Access-Control-Allow-Headers", asked="x-one"),
        None,
        "x-one",
        CORS,
    ),
    Probe(CORS_MAX_AGE, "42", lambda server: preflight(server, "Access-Control-Max-Age"), "600", "42", CORS),
    Probe(
        CORS_METHODS,
        "GET, PATCH",
        lambda server: preflight(server, "Access-Control-Allow-Methods", "PATCH"),
        None,
        "GET, PATCH",
        CORS,
    ),
    Probe(
        CORS_ORIGINS,
        "http://app.example",
        lambda server: server.header("Access-Control-Allow-Origin", "GET", "/", headers=PAGE),
        None,
        "http://app.example",
        {"chttpd": {"enable_cors": "true"}},
    ),
    Probe(CSP_ATTACHMENTS_ENABLE, "false", attachment_policy, "sandbox", None),
    Probe(CSP_ATTACHMENTS_HEADER_VALUE, "default-src 'none'", attachment_policy, "sandbox", "default-src 'none'"),
    Probe(CSP_SHOWLIST_ENABLE, "false", show_policy, "sandbox", None),
    Probe(CSP_SHOWLIST_HEADER_VALUE, "default-src 'none'", show_policy, "sandbox", "default-src 'none'"),
    Probe(CSP_UTILS_ENABLE, "false", utils_policy, UTILS_POLICY, None),
    Probe(CSP_UTILS_HEADER_VALUE, "default-src 'none'", utils_policy, UTILS_POLICY, "default-src 'none'"),
    Probe(
        X_FRAME_HOSTS,
        "http://couch.example",
        lambda server: server.header("X-Frame-Options", "GET", "/", headers={"Host": "couch.example"}),
        "DENY",
        "ALLOW-FROM http://couch.example",
        FRAMES,
    ),
    Probe(
        X_FRAME_SAME_ORIGIN,
        "true",
        lambda server: server.header("X-Frame-Options", "GET", "/"),
        "DENY",
        "SAMEORIGIN",
        FRAMES,
    ),
]
