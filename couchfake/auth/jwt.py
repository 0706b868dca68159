"""JSON Web Tokens: ``Authorization: Bearer …``, by the rules of ``[jwt_auth]`` and ``[jwt_keys]``.

HMAC signatures need the standard library alone and are checked here. RSA and elliptic curve signatures are left to
the package ``cryptography``, which is only needed by who uses them: hand-made public key arithmetic is nobody's
friend. Source: CouchDB documentation, "API: Authentication: JWT Authentication"; RFC 7515, 7518, 7519.
"""

from __future__ import annotations

import base64
import hmac
import importlib
import re
from typing import Any, TypeAlias

from couchfake.config import Config
from couchfake.errors import BadRequest, CouchError, Crash, NotFound, NotSupported, Unauthorized
from couchfake.settings import JWT_KEYS, REQUIRED_CLAIMS, ROLES_CLAIM_NAME, ROLES_CLAIM_PATH
from couchfake.values import json
from couchfake.values.json import nested_value

_KEY_TYPES = {"HS": "hmac", "RS": "rsa", "ES": "ec"}
_ALGORITHM = re.compile(r"(HS|RS|ES)(256|384|512)")
_CLAIM = re.compile(r'(?P<name>[a-z]+)|\{(?P<key>[a-z]+)\s*,\s*"(?P<value>[^"]+)"\}')
_Check: TypeAlias = "tuple[str, str | bool]"
_KNOWN_CHECKS = ("alg", "exp", "iat", "iss", "kid", "nbf", "sig", "typ")


def user_of(config: Config, token: str, now: float) -> tuple[str, tuple[str, ...]]:
    """Return the name and roles of a token's user. Raise CouchError if it is not valid.

    The checks come in the real server's order, and the first that fails is the answer.
    """
    required = _required_claims(config)
    parts = token.split(".")
    if len(parts) != 3:
        raise BadRequest("Malformed token")
    _refuse_unknown(required)
    header = _decoded(parts[0])
    _check_header(header, required)
    claims = _decoded(parts[1])
    _check_claims(claims, dict(reversed(required)), int(now))  # of two values for a claim the first counts
    if ("kid", True) in required and "kid" not in header:
        raise BadRequest("Missing kid claim")
    _check_signature(config, header, ".".join(parts[:2]).encode("utf-8"), parts[2])
    roles = _roles(config, claims)
    if not isinstance(claims.get("sub"), str):
        raise Unauthorized("Token missing sub claim.")
    return claims["sub"], roles


def _required_claims(config: Config) -> list[_Check]:
    """Return the required claims in their order, each with the value that it must have; True for any valid value."""
    setting = config[REQUIRED_CLAIMS]
    found = [(match["name"] or match["key"], match["value"] or True) for match in _CLAIM.finditer(setting)]
    if setting and not found:
        raise CouchError(500, "misconfigured_server", "JWT is not configured correctly")
    return found


def _refuse_unknown(required: list[_Check]) -> None:
    """Raise Crash for a claim that is required twice, and for one that the server does not know."""
    checks: list[_Check] = [("alg", True), *required]
    repeated = [check for check in dict.fromkeys(checks) if checks.count(check) > 1]
    if repeated:
        raise Crash("duplicate_checks", f"[{','.join(name for name, _ in repeated)}]")
    unknown = [name for name, _ in required if name not in _KNOWN_CHECKS]
    if unknown:
        raise Crash("unknown_checks", f"[{','.join(unknown)}]")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise BadRequest("badarg") from None


def _decoded(text: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(text))
    except ValueError:
        raise BadRequest("invalid_json") from None
    if not isinstance(value, dict):
        raise BadRequest("Not an object")
    return value


def _check_header(header: dict[str, Any], required: list[_Check]) -> None:
    if ("typ", True) in required and header.get("typ") != "JWT":
        raise BadRequest("Invalid typ header parameter" if "typ" in header else "Missing typ header parameter")
    if "alg" not in header:
        raise BadRequest("Missing alg header parameter")
    if not isinstance(header["alg"], str) or not _ALGORITHM.fullmatch(header["alg"]):
        raise BadRequest("Invalid alg header parameter")


def _check_claims(claims: dict[str, Any], required: dict[str, str | bool], now: int) -> None:
    for name in ("iss", "iat", "nbf", "exp"):
        if name not in required:
            continue
        if name not in claims:
            raise BadRequest(f"Missing {name} claim")
        value = claims[name]
        # Erlang compares values of all types, and numbers are the least.
        if name == "iss" and value != required[name]:
            raise BadRequest("Invalid iss claim")
        if name == "iat" and type(value) is not int:
            raise BadRequest("Invalid iat claim")
        if name == "nbf" and not (_is_number(value) and value < now):
            raise Unauthorized("nbf not in past")
        if name == "exp" and _is_number(value) and value <= now:
            raise Unauthorized("exp not in future")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_signature(config: Config, header: dict[str, Any], message: bytes, encoded: str) -> None:
    algorithm = header["alg"]
    key_type = _KEY_TYPES[algorithm[:2]]
    stored = config.entry(JWT_KEYS, f"{key_type}:{header.get('kid', '_default')}")
    if stored is None:
        raise BadRequest("Unknown kid")
    try:
        signature = _bytes(encoded)
    except BadRequest:
        signature = b""  # which is nobody's
    if key_type != "hmac":
        _check_public_key(key_type, stored, algorithm, message, signature)
        return
    try:
        key = base64.b64decode(stored, validate=True)
    except ValueError:
        raise BadRequest("Not a valid key") from None
    if not hmac.compare_digest(hmac.digest(key, message, f"sha{algorithm[2:]}"), signature):
        raise BadRequest("Bad HMAC")


def _check_public_key(key_type: str, stored: str, algorithm: str, message: bytes, signature: bytes) -> None:
    try:
        serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
        hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
        asymmetric = importlib.import_module("cryptography.hazmat.primitives.asymmetric." + key_type)
        padding = importlib.import_module("cryptography.hazmat.primitives.asymmetric.padding")
        encoding = importlib.import_module("cryptography.hazmat.primitives.asymmetric.utils")
        invalid = importlib.import_module("cryptography.exceptions").InvalidSignature
    except ImportError:
        raise NotSupported(
            f"couchfake checks {algorithm} tokens only where the package cryptography is installed"
        ) from None
    try:
        key = serialization.load_pem_public_key(stored.replace("\\n", "\n").encode("ascii"))
    except ValueError:
        raise BadRequest("Not a valid key") from None
    wanted = asymmetric.RSAPublicKey if key_type == "rsa" else asymmetric.EllipticCurvePublicKey
    if not isinstance(key, wanted):
        raise BadRequest("not an RSA public key" if key_type == "rsa" else "not an EC public key")
    digest = getattr(hashes, f"SHA{algorithm[2:]}")()
    try:
        if key_type == "rsa":
            key.verify(signature, message, padding.PKCS1v15(), digest)
        else:
            half = len(signature) // 2
            r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
            key.verify(encoding.encode_dss_signature(r, s), message, asymmetric.ECDSA(digest))
    except invalid:
        raise BadRequest("Bad signature") from None


def _roles(config: Config, claims: dict[str, Any]) -> tuple[str, ...]:
    path = config[ROLES_CLAIM_PATH]
    roles = _at_path(claims, path) if path else claims.get(config[ROLES_CLAIM_NAME], [])
    if isinstance(roles, str):
        roles = re.split(r"\s*,\s*", roles)
        while roles and not roles[-1]:
            roles.pop()
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise BadRequest("Malformed token")
    return tuple(roles)


def _at_path(claims: dict[str, Any], path: str) -> Any:
    """Return the claim at a path of names with dots between them. Raise NotFound if there is none."""
    names = (part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", path))
    try:
        return nested_value(claims, names)
    except LookupError as error:
        raise NotFound(str(error)) from None
