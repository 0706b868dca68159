"""The live configuration: layers, defaults, locks, names."""

from __future__ import annotations

import math

import pytest

from couchfake.config import Config
from couchfake.errors import BadRequest, Forbidden, NotFound


def test_a_value_is_set_read_and_taken_back() -> None:
    config = Config()
    assert config.set("s", "k", "one") == ""
    assert config.set("s", "k", "two") == "one"
    assert config.section("s") == {"k": "two"}
    assert config.delete("s", "k") == "two"
    assert config.section("s") == {}
    with pytest.raises(NotFound, match="unknown_config_value"):
        config.delete("s", "k")


def test_defaults_that_nobody_set_apply_but_are_not_shown() -> None:
    config = Config()
    assert config.integer("uuids", "max_count") == 1000
    assert config.shown("uuids", "max_count") is None
    assert "uuids" not in config.as_dict()


def test_the_default_of_the_table_wins_over_the_callers() -> None:
    assert Config().get("couchdb", "default_security", "everyone") == "admin_only"
    assert Config().get("couchdb", "nonsense", "fallback") == "fallback"


def test_a_number_that_is_none_counts_as_not_set() -> None:
    config = Config({"uuids": {"max_count": "many"}})
    assert config.integer("uuids", "max_count") == 1000
    assert config.boolean("chttpd", "enable_cors") is False
    config.set("chttpd", "enable_cors", "yes")
    assert config.boolean("chttpd", "enable_cors") is False


def test_infinity_is_a_limit() -> None:
    config = Config()
    assert config.limit("couchdb", "max_document_size") == 8000000
    config.set("couchdb", "max_document_size", "infinity")
    assert config.limit("couchdb", "max_document_size") == math.inf


def test_values_for_this_run_only_are_dropped_by_a_reload() -> None:
    config = Config()
    config.set("s", "k", "kept")
    config.set("s", "k", "volatile", persist=False)
    assert config.get("s", "k") == "volatile"
    config.reload()
    assert config.get("s", "k") == "kept"


def test_deleting_for_this_run_only_leaves_what_was_set_to_last() -> None:
    config = Config()
    config.set("s", "k", "kept")
    assert config.delete("s", "k", persist=False) == "kept"
    assert config.get("s", "k") == "kept"


def test_elder_section_names_count_where_the_younger_has_no_value() -> None:
    config = Config()
    config.set("couch_httpd_auth", "timeout", "7")
    assert config.integer("chttpd_auth", "timeout") == 7
    config.set("chttpd_auth", "timeout", "8")
    assert config.integer("chttpd_auth", "timeout") == 8


def test_reset_goes_back_to_the_start() -> None:
    config = Config({"chttpd": {"require_valid_user": "true"}})
    config.set("chttpd", "require_valid_user", "false")
    config.delete("vendor", "name")
    config.reset()
    assert config.boolean("chttpd", "require_valid_user") is True
    assert config.get("vendor", "name") == "The Apache Software Foundation"


def test_two_configurations_share_nothing() -> None:
    one, two = Config(), Config()
    one.set("s", "k", "v")
    assert two.shown("s", "k") is None


@pytest.mark.parametrize("section", ["daemons", "query_servers", "external"])
def test_locked_sections_are_refused_to_http(section: str) -> None:
    with pytest.raises(Forbidden, match="blacklisted"):
        Config().refuse_locked(section)


@pytest.mark.parametrize(
    ("section", "key", "value", "what"),
    [("s[", "k", "v", "section"), ("s", "k]", "v", "key"), ("s", "k\n", "v", "key"), ("s", "k", "a\nb", "value")],
)
def test_names_that_an_ini_file_could_not_hold_are_refused(section: str, key: str, value: str, what: str) -> None:
    with pytest.raises(BadRequest, match=f"Invalid configuration {what}"):
        Config().set(section, key, value)


def test_brackets_spaces_and_accents_are_fine_in_values() -> None:
    config = Config()
    config.set("s", "été", " plain = [x]; #café ")
    assert config.get("s", "été") == "plain = [x]; #café"


def test_admin_passwords_are_kept_hashed() -> None:
    config = Config({"admins": {"adm": "pass"}}, hash_admin=lambda _, password: f"-pbkdf2:{len(password)}")
    assert config.get("admins", "adm") == "-pbkdf2:4"
    config.set("admins", "other", "-hashed-already")
    assert config.get("admins", "other") == "-hashed-already"
