"""The command line: the fake as a program of its own, for clients in any language, and tools for any CouchDB."""

from __future__ import annotations

import argparse
import configparser
import contextlib
import errno
import gc
import ipaddress
import json
import logging
import re
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from couchfake import CouchFake, __version__
from couchfake.config import UnknownSetting
from couchfake.control.observer import CONTROL_PATH
from couchfake.control.seeds.documents import SeedError
from couchfake.inspector.files import NotFauxton
from couchfake.query_server.engines import ENGINE_NAMES, EngineUnavailable, choose_engine
from couchfake.recordings.commands import add_commands
from couchfake.transports.http1 import Access, Server

YOUNG_OBJECTS = 10_000
"""How many new objects make the garbage collector of ``serve`` run; Python's default is 700 or 2,000."""

# user:password@ behind the slashes of a URL, written plainly or escaped: clients put such URLs into query strings
_LOGIN_IN_URL = re.compile(r"((?:/|%2f){2})[^/?#&\s]*?(?:@|%40)", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(r"([?&;][^=&;]*(?:password|secret|token|auth)[^=&;]*=)[^&;]*", re.IGNORECASE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Return the exit status: 0 after a clean end, 1 after a failure, 2 for a wrong command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "command"):
        parser.print_help()
        return 0
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="couchfake", description="A CouchDB 3.5 in memory.")
    parser.add_argument("--version", action="version", version=f"couchfake {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    command = commands.add_parser("serve", help="serve an empty CouchDB until Ctrl-C or SIGTERM")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    command.add_argument("--port", type=_port, default=5984, help="port, 0 for any free one (default: %(default)s)")
    command.add_argument(
        "--admin",
        type=_admin,
        action="append",
        default=[],
        metavar="NAME:PASSWORD",
        help="a server admin; may be repeated. Without any, everybody is an admin",
    )
    command.add_argument(
        "--js-engine", choices=ENGINE_NAMES, help="the JavaScript engine (default: the best that is installed)"
    )
    command.add_argument("--seed", type=Path, metavar="PATH", help="file or folder of documents to start with")
    command.add_argument(
        "--config", type=Path, metavar="FILE", help="settings: an ini file like CouchDB's local.ini, or JSON"
    )
    command.add_argument(
        "--control", action="store_true", help="serve the test kit and the inspector below /_couchfake/"
    )
    command.add_argument("--open", action="store_true", help="open the inspector in the browser; implies --control")
    command.add_argument("--fauxton", type=Path, metavar="DIR", help="serve this build of Fauxton at /_utils/")
    command.add_argument(
        "--control-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name under which /_couchfake/ is served, besides localhost and IP addresses",
    )
    command.add_argument(
        "--url-file", type=Path, metavar="FILE", help="write the URL to this file when the server is ready"
    )
    command.add_argument(
        "--ready-file", type=Path, metavar="FILE", help="create this empty file when the server is ready"
    )
    command.add_argument("-v", "--verbose", action="store_true", help="log each request to standard error")
    command.add_argument("--json", action="store_true", help="log each request as a line of JSON")
    command.set_defaults(command=serve)
    _add_seed_commands(commands)
    add_commands(commands)
    return parser


def _add_seed_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("load", help="load documents from files into a CouchDB")
    command.add_argument("url", metavar="URL", help="the server, with its admin's login")
    command.add_argument(
        "path", type=Path, metavar="PATH", help="a folder of databases, or the documents of one database"
    )
    command.add_argument("--db", metavar="NAME", help="the database to load into (default: named after the files)")
    command.set_defaults(command=load_seed)
    command = commands.add_parser("dump", help="write all databases of a CouchDB into a folder")
    command.add_argument("url", metavar="URL", help="the server, with its admin's login")
    command.add_argument("path", type=Path, metavar="PATH", help="a folder, which may be an earlier dump")
    command.set_defaults(command=dump_seed)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number")
    return int(text)


def _admin(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not name or not colon or not password:
        raise argparse.ArgumentTypeError("an admin is written NAME:PASSWORD")  # never the text: it may be a password
    return name, password


def serve(options: argparse.Namespace) -> int:
    """Serve until a signal. Print the URL, one line on standard output, as soon as the server answers there."""
    try:
        choose_engine(options.js_engine)
    except EngineUnavailable as error:
        return _failed(str(error))
    try:
        fake = _server_of(options)
    except UnknownSetting as error:
        return _failed(f"{options.config}: {error}")
    except (SeedError, SettingsFileError, NotFauxton) as error:
        return _failed(str(error))
    log = log_access_as_json if options.json else log_access if options.verbose else None
    server = Server(fake.wsgi, options.host, options.port, log=log)
    level = logging.INFO if options.verbose else logging.WARNING
    with _logging(level), _rare_collections(), _ended_by_signals() as ended:
        try:
            server.start()
        except OSError as error:
            free = "; --port 0 takes any free one" if error.errno == errno.EADDRINUSE else ""
            return _failed(f"{error.strerror or error}{free}")
        if not _is_loopback(options.host):
            print(
                f"couchfake: warning: listening on {options.host}, where other machines can connect;"
                " couchfake is for tests and does not withstand attacks",
                file=sys.stderr,
                flush=True,
            )
        try:
            _announce(server.url + "/", options)
        except OSError as error:
            server.stop()
            return _failed(f"cannot write {error.filename}: {error.strerror}")
        page = f"{server.url}{CONTROL_PATH}/"
        if options.control or options.open:
            print(f"couchfake: the inspector is at {page}", file=sys.stderr, flush=True)
        if options.open:
            threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()  # some browsers block it
        while not ended.wait(0.5 if sys.platform == "win32" else None):  # Windows wakes no waiting thread for Ctrl-C
            pass
        server.stop()
    return 0


def _server_of(options: argparse.Namespace) -> CouchFake:
    """Return the server that the options describe. Raise SeedError, SettingsFileError or NotFauxton."""
    config = None if options.config is None else read_settings(options.config)
    fake = CouchFake(admins=dict(options.admin) or None, js_engine=options.js_engine, config=config, seed=options.seed)
    if options.fauxton is not None:
        fake.serve_fauxton(options.fauxton)
    if options.control or options.open:
        fake.serve_control([options.host, *options.control_host])
    return fake


def _announce(url: str, options: argparse.Namespace) -> None:
    """Print the URL, and write the files that say that the server answers. Raise OSError if one cannot be written."""
    if options.url_file is not None:
        options.url_file.write_text(url + "\n", "utf-8")
    if options.ready_file is not None:
        options.ready_file.write_bytes(b"")
    print(url, flush=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


def load_seed(options: argparse.Namespace) -> int:
    """Load a seed into a server; 1 if the seed is wrong or the server refuses it."""
    import requests

    from couchfake.control.seeds.folders import read_seed
    from couchfake.control.seeds.servers import Couch, load_into

    try:
        databases = read_seed(options.path, options.db)
        with requests.Session() as session:
            count = load_into(Couch(session, options.url.rstrip("/") + "/"), databases)
    except SeedError as error:
        return _failed(str(error))
    print(f"{count} documents loaded")
    return 0


def dump_seed(options: argparse.Namespace) -> int:
    """Dump a server; 1 if the server refuses something or the folder is in use."""
    import requests

    from couchfake.control.seeds.servers import Couch, dump_from

    try:
        with requests.Session() as session:
            dumped = dump_from(Couch(session, options.url.rstrip("/") + "/"), options.path)
    except SeedError as error:
        return _failed(str(error))
    print(_counted(dumped.documents, "document") + " written")
    if dumped.deleted:
        print(_counted(dumped.deleted, "deleted document") + " written besides, so that replications know of them")
    return 0


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@contextlib.contextmanager
def _logging(level: int) -> Iterator[None]:
    """Write the fake's log (messages of design functions, errors) to standard error, from this level on."""
    handler = logging.StreamHandler()
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("couchfake")
    before = logger.level
    logger.setLevel(level)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _failed(message: str) -> int:
    print(f"couchfake: {message}", file=sys.stderr)
    return 1


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Run the garbage collector less often: it visits every document, while requests leave few reference cycles."""
    thresholds = gc.get_threshold()
    gc.set_threshold(YOUNG_OBJECTS, *thresholds[1:])
    gc.freeze()  # what exists by now is never visited
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set; restore the previous handlers afterwards."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def log_access(access: Access) -> None:
    """Print one line for each answer: no header, no body, and no credentials of the target."""
    print(
        f"{access.client} {access.method} {without_secrets(access.target)} {access.status} {access.size}"
        f" {access.seconds * 1000:.1f}ms",
        file=sys.stderr,
        flush=True,
    )


def log_access_as_json(access: Access) -> None:
    """Write the same as a line of JSON: ``client``, ``method``, ``target``, ``status``, ``size``, ``milliseconds``."""
    line = {
        **access._asdict(),
        "target": without_secrets(access.target),
        "milliseconds": round(access.seconds * 1000, 1),
    }
    del line["seconds"]
    print(json.dumps(line), file=sys.stderr, flush=True)


def without_secrets(target: str) -> str:
    """Return a request target without credentials in URLs and without values of parameters that sound secret."""
    return _SECRET_PARAMETER.sub(r"\1***", _LOGIN_IN_URL.sub(r"\1***@", target))


# ---- settings in a file: sections of keys, in ini form as CouchDB's ``local.ini`` has them, or as JSON


class SettingsFileError(ValueError):
    """The file cannot be used; the text is a sentence that names the place."""


def read_settings(path: Path) -> dict[str, dict[str, str]]:
    """Return the settings of a file by section and key. Raise SettingsFileError."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise SettingsFileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsFileError(f"{path}: not UTF-8 at byte {error.start}") from None
    return _of_json(path, text) if text.lstrip().startswith("{") else _of_ini(path, text)


def _of_ini(path: Path, text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(
        delimiters=("=",),
        comment_prefixes=(";",),
        inline_comment_prefixes=(";",),
        default_section="",
        interpolation=None,
        strict=False,
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # names of settings have their case
    try:
        parser.read_string(text, str(path))
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or (getattr(error, "errors", None) or [(None,)])[0][0]
        place = f"{path}:{line}" if line else str(path)
        raise SettingsFileError(f"{place}: expected a [section], or key = value") from None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _of_json(path: Path, text: str) -> dict[str, dict[str, str]]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsFileError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise SettingsFileError(f"{path}:1: not JSON: too deep") from None
    for section, keys in value.items():
        if not isinstance(keys, dict):
            raise SettingsFileError(f"{path}: the section {section!r} is to be an object of keys and values")
    return {section: {key: _text(each) for key, each in keys.items()} for section, keys in value.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
