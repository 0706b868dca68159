"""``couchdb-dump``: write all documents of a database, with their attachments, to a file in MIME multipart format.

`couchdb_client.tools.load` reads it. Deleted documents, conflicts and local documents are not in it.
"""

from __future__ import annotations

import sys
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from couchdb_client import json
from couchdb_client.database import Database
from couchdb_client.document import doc_resource
from couchdb_client.multipart import MultipartWriter, write_multipart
from couchdb_client.tools.commands import database, database_parser, parse, report, run

__all__ = ["BULK_SIZE", "dump_db", "dump_docs", "main"]

#: How many documents are read by one request.
BULK_SIZE = 1000


def dump_db(
    dburl: str,
    username: str | None = None,
    password: str | None = None,
    boundary: str | None = None,
    output: BinaryIO | None = None,
    bulk_size: int = BULK_SIZE,
) -> None:
    """Write the database at ``dburl`` to ``output``, a binary file; to standard output by default.

    ``boundary`` is the boundary of the multipart envelope, by default a random one. Raise `HTTPError`'s subclasses, and
    `OSError`.
    """
    db = database(dburl, username, password)
    db.info()  # raises an error before anything is written
    envelope = write_multipart(output or sys.stdout.buffer, boundary=boundary)
    rows = db.iterview("_all_docs", bulk_size, include_docs=True)
    dump_docs(envelope, db, (row["doc"] for row in rows if row.get("doc")))
    envelope.close()


def dump_docs(envelope: MultipartWriter, db: Database, docs: Iterable[Mapping[str, Any]]) -> None:
    """Add ``docs`` to an envelope. Attachments that have no ``data`` are read from the database."""
    for doc in docs:
        report(f"Dumping document {doc['_id']!r}")
        headers = {"Content-ID": doc["_id"], "ETag": f'"{doc["_rev"]}"'}
        members = {name: value for name, value in doc.items() if name != "_attachments"}
        if not doc.get("_attachments"):
            envelope.add("application/json", json.encode(members), headers)
            continue
        parts = envelope.open(headers)
        parts.add("application/json", json.encode(members))
        for name, info in doc["_attachments"].items():
            _add_attachment(parts, name, info.get("content_type"), _content(db, doc, name, info))
        parts.close()


def _content(db: Database, doc: Mapping[str, Any], name: str, info: Mapping[str, Any]) -> bytes:
    if "data" in info:
        return b64decode(info["data"])
    resource = doc_resource(db.resource, doc["_id"])(name)
    with resource.get(headers={"Accept": "*/*"}, rev=doc["_rev"])[2] as body:
        content: bytes = body.read()
    return content


def _add_attachment(parts: MultipartWriter, name: str, content_type: str | None, content: bytes) -> None:
    """Add an attachment. One that is multipart content itself must not look like a nested envelope."""
    content_type = content_type or "application/octet-stream"
    if content_type.lower().startswith("multipart/"):
        headers = {"Content-ID": name, "X-Content-Type": content_type}
        parts.add("application/octet-stream", content, headers)
    else:
        parts.add(content_type, content, {"Content-ID": name})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``couchdb-dump``. Return the exit status."""
    parser = database_parser("couchdb-dump", "Write a database to standard output, as a file for couchdb-load.")
    parser.add_argument(
        "-b", "--bulk-size", type=int, default=BULK_SIZE, help="documents to read by one request (default: %(default)s)"
    )
    options = parse(parser, arguments)
    return run(
        parser.prog,
        lambda: dump_db(options.dburl, options.username, options.password, bulk_size=options.bulk_size),
    )


if __name__ == "__main__":
    sys.exit(main())
