"""Requests from pages of other origins, and other headers that every answer may get."""

from __future__ import annotations

from typing import Any

import pytest

PAGE = {"Origin": "http://app.example"}
ALLOWED = "Access-Control-Allow-Origin"


@pytest.fixture
def open_to_page(anonymous: Any) -> Any:
    anonymous.set("chttpd", "enable_cors", "true")
    anonymous.set("cors", "origins", "http://app.example, https://other.example:8080")
    return anonymous


def test_without_cors_no_answer_speaks_of_origins(anonymous: Any) -> None:
    anonymous.set("cors", "origins", "*")
    assert ALLOWED not in anonymous("GET", "/_up", headers=PAGE).headers


@pytest.mark.parametrize("path", ["/_up", "/none", "/_all_dbs"])
def test_listed_origins_may_read_every_answer(open_to_page: Any, path: str) -> None:
    headers = open_to_page("GET", path, headers=PAGE).headers
    assert headers[ALLOWED] == "http://app.example"
    assert "etag" in headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("origin", ["http://evil.example", "http://APP.example", "http://app.example:80", "*"])
def test_other_origins_get_nothing(open_to_page: Any, origin: str) -> None:
    assert ALLOWED not in open_to_page("GET", "/_up", headers={"Origin": origin}).headers
    preflight = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    assert open_to_page("OPTIONS", "/", headers=preflight).status_code == 405


def test_a_preflight_needs_no_credentials_and_no_database(open_to_page: Any) -> None:
    asked = {**PAGE, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "Content-Type"}
    answer = open_to_page("OPTIONS", "/none/doc", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert "COPY" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Max-Age"] == "600"


@pytest.mark.parametrize(
    ("method", "headers"), [("PATCH", ""), ("get", ""), ("PUT", "x-foo"), ("PUT", "accept , etag")]
)
def test_a_preflight_for_more_is_an_ordinary_request(open_to_page: Any, method: str, headers: str) -> None:
    asked = {**PAGE, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    assert open_to_page("OPTIONS", "/", headers=asked).status_code == 405


def test_the_settings_of_cors_apply_and_those_of_the_host_before_them(open_to_page: Any) -> None:
    for key, value in {"credentials": "true", "methods": "GET, PUT", "headers": "X-Custom", "max_age": "42"}.items():
        open_to_page.set("cors", key, value)
    open_to_page.set("cors", "exposed_headers", "X-One")
    answer = open_to_page("GET", "/_up", headers=PAGE)
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Expose-Headers"] == "content-type, cache-control, x-one"
    asked = {**PAGE, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-custom"}
    headers = open_to_page("OPTIONS", "/", headers=asked).headers
    assert (headers["Access-Control-Allow-Methods"], headers["Access-Control-Max-Age"]) == ("GET, PUT", "42")
    host = open_to_page.fake.url.split("/")[2].partition(":")[0]
    open_to_page.set(f"cors:{host}", "max_age", "7")
    assert open_to_page("OPTIONS", "/", headers=asked).headers["Access-Control-Max-Age"] == "7"


def test_minimal_answers_have_the_configured_headers_only(admin: Any) -> None:
    admin("PUT", "/db")
    minimal = {"Prefer": "return=minimal"}
    answer = admin("PUT", "/db/doc", json={}, headers=minimal)
    assert "ETag" in answer.headers
    assert "Location" not in answer.headers
    assert "X-Couch-Request-ID" not in answer.headers
    admin.set("chttpd", "prefer_minimal", "Content-Type")
    assert "ETag" not in admin("GET", "/db/doc", headers=minimal).headers
    assert admin("GET", "/db/doc", headers=minimal).json()["_id"] == "doc"


def test_frames_are_denied_where_switched_on(anonymous: Any) -> None:
    assert "X-Frame-Options" not in anonymous("GET", "/").headers
    anonymous.set("chttpd", "enable_xframe_options", "true")
    assert anonymous("GET", "/").headers["X-Frame-Options"] == "DENY"
    anonymous.set("x_frame_options", "same_origin", "true")
    assert anonymous("GET", "/").headers["X-Frame-Options"] == "SAMEORIGIN"
    anonymous.set("x_frame_options", "same_origin", "false")
    anonymous.set("x_frame_options", "hosts", "*")
    assert anonymous("GET", "/").headers["X-Frame-Options"].startswith("ALLOW-FROM http://")


def test_a_request_keeps_the_id_that_it_came_with(anonymous: Any) -> None:
    answer = anonymous("GET", "/", headers={"X-Couch-Request-ID": "abc-123"})
    assert answer.headers["X-Couch-Request-ID"] == "abc-123"
    odd = anonymous("GET", "/", headers={"X-Couch-Request-ID": "not, an id"}).headers["X-Couch-Request-ID"]
    assert odd.isalnum()
