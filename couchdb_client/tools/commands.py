"""What the command-line tools have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from couchdb_client import json
from couchdb_client.database import Database
from couchdb_client.errors import HTTPError, RedirectLimit
from couchdb_client.version import distribution_version

__all__ = ["database", "database_parser", "parse", "report", "run"]


def report(text: str) -> None:
    """Write a line about the progress to standard error: standard output is for the result."""
    sys.stderr.write(text + "\n")


def database(url: str, username: str | None, password: str | None) -> Database:
    """Return the database at ``url``, with a login if there is a user name."""
    db = Database(url)
    if username is not None:
        db.resource.credentials = (username, password or "")
    return db


def database_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """Return a parser for a command that works on one database."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--version", action="version", version=f"%(prog)s (couchfake {distribution_version()})")
    parser.add_argument("dburl", help="URL of the database")
    parser.add_argument("--json-module", metavar="NAME", help="JSON module to use: json, simplejson, orjson, …")
    parser.add_argument("-u", "--username", help="name for the login")
    parser.add_argument("-p", "--password", help="password for the login")
    return parser


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of a command for one database, of which ``--json-module`` has been obeyed."""
    options = parser.parse_args(arguments)
    if options.json_module:
        try:
            json.use(options.json_module)
        except (ImportError, ValueError) as exc:
            parser.error(str(exc))
    return options


def run(prog: str, work: Callable[[], None]) -> int:
    """Do the work of a command. Return its exit status: 1 after an error, which is reported on one line."""
    try:
        work()
    except (HTTPError, RedirectLimit, OSError, ValueError) as exc:
        report(f"{prog}: error: {exc}")
        return 1
    return 0
