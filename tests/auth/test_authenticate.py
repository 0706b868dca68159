"""Handlers, their order, and what they answer to wrong credentials."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Any

import pytest

from couchfake.auth.authenticate import Presented
from couchfake.auth.permissions import ANONYMOUS
from couchfake.errors import BadRequest, CouchError, Forbidden, Unauthorized

BASIC, COOKIE = "{chttpd_auth, default_authentication_handler}", "{chttpd_auth, cookie_authentication_handler}"


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def session(server: Any, name: str) -> str:
    header = server.authenticator.session_cookie(name, Presented("POST", ["_session"], lambda _: None))
    return str(header.partition(";")[0])


def test_names_of_every_kind_log_in_with_basic_credentials(server: Any) -> None:
    for name in ("ann", "first.last@example.org", "a+plus/slash", "Ångström", "日本"):
        server.put(name, {"password": "pw:with:colons", "roles": ["x"]})
        user = server.who(authorization=basic(name, "pw:with:colons"))
        assert (user.name, user.roles, user.handler) == (name, ("x",), "default")


def test_an_admin_logs_in(server: Any) -> None:
    assert server.who(authorization=basic("adm", "pass")).is_server_admin


@pytest.mark.parametrize("header", [basic("adm", "wrong"), basic("nobody", "x"), basic("adm", ""), "Basic //86eA=="])
def test_wrong_credentials_end_the_request(server: Any, header: str) -> None:
    with pytest.raises(Unauthorized, match="Name or password is incorrect"):
        server.who(authorization=header)


@pytest.mark.parametrize("header", ["Basic", "Basic ", "Bearer abc", basic("_", "_"), "Basic YWJj", "Digest x"])
def test_a_malformed_credential_counts_as_none(server: Any, header: str) -> None:
    assert server.who(authorization=header) == ANONYMOUS


def test_broken_base64_is_a_bad_request(server: Any) -> None:
    with pytest.raises(BadRequest, match="invalid base64"):
        server.who(authorization="Basic ?")


def test_a_session_cookie_comes_before_basic_credentials(server: Any) -> None:
    server.put("ann", {"password": "pw"})
    user = server.who(cookie=session(server, "ann"), authorization=basic("adm", "wrong"))
    assert (user.name, user.handler) == ("ann", "cookie")


def test_a_forged_cookie_counts_as_none(server: Any) -> None:
    session(server, "adm")
    forged = "AuthSession=" + base64.urlsafe_b64encode(b"adm:7FFFFFFF:forged").decode()
    assert server.who(cookie=forged) == ANONYMOUS
    assert server.who(cookie=forged, authorization=basic("adm", "pass")).name == "adm"


def test_a_session_is_prolonged_after_a_tenth_of_its_time_and_ends_with_it(server: Any) -> None:
    server.put("ann", {"password": "pw"})
    cookie = session(server, "ann")
    server.now += 59
    assert server.who(cookie=cookie).renewed_cookie is None
    server.now += 2
    renewed = server.who(cookie=cookie).renewed_cookie
    assert renewed is not None
    server.now += 538
    assert server.who(cookie=cookie).name == "ann"
    server.now += 1
    assert server.who(cookie=cookie) == ANONYMOUS
    assert server.who(cookie=renewed.partition(";")[0]).name == "ann"


def test_a_new_password_ends_older_sessions(server: Any) -> None:
    rev = server.put("ann", {"password": "pw"})
    cookie = session(server, "ann")
    server.put("ann", {"password": "pw"}, rev)
    assert server.who(cookie=cookie) == ANONYMOUS


def test_a_cookie_of_another_server_counts_as_none(server: Any, make_server: Callable[..., Any]) -> None:
    other = make_server()
    session(other, "adm")
    assert other.who(cookie=session(server, "adm")) == ANONYMOUS


def test_a_login_upgrades_a_weak_hash(server: Any) -> None:
    server.put("ann", {"password_scheme": "simple", "salt": "ff", "password_sha": "x"})
    ready = {
        "password_scheme": "pbkdf2",
        "iterations": 10,
        "salt": "00112233445566778899aabbccddeeff",
        "derived_key": "41b53497db7a20cf5e3e6aae916358fe3e16a6d1",
    }
    server.put("bob", ready)
    assert server.who(authorization=basic("bob", "apple")).name == "bob"
    assert server.document("bob")["pbkdf2_prf"] == "sha256"
    assert server.who(authorization=basic("bob", "apple")).name == "bob"


def test_without_admins_everybody_is_admin(make_server: Callable[..., Any]) -> None:
    server = make_server(admins={})
    user = server.who()
    assert (user.name, user.roles, user.handler) == (None, ("_admin",), "default")


def test_a_valid_user_can_be_required_but_for_logging_in_and_up(server: Any, make_server: Callable[..., Any]) -> None:
    server.config.set("chttpd", "require_valid_user", "true")
    for path in ("db", "_up"):
        with pytest.raises(Unauthorized, match="Authentication required"):
            server.who(path=path)
    assert server.who(method="POST", path="_session") == ANONYMOUS
    assert server.who(path="db", authorization=basic("adm", "pass")).name == "adm"
    server.config.set("chttpd", "require_valid_user", "false")
    server.config.set("chttpd", "require_valid_user_except_for_up", "true")
    assert server.who(path="_up") == ANONYMOUS
    with pytest.raises(Unauthorized):
        server.who(path="db")
    with pytest.raises(Unauthorized):
        make_server(admins={}, chttpd={"require_valid_user": "true"}).who(path="db")


def test_proxy_headers_mean_nothing_until_switched_on(server: Any) -> None:
    headers = {"x_auth_couchdb_username": "ann", "x_auth_couchdb_roles": "a, b"}
    assert server.who(**headers) == ANONYMOUS
    server.config.set("chttpd", "authentication_handlers", "{chttpd_auth, proxy_authentication_handler}, " + BASIC)
    assert server.authenticator.handler_names() == ["proxy", "default"]
    user = server.who(**headers)
    assert (user.name, user.roles, user.handler) == ("ann", ("a", "b"), "proxy")
    assert server.who(**{**headers, "x_auth_couchdb_roles": "a,,b,,"}).roles == ("a", "", "b")
    server.config.set("chttpd_auth", "proxy_use_secret", "true")
    server.config.set("chttpd_auth", "secret", "s")
    assert server.who(**headers) == ANONYMOUS
    token = hmac.new(b"s", b"ann", "sha256").hexdigest()
    assert server.who(**headers, x_auth_couchdb_token=token).name == "ann"


def test_tokens_mean_nothing_until_switched_on(server: Any) -> None:
    assert server.who(authorization="Bearer nonsense") == ANONYMOUS
    server.config.set("chttpd", "authentication_handlers", "{chttpd_auth, jwt_authentication_handler}, " + BASIC)
    with pytest.raises(BadRequest, match="Malformed token"):
        server.who(authorization="Bearer nonsense")


def test_only_configured_handlers_are_asked(server: Any) -> None:
    server.config.set("chttpd", "authentication_handlers", COOKIE)
    assert server.who(authorization=basic("adm", "wrong")) == ANONYMOUS


def test_too_many_wrong_passwords_lock_the_account_for_that_peer(server: Any) -> None:
    rev = server.put("ann", {"password": "pw"})
    server.config.set("chttpd_auth_lockout", "threshold", "2")
    for wrong in ("a", "b"):
        with pytest.raises(Unauthorized):
            server.who(authorization=basic("ann", wrong))
    with pytest.raises(Forbidden, match="Account is temporarily locked"):
        server.who(authorization=basic("ann", "pw"))
    assert server.who(authorization=basic("ann", "pw"), peer="10.0.0.8").name == "ann"
    assert server.who(authorization=basic("adm", "pass")).name == "adm"
    server.config.set("chttpd_auth_lockout", "mode", "warn")
    assert server.who(authorization=basic("ann", "pw")).name == "ann"
    server.config.set("chttpd_auth_lockout", "mode", "enforce")
    server.put("ann", {"password": "new"}, rev)
    assert server.who(authorization=basic("ann", "new")).name == "ann"


def test_a_lock_ends_after_its_time(server: Any) -> None:
    server.config.set("chttpd_auth_lockout", "threshold", "1")
    with pytest.raises(Unauthorized):
        server.who(authorization=basic("adm", "x"))
    with pytest.raises(Forbidden):
        server.who(authorization=basic("adm", "pass"))
    server.now += 300
    assert server.who(authorization=basic("adm", "pass")).name == "adm"


def test_nothing_is_counted_where_locks_are_off(server: Any) -> None:
    server.config.set("chttpd_auth_lockout", "mode", "off")
    for _ in range(9):
        with pytest.raises(Unauthorized):
            server.who(authorization=basic("adm", "x"))
    server.config.set("chttpd_auth_lockout", "mode", "enforce")
    assert server.who(authorization=basic("adm", "pass")).name == "adm"


def test_rounds_out_of_bounds_are_refused_even_for_a_password_known_to_be_right(server: Any) -> None:
    server.put("ann", {"password": "pw"})
    assert server.who(authorization=basic("ann", "pw")).name == "ann"
    server.config.set("chttpd_auth", "min_iterations", "11")
    with pytest.raises(CouchError) as refused:
        server.who(authorization=basic("ann", "pw"))
    assert refused.value.reason == "Iteration count is too low for this server"


def test_users_with_one_time_passwords_log_in_with_a_token_only(server: Any) -> None:
    key = base64.b32encode(b"12345678901234567890").decode()
    server.put("ann", {"password": "pw", "totp": {"key": key, "length": 8}})
    server.now = 59.0  # of the examples in RFC 6238
    presented = Presented("POST", ["_session"], lambda _: None)
    with pytest.raises(Unauthorized):
        server.who(authorization=basic("ann", "pw"))
    with pytest.raises(Unauthorized):
        server.authenticator.login("ann", b"pw", presented, "00000000")
    assert server.authenticator.login("ann", b"pw", presented, "94287082") == ()
