"""Hashing, comparing, and the rules for new passwords."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from couchfake.auth import passwords
from couchfake.config import Config
from couchfake.errors import BadRequest, CouchError, Forbidden

READY = {
    "password_scheme": "pbkdf2",
    "iterations": 10,
    "salt": "00112233445566778899aabbccddeeff",
    "derived_key": "41b53497db7a20cf5e3e6aae916358fe3e16a6d1",
}
OLD = {
    "password_scheme": "simple",
    "salt": "ffeeddccbbaa99887766554433221100",
    "password_sha": "08dd8e9fc154bb7fe66791d19b3397530f278bad",
}


@pytest.mark.parametrize(("stored", "right"), [(READY, b"apple"), (OLD, b"cherry")])
def test_hashes_made_elsewhere_are_honoured(stored: dict[str, Any], right: bytes) -> None:
    assert passwords.is_right(Config(), right, stored)
    assert not passwords.is_right(Config(), b"pear", stored)


def test_a_new_password_is_stored_as_a_derived_key_of_the_configured_rounds() -> None:
    config = Config({"chttpd_auth": {"iterations": "7"}})
    stored = passwords.hashed(config, "secret", "salt")
    assert list(stored) == ["password_scheme", "pbkdf2_prf", "salt", "iterations", "derived_key"]
    assert stored["derived_key"] == hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 7).hex()
    assert passwords.is_right(config, b"secret", stored)


def test_the_simple_scheme_can_be_configured() -> None:
    config = Config({"chttpd_auth": {"password_scheme": "simple"}})
    stored = passwords.hashed(config, "secret", "salt")
    assert list(stored) == ["password_scheme", "salt", "password_sha"]
    assert passwords.is_right(config, b"secret", stored)


@pytest.mark.parametrize(
    ("password", "quoted"), [(12345, "12345"), (True, "true"), (["x"], '[<<"x">>]'), ({"a": 1}, '{[{<<"a">>,1}]}')]
)
def test_a_password_that_is_not_a_string_is_quoted_and_refused(password: Any, quoted: str) -> None:
    with pytest.raises(Forbidden) as refused:
        passwords.hashed(Config(), password, "salt")
    assert refused.value.reason == f"Password value of '{quoted}' is invalid."


def test_few_rounds_are_the_default() -> None:
    assert passwords.hashed(Config(), "secret", "salt")["iterations"] <= 100


@pytest.mark.parametrize(
    ("setting", "iterations", "reason"),
    [
        ({"min_iterations": "11"}, 10, "Iteration count is too low for this server"),
        ({"max_iterations": "9"}, 10, "Iteration count is too high for this server"),
        ({}, "many", "Iteration count is too low for this server"),
    ],
)
def test_rounds_out_of_bounds_are_refused(setting: dict[str, str], iterations: Any, reason: str) -> None:
    with pytest.raises(Forbidden) as refused:
        passwords.check_parameters(Config({"chttpd_auth": setting}), {**READY, "iterations": iterations})
    assert refused.value.reason == reason


def test_a_document_without_password_lets_nobody_in() -> None:
    assert not passwords.is_right(Config(), b"", {"name": "x"})
    assert not passwords.is_right(Config(), b"", {"password_scheme": "pbkdf2", "salt": "s", "iterations": 1})
    assert not passwords.is_right(Config(), b"", {"password_scheme": "unknown"})


def test_an_admins_password_survives_its_trip_through_the_configuration() -> None:
    for scheme in ("pbkdf2", "simple"):
        config = Config({"chttpd_auth": {"password_scheme": scheme}})
        members = passwords.admin_members(passwords.hash_admin(config, "pa,ss-word"))
        assert members is not None
        assert passwords.is_right(config, b"pa,ss-word", members)
        assert not passwords.is_right(config, b"other", members)


def test_admins_hashed_by_older_servers_are_understood() -> None:
    key = hashlib.pbkdf2_hmac("sha1", b"secret", b"abc", 10).hex()
    assert passwords.is_right(Config(), b"secret", passwords.admin_members(f"-pbkdf2-{key},abc,10") or {})
    sha = hashlib.sha1(b"secretabc").hexdigest()
    assert passwords.is_right(Config(), b"secret", passwords.admin_members(f"-hashed-{sha},abc") or {})


def test_a_clear_password_in_the_configuration_lets_nobody_in() -> None:
    assert passwords.admin_members("secret") is None
    assert passwords.admin_members("") is None


RULES = r'[{".{8,}", "Eight at least."}, "[0-9]+", {"\\d\"?"}, {"^[^ ]*$", nonsense}]'


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short1", "Password does not conform to requirements. Eight at least."),
        ("longenough", "Password does not conform to requirements."),
        ("long enough 1", "Password does not conform to requirements."),
        ("longenough1", None),
    ],
)
def test_every_configured_expression_must_match(password: str, reason: str | None) -> None:
    config = Config({"chttpd_auth": {"password_regexp": RULES}})
    if reason is None:
        passwords.check_conformance(config, password)
        return
    with pytest.raises(BadRequest) as refused:
        passwords.check_conformance(config, password)
    assert refused.value.reason == reason


@pytest.mark.parametrize("setting", ["nonsense", '[{".{10,}"]', '{{".{10,}"}}', "[atom]", '["a" "b"]', '["("]'])
def test_rules_that_cannot_be_read_stop_all_hashing(setting: str) -> None:
    with pytest.raises(CouchError) as refused:
        passwords.check_conformance(Config({"chttpd_auth": {"password_regexp": setting}}), "whatever12")
    assert (refused.value.status, refused.value.reason) == (403, "Server cannot hash passwords at this time.")


DIGITS = b"1234567890" * 7
SECRET = base64.b32encode(DIGITS[:20]).decode()


@pytest.mark.parametrize(
    ("algorithm", "size", "token"), [("sha", 20, "94287082"), ("sha256", 32, "46119246"), ("sha512", 64, "90693936")]
)
def test_one_time_passwords_are_those_of_the_rfc(algorithm: str, size: int, token: str) -> None:
    totp = {"key": base64.b32encode(DIGITS[:size]).decode(), "algorithm": algorithm, "length": 8}
    assert passwords.is_right_totp(totp, token, 59)
    assert not passwords.is_right_totp(totp, token, 120)


@pytest.mark.parametrize(("now", "right"), [(0, True), (29, True), (30, True), (89, True), (90, False)])
def test_a_one_time_password_is_right_for_a_step_more_on_each_side(now: float, right: bool) -> None:
    assert passwords.is_right_totp({"key": SECRET}, "287082", now) is right


@pytest.mark.parametrize(
    "totp",
    [
        "JBSWY3DP",
        {"key": "JBSWY3DP", "algorithm": "md5"},
        {"key": "JBSWY3DP", "algorithm": ["sha"]},
        {"key": "JBSWY3DP", "length": "6"},
        {"key": "JBSWY3DP", "length": True},
        {"key": "JBSWY3DP", "length": 0},
        {"key": "JBSWY3DP", "length": 10**15},
        {"key": "1"},
        {"key": "é"},
        {"key": 5},
    ],
)
def test_no_one_time_password_is_right_for_parameters_that_cannot_be_used(totp: Any) -> None:
    assert not any(passwords.is_right_totp(totp, token, 59) for token in ("", "\udcff", *"0123456789"))


def test_a_one_time_password_is_any_text() -> None:
    assert not passwords.is_right_totp({"key": SECRET}, "\ud800", 59)


def test_parameters_of_a_hash_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(Forbidden, match="Salt value of '5' is invalid"):
        passwords.is_right(Config(), b"apple", {**READY, "salt": 5})
    with pytest.raises(Forbidden, match="PRF is invalid"):
        passwords.is_right(Config(), b"apple", {**READY, "pbkdf2_prf": "md5"})
    assert not passwords.is_right(Config(), b"apple", {**READY, "password_scheme": "plain"})
    with pytest.raises(Forbidden, match="Server cannot hash passwords at this time"):
        passwords.hashed(Config({"chttpd_auth": {"password_scheme": "plain"}}), "secret", "salt")
