"""Design documents as folders of files, in the layout of couchapp and couchdb-compile.

A folder is an object, a file one of its members: ``views/by_name/map.js`` is ``{"views": {"by_name": {"map": …}}}``.
The extension is left out of the name; ``.json`` files hold JSON, all others a text, without the line break at its end.
``_attachments/`` has files to attach. ``_id``, where it is missing, is ``_design/`` and the name of the folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from couchfake.control.seeds.documents import SeedDocument, document, read_text, read_value
from couchfake.control.seeds.errors import at
from couchfake.control.seeds.file_names import file_name, name_of
from couchfake.values import json

_MARKS = ("language", "lists", "shows", "updates", "filters", "validate_doc_update.js", "views", "rewrites.json", "_id")
_FUNCTIONS = frozenset(("filters", "lib", "lists", "shows", "updates", "views"))
_TRIMMED = frozenset(("_id", "_rev", "language"))
_PLAIN = re.compile(r"[A-Za-z0-9_$-]+(?: +[A-Za-z0-9_$-]+)*")
_NOT_MEMBERS = frozenset(("_attachments", "couchapp.json"))


def is_design_folder(path: Path) -> bool:
    return path.is_dir() and any((path / name).exists() for name in _MARKS)


def read_design_folder(path: Path) -> SeedDocument:
    """Read a design document. Raise SeedError if a file cannot be read or two files are the same member."""
    value = _object(path, path)
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


def _object(path: Path, top: Path) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for each in sorted(path.iterdir()):
        if each.name.startswith(".") or (path == top and each.name in _NOT_MEMBERS):
            continue
        name = each.name if each.is_dir() else each.stem
        if name in members:
            raise at(each, None, f"Another file or folder is the member {name!r} already.")
        members[name] = _object(each, top) if each.is_dir() else _member(each, name)
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
