"""``couchdb-replicate``: replicate databases from one server to another.

A database is a URL. A source may have wildcards in its last segment (``http://localhost:5984/blog-*``): all databases
that match are replicated, each to the database of the same name on the target server. ``.`` is the local server.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from couchdb_client.errors import HTTPError
from couchdb_client.server import Server
from couchdb_client.tools.commands import run
from couchdb_client.urls import DEFAULT_BASE_URL, urljoin

__all__ = ["findpath", "main"]

_WILDCARDS = frozenset("*?[")


def findpath(parser: argparse.ArgumentParser, s: str) -> tuple[str, str]:
    """Return ``(url of the server, path of the database)`` for a URL, or for a name on the local server.

    The server may be mounted below a path. Call ``parser.error``, which exits, if no server answers there.
    """
    if s == ".":
        return DEFAULT_BASE_URL, ""
    if not s.startswith(("http://", "https://")):
        return DEFAULT_BASE_URL, s
    parts = urlsplit(s)
    segments = parts.path.strip("/").split("/")
    for count in range(len(segments)):
        path = "".join(f"/{segment}" for segment in segments[:count]) + "/"
        url = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        if _is_server(url):
            return url, "/".join(segments[count:])
    return parser.error(f"{s!r} does not appear to be a CouchDB")


def _is_server(url: str) -> bool:
    try:
        return "couchdb" in Server(url).resource.get_json()[2]
    except (HTTPError, OSError, TypeError, ValueError):
        return False


def _names(parser: argparse.ArgumentParser, server: Server, pattern: str) -> list[str]:
    """Return the names of the databases that match ``pattern``; its own text if it has no wildcards."""
    if not _WILDCARDS & set(pattern):
        return [unquote(pattern)]
    names = [name for name in server if fnmatchcase(name, unquote(pattern)) and not name.startswith("_")]
    if not names:
        parser.error(f"no source databases match glob {pattern!r}")
    return names


def _replicate(source: Server, name: str, target: Server, target_name: str, options: argparse.Namespace) -> None:
    started = time.monotonic()
    _show(f"{name} -> {target_name}")
    if target_name not in target:
        target.create(target_name)
        _show("created")
    body = {"continuous": True} if options.continuous else {}
    target.replicate(_database_url(source, name), _database_url(target, target_name), **body)
    _show(f"{time.monotonic() - started:.1f}s")
    if options.compact:
        _show(f"compact {target_name}")
        target[target_name].compact()


def _show(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _database_url(server: Server, name: str) -> str:
    """Return the URL of a database, with the server's credentials: the server that replicates has none of its own."""
    url = urljoin(server.resource.url, name)
    credentials = server.resource.credentials
    if not isinstance(credentials, tuple):
        return url
    user, password = (quote(text, safe="") for text in credentials)
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc}"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``couchdb-replicate``. Return the exit status."""
    parser = argparse.ArgumentParser(prog="couchdb-replicate", description="Replicate databases between servers.")
    parser.add_argument("source", help="URL of a database; its name may have wildcards")
    parser.add_argument("target", help="URL of a database, or of a server for databases of the same names")
    parser.add_argument("--continuous", action="store_true", help="start continuous replications")
    parser.add_argument("--compact", action="store_true", help="compact each target database afterwards")
    options = parser.parse_args(arguments)

    def replicate() -> None:
        source_url, pattern = findpath(parser, options.source)
        target_url, path = findpath(parser, options.target)
        if not pattern:
            parser.error("source database must be specified")
        source, target = Server(source_url), Server(target_url)
        names = _names(parser, source, pattern)
        if path and _WILDCARDS & set(pattern):
            parser.error("target path must be empty with multiple sources")
        for name in names:
            _replicate(source, name, target, unquote(path) if path else name, options)

    return run(parser.prog, replicate)


if __name__ == "__main__":
    sys.exit(main())
