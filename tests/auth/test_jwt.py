"""Bearer tokens."""

from __future__ import annotations

import base64
import hmac
import json
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from couchfake.auth import jwt
from couchfake.config import Config
from couchfake.errors import CouchError, Crash, NotSupported

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
    settings = config(required_claims='{iss, "me"}, nbf')
    good = {"sub": "x", "iss": "me", "nbf": 10}
    assert jwt.user_of(settings, token(good), NOW) == ("x", ())
    assert refusal(token({**good, "iss": "you"}), settings) == "400 Invalid iss claim"
    assert refusal(token({"sub": "x", "iss": "you"}), settings) == "400 Invalid iss claim"
    assert refusal(token({**good, "nbf": 5000}), settings) == "401 nbf not in past"
    assert refusal(token({**good, "nbf": "10"}), settings) == "401 nbf not in past"
    assert refusal(token(good), config(required_claims="9")) == "500 JWT is not configured correctly"


def test_no_claims_need_be_required() -> None:
    assert jwt.user_of(config(required_claims=""), token({"sub": "x", "exp": 1}), NOW) == ("x", ())


@pytest.mark.parametrize(
    ("required", "header", "claims", "expected"),
    [
        ("typ", {"alg": "HS256"}, {}, "400 Missing typ header parameter"),
        ("typ", {"alg": "HS256", "typ": "JWS"}, {}, "400 Invalid typ header parameter"),
        ("kid", {"alg": "HS256"}, {}, "400 Missing kid claim"),
        ("kid, exp", {"alg": "HS256"}, {}, "400 Missing exp claim"),
        ("iat", {"alg": "HS256"}, {}, "400 Missing iat claim"),
        ("iat", {"alg": "HS256"}, {"iat": True}, "400 Invalid iat claim"),
        ("iat", {"alg": "HS256"}, {"iat": 1.5}, "400 Invalid iat claim"),
    ],
)
def test_headers_and_claims_are_refused(required: str, header: Any, claims: Any, expected: str) -> None:
    assert refusal(token({"sub": "x", **claims}, header), config(required_claims=required)) == expected


@pytest.mark.parametrize(
    ("required", "error", "reason"),
    [
        ("exp, aud, sub", "unknown_checks", "[aud,sub]"),
        ("exp, nbf, exp", "duplicate_checks", "[exp]"),
        ("alg", "duplicate_checks", "[alg]"),
    ],
)
def test_the_server_breaks_on_checks_that_it_cannot_make(required: str, error: str, reason: str) -> None:
    with pytest.raises(Crash) as crash:
        jwt.user_of(config(required_claims=required), token({"sub": "x", "exp": 2000}), NOW)
    assert (crash.value.status, crash.value.error, crash.value.reason) == (500, error, reason)
    assert refusal("nonsense", config(required_claims=required)) == "400 Malformed token"


def test_only_the_first_value_of_a_claim_counts() -> None:
    settings = config(required_claims='{iss, "me"}, {iss, "you"}')
    assert jwt.user_of(settings, token({"sub": "x", "iss": "me"}), NOW) == ("x", ())
    assert refusal(token({"sub": "x", "iss": "you"}), settings) == "400 Invalid iss claim"
    assert refusal(token({"sub": "x", "iss": "me"}), config(required_claims="iss")) == "400 Invalid iss claim"


def test_an_expiry_that_is_not_a_number_is_after_all_numbers() -> None:
    assert jwt.user_of(config(), token({"sub": "x", "exp": "1"}), NOW) == ("x", ())


@pytest.mark.parametrize(
    ("part", "status"), [("W10", "400 Not an object"), ("ew", "400 invalid_json"), ("*", "400 badarg")]
)
def test_parts_that_are_not_objects_in_base64_are_refused(part: str, status: str) -> None:
    header, claims, signature = token({"sub": "x", "exp": 2000}).split(".")
    assert refusal(f"{part}.{claims}.{signature}", config()) == status
    assert refusal(f"{header}.{part}.{signature}", config()) == status


def test_the_header_is_checked_before_the_claims_are_read() -> None:
    assert refusal("e30.*.", config()) == "400 Missing alg header parameter"


def test_signatures_and_keys_that_are_not_base64_are_refused() -> None:
    signed = token({"sub": "x", "exp": 2000})
    assert refusal(signed + "*", config()) == "400 Bad HMAC"
    assert refusal(signed, Config({"jwt_keys": {"hmac:_default": "*"}})) == "400 Not a valid key"


def test_empty_roles_count_unless_they_are_the_last() -> None:
    claims = {"sub": "ann", "exp": 2000, "_couchdb.roles": "a,,b , "}
    assert jwt.user_of(config(), token(claims), NOW) == ("ann", ("a", "", "b"))
    assert jwt.user_of(config(), token({**claims, "_couchdb.roles": ""}), NOW) == ("ann", ())


def test_a_path_to_no_roles_is_not_found() -> None:
    claims = {"sub": "ann", "exp": 2000, "deep": {"roles": ["c"]}}
    assert refusal(token(claims), config(roles_claim_path="deep.er")) == "404 missing json key: er"
    assert refusal(token(claims), config(roles_claim_path="deep.roles.c")) == "404 json_mismatch"


def test_a_public_key_algorithm_does_not_accept_an_hmac_made_with_the_public_key() -> None:
    settings = Config({"jwt_keys": {"rsa:_default": "hello"}})
    assert refusal(token({"sub": "x", "exp": 2000}), settings) == "400 Unknown kid"


RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {"sub": "ann", "exp": 2000}


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """Return a public key as the configuration has it, with its line ends written out."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode().strip().replace("\n", "\\n")


def signed_by_key(algorithm: str) -> str:
    message = encoded(json.dumps({"alg": algorithm}).encode()) + "." + encoded(json.dumps(CLAIMS).encode())
    digests: dict[str, Any] = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
    digest = digests[algorithm[2:]]()
    if algorithm.startswith("RS"):
        return f"{message}.{encoded(RSA.sign(message.encode(), padding.PKCS1v15(), digest))}"
    pair = decode_dss_signature(EC.sign(message.encode(), ec.ECDSA(digest)))
    return f"{message}.{encoded(b''.join(number.to_bytes(32, 'big') for number in pair))}"


KEYS = Config({"jwt_keys": {"rsa:_default": public(RSA), "ec:_default": public(EC)}})


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
def test_signatures_of_public_keys_are_verified(algorithm: str) -> None:
    signed = signed_by_key(algorithm)
    assert jwt.user_of(KEYS, signed, NOW) == ("ann", ())
    header, claims, _ = signed.split(".")
    other = signed_by_key(
        "RS384" if algorithm == "RS256" else "ES384" if algorithm == "ES256" else algorithm[:2] + "256"
    )
    assert refusal(f"{header}.{claims}.{other.rpartition('.')[2]}", KEYS) == "400 Bad signature"
    assert refusal(f"{header}.{claims}.*", KEYS) == "400 Bad signature"


def test_keys_of_another_type_are_refused() -> None:
    keys = Config({"jwt_keys": {"rsa:_default": public(EC), "ec:_default": public(RSA)}})
    assert refusal(signed_by_key("RS256"), keys) == "400 not an RSA public key"
    assert refusal(signed_by_key("ES256"), keys) == "400 not an EC public key"
    assert refusal(signed_by_key("RS256"), Config({"jwt_keys": {"rsa:_default": "x"}})) == "400 Not a valid key"


def test_public_keys_need_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    with pytest.raises(NotSupported, match="the package cryptography"):
        jwt.user_of(KEYS, signed_by_key("ES256"), NOW)
