"""``couchdb-load``: create the documents of a file that ``couchdb-dump`` wrote."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from couchdb_client import json
from couchdb_client.database import Database
from couchdb_client.errors import HTTPError
from couchdb_client.multipart import Part, read_multipart
from couchdb_client.tools.commands import database, database_parser, parse, report, run

__all__ = ["load_db", "main"]


def load_db(
    fileobj: BinaryIO,
    dburl: str,
    username: str | None = None,
    password: str | None = None,
    ignore_errors: bool = False,
) -> None:
    """Create the documents of ``fileobj``, a binary file, in the database at ``dburl``, with new revisions.

    With ``ignore_errors`` documents that the server refuses are reported and passed over. Raise `HTTPError`'s
    subclasses, `OSError`, and `ValueError` if the file is damaged.
    """
    db = database(dburl, username, password)
    for headers, is_multipart, payload in read_multipart(fileobj):
        doc = _document(payload) if is_multipart else _json_object(payload)
        doc.pop("_rev", None)
        doc.setdefault("_id", headers.get("content-id"))
        report(f"Loading document {doc['_id']!r}")
        _create(db, doc, ignore_errors)


def _create(db: Database, doc: dict[str, Any], ignore_errors: bool) -> None:
    try:
        db[doc["_id"]] = doc
    except HTTPError as exc:
        if not ignore_errors:
            raise
        report(f"Error: {exc}")


def _document(parts: Iterable[Part]) -> dict[str, Any]:
    """Return a document with its attachments: the first part is the document, each of the others an attachment."""
    doc: dict[str, Any] | None = None
    for headers, _, payload in parts:
        if doc is None:
            doc = _json_object(payload)
            continue
        content_type = headers.get("x-content-type") or headers.get("content-type") or "application/octet-stream"
        attachment = {"content_type": content_type, "data": b64encode(payload).decode("ascii")}
        doc.setdefault("_attachments", {})[headers["content-id"]] = attachment
    if doc is None:
        raise ValueError("a part for a document with attachments is empty")
    return doc


def _json_object(payload: Any) -> dict[str, Any]:
    try:
        value = json.decode(payload)
    except ValueError as exc:
        raise ValueError(f"not a document: {payload[:80]!r} ({exc})") from exc
    if not isinstance(value, dict):
        raise ValueError(f"not a document: {payload[:80]!r}")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``couchdb-load``. Return the exit status."""
    parser = database_parser("couchdb-load", "Create the documents of a file that couchdb-dump wrote.")
    parser.add_argument("--input", metavar="FILE", help="file to read (default: standard input)")
    parser.add_argument("--ignore-errors", action="store_true", help="report documents that are refused, and go on")
    options = parse(parser, arguments)

    def load() -> None:
        if options.input is None:
            load_db(sys.stdin.buffer, options.dburl, options.username, options.password, options.ignore_errors)
            return
        with open(options.input, "rb") as file:
            load_db(file, options.dburl, options.username, options.password, options.ignore_errors)

    return run(parser.prog, load)


if __name__ == "__main__":
    sys.exit(main())
