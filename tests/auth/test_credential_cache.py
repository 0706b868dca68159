"""A login that was right is taken on trust until something has changed, and then not for a moment longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from couchfake.auth.passwords import CredentialCache, State
from couchfake.auth.permissions import UserContext

ADA = UserContext("ada", ("poet",), "default")


class Standing:
    """What logins stand on, to be changed by a test."""

    def __init__(self) -> None:
        self.parts: dict[str, Any] = {"settings": object(), "users": object(), "seq": 1, "failures": 0}

    def state(self) -> State:
        settings, users, seq, failures = self.parts.values()
        return settings, users, seq, failures


@pytest.fixture
def standing() -> Standing:
    return Standing()


@pytest.fixture
def known(standing: Standing) -> CredentialCache:
    known = CredentialCache(standing.state)
    known.remember_user("Basic x", "1.2.3.4", ADA, standing.state())
    return known


def test_a_login_is_known_by_what_was_sent_and_from_where(known: CredentialCache) -> None:
    assert known.user("Basic x", "1.2.3.4") is ADA
    assert known.user("Basic y", "1.2.3.4") is None
    assert known.user("Basic x", "1.2.3.5") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts.update(settings=object()),
        lambda parts: parts.update(users=object()),
        lambda parts: parts.update(seq=2),
        lambda parts: parts.update(failures=1),
    ],
)
def test_any_change_makes_it_unknown(
    known: CredentialCache, standing: Standing, change: Callable[[dict[str, Any]], None]
) -> None:
    change(standing.parts)
    assert known.user("Basic x", "1.2.3.4") is None
    known.remember_user("Basic y", "1.2.3.4", ADA, standing.state())
    assert known.user("Basic x", "1.2.3.4") is None
    assert known.user("Basic y", "1.2.3.4") is ADA


def test_what_changed_while_a_password_was_looked_at_counts(known: CredentialCache, standing: Standing) -> None:
    before = standing.state()
    standing.parts["seq"] = 2
    known.remember_user("Basic y", "1.2.3.4", ADA, before)
    assert known.user("Basic y", "1.2.3.4") is None


def test_a_password_is_proven_for_its_own_hash_only(known: CredentialCache) -> None:
    known.remember_proof(b"pw", {"salt": "a", "derived_key": "k"})
    assert known.is_proven(b"pw", {"salt": "a", "derived_key": "k"})
    assert not known.is_proven(b"pw", {"salt": "a", "derived_key": "other"})
    assert not known.is_proven(b"pw2", {"salt": "a", "derived_key": "k"})


def test_a_proof_outlives_changes_of_the_configuration(known: CredentialCache, standing: Standing) -> None:
    known.remember_proof(b"pw", {"salt": "a"})
    standing.parts["settings"] = object()
    assert known.is_proven(b"pw", {"salt": "a"})


def test_no_password_is_kept(known: CredentialCache) -> None:
    known.remember_proof(b"secret", {"salt": "a"})
    assert "Basic x" not in repr(vars(known))
    assert "secret" not in repr(vars(known))
