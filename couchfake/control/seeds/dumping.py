"""Writing what a server holds into a folder, from which it can be loaded again.

What is written is in the order of ids, one document a line, so that two dumps can be compared. Design documents are
folders of their own and attachments files, wherever a file can hold them exactly.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from couchfake.control.seeds.documents import at
from couchfake.control.seeds.folders import (
    ATTACHMENTS,
    DESIGN,
    DOCUMENTS,
    SECURITY,
    SERVER,
    SETTINGS,
    file_name,
    write_design_folder,
)
from couchfake.control.seeds.target import Couch, progress
from couchfake.values import json

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
