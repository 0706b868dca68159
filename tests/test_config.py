"""The live configuration: layers, types, defaults, locks, names."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.config import Config
from couchfake.errors import BadRequest, Forbidden, NotFound
from couchfake.settings import (
    ADMINS,
    CORS_METHODS,
    CORS_ORIGINS,
    ENABLE_CORS,
    GLOBAL_CHANGES_DBNAME,
    MAX_DOCUMENT_ID_LENGTH,
    REWRITE_LIMIT,
    SECRET,
    TIMEOUT,
    UUIDS_MAX_COUNT,
)


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
    assert config[UUIDS_MAX_COUNT] == 1000
    assert config.shown("uuids", "max_count") is None
    assert not config.is_set(UUIDS_MAX_COUNT)
    assert "uuids" not in config.as_dict()


def test_a_changed_setting_is_read_at_once() -> None:
    config = Config()
    assert config[UUIDS_MAX_COUNT] == 1000
    config.set("uuids", "max_count", "7")
    assert config[UUIDS_MAX_COUNT] == 7
    config.delete("uuids", "max_count")
    assert config[UUIDS_MAX_COUNT] == 1000


def test_a_value_of_another_type_counts_as_not_set() -> None:
    config = Config(
        {"uuids": {"max_count": "many"}, "chttpd": {"enable_cors": "yes"}, "global_changes": {"dbname": ""}}
    )
    assert config[UUIDS_MAX_COUNT] == 1000
    assert config[ENABLE_CORS] is False
    assert config[GLOBAL_CHANGES_DBNAME] == "_global_changes"


def test_infinity_is_a_limit() -> None:
    config = Config({"couchdb": {"max_document_id_length": "8"}})
    assert config[MAX_DOCUMENT_ID_LENGTH] == 8
    config.set("couchdb", "max_document_id_length", "infinity")
    assert config[MAX_DOCUMENT_ID_LENGTH] == math.inf


def test_a_list_is_read_without_white_space_and_empty_items() -> None:
    assert Config({"cors": {"origins": " http://a , ,http://b "}})[CORS_ORIGINS] == ("http://a", "http://b")


def test_the_section_of_a_host_counts_more_than_the_general_one() -> None:
    config = Config({"cors": {"origins": "http://a", "methods": "GET"}, "cors:h": {"origins": "http://b"}})
    assert config.for_host(CORS_ORIGINS, "h") == ("http://b",)
    assert config.for_host(CORS_METHODS, "h") == ("GET",)
    assert config.for_host(CORS_ORIGINS, "other") == ("http://a",)


def test_values_for_this_run_only_are_dropped_by_a_reload() -> None:
    config = Config()
    config.set("s", "k", "kept")
    config.set("s", "k", "volatile", persist=False)
    assert config.shown("s", "k") == "volatile"
    config.reload()
    assert config.shown("s", "k") == "kept"


def test_deleting_for_this_run_only_keeps_what_was_set_to_last() -> None:
    config = Config()
    config.set("s", "k", "kept")
    assert config.delete("s", "k", persist=False) == "kept"
    assert config.shown("s", "k") == "kept"


def test_legacy_section_names_count_where_the_current_section_sets_nothing() -> None:
    config = Config()
    config.set("couch_httpd_auth", "timeout", "7")
    config.set("httpd", "rewrite_limit", "3")
    assert config[TIMEOUT] == 7
    assert config[REWRITE_LIMIT] == 3
    config.set("chttpd_auth", "timeout", "8")
    config.set("chttpd", "rewrite_limit", "0")
    assert config[TIMEOUT] == 8
    assert config[REWRITE_LIMIT] == 0


def test_two_configurations_share_nothing() -> None:
    one, two = Config(), Config()
    one.set("s", "k", "v")
    assert two.shown("s", "k") is None


def test_the_names_of_the_real_servers_settings_are_known() -> None:
    for section, key in [
        ("chttpd", "rewrite_limit"),
        ("httpd", "rewrite_limit"),
        ("admins", "x"),
        ("cors:h", "origins"),
    ]:
        assert Config.is_known(section, key)
    assert Config.is_known("couchdb", "database_dir")
    assert not Config.is_known("chttpd", "rewrite_limits")
    assert not Config.is_known("couchdb", "rewrite_limit")
    assert ("chttpd", "rewrite_limit") in set(Config.known())


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
    assert config.shown("s", "été") == "plain = [x]; #café"


def test_admin_passwords_are_kept_hashed() -> None:
    config = Config({"admins": {"adm": "pass"}}, hash_admin=lambda _, password: f"-pbkdf2:{len(password)}")
    assert config.entry(ADMINS, "adm") == "-pbkdf2:4"
    config.set("admins", "other", "-hashed-already")
    assert config.entry(ADMINS, "other") == "-hashed-already"
    assert config.entry(ADMINS, "nobody") is None


def test_a_setting_is_stored_by_its_name_in_the_table() -> None:
    config = Config()
    config[SECRET] = "s"
    assert config.section("chttpd_auth") == {"secret": "s"}


@pytest.mark.parametrize(
    ("section", "key", "near"),
    [
        ("couchdb", "max_doc_size", "[couchdb] max_document_size"),
        ("couchdbs", "max_document_size", "[couchdb] max_document_size"),
        ("chttpd", "require_valid_users", "[chttpd] require_valid_user"),
    ],
)
def test_a_server_refuses_a_misspelt_setting_at_its_start(section: str, key: str, near: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"CouchDB has no setting [{section}] {key}; did you mean {near}?")):
        CouchFake(config={section: {key: "1"}})


@pytest.mark.parametrize(("section", "key"), [("my_program", "url"), ("admins", "bob"), ("ioq", "concurrency")])
def test_a_setting_that_resembles_none_of_couchdb_is_kept(section: str, key: str) -> None:
    assert CouchFake(config={section: {key: "1"}}).node.config.shown(section, key)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"admins": ["a"]}, "admins must be a dict of names and passwords, such as {'adm': 'pass'}"),
        ({"clock": "2026"}, "clock must be a datetime, at which the clock is frozen, or a function, not '2026'"),
        ({"uuids": "x"}, "uuids must be a number, a seed, or a function without arguments, not 'x'"),
        ({"config": {"couchdb": "x"}}, "config must be a dict of sections, each a dict of keys and values"),
    ],
)
def test_a_wrong_argument_of_a_server_is_one_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        CouchFake(**arguments)
