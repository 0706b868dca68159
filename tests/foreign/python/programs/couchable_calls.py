"""The calls that couchable 0.5.1 makes of ``couchdb``, which it cannot make itself: it is written in Python 2.

Takes the server's URL.
"""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Any

import couchdb_client

couchdb_client.install_as_couchdb()

import couchdb  # noqa: E402 - after the name is installed
import couchdb.client  # noqa: E402
import couchdb.design  # noqa: E402
import couchdb.http  # noqa: E402
import couchdb.json  # noqa: E402
import couchdb.multipart  # noqa: E402


def post_with_attachments(db: Any, doc: dict[str, Any], attachments: dict[str, bytes]) -> dict[str, Any]:
    """Save a document with its attachments by one request: a form, as browsers send it."""
    file = BytesIO()
    with couchdb.multipart.MultipartWriter(file, headers=None, subtype="form-data") as writer:
        disposition = {"Content-Disposition": 'form-data; name="_doc"'}
        writer.add("application/json", couchdb.json.encode(doc), disposition)
        for name, content in attachments.items():
            disposition = {"Content-Disposition": f'form-data; name="_attachments"; filename="{name}"'}
            writer.add("application/pickle", content, disposition)
    header, _, body = file.getvalue().split(b"\r\n", 2)
    headers = {"Referer": db.resource.url, "Content-Type": header.decode().removeprefix("Content-Type: ")}
    status, _, data = db.resource.post(doc["_id"], body, headers)
    assert status == 201
    saved: dict[str, Any] = couchdb.json.decode(data.getvalue())
    return saved


def main(url: str) -> None:
    couchdb.Server(url).create("objects")
    db = couchdb.Database(f"{url}objects", session=couchdb.Session(timeout=None))
    by_class = "\n    function (doc) {\n        if (doc.class) { emit([doc.class, doc._id], 1); }\n    }"
    couchdb.design.ViewDefinition("couchable", "byclass", by_class, "_sum").sync(db)
    rows = db.update([{"_id": "a", "class": "A"}, {"_id": "b", "class": "B"}])
    assert [(success, docid) for success, docid, _ in rows] == [(True, "a"), (True, "b")]
    _, _, failure = db.update([{"_id": "a"}])[0]
    assert isinstance(failure, couchdb.http.ResourceConflict)
    results = db.view("couchable/byclass", include_docs=True, reduce=False, startkey=["A"], endkey=["A", {}])
    assert all(isinstance(row, couchdb.client.Row) and row.doc["class"] == "A" for row in results.rows)
    _, rev = db.save({"_id": "c"})
    saved = post_with_attachments(db, {"_id": "c", "_rev": rev, "x": 1}, {"pickles": b"\x80\x02"})
    assert saved["id"] == "c"
    assert db.get_attachment("c", "pickles").read() == b"\x80\x02"


if __name__ == "__main__":
    main(sys.argv[1])
