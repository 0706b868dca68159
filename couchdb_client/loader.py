"""Design documents from directories of files, as in CouchApp.

Each file is a member of the document, under its name without the extension, and each directory an object::

    _id                       {"_id": "_design/blog",
    language                   "language": "javascript",
    views/by_date/map.js       "views": {"by_date": {"map": "function (doc) {…}"}},
    filters/posts.js           "filters": {"posts": "function (doc, req) {…}"},
    options.json               "options": {…}}

A file's value is its text (UTF-8), that of a ``.json`` file its decoded content.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from couchdb_client import json

__all__ = ["DuplicateKeyError", "load_design_doc"]


class DuplicateKeyError(ValueError):
    """Two files or directories would be the same member of the document."""


def load_design_doc(
    directory: str | os.PathLike[str], strip: bool = False, predicate: Callable[[str], bool] = lambda path: True
) -> dict[str, Any]:
    """Return the object that a directory holds.

    ``strip`` removes white space at the beginning and end of each text. ``predicate`` is called with the path of each
    file and directory, and those for which it is false are left out: use it to ignore backup files.

    Raise `OSError` if there is no such directory, `DuplicateKeyError` if two names differ only in their extension,
    `ValueError` if a ``.json`` file is not valid JSON or another file not valid UTF-8.
    """
    directory = os.fspath(directory)
    if not os.path.isdir(directory):
        raise NotADirectoryError(f"No directory: {directory!r}")
    members: dict[str, Any] = {}
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if not predicate(path):
            continue
        key = name if os.path.isdir(path) else os.path.splitext(name)[0]
        if key in members:
            raise DuplicateKeyError(f"{path} duplicates {key!r}")
        members[key] = load_design_doc(path, strip, predicate) if os.path.isdir(path) else _load_file(path, strip)
    return members


def _load_file(path: str, strip: bool) -> Any:
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    if path.endswith(".json"):
        return json.decode(text)
    return text.strip() if strip else text


def main() -> int:
    """``couchdb-load-design-doc DIRECTORY``: print the directory's object as JSON."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.stderr.write("Usage: couchdb-load-design-doc DIRECTORY\n")
        return 0 if sys.argv[1:] in (["--help"], ["-h"]) else 2
    try:
        sys.stdout.write(json.encode(load_design_doc(sys.argv[1])) + "\n")
    except (OSError, ValueError) as exc:
        sys.stderr.write(f"couchdb-load-design-doc: error: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
