"""The table of settings: for each its section, key, type, default and meaning.

``config[SETTING]`` reads one (see ``couchfake.config``). Nothing else in this package names a section and a key.
``docs/settings.md`` is generated from this table.

Source: CouchDB documentation, "Configuration"; the ``default.ini`` of CouchDB 3.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from couchfake.values.erlang import INTEGER, read_integer

T = TypeVar("T")

MAX_VIEW_LIMIT = 576460752303423487
"""The limit of a view query that sets none."""

LEGACY_SECTIONS = {"chttpd": "httpd", "chttpd_auth": "couch_httpd_auth"}
"""Legacy section names, used when the current section does not set the key."""


# Types: functions that parse a value. They raise ValueError for a value of another type, which then counts as not set.


def text(value: str) -> str:
    """Any string."""
    return value


def name(value: str) -> str:
    """A string that is not empty."""
    if not value:
        raise ValueError(value)
    return value


def integer(value: str) -> int:
    """Decimal digits, with or without a sign."""
    if not INTEGER.fullmatch(value):
        raise ValueError(value)
    return read_integer(value)


def number(value: str) -> float:
    """An integer or a decimal fraction."""
    return float(value)


def limit(value: str) -> float:
    """An upper bound: an integer, or ``infinity``."""
    return math.inf if value == "infinity" else integer(value)


def boolean(value: str) -> bool:
    """``true`` or ``false``."""
    if value not in ("true", "false"):
        raise ValueError(value)
    return value == "true"


def items(value: str) -> tuple[str, ...]:
    """A comma-separated list. White space around its items is ignored, and so are empty items."""
    return tuple(part for part in (part.strip() for part in value.split(",")) if part)


@dataclass(frozen=True, eq=False)
class Setting(Generic[T]):
    """One setting. Compared and hashed by identity.

    ``type`` parses a value and raises ValueError if it is of another type; ``default`` applies if the setting is not
    set. ``shown``: ``_config`` lists the default, as the real server's ``default.ini`` sets it.
    """

    section: str
    key: str
    type: Callable[[str], T]
    default: T
    description: str
    shown: bool = False

    @property
    def default_text(self) -> str:
        """The default as ``_config`` writes it."""
        if isinstance(self.default, bool):
            return "true" if self.default else "false"
        if isinstance(self.default, tuple):
            return ", ".join(self.default)
        return "infinity" if self.default == math.inf else str(self.default)

    @property
    def places(self) -> Iterator[tuple[str, str]]:
        """Where a value is looked up: section and key, first the current section, then its legacy name."""
        yield self.section, self.key
        if self.section in LEGACY_SECTIONS:
            yield LEGACY_SECTIONS[self.section], self.key


@dataclass(frozen=True)
class Section:
    """A section whose keys are names that the operator chooses."""

    name: str
    description: str


# Sections with keys of the operator's own

ADMINS = Section("admins", "Server admins: name = password. A clear password is hashed when it is set.")
JWT_KEYS = Section(
    "jwt_keys", "Keys that verify tokens: `hmac:KID`, `rsa:KID` or `ec:KID` = key; `_default` without kid."
)
VENDOR = Section("vendor", "What `GET /` answers as `vendor`.")
VHOSTS = Section("vhosts", "Virtual hosts: host name and path = the path that requests are rewritten to.")
CORS_OF_HOST = Section("cors:HOST", "`[cors]` for requests to HOST: `origins`, `credentials`, `methods`, `headers`, …")
FEATURE_FLAGS = Section("feature_flags", "Features by name. Stored only: partitioned databases are always available.")

# attachments

COMPRESSION_LEVEL = Setting(
    "attachments",
    "compression_level",
    integer,
    8,
    "gzip level of stored attachments, 1 to 9; 0 stores them as they are.",
)
COMPRESSIBLE_TYPES: Setting[tuple[str, ...]] = Setting(
    "attachments",
    "compressible_types",
    items,
    ("text/*", "application/javascript", "application/json", "application/xml"),
    "Content types whose attachments are stored compressed; `*` matches any text.",
)

# chttpd

ADMIN_ONLY_ALL_DBS = Setting("chttpd", "admin_only_all_dbs", boolean, True, "Only admins may list databases.")
ALLOW_JSONP = Setting("chttpd", "allow_jsonp", boolean, False, "`?callback=` wraps JSON answers in a function call.")
AUTHENTICATION_HANDLERS = Setting(
    "chttpd",
    "authentication_handlers",
    text,
    "{chttpd_auth, cookie_authentication_handler}, {chttpd_auth, default_authentication_handler}",
    "Ways to log in, in the order in which they are tried.",
)
BIND_ADDRESS = Setting(
    "chttpd", "bind_address", name, "127.0.0.1", "The address by which replications name local databases.", shown=True
)
PORT = Setting("chttpd", "port", integer, 5984, "The port by which replications name local databases.", shown=True)
CHANGES_TIMEOUT = Setting(
    "chttpd", "changes_timeout", integer, 60000, "Default and longest wait of a changes feed, in milliseconds."
)
DECODE_PLUS_TO_SPACE = Setting("chttpd", "decode_plus_to_space", boolean, True, "A `+` in a path means a space.")
ENABLE_CORS = Setting("chttpd", "enable_cors", boolean, False, "Answer cross-origin requests as `[cors]` says.")
ENABLE_XFRAME_OPTIONS = Setting(
    "chttpd", "enable_xframe_options", boolean, False, "Send `X-Frame-Options` as `[x_frame_options]` says."
)
MAX_DB_NUMBER_FOR_DBS_INFO_REQ = Setting(
    "chttpd", "max_db_number_for_dbs_info_req", integer, 100, "Most databases that one `POST /_dbs_info` may name."
)
MAX_HTTP_REQUEST_SIZE = Setting(
    "chttpd", "max_http_request_size", integer, 4294967296, "Largest request body, in bytes."
)
MAX_URI_LENGTH = Setting("chttpd", "max_uri_length", limit, math.inf, "Longest request target, in bytes.")
PREFER_MINIMAL: Setting[tuple[str, ...]] = Setting(
    "chttpd",
    "prefer_minimal",
    items,
    ("Cache-Control", "Content-Length", "Content-Range", "Content-Type", "ETag", "Server", "Transfer-Encoding", "Vary"),
    "Headers that remain in answers to requests with `Prefer: return=minimal`.",
)
REQUIRE_VALID_USER = Setting("chttpd", "require_valid_user", boolean, False, "Refuse requests without a login.")
REQUIRE_VALID_USER_EXCEPT_FOR_UP = Setting(
    "chttpd", "require_valid_user_except_for_up", boolean, False, "Refuse requests without a login, except for `/_up`."
)
REWRITE_LIMIT = Setting("chttpd", "rewrite_limit", integer, 100, "How many times one request may be rewritten.")
SECURE_REWRITES = Setting("chttpd", "secure_rewrites", boolean, True, "Rewrite rules cannot leave their database.")
VHOST_GLOBAL_HANDLERS: Setting[tuple[str, ...]] = Setting(
    "chttpd",
    "vhost_global_handlers",
    items,
    ("_utils", "_uuids", "_session", "_users"),
    "Paths that `[vhosts]` leaves as they are.",
)
WWW_AUTHENTICATE = Setting("chttpd", "WWW-Authenticate", text, "", "The challenge of a 401 answer.")
X_FORWARDED_HOST = Setting(
    "chttpd", "x_forwarded_host", text, "X-Forwarded-Host", "Header with the host under which clients reach a proxy."
)
X_FORWARDED_PROTO = Setting(
    "chttpd", "x_forwarded_proto", text, "X-Forwarded-Proto", "Header that names the scheme a client used with a proxy."
)
X_FORWARDED_SSL = Setting(
    "chttpd", "x_forwarded_ssl", text, "X-Forwarded-Ssl", "Header that is `on` if a client used TLS with a proxy."
)

# chttpd_auth

ALLOW_CONFLICTED_USER_DOCS = Setting(
    "chttpd_auth",
    "allow_conflicted_user_docs",
    boolean,
    False,
    "A user may log in while the user's document conflicts.",
)
ALLOW_PERSISTENT_COOKIES = Setting(
    "chttpd_auth", "allow_persistent_cookies", boolean, True, "Session cookies have an `Expires` and a `Max-Age`."
)
AUTHENTICATION_DB = Setting("chttpd_auth", "authentication_db", name, "_users", "The database of user documents.")
AUTHENTICATION_REDIRECT = Setting(
    "chttpd_auth", "authentication_redirect", text, "/_utils/session.html", "Where a browser is sent to log in."
)
COOKIE_DOMAIN = Setting("chttpd_auth", "cookie_domain", text, "", "The `Domain` of session cookies.")
HASH_ALGORITHMS: Setting[tuple[str, ...]] = Setting(
    "chttpd_auth",
    "hash_algorithms",
    items,
    ("sha256", "sha"),
    "Hash functions of cookies and proxy tokens; the first signs, all are accepted.",
)
ITERATIONS = Setting(
    "chttpd_auth",
    "iterations",
    integer,
    10,
    "Rounds of a password's hash. The real server's default of 600000 costs half a second for each password.",
)
MAX_ITERATIONS = Setting("chttpd_auth", "max_iterations", integer, 1000000000, "Most rounds that are accepted.")
MIN_ITERATIONS = Setting("chttpd_auth", "min_iterations", integer, 1, "Fewest rounds that are accepted.")
PASSWORD_REGEXP = Setting("chttpd_auth", "password_regexp", text, "", "Patterns that a new password has to match.")
PASSWORD_SCHEME = Setting("chttpd_auth", "password_scheme", text, "pbkdf2", "How passwords are hashed.")
PBKDF2_PRF = Setting("chttpd_auth", "pbkdf2_prf", text, "sha256", "The hash function of PBKDF2.")
PROXY_USE_SECRET = Setting(
    "chttpd_auth", "proxy_use_secret", boolean, False, "Logins by a proxy need a token signed with `secret`."
)
PUBLIC_FIELDS: Setting[tuple[str, ...]] = Setting(
    "chttpd_auth", "public_fields", items, (), "Members of user documents that anybody may read."
)
SAME_SITE = Setting("chttpd_auth", "same_site", text, "", "The `SameSite` of session cookies.")
SECRET = Setting("chttpd_auth", "secret", text, "", "Signs session cookies; made when it is first needed.")
TIMEOUT = Setting("chttpd_auth", "timeout", integer, 600, "Length of a session, in seconds.")
UPGRADE_HASH_ON_AUTH = Setting(
    "chttpd_auth", "upgrade_hash_on_auth", boolean, True, "A login hashes an outdated password again."
)
X_AUTH_ROLES = Setting("chttpd_auth", "x_auth_roles", text, "X-Auth-CouchDB-Roles", "A proxy's header with roles.")
X_AUTH_TOKEN = Setting("chttpd_auth", "x_auth_token", text, "X-Auth-CouchDB-Token", "A proxy's header with its token.")
X_AUTH_USERNAME = Setting(
    "chttpd_auth", "x_auth_username", text, "X-Auth-CouchDB-UserName", "A proxy's header with the user's name."
)

# chttpd_auth_lockout

LOCKOUT_MAX_LIFETIME = Setting(
    "chttpd_auth_lockout", "max_lifetime", integer, 300000, "How long a lock lasts, in milliseconds."
)
LOCKOUT_MODE = Setting(
    "chttpd_auth_lockout", "mode", text, "enforce", "`enforce` locks, `warn` only counts, `off` does nothing."
)
LOCKOUT_THRESHOLD = Setting(
    "chttpd_auth_lockout", "threshold", integer, 5, "Failed logins from one address after which a user is locked out."
)

# cluster

CLUSTER_Q = Setting("cluster", "q", integer, 1, "The number of shards that a new database reports.", shown=True)

# cors

CORS_CREDENTIALS = Setting("cors", "credentials", boolean, False, "Pages of other origins may send credentials.")
CORS_EXPOSED_HEADERS: Setting[tuple[str, ...]] = Setting(
    "cors", "exposed_headers", items, (), "Response headers that such pages may read."
)
CORS_HEADERS: Setting[tuple[str, ...]] = Setting(
    "cors", "headers", items, (), "Request headers that such pages may send."
)
CORS_MAX_AGE = Setting("cors", "max_age", text, "600", "How long a preflight answer may be kept, in seconds.")
CORS_METHODS: Setting[tuple[str, ...]] = Setting("cors", "methods", items, (), "Methods that such pages may use.")
CORS_ORIGINS: Setting[tuple[str, ...]] = Setting(
    "cors", "origins", items, (), "Origins whose pages may make requests; `*` for all."
)

# couchdb

CHANGES_DOC_IDS_OPTIMIZATION_THRESHOLD = Setting(
    "couchdb",
    "changes_doc_ids_optimization_threshold",
    integer,
    100,
    "Up to so many ids of a `_doc_ids` filter are looked up one by one, which orders the rows by id.",
)
DEFAULT_SECURITY = Setting(
    "couchdb", "default_security", text, "admin_only", "Security of new databases: `admin_only` or `everyone`."
)
MAINTENANCE_MODE = Setting(
    "couchdb", "maintenance_mode", text, "", "`true` and `nolb` make `/_up` answer 404, for load balancers."
)
MAX_ATTACHMENT_SIZE: Setting[float] = Setting(
    "couchdb", "max_attachment_size", limit, 1073741824, "Largest attachment, in bytes."
)
MAX_ATTACHMENTS_PER_DOCUMENT = Setting(
    "couchdb", "max_attachments_per_document", limit, math.inf, "Most attachments of one document."
)
MAX_DATABASE_NAME_LENGTH = Setting(
    "couchdb", "max_database_name_length", integer, 238, "Longest part of a database's name between slashes."
)
MAX_DOCUMENT_ID_LENGTH = Setting("couchdb", "max_document_id_length", limit, math.inf, "Longest document id, in bytes.")
MAX_DOCUMENT_SIZE = Setting("couchdb", "max_document_size", integer, 8000000, "Largest document body, in bytes.")
MAX_PARTITION_SIZE = Setting(
    "couchdb", "max_partition_size", integer, 10737418240, "Largest partition, in bytes; 0 for any size."
)
OS_PROCESS_TIMEOUT = Setting(
    "couchdb", "os_process_timeout", integer, 5000, "How long a design function may run, in milliseconds."
)
STEM_INTERACTIVE_UPDATES = Setting(
    "couchdb", "stem_interactive_updates", boolean, True, "Writes cut revision histories to `_revs_limit`."
)
USERS_DB_SECURITY_EDITABLE = Setting(
    "couchdb", "users_db_security_editable", boolean, False, "The users' database accepts a new `_security`."
)

# couch_peruser

PERUSER_DATABASE_PREFIX = Setting(
    "couch_peruser", "database_prefix", text, "userdb-", "How the names of users' databases begin."
)
PERUSER_DELETE_DBS = Setting(
    "couch_peruser", "delete_dbs", boolean, False, "Deleting a user deletes the user's database."
)
PERUSER_ENABLE = Setting("couch_peruser", "enable", boolean, False, "Each user document makes a database.")
PERUSER_Q = Setting("couch_peruser", "q", integer, 1, "The number of shards that users' databases report.")

# csp

CSP_ATTACHMENTS_ENABLE = Setting(
    "csp", "attachments_enable", boolean, True, "Attachments are sent with a `Content-Security-Policy`."
)
CSP_ATTACHMENTS_HEADER_VALUE = Setting("csp", "attachments_header_value", text, "sandbox", "The policy of attachments.")
CSP_SHOWLIST_ENABLE = Setting(
    "csp", "showlist_enable", boolean, True, "Answers of shows and lists are sent with a `Content-Security-Policy`."
)
CSP_UTILS_ENABLE = Setting(
    "csp", "utils_enable", boolean, True, "Files below `/_utils` are sent with a `Content-Security-Policy`."
)
CSP_UTILS_HEADER_VALUE = Setting(
    "csp",
    "utils_header_value",
    text,
    "child-src 'self' data: blob:; default-src 'self'; img-src 'self' data:; font-src 'self';"
    " script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline';",
    "The policy of files below `/_utils`.",
)
CSP_SHOWLIST_HEADER_VALUE = Setting("csp", "showlist_header_value", text, "sandbox", "The policy of shows and lists.")

# global_changes

GLOBAL_CHANGES_DBNAME = Setting(
    "global_changes", "dbname", name, "_global_changes", "The database that records what happens to databases."
)
GLOBAL_CHANGES_UPDATE_DB = Setting("global_changes", "update_db", boolean, True, "Whether that database is written to.")

# jwt_auth

REQUIRED_CLAIMS = Setting("jwt_auth", "required_claims", text, "exp", "Claims that a token must have.")
ROLES_CLAIM_NAME = Setting("jwt_auth", "roles_claim_name", text, "_couchdb.roles", "The claim with a user's roles.")
ROLES_CLAIM_PATH = Setting("jwt_auth", "roles_claim_path", text, "", "The path to a nested claim with a user's roles.")

# mango

MANGO_DEFAULT_LIMIT = Setting("mango", "default_limit", integer, 25, "The limit of a query that sets none.")
INDEX_SCAN_WARNING_THRESHOLD = Setting(
    "mango",
    "index_scan_warning_threshold",
    integer,
    10,
    "Documents examined for each result above which a query answers with a warning; 0 for never.",
)

# purge

PURGE_MAX_DOCUMENT_ID_NUMBER = Setting(
    "purge", "max_document_id_number", integer, 100, "Most documents of one purge request."
)
PURGE_MAX_REVISIONS_NUMBER = Setting(
    "purge", "max_revisions_number", integer, 1000, "Most revisions of one purge request."
)

# query_server_config

PARTITION_QUERY_LIMIT = Setting(
    "query_server_config",
    "partition_query_limit",
    integer,
    576460752303423487,
    "Highest limit of such a query to a partition.",
)
QUERY_LIMIT = Setting("query_server_config", "query_limit", integer, MAX_VIEW_LIMIT, "Highest limit of a view query.")
REDUCE_LIMIT = Setting(
    "query_server_config",
    "reduce_limit",
    text,
    "true",
    "`true` refuses reductions that do not shrink, `log` only logs them, `false` accepts them.",
)
REDUCE_LIMIT_RATIO = Setting(
    "query_server_config",
    "reduce_limit_ratio",
    number,
    2.0,
    "How many times smaller than its input a reduction must be.",
)
REDUCE_LIMIT_THRESHOLD = Setting(
    "query_server_config", "reduce_limit_threshold", integer, 4096, "Reductions up to this size are always accepted."
)
QUERY_REVS_LIMIT = Setting(
    "query_server_config", "revs_limit", integer, 20, "Most entries of the `_revisions` that filters and updates see."
)

# replicator

REPLICATOR_CHECKPOINT_INTERVAL = Setting(
    "replicator", "checkpoint_interval", integer, 30000, "Time between checkpoints, in milliseconds."
)
REPLICATOR_CONNECTION_TIMEOUT = Setting(
    "replicator", "connection_timeout", integer, 30000, "How long another server may take to answer, in milliseconds."
)
REPLICATOR_MAX_DOCUMENT_ID_LENGTH = Setting(
    "replicator", "max_document_id_length", limit, math.inf, "Documents with a longer id, in bytes, are not replicated."
)
REPLICATOR_MAX_HISTORY = Setting(
    "replicator", "max_history", integer, 20, "Most events in the history of a job in `/_scheduler/jobs`."
)
REPLICATOR_RETRIES_PER_REQUEST = Setting(
    "replicator", "retries_per_request", integer, 5, "How often a request to a server without an answer is repeated."
)
REPLICATOR_UPDATE_DOCS = Setting(
    "replicator", "update_docs", boolean, False, "Replicator documents get the states `triggered` and `error` too."
)
REPLICATOR_USE_CHECKPOINTS = Setting(
    "replicator", "use_checkpoints", boolean, True, "Replications record how far they have come in both databases."
)
REPLICATOR_WORKER_BATCH_SIZE = Setting(
    "replicator", "worker_batch_size", integer, 500, "How many changes are replicated at a time."
)

# uuids

UUIDS_ALGORITHM = Setting(
    "uuids", "algorithm", text, "sequential", "How ids are made: `sequential`, `random`, `utc_random` or `utc_id`."
)
UUIDS_MAX_COUNT = Setting("uuids", "max_count", integer, 1000, "Most ids of one `GET /_uuids`.")
UTC_ID_SUFFIX = Setting("uuids", "utc_id_suffix", text, "", "What `utc_id` ids end with.")

# x_frame_options

X_FRAME_HOSTS: Setting[tuple[str, ...]] = Setting(
    "x_frame_options", "hosts", items, (), "Hosts whose pages may frame answers; `*` for all."
)
X_FRAME_SAME_ORIGIN = Setting(
    "x_frame_options", "same_origin", boolean, False, "Only pages of the same origin may frame answers."
)

SETTINGS: tuple[Setting[Any], ...] = tuple(value for value in globals().values() if isinstance(value, Setting))
"""Every setting that changes what this server does."""

SECTIONS: tuple[Section, ...] = tuple(value for value in globals().values() if isinstance(value, Section))
"""Every section with keys of the operator's own."""


def _stored(section: str, why: str, *, shown: bool = False, **defaults: str) -> list[Setting[str]]:
    return [Setting(section, key, text, default, why, shown) for key, default in defaults.items()]


_FILES = "There are no files: data lives in memory."
_NODES = "There is one node."
_PROCESSES = "Design functions run in this process or in one beside it, not in a pool of processes."
_SOCKETS = "Sockets are Python's."
_SCHEDULE = "No work waits for a schedule: indexes are brought up to date when they are read."
_EAGER = "All replications run at once."
_LOG = "The server logs through Python's logging module."

STORED_ONLY: tuple[Setting[str], ...] = (
    *_stored("chttpd", _SOCKETS, backlog="512", server_options="[{recbuf, undefined}]", socket_options=""),
    *_stored("chttpd", "Answers are complete before they are sent wherever they are short.", buffer_response="false"),
    *_stored("chttpd", "A client that leaves is noticed at once.", disconnect_check_msec="30000"),
    *_stored("chttpd", "A batch answers the same as single reads.", bulk_get_use_batches="true"),
    *_stored(
        "chttpd_auth_cache", "Logins are kept until anything that decides about them changes.", max_lifetime="600000"
    ),
    *_stored("cluster", _NODES, shown=True, n="1"),
    *_stored("cluster", _NODES, placement="", seedlist=""),
    *_stored("couchdb", _FILES, shown=True, database_dir="./data", view_index_dir="./data"),
    *_stored(
        "couchdb", _FILES, enable_database_recovery="false", file_compression="snappy", uri_file="", max_dbs_open="500"
    ),
    *_stored("couchdb", _FILES, attachment_stream_buffer_size="4096", update_lru_on_read="false"),
    *_stored(
        "couchdb", "The system databases `_users` and `_replicator` always exist at the start.", single_node="true"
    ),
    *_stored("couchdb_engines", _FILES, shown=True, couch="couch_bt_engine"),
    *_stored("ddoc_cache", "Design documents are read when they are used.", max_size="104857600"),
    *_stored("fabric", _NODES, request_timeout="60000", all_docs_timeout="10000", shard_timeout_factor="2"),
    *_stored("indexers", "Views are always available.", shown=True, couch_mrview="true"),
    *_stored("ioq", _SCHEDULE, concurrency="10", ratio="0.01"),
    *_stored("ken", _SCHEDULE, limit="20"),
    *_stored("log", _LOG, shown=True, level="info", writer="stderr"),
    *_stored("log", _LOG, file="./couch.log", max_message_size="16000"),
    *_stored("mango", "It concerns text indexes, which do not exist here.", index_all_disabled="false"),
    *_stored(
        "prometheus",
        "`/_node/_local/_prometheus` is served at the server's own port only.",
        shown=True,
        additional_port="false",
        bind_address="127.0.0.1",
        port="17986",
    ),
    *_stored("purge", _SCHEDULE, index_lag_warn_seconds="86400"),
    *_stored("query_server_config", _PROCESSES, os_process_limit="100", os_process_soft_limit="100"),
    *_stored("query_server_config", _PROCESSES, os_process_idle_limit="300", commit_freq="5"),
    *_stored("rexi", _NODES, buffer_count="2000", stream_limit="5"),
    *_stored("replicator", "Each replication is one thread.", http_connections="20", worker_processes="4"),
    *_stored("replicator", _EAGER, interval="60000", max_churn="20", max_jobs="500", startup_jitter="5000"),
    *_stored("reshard", "Shards are only reported.", max_jobs="48", max_history="20"),
    *_stored("smoosh", "Databases are compacted on request only.", db_channels="", view_channels=""),
    *_stored("ssl", "TLS is not served.", port="6984"),
    *_stored("stats", "Statistics are counted since the start.", interval="10"),
    *_stored("view_updater", _SCHEDULE, min_writer_items="100", min_writer_size="16777216"),
)
"""Settings of the real server that are stored and answered, and change nothing here. Their description says why."""

SHOWN: dict[tuple[str, str], str] = {
    (VENDOR.name, "name"): "The Apache Software Foundation",
    (FEATURE_FLAGS.name, "partitioned||*"): "true",
    **{(each.section, each.key): each.default_text for each in (*SETTINGS, *STORED_ONLY) if each.shown},
}
"""What ``_config`` lists before anything is set, by section and key."""


def is_known(section: str, key: str) -> bool:
    """Return whether the real server has a setting of this section and key."""
    current = next((new for new, old in LEGACY_SECTIONS.items() if old == section), section)
    if any(each.name == section for each in SECTIONS) or section.startswith("cors:"):
        return True
    return any((each.section, each.key) == (current, key) for each in (*SETTINGS, *STORED_ONLY))
