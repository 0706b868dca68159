"""The session cookie."""

from __future__ import annotations

import base64

import pytest

from couchfake.auth import cookies
from couchfake.config import Config
from couchfake.errors import BadRequest

KEY = cookies.key_of("secret", "salt")


def value_of(header: str) -> str:
    return header.partition(";")[0].partition("=")[2]


def test_an_issued_cookie_is_genuine_and_names_the_user() -> None:
    config = Config()
    session = cookies.parse(value_of(cookies.issue(config, 1000.9, "Ångström", KEY, secure=False)))
    assert (session.user, session.issued) == ("Ångström", 1000)
    assert cookies.is_genuine(config, session, KEY)
    assert not cookies.is_genuine(config, session, cookies.key_of("secret", "other salt"))


def test_the_attributes_come_in_the_servers_order() -> None:
    config = Config({"chttpd_auth": {"cookie_domain": "example.org", "same_site": "strict", "timeout": "60"}})
    header = cookies.issue(config, 0.0, "x", KEY, secure=True)
    assert header.split("; ")[1:] == [
        "Version=1",
        "Expires=Thu, 01-Jan-1970 00:01:00 GMT",
        "Max-Age=60",
        "Secure",
        "Domain=example.org",
        "Path=/",
        "HttpOnly",
        "SameSite=Strict",
    ]


def test_without_persistence_there_is_no_expiry_and_a_bogus_same_site_is_omitted() -> None:
    config = Config({"chttpd_auth": {"allow_persistent_cookies": "false", "same_site": "bogus"}})
    assert cookies.clear(config, 0.0, secure=False) == "AuthSession=; Version=1; Path=/; HttpOnly"


def test_the_first_hash_algorithm_signs_and_all_are_accepted() -> None:
    old = Config({"chttpd_auth": {"hash_algorithms": "sha"}})
    session = cookies.parse(value_of(cookies.issue(old, 1000, "x", KEY, secure=False)))
    assert len(session.signature) == 20
    assert cookies.is_genuine(Config(), session, KEY)
    assert not cookies.is_genuine(Config({"chttpd_auth": {"hash_algorithms": "sha256"}}), session, KEY)


@pytest.mark.parametrize("value", ["garbage", "YWRtOjEyMw", "ä", "!!!!", "A"])
def test_a_malformed_cookie_is_a_bad_request(value: str) -> None:
    with pytest.raises(BadRequest, match="Malformed AuthSession cookie"):
        cookies.parse(value)


def test_a_time_that_is_not_a_number_makes_no_session() -> None:
    session = cookies.parse(base64.urlsafe_b64encode(b"adm:ZZZZ:abc:def").decode().rstrip("="))
    assert (session.issued, session.signature) == (None, b"abc:def")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (None, ""),
        ("AuthSession=abc", "abc"),
        ("theme=dark; AuthSession=abc; lang=en", "abc"),
        ('AuthSession="abc"', "abc"),
        ("authsession=abc", ""),
        ("AuthSession=", ""),
        ("XAuthSession=abc", ""),
    ],
)
def test_the_cookie_is_found_among_others(header: str | None, value: str) -> None:
    assert cookies.cookie_value(header) == value


def test_each_server_makes_its_own_secret_and_keeps_it() -> None:
    one, two = Config(), Config()
    assert cookies.ensure_secret(one) == cookies.ensure_secret(one)
    assert cookies.ensure_secret(one) != cookies.ensure_secret(two)
