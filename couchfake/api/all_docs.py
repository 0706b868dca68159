"""Documents by id: ``_all_docs``, ``_design_docs``, ``_local_docs``. CouchDB documentation, "/{db}/_all_docs"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from couchfake.api.all_docs_rows import Listing, Namespace
from couchfake.api.document_ids import require_readable
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.chttpd.streaming import in_chunks, json_body
from couchfake.errors import BadRequest, QueryParseError, ServerError
from couchfake.settings import PARTITION_QUERY_LIMIT, QUERY_LIMIT
from couchfake.views.options import (
    ViewOptions,
    bounded,
    check,
    check_all_docs,
    of_body,
    of_one_query,
    of_query,
)


def all_docs(request: Request) -> Response:
    """``GET`` and ``POST /{db}/_all_docs``"""
    return _list(request, "_all_docs")


def design_docs(request: Request) -> Response:
    """``GET`` and ``POST /{db}/_design_docs``"""
    return _list(request, "_design")


def local_docs(request: Request) -> Response:
    """``GET`` and ``POST /{db}/_local_docs``"""
    return _list(request, "_local")


def all_docs_queries(request: Request) -> Response:
    """``POST /{db}/_all_docs/queries``"""
    return _several(request, "_all_docs")


def design_docs_queries(request: Request) -> Response:
    """``POST /{db}/_design_docs/queries``"""
    return _several(request, "_design")


def local_docs_queries(request: Request) -> Response:
    """``POST /{db}/_local_docs/queries``"""
    return _several(request, "_local")


def _list(request: Request, namespace: Namespace) -> Response:
    options = _read(request)
    options = _checked(request, options)
    check_all_docs(options)
    if namespace == "_all_docs":
        _require_partitions(request, options.all_keys)
    visible = request.node.hooks.reader(request.db, request.user)
    return _respond(_text(Listing(request.db, namespace, options, options.all_keys, visible)))


def _several(request: Request, namespace: Namespace) -> Response:
    """Several queries in one request; a single key of one of them is a key like any other, not a list.

    Only here the body need not have a JSON content type.
    """
    body = request.json_object()
    if "queries" not in body:
        raise BadRequest("POST body must include `queries` parameter.")
    if not isinstance(body["queries"], list):
        raise BadRequest("`queries` member must be an array.")
    base = of_query(request.parameters.pairs)
    visible = request.node.hooks.reader(request.db, request.user)
    listings = []
    for members in body["queries"]:
        if not isinstance(members, dict):
            raise ServerError("function_clause")
        options = _checked(request, of_one_query(members, base))
        check(options, reducing=False)
        if namespace == "_all_docs":
            _require_partitions(request, options.keys)
        listings.append(Listing(request.db, namespace, options, options.keys, visible))
    return _respond(_texts(listings))


# ---- parameters


def _read(request: Request) -> ViewOptions:
    """A POST has its parameters in the body as well; those of the URL win."""
    base = None
    if request.verb == "POST":
        request.require_json_type()
        body = request.json_object()
        if not isinstance(body.get("keys", []), list):
            raise BadRequest("`keys` body member must be an array.")
        base = of_body(body)
    elif not isinstance(request.parameters.json("keys", []), list):
        raise BadRequest("`keys` parameter must be an array.")
    options = of_query(request.parameters.pairs, base)
    if not isinstance(options.all_keys, list | None):
        raise QueryParseError("`keys` must be an array of strings.")
    return options


def _checked(request: Request, options: ViewOptions) -> ViewOptions:
    if options.partition is not None and not request.db.partitioned:
        raise QueryParseError("`partition` parameter is not supported on this db")
    return bounded(options, request.node.config[QUERY_LIMIT if options.partition is None else PARTITION_QUERY_LIMIT])


def _require_partitions(request: Request, keys: list[Any] | None) -> None:
    """Refuse keys that name no partition, if the database is partitioned."""
    for key in keys or ():
        if isinstance(key, str):
            require_readable(request, key)


# ---- the answer


def _text(listing: Listing) -> Iterator[bytes]:
    """One listing's JSON text, a row on each line."""
    yield b'{%b"rows":[\r\n' % listing.meta
    separator = b""
    for row in listing.rows():
        yield separator + row
        separator = b",\r\n"
    yield b"\r\n]}"


def _texts(listings: Iterable[Listing]) -> Iterator[bytes]:
    yield b'{"results":['
    separator = b"\r\n"
    for listing in listings:
        yield separator
        yield from _text(listing)
        separator = b",\r\n"
    yield b"\r\n]}"


def _respond(pieces: Iterator[bytes]) -> Response:
    return json_body(in_chunks(chain(pieces, [b"\n"])))
