"""Logging in and out over HTTP, and how the server tells people to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from couchfake.app import CouchFake
from couchfake.settings import ADMINS, SECRET


def login(client: Any, name: str, password: str, path: str = "/_session", **options: Any) -> Any:
    return client("POST", path, json={"name": name, "password": password}, **options)


def cookie_of(answer: Any) -> dict[str, str]:
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def test_a_session_by_json_and_by_form(anonymous: Any, add_user: Any) -> None:
    add_user("ann", "pä ss", ("staff",))
    for options in ({"json": {"name": "ann", "password": "pä ss"}}, {"data": {"username": "ann", "password": "pä ss"}}):
        answer = anonymous("POST", "/_session", **options)
        assert answer.json() == {"ok": True, "name": "ann", "roles": ["staff"]}
        who = anonymous.json("GET", "/_session", headers=cookie_of(answer))
        assert who["userCtx"] == {"name": "ann", "roles": ["staff"]}
        assert who["info"]["authenticated"] == "cookie"


def test_a_wrong_password_clears_the_cookie(anonymous: Any) -> None:
    answer = login(anonymous, "adm", "wrong")
    assert answer.status_code == 401
    assert answer.headers["Set-Cookie"].startswith("AuthSession=; ")


def test_logging_out_clears_the_cookie_at_the_client_only(anonymous: Any) -> None:
    cookie = cookie_of(login(anonymous, "adm", "pass"))
    answer = anonymous("DELETE", "/_session", headers=cookie)
    assert answer.headers["Set-Cookie"].startswith("AuthSession=; ")
    assert anonymous.json("GET", "/_session", headers=cookie)["userCtx"]["name"] == "adm"


def test_a_session_is_prolonged_with_any_answer() -> None:
    now = [1000.0]
    fake = CouchFake(admins={"adm": "pass"}, clock=lambda: now[0])
    session = fake.session()
    url = fake.url.rstrip("/")
    session.post(url + "/_session", json={"name": "adm", "password": "pass"}).raise_for_status()
    first = session.cookies["AuthSession"]
    assert "Set-Cookie" not in session.get(url + "/_all_dbs").headers
    now[0] += 100
    assert session.get(url + "/_all_dbs").status_code == 200
    assert session.cookies["AuthSession"] != first


def test_after_login_one_is_sent_where_one_wanted(anonymous: Any) -> None:
    answer = login(anonymous, "adm", "pass", "/_session?next=/some/where")
    assert (answer.status_code, answer.headers["Location"]) == (302, anonymous.fake.url + "some/where")
    answer = login(anonymous, "adm", "wrong", "/_session?next=/good&fail=/bad")
    assert (answer.status_code, answer.headers["Location"]) == (302, anonymous.fake.url + "bad")
    answer = login(anonymous, "adm", "pass", "/_session?next=//evil.example")
    assert answer.headers["Location"].startswith(anonymous.fake.url)
    assert login(anonymous, "adm", "pass", "/_session?next=http://evil.example").status_code == 400


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"json": {}}, "400 bad_request: request body must contain a username"),
        ({"json": {"name": "a", "username": "b"}}, "400 bad_request: request body contains different usernames"),
        ({"data": "{", "headers": {"Content-Type": "application/json"}}, "400 bad_request: invalid UTF-8 JSON"),
        (
            {"data": "x", "headers": {"Content-Type": "text/plain"}},
            "415 bad_content_type: Content-Type must be 'application/x-www-form-urlencoded' or 'application/json'",
        ),
        ({"json": {"name": 1, "password": "x"}}, "500 unknown_error: badarg"),
        ({"json": {"name": "adm", "password": "pass", "more": None}}, "500 unknown_error: badarg"),
        ({"data": "null", "headers": {"Content-Type": "application/json"}}, "500 unknown_error: badmatch"),
        ({"json": []}, "500 badmatch: "),
        ({"json": ["a", "b"]}, "500 badmatch: ab"),
        ({"json": 5}, "500 badmatch: 5"),
        ({"json": "x"}, "500 badmatch: x"),
    ],
)
def test_bodies_that_name_nobody(anonymous: Any, options: dict[str, Any], expected: str) -> None:
    assert anonymous.refusal("POST", "/_session", **options) == expected


def test_an_anonymous_caller_may_be_asked_to_log_in(anonymous: Any, admin: Any) -> None:
    assert anonymous.refusal("GET", "/_session?basic=true") == "401 unauthorized: Please login."
    assert admin("GET", "/_session?basic=true").status_code == 200


def test_a_challenge_is_sent_if_configured_or_requested(anonymous: Any) -> None:
    assert "WWW-Authenticate" not in anonymous("GET", "/_all_dbs").headers
    asked = anonymous("GET", "/_all_dbs", headers={"X-CouchDB-WWW-Authenticate": "Cookie"})
    assert asked.headers["WWW-Authenticate"] == "Cookie"
    anonymous.set("chttpd", "WWW-Authenticate", 'Basic realm="here"')
    assert anonymous("GET", "/_all_dbs").headers["WWW-Authenticate"] == 'Basic realm="here"'


def test_a_browser_is_sent_to_a_login_page(anonymous: Any) -> None:
    answer = anonymous("GET", "/_all_dbs", headers={"Accept": "text/html"})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(anonymous.fake.url + "_utils/session.html?return=%2F_all_dbs&")
    assert anonymous("GET", "/_all_dbs", headers={"Accept": "text/html,*/*"}).status_code == 401


def test_a_valid_user_can_be_required(anonymous: Any, admin: Any) -> None:
    anonymous.set("chttpd", "require_valid_user", "true")
    assert anonymous.refusal("GET", "/") == "401 unauthorized: Authentication required."
    assert anonymous("GET", "/").headers["WWW-Authenticate"] == 'Basic realm="server"'
    assert admin("GET", "/").status_code == 200
    assert login(anonymous, "adm", "pass").status_code == 200


def test_no_password_secret_or_hash_gets_into_a_log_or_an_error(
    anonymous: Any, admin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        login(anonymous, "adm", "hunter2"),
        anonymous("GET", "/", auth=("adm", "hunter2")),
        login(anonymous, "adm", "pass"),
        admin("PUT", "/_users/org.couchdb.user:ann", json={"name": "ann", "password": "hunter2"}),
        admin("PUT", "/_node/_local/_config/admins/x%0A", json="hunter2"),
    ]
    secret = admin.fake.node.config[SECRET]
    texts = [caplog.text, *(answer.text for answer in answers)]
    for hidden in ("hunter2", secret, admin.fake.node.config.entry(ADMINS, "adm")):
        assert hidden
        assert not any(hidden in text for text in texts)


def test_a_form_may_part_its_members_by_semicolons(anonymous: Any, add_user: Any) -> None:
    add_user("ann", "pw")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert anonymous("POST", "/_session", data="name=ann;password=pw", headers=headers).status_code == 200


def test_a_password_that_was_changed_is_no_longer_taken(admin: Any, add_user: Callable[..., Any]) -> None:
    ada = add_user("ada", "old")
    document = "/_users/org.couchdb.user:ada"
    for _ in range(2):
        assert ada.json("GET", "/_session")["userCtx"]["name"] == "ada"
    stored = admin.json("GET", document)
    admin.json("PUT", document, {**stored, "password": "new", "roles": ["poet"]}, 201)
    assert ada("GET", "/_session").status_code == 401
    again = type(ada)(ada.fake, ("ada", "new"))
    assert again.json("GET", "/_session")["userCtx"]["roles"] == ["poet"]
    admin.json("DELETE", f"{document}?rev={admin.json('GET', document)['_rev']}", status=200)
    assert again("GET", "/_session").status_code == 401


def test_a_locked_account_is_locked_for_the_right_password_too(admin: Any, add_user: Callable[..., Any]) -> None:
    ada = add_user("ada", "right")
    assert ada("GET", "/_session").status_code == 200
    wrong = type(ada)(ada.fake, ("ada", "wrong"))
    for _ in range(5):
        assert wrong("GET", "/_session").status_code == 401
    assert ada("GET", "/_session").status_code == 403


def test_a_former_admin_is_refused_at_once(admin: Any) -> None:
    admin.set("admins", "eve", "pw")
    eve = type(admin)(admin.fake, ("eve", "pw"))
    assert eve("GET", "/_all_dbs").status_code == 200
    admin.json("DELETE", "/_node/_local/_config/admins/eve", status=200)
    assert eve("GET", "/_all_dbs").status_code == 401
