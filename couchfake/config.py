"""The live configuration of a node: sections of keys, every value a string.

Three layers, the upper hiding the lower: what was set for this run only, what was set to last, and what each server
comes with (``SHOWN``). There are no files, so "to last" means until ``reset``. Beneath them lie the values
that apply where nothing is set (``IMPLIED``): they are not shown by ``_config``, as the real server's ``default.ini``
has them as comments. This module is the one place where defaults are written down.
Source: CouchDB documentation, "Configuration" and "Server: /_node/{node-name}/_config".
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from couchfake.errors import BadRequest, Forbidden, NotFound
from couchfake.values.integers import read_integer

Settings = Mapping[str, Mapping[str, str]]
Key = tuple[str, str]

SHOWN: Settings = {
    "vendor": {"name": "The Apache Software Foundation"},
    "couchdb": {"database_dir": "./data", "view_index_dir": "./data"},
    "couchdb_engines": {"couch": "couch_bt_engine"},
    "cluster": {"q": "1", "n": "1"},
    "chttpd": {"bind_address": "127.0.0.1", "port": "5984"},
    "feature_flags": {"partitioned||*": "true"},
    "indexers": {"couch_mrview": "true"},
    "log": {"level": "info", "writer": "stderr"},
    "prometheus": {"additional_port": "false", "bind_address": "127.0.0.1", "port": "17986"},
}

IMPLIED: Settings = {
    "attachments": {
        "compression_level": "8",
        "compressible_types": "text/*, application/javascript, application/json, application/xml",
    },
    "chttpd": {
        "admin_only_all_dbs": "true",
        "allow_jsonp": "false",
        "authentication_handlers": "{chttpd_auth, cookie_authentication_handler},"
        " {chttpd_auth, default_authentication_handler}",
        "buffer_response": "false",
        "changes_timeout": "60000",
        "disconnect_check_msec": "30000",
        "enable_cors": "false",
        "enable_xframe_options": "false",
        "max_db_number_for_dbs_info_req": "100",
        "max_http_request_size": "4294967296",
        "max_uri_length": "infinity",
        "prefer_minimal": "Cache-Control, Content-Length, Content-Range, Content-Type, ETag, Server,"
        " Transfer-Encoding, Vary",
        "require_valid_user": "false",
        "require_valid_user_except_for_up": "false",
        "rewrite_limit": "100",
        "secure_rewrites": "true",
        "x_forwarded_host": "X-Forwarded-Host",
        "x_forwarded_proto": "X-Forwarded-Proto",
        "x_forwarded_ssl": "X-Forwarded-Ssl",
    },
    "chttpd_auth": {
        "allow_persistent_cookies": "true",
        "authentication_redirect": "/_utils/session.html",
        "hash_algorithms": "sha256, sha",
        # The real server's 600000 cost half a second for each password; see docs/divergences.md.
        "iterations": "10",
        "max_iterations": "1000000000",
        "min_iterations": "1",
        "password_scheme": "pbkdf2",
        "pbkdf2_prf": "sha256",
        "proxy_use_secret": "false",
        "timeout": "600",
        "upgrade_hash_on_auth": "true",
        "allow_conflicted_user_docs": "false",
        "x_auth_roles": "X-Auth-CouchDB-Roles",
        "x_auth_token": "X-Auth-CouchDB-Token",
        "x_auth_username": "X-Auth-CouchDB-UserName",
    },
    "chttpd_auth_lockout": {"max_lifetime": "300000", "mode": "enforce", "threshold": "5"},
    "cors": {"credentials": "false", "max_age": "600"},
    "couchdb": {
        "default_security": "admin_only",
        "max_attachment_size": "1073741824",
        "max_bulk_docs_count": "10000",
        "max_bulk_get_count": "10000",
        "max_database_name_length": "238",
        "max_dbs_open": "500",
        "max_document_id_length": "infinity",
        "max_document_size": "8000000",
        "max_partition_size": "10737418240",
        "os_process_timeout": "5000",
        "single_node": "true",
        "users_db_security_editable": "false",
    },
    "csp": {"attachments_enable": "true", "showlist_enable": "true", "utils_enable": "true"},
    "jwt_auth": {"required_claims": "exp", "roles_claim_name": "_couchdb.roles"},
    "mango": {"default_limit": "25", "index_scan_warning_threshold": "10"},
    "purge": {"max_document_id_number": "100", "max_revisions_number": "1000"},
    "query_server_config": {"os_process_limit": "100", "reduce_limit": "true"},
    "replicator": {
        "checkpoint_interval": "30000",
        "connection_timeout": "30000",
        "http_connections": "20",
        "interval": "60000",
        "max_churn": "20",
        "max_document_id_length": "infinity",
        "max_history": "20",
        "max_jobs": "500",
        "retries_per_request": "5",
        "startup_jitter": "5000",
        "use_checkpoints": "true",
        "worker_batch_size": "500",
        "worker_processes": "4",
    },
    "uuids": {"algorithm": "sequential", "max_count": "1000", "utc_id_suffix": ""},
}

# Settings of the listening port were once kept under the first name; they still count where the second has none.
ELDER_SECTIONS = {"httpd": "chttpd", "couch_httpd_auth": "chttpd_auth"}

LOCKED_SECTIONS = frozenset(
    (
        "daemons",
        "external",
        "httpd_db_handlers",
        "httpd_design_handlers",
        "httpd_global_handlers",
        "native_query_servers",
        "os_daemons",
        "query_servers",
    )
)

# CouchDB looks at single bytes and reads them as Latin-1, so that a character whose UTF-8 form holds a byte of
# 0x80..0x9F (an "Å", but not an "é") does not count as printable.
_PRINTABLE = re.compile(rb"[\t\x20-\x7e\xa0-\xff]*")
_INTEGER = re.compile(r"[+-]?[0-9]+")


class Config:
    """The settings of one node. Safe for threads: readers see a whole state, writers take turns.

    ``initial``: sections to set at the start. ``hash_admin(config, password)`` makes the stored form
    of a clear password in ``[admins]``; without it such passwords are kept as they are (and let nobody in).
    """

    def __init__(
        self, initial: Settings | None = None, *, hash_admin: Callable[[Config, str], str] | None = None
    ) -> None:
        self._lock = threading.RLock()
        self._hash_admin = hash_admin
        self._base: dict[Key, str] = dict(_SHOWN)
        self._lasting: dict[Key, str] = {}
        self._volatile: dict[Key, str] = {}
        self._shown: dict[Key, str] = {}
        self._sections: dict[str, dict[str, str]] = {}
        self._effective: dict[Key, str] = {}
        self._refresh()
        for (section, key), value in _flat(initial or {}).items():
            self.set(section, key, value)
        self._at_start = dict(self._lasting)

    # Reading

    @property
    def state(self) -> object:
        """The same object for as long as no setting has changed."""
        return self._effective

    def get(self, section: str, key: str, default: str = "") -> str:
        """The value in force: set, else implied, else ``default`` (which counts only for keys unknown here)."""
        return self._effective.get((section, key), default)

    def integer(self, section: str, key: str, default: int = 0) -> int:
        """The value as a whole number; one that is none counts as not set."""
        text = self._effective.get((section, key), "")
        if not _INTEGER.fullmatch(text):
            text = IMPLIED.get(section, {}).get(key, "")
        return read_integer(text) if _INTEGER.fullmatch(text) else default

    def limit(self, section: str, key: str) -> float:
        """The value as an upper bound: a whole number, or ``math.inf`` for ``infinity`` and for what is no number."""
        text = self._effective.get((section, key), "")
        return read_integer(text) if _INTEGER.fullmatch(text) else math.inf

    def boolean(self, section: str, key: str, default: bool = False) -> bool:
        """The value if it is ``true`` or ``false``; anything else counts as not set."""
        text = self._effective.get((section, key), "")
        if text not in ("true", "false"):
            text = IMPLIED.get(section, {}).get(key, "")
        return text == "true" if text in ("true", "false") else default

    def items(self, section: str, key: str) -> list[str]:
        """A comma-separated value, its parts trimmed, empty ones left out."""
        return [part for part in (part.strip() for part in self.get(section, key).split(",")) if part]

    def shown(self, section: str, key: str) -> str | None:
        """The value as ``_config`` shows it, None where it is not set."""
        return self._shown.get((section, key))

    def section(self, name: str) -> dict[str, str]:
        """What ``_config`` shows of a section, by key; empty for one that is not there."""
        return dict(self._sections.get(name, {}))

    def has_section(self, name: str) -> bool:
        """Whether anything is set in a section."""
        return name in self._sections

    def as_dict(self) -> dict[str, dict[str, str]]:
        """All that ``_config`` shows."""
        return {name: dict(keys) for name, keys in self._sections.items()}

    # Writing

    def set(self, section: str, key: str, value: str, *, persist: bool = True) -> str:
        """Set a value, white space around it taken off; gives the old one, ``""`` where there was none.

        ``persist=False`` sets it until ``reload``. Raises BadRequest for names and values that an ini file
        could not hold.
        """
        value = value.strip()
        _refuse_unprintable(section, key, value)
        with self._lock:
            value = self._stored_form(section, value)
            old = self._shown.get((section, key), "")
            self._volatile.pop((section, key), None)
            (self._lasting if persist else self._volatile)[section, key] = value
            self._refresh()
            return old

    def delete(self, section: str, key: str, *, persist: bool = True) -> str:
        """Take back what was set and give the old value; NotFound where there is none.

        What each server comes with then shows again. ``persist=False`` only takes back what was set for this run.
        """
        with self._lock:
            old = self._shown.get((section, key))
            if old is None:
                raise NotFound("unknown_config_value")
            self._volatile.pop((section, key), None)
            if persist and self._lasting.pop((section, key), None) is None and old == self._base.get((section, key)):
                del self._base[section, key]
            self._refresh()
            return old

    def reload(self) -> None:
        """Forget what was set for this run only."""
        with self._lock:
            self._volatile.clear()
            self._refresh()

    def reset(self) -> None:
        """Back to what the server started with."""
        with self._lock:
            self._base, self._lasting = dict(_SHOWN), dict(self._at_start)
            self._volatile.clear()
            self._refresh()

    def save(self) -> Callable[[], None]:
        """Return a function that sets everything back to what it is now. It may be called more than once."""
        with self._lock:
            layers = dict(self._base), dict(self._lasting), dict(self._volatile)
            tables = self._shown, self._sections, self._effective

        def restore() -> None:
            with self._lock:
                if self._effective is not tables[2]:
                    self._base, self._lasting, self._volatile = dict(layers[0]), dict(layers[1]), dict(layers[2])
                    self._shown, self._sections, self._effective = tables

        return restore

    def refuse_locked(self, section: str) -> None:
        """Forbidden for a section that HTTP may not change."""
        if section in LOCKED_SECTIONS:
            raise Forbidden("Config section blacklisted for modification over HTTP API.")

    def _stored_form(self, section: str, value: str) -> str:
        if section == "admins" and value and self._hash_admin and not value.startswith(("-pbkdf2", "-hashed-")):
            return self._hash_admin(self, value)
        return value

    def _refresh(self) -> None:
        """Build the tables that readers see, and put each in place at once."""
        shown = {**self._base, **self._lasting, **self._volatile}
        effective = dict(_IMPLIED)
        for (section, key), value in shown.items():
            younger = ELDER_SECTIONS.get(section)
            if younger:
                effective[younger, key] = value
        effective.update(shown)
        sections: dict[str, dict[str, str]] = {}
        for (section, key), value in sorted(shown.items()):
            sections.setdefault(section, {})[key] = value
        self._shown, self._sections, self._effective = shown, sections, effective


def _flat(settings: Mapping[str, Mapping[str, Any]]) -> dict[Key, str]:
    return {(section, key): str(value) for section, keys in settings.items() for key, value in keys.items()}


_SHOWN, _IMPLIED = _flat(SHOWN), _flat(IMPLIED)  # told once: each server begins with a copy


def _refuse_unprintable(section: str, key: str, value: str) -> None:
    for kind, text, brackets in (("section", section, False), ("key", key, False), ("value", value, True)):
        if not _PRINTABLE.fullmatch(text.encode("utf-8", "surrogateescape")) or (
            not brackets and ("[" in text or "]" in text)
        ):
            raise BadRequest(f"Invalid configuration {kind}")
