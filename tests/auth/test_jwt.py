"""Bearer tokens."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest

from couchfake.auth import jwt
from couchfake.config import Config
from couchfake.errors import CouchError

KEY = b"hello"
NOW = 1000.0


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(claims: dict[str, Any], header: dict[str, Any] | None = None, key: bytes = KEY) -> str:
    header = {"alg": "HS256", "typ": "JWT"} if header is None else header
    message = encoded(json.dumps(header).encode()) + "." + encoded(json.dumps(claims).encode())
    digest = f"sha{str(header.get('alg', '256'))[-3:]}"
    return message + "." + encoded(hmac.digest(key, message.encode(), digest if digest[3:].isdigit() else "sha256"))


def config(**auth: str) -> Config:
    return Config({"jwt_auth": auth, "jwt_keys": {"hmac:_default": "aGVsbG8=", "hmac:other": "b3RoZXI="}})


def refusal(text: str, settings: Config) -> str:
    with pytest.raises(CouchError) as refused:
        jwt.user_of(settings, text, NOW)
    return f"{refused.value.status} {refused.value.reason}"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_signed_token_vouches_for_name_and_roles(algorithm: str) -> None:
    claims = {"sub": "ann", "exp": 2000, "_couchdb.roles": ["a", "b"]}
    assert jwt.user_of(config(), token(claims, {"alg": algorithm}), NOW) == ("ann", ("a", "b"))


def test_keys_are_chosen_by_kid() -> None:
    signed = token({"sub": "ann", "exp": 2000}, {"alg": "HS256", "kid": "other"}, b"other")
    assert jwt.user_of(config(), signed, NOW) == ("ann", ())
    assert refusal(token({"exp": 2000}, {"alg": "HS256", "kid": "third"}), config()) == "400 Unknown kid"


def test_roles_come_from_the_configured_claim_or_path() -> None:
    claims = {"sub": "ann", "exp": 2000, "groups": "a, b", "deep": {"er.roles": ["c"]}}
    assert jwt.user_of(config(roles_claim_name="groups"), token(claims), NOW) == ("ann", ("a", "b"))
    assert jwt.user_of(config(roles_claim_path=r"deep.er\.roles"), token(claims), NOW) == ("ann", ("c",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nonsense", "400 Malformed token"),
        (token({"sub": "x", "exp": 2000}, key=b"wrong"), "400 Bad HMAC"),
        (token({"sub": "x", "exp": 2000}, {}), "400 Missing alg header parameter"),
        (token({"sub": "x", "exp": 2000}, {"alg": "none"}), "400 Invalid alg header parameter"),
        (token({"sub": "x", "exp": 1000}), "401 exp not in future"),
        (token({"sub": "x"}), "400 Missing exp claim"),
        (token({"exp": 2000}), "401 Token missing sub claim."),
        (token({"sub": "x", "exp": 2000, "_couchdb.roles": [1]}), "400 Malformed token"),
    ],
)
def test_tokens_that_do_not_vouch(text: str, expected: str) -> None:
    assert refusal(text, config()) == expected


def test_required_claims_are_checked() -> None:
    settings = config(required_claims='iss, {iss, "me"}, nbf')
    good = {"sub": "x", "iss": "me", "nbf": 10}
    assert jwt.user_of(settings, token(good), NOW) == ("x", ())
    assert refusal(token({**good, "iss": "you"}), settings) == "400 Invalid iss claim"
    assert refusal(token({**good, "nbf": 5000}), settings) == "401 nbf not in past"
    assert refusal(token(good), config(required_claims="9")) == "500 JWT is not configured correctly"


def test_a_public_key_algorithm_does_not_accept_an_hmac_made_with_the_public_key() -> None:
    settings = Config({"jwt_keys": {"rsa:_default": "hello"}})
    assert refusal(token({"sub": "x", "exp": 2000}), settings) == "400 Unknown kid"
