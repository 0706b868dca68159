"""Files of documents. The content of a file shows which form it has.

One JSON text: a document, an array of documents, ``{"docs": […]}``, the answer of ``_all_docs?include_docs=true`` or
``_changes?include_docs=true``. Or one JSON text a line: documents, or arrays of documents as ``couchbackup`` writes
them. Files may be gzipped. The text of a document is kept as it is in the file, and so are its numbers.
"""

from __future__ import annotations

import base64
import gzip
import json as standard_json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from couchfake.values import json


class SeedError(ValueError):
    """A seed cannot be loaded or written. The text is one sentence, with the file and the line where there are any."""


def at(path: Path, line: int | None, sentence: str) -> SeedError:
    return SeedError(f"{path}:{line}: {sentence}" if line is not None else f"{path}: {sentence}")


_SPACE = re.compile(r"[ \t\r\n]*")
_REV = re.compile(r"[0-9]+-.+")
_LISTS = ("docs", "rows", "results")
_SPECIAL = frozenset(
    ("_id", "_rev", "_deleted", "_attachments", "_revisions", "_revs_info", "_local_seq", "_conflicts")
    + ("_deleted_conflicts", "_replication_state", "_replication_state_time", "_replication_state_reason")
    + ("_replication_id", "_replication_stats")
)


@dataclass(slots=True)
class SeedDocument:
    """A document that was read and found well-formed.

    ``text``: its JSON. ``files``: attachments whose content is in files, by name; they need not be in the JSON.
    ``stubs``: the attachments in the JSON that come without content.
    """

    path: Path
    line: int | None
    text: str
    id: str | None
    rev: str | None
    stubs: tuple[str, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)

    def error(self, sentence: str) -> SeedError:
        return at(self.path, self.line, sentence)

    def encoded(self) -> bytes:
        """The JSON with all attachments in it."""
        if not self.files:
            return self.text.encode("utf-8")
        value = json.loads(self.text)
        entries: dict[str, Any] = value.setdefault("_attachments", {})
        for name, path in self.files.items():
            entry = {key: each for key, each in entries.get(name, {}).items() if key in ("content_type", "revpos")}
            entry.setdefault("content_type", _content_type(path))
            entries[name] = {**entry, "data": base64.b64encode(path.read_bytes()).decode("ascii")}
        return json.encode(value)


def _content_type(path: Path) -> str:
    import mimetypes  # reads the system's tables, which few seeds need

    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def read_documents(path: Path) -> Iterator[SeedDocument]:
    """Read the documents of a file. Raise SeedError if it cannot be read or one of them is not a document."""
    text = read_text(path)
    start = _skip(text, 0)
    if start == len(text):
        return
    first_line = text[start:].partition("\n")[0]
    if len(first_line.rstrip()) < len(text[start:].rstrip()) and _is_json(first_line):
        yield from _of_lines(path, text)
    else:
        yield from _of_one_text(path, text, start)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, gzipped or not. Raise SeedError if it cannot be read."""
    try:
        data = path.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise at(path, None, f"The file cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise at(path, data.count(b"\n", 0, error.start) + 1, "The text is not UTF-8.") from None


def read_value(path: Path) -> Any:
    """The JSON value of a file."""
    text = read_text(path)
    start = _skip(text, 0)
    value, end = _scan(path, text, start)
    _expect_end(path, text, end)
    return value


def document(path: Path, line: int | None, text: str, value: Any) -> SeedDocument:
    """Check that a value is a document. Raise SeedError if the server would refuse it."""
    if not isinstance(value, dict):
        raise at(path, line, f"A document is a JSON object, but this is {_kind(value)}.")
    docid, rev = value.get("_id"), value.get("_rev")
    if docid is not None and (not isinstance(docid, str) or not docid):
        raise at(path, line, f"The _id of a document is a non-empty string, not {json.dumps(docid)}.")
    if docid is not None and docid.startswith("_") and not docid.startswith(("_design/", "_local/")):
        raise at(path, line, f"The id {docid!r} is reserved: only _design/ and _local/ may begin with an underscore.")
    if rev is not None and not (isinstance(rev, str) and _REV.fullmatch(rev)):
        raise at(path, line, f"The _rev of a document looks like 1-967a00dff5e02add, not {json.dumps(rev)}.")
    if rev is not None and docid is None:
        raise at(path, line, "A document with a _rev needs an _id.")
    for name in value:
        if name.startswith("_") and name not in _SPECIAL:
            raise at(path, line, f"A document cannot have the member {name!r}: names with an underscore are reserved.")
    return SeedDocument(path, line, text, docid, rev, _stubs(path, line, value.get("_attachments", {})))


def _stubs(path: Path, line: int | None, entries: Any) -> tuple[str, ...]:
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise at(path, line, "The _attachments of a document are an object of objects.")
    return tuple(name for name, entry in entries.items() if "data" not in entry)


def _of_lines(path: Path, text: str) -> Iterator[SeedDocument]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.isspace():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise at(path, number, f"The line is not JSON: {_reason(error)}.") from None
        if isinstance(value, list):
            for each in value:
                yield document(path, number, json.dumps(each), each)
        elif not _is_backup_header(value):
            yield document(path, number, line, value)


def _is_backup_header(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("name", "")).endswith("couchbackup") and "mode" in value


def _of_one_text(path: Path, text: str, start: int) -> Iterator[SeedDocument]:
    if text[start] == "[":
        end = yield from _elements(path, text, start, "docs")
        _expect_end(path, text, end)
        return
    found = _list_in(path, text, start)
    if found is not None:
        yield from _elements(path, text, found[1], found[0])
        return
    value, end = _scan(path, text, start)
    _expect_end(path, text, end)
    yield document(path, _line(text, start), text[start:end], value)


def _list_in(path: Path, text: str, start: int) -> tuple[str, int] | None:
    """The name of the member that has the documents, and where its array begins; None for a single document."""
    if text[start] != "{":
        return None
    found = None
    place = _skip(text, start + 1)
    while text[place : place + 1] == '"':
        name, place = _scan(path, text, place)
        place = _skip(text, place)
        if text[place : place + 1] != ":":
            raise at(path, _line(text, place), "The text is not JSON: a colon is missing.")
        place = _skip(text, place + 1)
        if name == "_id":
            return None
        if name in _LISTS and text[place : place + 1] == "[":
            found = name, place
        _, place = _scan(path, text, place)
        place = _skip(text, place)
        if text[place : place + 1] == ",":
            place = _skip(text, place + 1)
    if text[place : place + 1] != "}":
        raise at(path, _line(text, place), "The text is not JSON: the object does not end.")
    if found is not None:
        _expect_end(path, text, place + 1)
    return found


def _elements(path: Path, text: str, start: int, kind: str) -> Generator[SeedDocument, None, int]:
    """The documents of the array that begins at ``start``. Returns where it ends."""
    place = _skip(text, start + 1)
    while text[place : place + 1] != "]":
        value, end = _scan(path, text, place)
        line = _line(text, place)
        if kind == "docs":
            yield document(path, line, text[place:end], value)
        elif (each := _in_row(path, line, value)) is not None:
            yield document(path, line, json.dumps(each), each)
        place = _skip(text, end)
        if text[place : place + 1] == ",":
            place = _skip(text, place + 1)
        elif text[place : place + 1] != "]":
            raise at(path, _line(text, place), "The text is not JSON: a comma is missing, or the array does not end.")
    return place + 1


def _in_row(path: Path, line: int, row: Any) -> Any:
    """The document of a row; None for one that was deleted."""
    if not isinstance(row, dict) or "doc" not in row:
        raise at(path, line, "The row has no document: ask for it with include_docs=true.")
    return row["doc"]


def _scan(path: Path, text: str, start: int) -> tuple[Any, int]:
    try:
        return json.scan(text, start)
    except ValueError as error:
        place = error.pos if isinstance(error, standard_json.JSONDecodeError) else start
        raise at(path, _line(text, place), f"The text is not JSON: {_reason(error)}.") from None


def _expect_end(path: Path, text: str, end: int) -> None:
    place = _skip(text, end)
    if place < len(text):
        raise at(path, _line(text, place), "The text is not JSON: something follows its end.")


def _skip(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    assert match is not None
    return match.end()


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _reason(error: ValueError) -> str:
    if isinstance(error, standard_json.JSONDecodeError):
        return f"{error.msg[0].lower()}{error.msg[1:]} (column {error.colno})"
    return str(error)


def _kind(value: Any) -> str:
    return {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
