"""Writing seeds into a server, over HTTP: a fake in this process, or any CouchDB.

Design documents come last, so that their validation functions have no say in what a seed holds, and the security
object after them. A document with a ``_rev`` keeps it, as in a replication.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from couchfake.control.secrets import without_login
from couchfake.control.seeds.documents import SeedDocument, SeedError, at
from couchfake.control.seeds.folders import SeedDatabase, loading_order
from couchfake.values import json

if TYPE_CHECKING:
    from tqdm import tqdm
    from typing_extensions import Never

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
