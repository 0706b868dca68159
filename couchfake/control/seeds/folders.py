"""What is read from a path: the databases of a server, or one database.

A folder per server has a folder or a file for each database. A folder per database has

    _design/NAME/       design documents, as below
    _attachments/ID/    files to attach to a document
    _security.json      who may use the database
    _database.json      {"partitioned": true, "q": 2, "revs_limit": 100}, or some of them
    NAME.json, …        documents, in any form that ``documents`` reads. A single document that has no _id gets the
                        file's name, and the files of a folder of that name are its attachments

A design document is a folder in the layout of couchapp and couchdb-compile. A folder in it is an object, a file one of
its members: ``views/by_name/map.js`` is ``{"views": {"by_name": {"map": …}}}``. The extension is left out of the name;
``.json`` files hold JSON, all others a string, without the line break at its end; ``_attachments/`` holds attachments.
``_id``, where it is missing, is ``_design/`` and the name of the folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from couchfake.control.seeds.documents import SeedDocument, at, document, read_documents, read_text, read_value
from couchfake.values import json

# Ids and names as file names: with percent escapes for what not every file system can hold.

_LONGEST = 200


def file_name(name: str) -> str | None:
    """Return the file name for an id or a name; None if it would be too long."""
    escaped = quote(name, safe=" @+,=()$!&'")
    if escaped.startswith(".") or escaped.endswith((".", " ")) or escaped != escaped.strip():
        escaped = "".join(f"%{byte:02X}" for byte in name.encode("utf-8"))
    return escaped if len(escaped) <= _LONGEST else None


def name_of(file_name: str) -> str:
    """Return what ``file_name`` was made of."""
    return unquote(file_name)


# Design documents as folders of files.

_MARKS = ("language", "lists", "shows", "updates", "filters", "validate_doc_update.js", "views", "rewrites.json", "_id")
_FUNCTIONS = frozenset(("filters", "lib", "lists", "shows", "updates", "views"))
_TRIMMED = frozenset(("_id", "_rev", "language"))
_PLAIN = re.compile(r"[A-Za-z0-9_$-]+(?: +[A-Za-z0-9_$-]+)*")
_NOT_MEMBERS = frozenset(("_attachments", "couchapp.json"))


def is_design_folder(path: Path) -> bool:
    return path.is_dir() and any((path / name).exists() for name in _MARKS)


def read_design_folder(path: Path) -> SeedDocument:
    """Read a design document. Raise SeedError if a file cannot be read or two files are the same member."""
    value = _design_member(path, path)
    value.setdefault("_id", f"_design/{name_of(path.name)}")
    found = document(path, None, json.dumps(value), value)
    found.files = dict(attached_files(path / "_attachments"))
    return found


def attached_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files below a folder, by the names of the attachments that they are."""
    if not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield "/".join(name_of(part) for part in path.relative_to(folder).parts), path


def _design_member(path: Path, top: Path) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for each in sorted(path.iterdir()):
        if each.name.startswith(".") or (path == top and each.name in _NOT_MEMBERS):
            continue
        name = each.name if each.is_dir() else each.stem
        if name in members:
            raise at(each, None, f"Another file or folder is the member {name!r} already.")
        members[name] = _design_member(each, top) if each.is_dir() else _member(each, name)
    return members


def _member(path: Path, name: str) -> Any:
    if path.suffix == ".json":
        return read_value(path)
    text = read_text(path)
    return text.strip() if name in _TRIMMED else text.removesuffix("\n").removesuffix("\r")


def write_design_folder(folder: Path, value: dict[str, Any]) -> bool:
    """Write a design document so that ``read_design_folder`` reads the same. Return False if it cannot be written so.

    Nothing is written then.
    """
    name = file_name(value["_id"].removeprefix("_design/"))
    members = {name: member for name, member in value.items() if name != "_id"}
    if name is None or not _fits(members) or "_attachments" in value:
        return False
    _write_object(folder / name, members, is_function=False)
    return True


def _fits(value: dict[str, Any]) -> bool:
    """Whether an object can be a folder: its names are plain, and differ on file systems that ignore case."""
    names = {name.casefold() for name in value}
    return bool(value) and len(names) == len(value) and all(map(_PLAIN.fullmatch, value))


def _has_text(value: dict[str, Any]) -> bool:
    return any(isinstance(each, str) or (isinstance(each, dict) and _has_text(each)) for each in value.values())


def _write_object(folder: Path, members: dict[str, Any], is_function: bool) -> None:
    folder.mkdir(parents=True)
    for name, member in members.items():
        below = is_function or name in _FUNCTIONS
        if isinstance(member, dict) and _fits(member) and _has_text(member):
            _write_object(folder / name, member, below)
        elif isinstance(member, str) and _reads_the_same(name, member):
            suffix = ".js" if is_function or name == "validate_doc_update" else ""
            (folder / f"{name}{suffix}").write_bytes(member.encode("utf-8") + b"\n")
        else:
            (folder / f"{name}.json").write_bytes(json.encode(member) + b"\n")


def _reads_the_same(name: str, text: str) -> bool:
    if text.startswith("\ufeff") or text.endswith("\r"):
        return False
    return name not in _TRIMMED or text == text.strip()


# Databases and servers as folders.

DOCUMENTS, SECURITY, SETTINGS, DESIGN, ATTACHMENTS = (
    "documents.jsonl",
    "_security.json",
    "_database.json",
    "_design",
    "_attachments",
)
SERVER = "_dump.json"
"""Says that a folder was written by ``dump``."""

_SETTINGS = {"partitioned": bool, "q": int, "revs_limit": int}
_DATABASE = re.compile(r"[a-z][a-z0-9_$()+/-]*|_users|_replicator|_global_changes|[a-z0-9_$()+/-]+/_replicator")
_FILES = (".json", ".jsonl", ".ndjson", ".txt", ".gz", ".backup", ".couchbackup")


@dataclass
class SeedDatabase:
    """A database as it was read. ``settings``: what ``_database.json`` says; ``security`` None: leave it as it is."""

    name: str
    path: Path
    documents: list[SeedDocument] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    security: dict[str, Any] | None = None


def read_seed(path: Path, db: str | None = None) -> list[SeedDatabase]:
    """Read all of a seed. ``db``: the path has the content of this one database. Raise SeedError if anything is wrong.

    Without ``db`` a folder is that of a server, unless it looks like that of a database; a file or a folder of a
    database gives the database its name.
    """
    if not path.exists():
        raise at(path, None, "There is no such file or folder.")
    if db is not None or not path.is_dir() or _is_database(path):
        return [_read_database(path, _database_name(path) if db is None else db)]
    found: dict[str, SeedDatabase] = {}
    for each in _visible(path):
        if each.name == SERVER:
            continue
        name = _database_name(each)
        if name in found:
            raise at(each, None, f"The database {name!r} is in {found[name].path.name} already.")
        found[name] = _read_database(each, name)
    if not found:
        raise at(path, None, "The folder has no databases in it.")
    return list(found.values())


def _visible(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if not each.name.startswith("."))


def _is_database(folder: Path) -> bool:
    marks = (DOCUMENTS, SECURITY, SETTINGS, DESIGN, ATTACHMENTS)
    return is_design_folder(folder) or any((folder / name).exists() for name in marks)


def _stem(path: Path) -> str:
    name = path.name
    while (suffix := Path(name).suffix) in _FILES:
        name = name.removesuffix(suffix)
    return name


def _database_name(path: Path) -> str:
    name = name_of(path.name if path.is_dir() else _stem(path))
    if not _DATABASE.fullmatch(name):
        raise at(path, None, f"No database can be called {name!r}: rename it, or load it with a name of its own (db).")
    return name


def _read_database(path: Path, name: str) -> SeedDatabase:
    database = SeedDatabase(name, path)
    if not path.is_dir():
        database.documents = list(read_documents(path))
    elif is_design_folder(path):
        database.documents = [read_design_folder(path)]
    else:
        for part in _visible(path):
            _read_part(database, part)
        _attach(database, path / ATTACHMENTS)
    for each in database.documents:
        missing = [stub for stub in each.stubs if stub not in each.files]
        if missing:
            raise each.error(f"The attachment {missing[0]!r} of {each.id!r} has no data, and there is no file for it.")
    return database


def _read_part(database: SeedDatabase, path: Path) -> None:
    if path.name == SECURITY:
        database.security = _object(path)
    elif path.name == SETTINGS:
        database.settings = _settings(path)
    elif path.name == DESIGN:
        for each in _visible(path):
            database.documents += [read_design_folder(each)] if each.is_dir() else read_documents(each)
    elif path.is_dir():
        if is_design_folder(path):
            database.documents.append(read_design_folder(path))
        elif path.name != ATTACHMENTS and not path.with_name(path.name + ".json").is_file():
            raise at(path, None, "The folder is not a design document, and there is no document with this name.")
    elif path.suffix in _FILES:
        database.documents += _with_names(path, list(read_documents(path)))
    else:
        raise at(path, None, f"Documents are in files that end in {', '.join(_FILES)}.")


def _with_names(path: Path, documents: list[SeedDocument]) -> list[SeedDocument]:
    """A single document has the file's name as its id, and files beside it."""
    if len(documents) == 1 and path.suffix == ".json":
        [only] = documents
        if only.id is None:
            value = {"_id": name_of(path.stem), **json.loads(only.text)}
            only.id, only.text = value["_id"], json.dumps(value)
        only.files.update(attached_files(path.with_suffix("")))
    return documents


def _attach(database: SeedDatabase, folder: Path) -> None:
    """Give documents the files of their folders: for the stubs that they have, else to a document that has none."""
    if not folder.is_dir():
        return
    by_id: dict[str | None, list[SeedDocument]] = {}
    for each in database.documents:
        by_id.setdefault(each.id, []).append(each)
    for path in _visible(folder):
        docid = name_of(path.name)
        for name, file in attached_files(path):
            _taker(by_id.get(docid, []), docid, name, file).files[name] = file


def _taker(documents: list[SeedDocument], docid: str, name: str, file: Path) -> SeedDocument:
    with_stub = [each for each in documents if name in each.stubs]
    found = with_stub or documents
    if len(found) != 1:
        raise at(
            file, None, f"There {'are several documents' if found else 'is no document'} {docid!r} to attach it to."
        )
    return found[0]


def _object(path: Path) -> dict[str, Any]:
    value = read_value(path)
    if not isinstance(value, dict):
        raise at(path, 1, "The file holds a JSON object.")
    return value


def _settings(path: Path) -> dict[str, Any]:
    settings = _object(path)
    for name, value in settings.items():
        kind = _SETTINGS.get(name)
        if kind is None or type(value) is not kind:
            known = ", ".join(f"{each} ({of.__name__})" for each, of in _SETTINGS.items())
            raise at(path, 1, f"{name!r} is not a setting of a database, or has the wrong type. Known are {known}.")
    return settings


def loading_order(databases: list[SeedDatabase]) -> Iterator[SeedDatabase]:
    """Users first, then what they own; replications begin when all is there."""
    yield from sorted(databases, key=lambda each: (each.name != "_users", each.name.endswith("_replicator"), each.name))
