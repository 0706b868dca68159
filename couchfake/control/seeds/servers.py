"""Seeds and servers: write what was read into a server, and what a server holds into a folder.

A server is a fake in this process or any CouchDB, over HTTP.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import requests

from couchfake.control.secrets import without_login
from couchfake.control.seeds.documents import SeedDocument, SeedError, at
from couchfake.control.seeds.folders import (
    ATTACHMENTS,
    DESIGN,
    DOCUMENTS,
    SECURITY,
    SERVER,
    SETTINGS,
    SeedDatabase,
    file_name,
    loading_order,
    write_design_folder,
)
from couchfake.values import json

if TYPE_CHECKING:
    from tqdm import tqdm
    from typing_extensions import Never


# ---- loading
#
# Design documents come last, so that their validation functions have no say in what a seed holds, and the security
# object after them. A document with a ``_rev`` keeps it, as in a replication.

_MOST_DOCUMENTS, _MOST_BYTES = 1000, 8_000_000
_OWN_DDOC = ("_users", "_design/_auth")


class Couch:
    """A server that answers at ``url`` (which ends in a slash). Errors of the connection are SeedErrors."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session = session
        self._url = url

    def ask(self, method: str, path: str, body: bytes | None = None) -> requests.Response:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            return self._session.request(method, self._url + path, data=body, headers=headers)
        except requests.RequestException as error:
            raise SeedError(f"The server at {without_login(self._url)} does not answer: {_cause(error)}.") from error

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer. Raise SeedError for one that is not a success."""
        answer = self.ask(method, path, None if body is None else json.encode(body))
        if not answer.ok:
            raise SeedError(f"The server refuses {method} /{path}: {refusal(answer)}.")
        return json.loads(answer.content)

    def require(self) -> None:
        """Raise SeedError if no CouchDB answers."""
        answer = self.ask("GET", "")
        if answer.status_code in (401, 403):
            raise SeedError(f"The server at {without_login(self._url)} refuses the login: {refusal(answer)}.")
        if not answer.ok or b'"couchdb"' not in answer.content:
            raise SeedError(f"What answers at {without_login(self._url)} is not a CouchDB.")


def refusal(answer: requests.Response) -> str:
    try:
        error = json.loads(answer.content)
        return f"{answer.status_code} {error['error']}: {error['reason'].rstrip('.')}"
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)


def _cause(error: requests.RequestException) -> str:
    if isinstance(error, ValueError):  # of requests: a URL without a scheme, or with one that it does not know
        return "this is not the URL of a server, such as http://localhost:5984"
    return "the time is out" if isinstance(error, requests.Timeout) else "no connection can be made"


def load_into(couch: Couch, databases: Sequence[SeedDatabase]) -> int:
    """Write databases into a server and return how many documents they had.

    Raise SeedError if the server refuses anything. Databases that did not exist before are deleted then.
    """
    couch.require()
    made: list[str] = []
    total = sum(len(each.documents) for each in databases)
    try:
        with progress("Loading", total) as bar:
            for each in loading_order(list(databases)):
                _load_database(couch, each, made, bar)
    except BaseException:
        for name in reversed(made):
            couch.ask("DELETE", quote(name, safe=""))
        raise
    return total


def _load_database(couch: Couch, database: SeedDatabase, made: list[str], bar: tqdm[Never]) -> None:
    name = quote(database.name, safe="")
    if _create(couch, name, database):
        made.append(database.name)
    if "revs_limit" in database.settings:
        couch.json("PUT", f"{name}/_revs_limit", database.settings["revs_limit"])
    known = _known(couch, database, name)
    documents = [each for each in database.documents if each.id not in known]
    local = [each for each in documents if (each.id or "").startswith("_local/")]
    design = [each for each in documents if (each.id or "").startswith("_design/")]
    special = {id(each) for each in (*local, *design)}
    for part in ([each for each in documents if id(each) not in special], design):
        _write(couch, name, part, bar)
    for each in local:
        _write_local(couch, name, each)
    if database.security is not None and database.security != couch.json("GET", f"{name}/_security"):
        couch.json("PUT", f"{name}/_security", database.security)


def _create(couch: Couch, name: str, database: SeedDatabase) -> bool:
    """Whether the database is a new one."""
    settings = database.settings
    parameters = [f"q={settings['q']}"] if "q" in settings else []
    if settings.get("partitioned"):
        parameters.append("partitioned=true")
    answer = couch.ask("PUT", name + ("?" + "&".join(parameters) if parameters else ""))
    if not answer.ok and answer.status_code != 412:
        raise at(database.path, None, f"The server refuses the database {database.name!r}: {refusal(answer)}.")
    return answer.ok


def _known(couch: Couch, database: SeedDatabase, name: str) -> frozenset[str]:
    """The server has its own rules for users, which another server's would conflict with."""
    if database.name == _OWN_DDOC[0] and couch.ask("HEAD", f"{name}/{_OWN_DDOC[1]}").ok:
        return frozenset((_OWN_DDOC[1],))
    return frozenset()


def _write(couch: Couch, name: str, documents: list[SeedDocument], bar: tqdm[Never]) -> None:
    new = [each for each in documents if each.rev is None]
    replicated = [each for each in documents if each.rev is not None]
    for part, end in ((new, b"]}"), (replicated, b'],"new_edits":false}')):
        for batch, texts in _batches(part):
            answer = couch.ask("POST", f"{name}/_bulk_docs", b'{"docs":[' + b",".join(texts) + end)
            if not answer.ok:
                raise _batch_error(batch, answer)
            _check(batch, json.loads(answer.content))
            bar.update(len(batch))


def _batches(documents: Iterable[SeedDocument]) -> Iterator[tuple[list[SeedDocument], list[bytes]]]:
    batch: list[SeedDocument] = []
    texts: list[bytes] = []
    size = 0
    for each in documents:
        text = each.encoded()
        if batch and (len(batch) == _MOST_DOCUMENTS or size + len(text) > _MOST_BYTES):
            yield batch, texts
            batch, texts, size = [], [], 0
        batch.append(each)
        texts.append(text)
        size += len(text)
    if batch:
        yield batch, texts


def _batch_error(batch: list[SeedDocument], answer: requests.Response) -> SeedError:
    first, last = batch[0], batch[-1]
    if first is last or first.line is None or first.path != last.path:
        return first.error(f"The server refuses the document: {refusal(answer)}.")
    return at(first.path, first.line, f"The server refuses the documents up to line {last.line}: {refusal(answer)}.")


def _check(batch: list[SeedDocument], rows: Any) -> None:
    """Raise SeedError for the first document that was refused."""
    for place, row in enumerate(rows):
        if "error" in row:
            of_id = (each for each in batch if each.id == row.get("id"))  # replicated ones: only errors have rows
            refused = batch[place] if len(rows) == len(batch) else next(of_id, batch[0])
            if row["error"] == "conflict":
                raise refused.error(
                    f"The server has the document {row.get('id')!r} already. Delete it or its database before, or load"
                    " into another database."
                )
            reason = row["reason"].rstrip(".")
            raise refused.error(f"The server refuses the document {row.get('id')!r}: {row['error']}: {reason}.")


def _write_local(couch: Couch, name: str, document: SeedDocument) -> None:
    """A local document's next revision is one more than the one that is named."""
    value = json.loads(document.text)
    number = str(value.pop("_rev", "0-1")).partition("-")[2]
    value["_rev"] = f"0-{int(number) - 1 if number.isdigit() else 0}"
    answer = couch.ask("PUT", f"{name}/{quote(str(document.id), safe='/')}", json.encode(value))
    if not answer.ok:
        raise document.error(f"The server refuses the document {document.id!r}: {refusal(answer)}.")


def progress(what: str, total: int) -> tqdm[Never]:
    """A bar on standard error to ``update(documents)``. It shows after a second, and only on a terminal."""
    from tqdm import tqdm  # takes longer to import than a small seed takes to load

    return tqdm(desc=what, total=total, unit=" docs", disable=None, delay=1.0, leave=False)


# ---- dumping
#
# What is written is in the order of ids, one document a line, so that two dumps can be compared. Design documents are
# folders of their own and attachments files, wherever a file can hold them exactly.

_AT_A_TIME = 200
_LEFT_OUT = "_global_changes"  # what the server writes down by itself
_REVS_LIMIT = 1000


class Dumped(NamedTuple):
    """How many documents a dump has: those that can be read, local ones too, and deleted ones.

    A document with conflicts is one, and deleted only if all its revisions are.
    """

    documents: int
    deleted: int


def dump_from(couch: Couch, path: Path) -> Dumped:
    """Write all databases of a server into the folder ``path``, and return how many documents they have.

    An earlier dump in its place is replaced. Raise SeedError if anything else is there, or the server refuses to show
    something; the folder is then as it was.
    """
    couch.require()
    if path.exists() and not (path.is_dir() and (not any(path.iterdir()) or (path / SERVER).is_file())):
        raise at(path, None, "The path is not empty, and what is there is not a dump.")
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [name for name in couch.json("GET", "_all_dbs") if name != _LEFT_OUT]
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".dump-") as made:
        folder = Path(made, "dump")
        folder.mkdir()
        (folder / SERVER).write_bytes(b'{"couchfake_dump":1}\n')
        with progress("Dumping", 0) as bar:
            counts = [_dump_database(couch, name, folder / quote(name, safe=""), bar.update) for name in names]
        if path.exists():
            os.replace(path, Path(made, "before"))
        shutil.move(folder, path)
    return Dumped(sum(each.documents for each in counts), sum(each.deleted for each in counts))


def _dump_database(couch: Couch, name: str, folder: Path, done: Any) -> Dumped:
    folder.mkdir()
    quoted = quote(name, safe="")
    settings = _settings(couch, quoted)
    if settings:
        _write_json(folder / SETTINGS, settings)
    _write_json(folder / SECURITY, couch.json("GET", f"{quoted}/_security"))
    changes = couch.json("GET", f"{quoted}/_changes?style=all_docs")["results"]
    leaves = [
        (row["id"], change["rev"])
        for row in sorted(changes, key=lambda row: str(row["id"]))
        for change in row["changes"]
        if not (name == "_users" and row["id"] == "_design/_auth")
    ]
    files = _AttachmentFiles(folder / ATTACHMENTS)
    existing: set[str] = set()
    with (folder / DOCUMENTS).open("wb") as lines:
        for document, is_only_leaf in _documents(couch, quoted, leaves):
            if "_deleted" not in document:
                existing.add(document["_id"])
            done(1)
            if is_only_leaf and _is_written_as_folder(folder / DESIGN, document):
                continue
            if is_only_leaf:
                files.take(document)
            lines.write(json.encode(document) + b"\n")
        local = [row["doc"] for row in couch.json("GET", f"{quoted}/_local_docs?include_docs=true")["rows"]]
        lines.writelines(json.encode(document) + b"\n" for document in local)
    return Dumped(len(existing) + len(local), len({docid for docid, _ in leaves} - existing))


def _settings(couch: Couch, name: str) -> dict[str, Any]:
    """What differs from a database that is made without saying anything."""
    info, limit = couch.json("GET", name), couch.json("GET", f"{name}/_revs_limit")
    settings: dict[str, Any] = {"partitioned": True} if info.get("props", {}).get("partitioned") else {}
    if info["cluster"]["q"] != 1:
        settings["q"] = info["cluster"]["q"]
    if limit != _REVS_LIMIT:
        settings["revs_limit"] = limit
    return settings


def _documents(couch: Couch, name: str, leaves: Sequence[tuple[str, str]]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each leaf with its history and the content of its attachments, and whether its document has no other."""
    rest = iter(leaves)
    counts: dict[str, int] = {}
    for docid, _ in leaves:
        counts[docid] = counts.get(docid, 0) + 1
    while batch := list(islice(rest, _AT_A_TIME)):
        revisions = {"docs": [{"id": docid, "rev": rev} for docid, rev in batch]}
        for result in couch.json("POST", f"{name}/_bulk_get?revs=true&attachments=true", revisions)["results"]:
            for found in result["docs"]:
                if "ok" in found:
                    yield _shortened(found["ok"]), counts[found["ok"]["_id"]] == 1


def _shortened(document: dict[str, Any]) -> dict[str, Any]:
    """Without what follows from the rest: the history of a first revision, and what a load gives attachments."""
    if len(document.get("_revisions", {}).get("ids", ())) == 1:
        del document["_revisions"]
    for name, entry in document.get("_attachments", {}).items():
        document["_attachments"][name] = {key: entry[key] for key in ("content_type", "revpos", "data") if key in entry}
    return document


def _is_written_as_folder(folder: Path, document: dict[str, Any]) -> bool:
    docid = document["_id"]
    is_code = docid.startswith("_design/") and document.get("language") != "query" and "_deleted" not in document
    return is_code and write_design_folder(folder, document)


class _AttachmentFiles:
    """The files of one database's attachments."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()  # case-folded: some file systems do not tell upper case from lower

    def take(self, document: dict[str, Any]) -> None:
        """Write the attachments of a document into files, and leave stubs in it; what no file can hold stays."""
        of_document = file_name(document["_id"])
        if of_document is None:
            return
        for name, entry in document.get("_attachments", {}).items():
            of_attachment = file_name(name)
            path = f"{of_document}/{of_attachment}"
            if of_attachment is None or path.casefold() in self._taken:
                continue
            self._taken.add(path.casefold())
            (self._folder / of_document).mkdir(parents=True, exist_ok=True)
            (self._folder / path).write_bytes(base64.b64decode(entry.pop("data")))
            entry["stub"] = True


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_bytes(json.encode(value) + b"\n")
