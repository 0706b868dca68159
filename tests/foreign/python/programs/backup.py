"""A backup script written for couchdb-python: it dumps a database and loads it into another. Takes the server's URL."""

from __future__ import annotations

import sys
from io import BytesIO

import couchdb_client

couchdb_client.install_as_couchdb()

import couchdb  # noqa: E402 - after the name is installed
import couchdb.json  # noqa: E402
from couchdb.multipart import read_multipart  # noqa: E402
from couchdb.tools.dump import dump_db  # noqa: E402
from couchdb.tools.load import load_db  # noqa: E402


def main(url: str) -> None:
    server = couchdb.Server(url)
    source, target = server.create("source"), server.create("target")
    couchdb.json.use("json")
    for number in range(20):
        source[f"doc-{number}"] = {"number": number}
    doc = source["doc-3"]
    source.put_attachment(doc, b"\x00\r\n--", "data.bin")
    backup = BytesIO()
    dump_db(f"{url}source", output=backup, bulk_size=7)
    backup.seek(0)
    assert sum(1 for _ in read_multipart(backup)) == 20
    backup.seek(0)
    load_db(backup, f"{url}target")
    assert len(target) == 20
    assert target["doc-7"]["number"] == 7
    assert target.get_attachment("doc-3", "data.bin").read() == b"\x00\r\n--"


if __name__ == "__main__":
    main(sys.argv[1])
