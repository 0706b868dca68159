"""What the page needs beyond CouchDB's own API and the test kit's operations."""

from __future__ import annotations

import inspect
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, body_response
from couchfake.config import Config
from couchfake.control.faults import FAULTS, Condition, Faults
from couchfake.control.gates import index_fields
from couchfake.control.http_api import Operation, as_json
from couchfake.control.kit import Controlled
from couchfake.control.request_log import LoggedRequest, RequestLog
from couchfake.control.secrets import STARS
from couchfake.errors import BadRequest, CouchError, NotFound
from couchfake.inspector.files import page, static_file
from couchfake.query_server import QueryServer
from couchfake.query_server.source import as_program
from couchfake.settings import (
    ADMINS,
    JWT_KEYS,
    LEGACY_SECTIONS,
    OS_PROCESS_TIMEOUT,
    SECTIONS,
    SETTINGS,
    SHOWN,
    STORED_ONLY,
)

SHOWN_CONFLICTS = 100


class Inspected(Controlled, Protocol):
    """A ``CouchFake``."""

    @property
    def url(self) -> str: ...

    def dump(self, path: Path) -> int: ...


class Inspector:
    """The page of one server. ``name`` is shown at its top; ``others``: names and URLs of further servers' pages."""

    def __init__(self, fake: Inspected, name: str = "", others: Sequence[tuple[str, str]] = ()) -> None:
        self._fake = fake
        self._name = name
        self._others = others
        self.operations = [
            Operation("GET", "", page),
            Operation("GET", "static/{name}", static_file),
            Operation("GET", "server", self._server),
            Operation("GET", "requests/{number}", self._request),
            Operation("GET", "conflicts/{db}", self._conflicts),
            Operation("POST", "explain/{db}", self._explain),
            Operation("GET", "origins/{db}/{docid}", self._origins),
            Operation("GET", "fault_kinds", self._fault_kinds),
            Operation("GET", "dump", self._dump),
            Operation("POST", "try_map", self._try_map),
            Operation("GET", "configuration", self._configuration),
        ]

    def _server(self, request: Request) -> Any:
        """Say who is logged in, what the server is called, and which other servers of the same run have a page."""
        version = self._fake.ask("GET", "/")
        return {
            "name": self._name,
            "user": request.user.name,
            "version": version["version"],
            "engine": self._fake.node.query_server.engine_name,
            "others": [{"name": name, "url": url} for name, url in self._others],
        }

    def _request(self, request: Request, number: str) -> Any:
        """Show one request of the log, with its headers and bodies."""
        log = self._fake.requests
        kept = log.all
        place = int(number) - (log.total - len(kept)) if number.isdecimal() else -1
        if not 0 <= place < len(kept):
            raise NotFound(f"the log keeps no request {number}")
        return {"number": int(number), **as_json(kept[place])}

    def _conflicts(self, request: Request, db: str) -> Any:
        """Count a database's documents that are in conflict, and list the first of them."""
        database = self._fake.node.database(db)
        with database.lock:
            found = [
                each.id for each in database.entries.values() if sum(not leaf.deleted for leaf in each.leaves()) > 1
            ]
        return {"total": len(found), "ids": sorted(found)[:SHOWN_CONFLICTS]}

    def _explain(self, request: Request, db: str) -> Any:
        """Explain a Mango query, and propose the _index request that would help where no index serves it."""
        query = request.json_object()
        explained = self._fake.ask("POST", f"/{quote(db, safe='')}/_explain", query)
        fields = []
        if explained["index"]["type"] == "special":
            fields = index_fields(explained["selector"], query.get("sort"))
        return {"explain": explained, "suggestion": {"index": {"fields": fields}} if fields else None}

    def _origins(self, request: Request, db: str, docid: str) -> Any:
        """Say for each revision of a document which request wrote it and when, as far as the log goes back."""
        return origins(self._fake.requests, db, docid)

    def _fault_kinds(self, request: Request) -> Any:
        """List the faults with what they do and their arguments, and the conditions that all of them take."""
        kinds = []
        for name in FAULTS:
            method = getattr(Faults, name)
            found = [each for each in inspect.signature(method).parameters.values() if each.name != "self"]
            arguments = [
                {"name": each.name, "required": each.default is each.empty}
                for each in found
                if each.kind is not each.VAR_KEYWORD
            ]
            description = " ".join((method.__doc__ or "").split("\n\n")[0].replace("`", "").split())
            kinds.append({"name": name, "description": description, "arguments": arguments})
        conditions = [each for each in inspect.signature(Condition).parameters if each != "writes_only"]
        return {"kinds": kinds, "conditions": conditions}

    def _dump(self, request: Request) -> Response:
        """Return all databases as a zip file of a folder that ``--seed`` reads once it is unpacked."""
        packed = io.BytesIO()
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "dump")
            self._fake.dump(root)
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for each in sorted(root.rglob("*")):
                    archive.write(each, each.relative_to(folder))
        headers = {"Content-Disposition": 'attachment; filename="couchfake-dump.zip"', "Cache-Control": "no-store"}
        return body_response(packed.getvalue(), "application/zip", headers=headers)

    def _try_map(self, request: Request) -> Any:
        """Run a map function on one document: "map", and "db" and "docid" or "doc"; "lib" is optional."""
        body = request.json_object()
        source, document = body.get("map"), body.get("doc")
        if document is None:
            db, docid = body.get("db"), body.get("docid")
            if not isinstance(db, str) or not isinstance(docid, str):
                raise BadRequest("try_map wants doc, or db and docid")
            document = self._fake.ask("GET", f"/{quote(db, safe='')}/{quote(docid, safe='')}")
        if not isinstance(source, str) or not isinstance(document, dict):
            raise BadRequest("map is a function's source, and doc an object")
        return try_map(self._fake.node.query_server.engine_name, source, document, body.get("lib"))

    def _configuration(self, request: Request) -> Any:
        """List the settings with their values, defaults and descriptions, the changed ones first."""
        return configuration(self._fake.ask("GET", "/_node/_local/_config"))


_SECRETS = frozenset((ADMINS.name, JWT_KEYS.name))


def configuration(current: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return a row for each setting: ``section``, ``key``, ``value``, ``default``, ``changed``, ``description``.

    ``current``: what ``_config`` shows. ``value`` is None for a setting that is not set. Secrets are stars.
    """
    known = {(each.section, each.key): each for each in (*SETTINGS, *STORED_ONLY)}
    sections = {each.name: each.description for each in SECTIONS}
    current_names = {old: new for new, old in LEGACY_SECTIONS.items()}
    values = {(section, key): value for section, keys in current.items() for key, value in keys.items()}
    rows = []
    for section, key in {**values, **known}:
        setting = known.get((current_names.get(section, section), key))
        value = values.get((section, key))
        default = SHOWN.get((section, key)) or (setting.default_text if setting else None)
        rows.append(
            {
                "section": section,
                "key": key,
                "value": STARS if value is not None and (section in _SECRETS or key == "secret") else value,
                "default": default,
                "changed": value is not None and value != default,
                "description": setting.description if setting else sections.get(section, ""),
            }
        )
    return sorted(rows, key=lambda row: (not row["changed"], row["section"], row["key"]))


def origins(log: RequestLog, database: str, docid: str) -> dict[str, dict[str, Any]]:
    """Return for each revision ``at`` (seconds since 1970), ``by`` (``replication`` or ``edit``) and ``user``.

    Replication is what ``new_edits: false`` says. Revisions whose request is not kept in the log are missing.
    """
    found: dict[str, dict[str, Any]] = {}
    for logged in log.all:
        if logged.database != database or logged.status not in (200, 201, 202) or logged.method not in _WRITES:
            continue
        for rev, by in _written(logged, docid):
            found.setdefault(rev, {"at": logged.at, "by": by, "user": logged.user})
    return found


_WRITES = frozenset(("PUT", "POST", "DELETE", "COPY"))


def _written(logged: LoggedRequest, docid: str) -> Iterator[tuple[str, str]]:
    body, answer = logged.json, logged.answer_json
    if logged.path.rstrip("/").endswith("/_bulk_docs"):
        documents = body.get("docs") if isinstance(body, dict) else None
        if isinstance(documents, list) and body.get("new_edits") is False:
            for document in documents:
                if isinstance(document, dict) and document.get("_id") == docid and "_rev" in document:
                    yield document["_rev"], "replication"
        elif isinstance(answer, list):
            for row in answer:
                if isinstance(row, dict) and row.get("id") == docid and "rev" in row:
                    yield row["rev"], "edit"
    elif isinstance(answer, dict) and answer.get("id") == docid and "rev" in answer:
        yield answer["rev"], "replication" if logged.query.get("new_edits") == "false" else "edit"


# ---- a map function tried on one document, without an index: its rows, what it logs, and the line of an error

TIMEOUT = 2000
"""Milliseconds that a map function may take."""

_LINE = re.compile(r"\(line (\d+)\)")
_VIEW = "trial"
_LABEL = f"/_view/{_VIEW}: "


def try_map(engine: str, source: str, document: dict[str, Any], lib: Any = None) -> dict[str, Any]:
    """Return ``rows`` (keys and values), ``log`` (texts), ``error`` and ``line`` (both None without an error)."""
    lines: list[tuple[str, str]] = []
    server = QueryServer(
        engine,
        config=Config({OS_PROCESS_TIMEOUT.section: {OS_PROCESS_TIMEOUT.key: str(TIMEOUT)}}),
        log=lambda level, message: lines.append((level, message.removeprefix(_LABEL))),
    )
    error: str | None = None
    rows: list[Any] = []
    try:
        session = server.compile_map([(_VIEW, source)], lib)
        rows = session.map_docs([json.dumps(document)])[0][0]
        session.close()
    except CouchError as failure:
        error = _first_line(str(failure.reason or failure.error))
    finally:
        server.close()
    errors = [message for level, message in lines if level == "error"]
    if error is None and errors:
        error = errors[-1]
    return {
        "rows": [{"key": key, "value": value} for key, value in rows],
        "log": [message for level, message in lines if level != "error"],
        "error": error,
        "line": _line_of(error, source) if error else None,
    }


def _line_of(error: str, source: str) -> int | None:
    found = _LINE.search(error)
    return int(found[1]) if found else _line_of_syntax_error(source)


def _line_of_syntax_error(source: str) -> int | None:
    """Return the line at which a source cannot be parsed, counted from 1. The engine js2py does not say."""
    try:
        import _quickjs as quickjs
    except ImportError:
        return None
    context = quickjs.Context()
    context.set_memory_limit(16 * 1024 * 1024)
    try:
        context.eval(f"if (false) {{({as_program(source)}\n)}}")
    except quickjs.JSException as failure:
        found = re.search(r"<input>:(\d+)", str(failure))
        return min(int(found[1]), source.count("\n") + 1) if found else None
    return None


def _first_line(text: str) -> str:
    return text.partition("\n")[0].partition(" (function")[0]
