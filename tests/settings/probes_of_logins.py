"""Probes of what decides who a user is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from couchfake.settings import (
    ALLOW_CONFLICTED_USER_DOCS,
    ALLOW_PERSISTENT_COOKIES,
    AUTHENTICATION_DB,
    AUTHENTICATION_REDIRECT,
    COOKIE_DOMAIN,
    HASH_ALGORITHMS,
    ITERATIONS,
    LOCKOUT_MAX_LIFETIME,
    LOCKOUT_MODE,
    LOCKOUT_THRESHOLD,
    MAX_ITERATIONS,
    MIN_ITERATIONS,
    PASSWORD_REGEXP,
    PASSWORD_SCHEME,
    PBKDF2_PRF,
    PERUSER_DATABASE_PREFIX,
    PERUSER_DELETE_DBS,
    PERUSER_ENABLE,
    PERUSER_Q,
    PROXY_USE_SECRET,
    PUBLIC_FIELDS,
    REQUIRED_CLAIMS,
    ROLES_CLAIM_NAME,
    ROLES_CLAIM_PATH,
    SAME_SITE,
    SECRET,
    TIMEOUT,
    UPGRADE_HASH_ON_AUTH,
    USERS_DB_SECURITY_EDITABLE,
    X_AUTH_ROLES,
    X_AUTH_TOKEN,
    X_AUTH_USERNAME,
)

from .probing import ANN, NOBODY, Probe, Server

USER = "/_users/org.couchdb.user:ann"
BASIC = "{chttpd_auth, default_authentication_handler}"
PROXY = {"chttpd": {"authentication_handlers": "{chttpd_auth, proxy_authentication_handler}, " + BASIC}}
SIGNED_PROXY = {**PROXY, "chttpd_auth": {"proxy_use_secret": "true", "secret": "s"}}
TOKENS = {
    "chttpd": {"authentication_handlers": "{chttpd_auth, jwt_authentication_handler}, " + BASIC},
    "jwt_keys": {"hmac:_default": base64.b64encode(b"key").decode()},
}
OPEN = {"couchdb": {"default_security": "everyone"}}
PERUSER = {"couch_peruser": {"enable": "true"}}
WEAK = {"password_scheme": "simple", "salt": "ab", "password_sha": hashlib.sha1(b"pwab").hexdigest()}


def login(server: Server) -> int:
    return server.status("GET", "/_session", login=ANN)


def cookie(server: Server) -> str:
    """The header that sets the cookie of a new session."""
    answer = server.with_user()("POST", "/_session", {"name": "ann", "password": "pw"}, NOBODY)
    return answer.headers["Set-Cookie"]


def attribute(server: Server, name: str) -> str | None:
    pairs = [part.partition("=") for part in cookie(server).split("; ")]
    return next((value for key, _, value in pairs if key == name), None)


def signature_length(server: Server) -> int:
    value = cookie(server).partition(";")[0].partition("=")[2]
    return len(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).split(b":", 2)[2])


def stored(server: Server, member: str) -> Any:
    return server.with_user().json("GET", USER).get(member)


def login_with_conflict(server: Server) -> int:
    document = {**server.with_user().json("GET", USER), "_rev": "1-ffffffffffffffffffffffffffffffff"}
    assert server.status("POST", "/_users/_bulk_docs", {"docs": [document], "new_edits": False}) == 201
    return login(server)


def login_of_another_database(server: Server) -> int:
    server.made("/people")
    document = {"name": "ann", "type": "user", "roles": [], **WEAK}
    assert server.status("PUT", "/people/org.couchdb.user:ann", document) == 201
    return login(server)


def scheme_after_login(server: Server) -> Any:
    document = {"name": "ann", "type": "user", "roles": [], **WEAK}
    server.json("POST", "/_users/_bulk_docs", {"docs": [{"_id": USER[8:], **document}]})
    assert login(server) == 200
    return server.json("GET", USER)["password_scheme"]


def page_to_log_in(server: Server) -> str:
    answer = server("GET", "/_all_dbs", login=NOBODY, headers={"Accept": "text/html", "Host": "couch.example"})
    return answer.headers["Location"].partition("?")[0]


def new_user(server: Server) -> int:
    document = {"name": "ann", "type": "user", "roles": [], "password": "pw"}
    return server.status("PUT", USER, document)


def through_proxy(server: Server, **headers: str) -> list[str | None]:
    """The name and roles of a user whom a proxy vouches for."""
    given = {"X-Auth-CouchDB-UserName": "ann", **{name.replace("_", "-"): value for name, value in headers.items()}}
    context = server.json("GET", "/_session", login=NOBODY, headers=given)["userCtx"]
    return [context["name"], *context["roles"]]


def token(**claims: Any) -> str:
    parts = [json.dumps(each).encode() for each in ({"alg": "HS256", "typ": "JWT"}, {"sub": "ann", **claims})]
    message = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mac = base64.urlsafe_b64encode(hmac.digest(b"key", message, "sha256")).rstrip(b"=")
    return (message + b"." + mac).decode()


def with_token(server: Server, **claims: Any) -> Any:
    headers = {"Authorization": f"Bearer {token(**claims)}"}
    answer = server.json("GET", "/_session", login=NOBODY, headers=headers)
    return answer.get("reason") or answer["userCtx"]["roles"]


def after_failures(server: Server, count: int = 1, wait: float = 0.0) -> int:
    """The status of a right login after wrong ones, and some seconds."""
    server.with_user()
    for _ in range(count):
        assert server.status("GET", "/", login=("ann", "wrong")) == 401
    server.now += wait
    return login(server)


def own_databases(server: Server) -> list[str]:
    server.with_user()
    return [name for name in server.json("GET", "/_all_dbs") if not name.startswith("_")]


def own_databases_after_deletion(server: Server) -> list[str]:
    rev = server.with_user().json("GET", USER)["_rev"]
    assert server.status("DELETE", f"{USER}?rev={rev}") == 200
    return [name for name in server.json("GET", "/_all_dbs") if not name.startswith("_")]


PROBES = [
    Probe(ALLOW_CONFLICTED_USER_DOCS, "true", login_with_conflict, 401, 200),
    Probe(ALLOW_PERSISTENT_COOKIES, "false", lambda server: attribute(server, "Max-Age"), "600", None),
    Probe(AUTHENTICATION_DB, "people", login_of_another_database, 401, 200),
    Probe(
        AUTHENTICATION_REDIRECT,
        "/login",
        page_to_log_in,
        "http://couch.example/_utils/session.html",
        "http://couch.example/login",
    ),
    Probe(COOKIE_DOMAIN, "shop.example", lambda server: attribute(server, "Domain"), None, "shop.example"),
    Probe(HASH_ALGORITHMS, "sha", signature_length, 32, 20),
    Probe(ITERATIONS, "7", lambda server: stored(server, "iterations"), 10, 7),
    Probe(MAX_ITERATIONS, "9", new_user, 201, 403),
    Probe(MIN_ITERATIONS, "11", new_user, 201, 403),
    Probe(PASSWORD_REGEXP, '[{".{8,}", "Eight at least."}]', new_user, 201, 400),
    Probe(PASSWORD_SCHEME, "simple", lambda server: stored(server, "password_scheme"), "pbkdf2", "simple"),
    Probe(PBKDF2_PRF, "sha512", lambda server: stored(server, "pbkdf2_prf"), "sha256", "sha512"),
    Probe(PROXY_USE_SECRET, "true", through_proxy, ["ann"], [None], {**PROXY, "chttpd_auth": {"secret": "s"}}),
    Probe(PUBLIC_FIELDS, "name", lambda server: server.with_user().status("GET", USER, login=NOBODY), 404, 200, OPEN),
    Probe(SAME_SITE, "strict", lambda server: attribute(server, "SameSite"), None, "Strict"),
    Probe(
        SECRET,
        "t",
        lambda server: through_proxy(server, X_Auth_CouchDB_Token=hmac.new(b"t", b"ann", "sha256").hexdigest()),
        [None],
        ["ann"],
        SIGNED_PROXY,
    ),
    Probe(TIMEOUT, "60", lambda server: attribute(server, "Max-Age"), "600", "60"),
    Probe(UPGRADE_HASH_ON_AUTH, "false", scheme_after_login, "pbkdf2", "simple"),
    Probe(USERS_DB_SECURITY_EDITABLE, "true", lambda server: server.status("PUT", "/_users/_security", {}), 403, 200),
    Probe(X_AUTH_USERNAME, "X-Own", lambda server: through_proxy(server, X_Own="bob"), ["ann"], ["bob"], PROXY),
    Probe(X_AUTH_ROLES, "X-Own", lambda server: through_proxy(server, X_Own="a,b"), ["ann"], ["ann", "a", "b"], PROXY),
    Probe(
        X_AUTH_TOKEN,
        "X-Own",
        lambda server: through_proxy(server, X_Own=hmac.new(b"s", b"ann", "sha256").hexdigest()),
        [None],
        ["ann"],
        SIGNED_PROXY,
    ),
    Probe(LOCKOUT_MAX_LIFETIME, "1000", lambda server: after_failures(server, 5, wait=1), 403, 200),
    Probe(LOCKOUT_MODE, "warn", lambda server: after_failures(server, 5), 403, 200),
    Probe(LOCKOUT_THRESHOLD, "1", after_failures, 200, 403),
    Probe(PERUSER_ENABLE, "true", own_databases, [], ["userdb-616e6e"]),
    Probe(PERUSER_DATABASE_PREFIX, "of-", own_databases, ["userdb-616e6e"], ["of-616e6e"], PERUSER),
    Probe(PERUSER_DELETE_DBS, "true", own_databases_after_deletion, ["userdb-616e6e"], [], PERUSER),
    Probe(
        PERUSER_Q,
        "3",
        lambda server: server.with_user().json("GET", "/userdb-616e6e")["cluster"]["q"],
        1,
        3,
        PERUSER,
    ),
    Probe(REQUIRED_CLAIMS, '{iss, "me"}', lambda server: with_token(server, iss="me"), "Missing exp claim", [], TOKENS),
    Probe(ROLES_CLAIM_NAME, "groups", lambda server: with_token(server, exp=2e9, groups=["a"]), [], ["a"], TOKENS),
    Probe(
        ROLES_CLAIM_PATH,
        "deep.roles",
        lambda server: with_token(server, exp=2e9, deep={"roles": ["a"]}),
        [],
        ["a"],
        TOKENS,
    ),
]
