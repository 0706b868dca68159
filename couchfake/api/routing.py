"""The URL table.

A line is a path, the methods as the ``Allow`` header lists them, and who answers. ``{name}`` captures one part of the
path, ``{name...}`` all that is left (perhaps nothing). Literal parts count more than captured ones. HEAD is answered
as GET; a method that nobody answers is a 405 with the list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from couchfake.api import (
    all_docs,
    attachments,
    bulk,
    changes,
    databases,
    db_updates,
    design_functions,
    documents,
    find,
    node,
    partitions,
    replication,
    reshard,
    revisions,
    rewrites,
    scheduler,
    security,
    server,
    session,
    shards,
    views,
)
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response

Endpoint = Callable[..., Response]


@dataclass(frozen=True)
class Route:
    """``handlers`` by method; ``any`` answers every method itself (it looks at other things first)."""

    path: str
    allow: str
    handlers: dict[str, Endpoint]

    def handler(self, verb: str) -> Endpoint | None:
        return self.handlers.get(verb) or self.handlers.get("ANY")


def route(path: str, allow: str, **handlers: Endpoint) -> Route:
    return Route(path, allow, handlers)


def below(endpoint: Endpoint) -> Endpoint:
    """An endpoint that does not look at what follows its name in the path."""

    def answer(request: Request, rest: list[str], **captured: str) -> Response:
        return endpoint(request, **captured)

    return answer


ROUTES = [
    # server
    route("/", "GET,HEAD", GET=server.welcome),
    route("/favicon.ico/{rest...}", "GET,HEAD", ANY=server.favicon),
    route("/_active_tasks/{rest...}", "GET,HEAD", GET=below(server.active_tasks)),
    route("/_all_dbs", "GET,HEAD", GET=server.all_dbs),
    route(
        "/_cluster_setup/{rest...}",
        "GET,POST",
        GET=below(server.get_cluster_setup),
        POST=below(server.post_cluster_setup),
    ),
    route("/_db_updates/{rest...}", "GET", GET=below(db_updates.db_updates)),
    route("/_dbs_info", "GET,HEAD,POST", GET=server.dbs_info, POST=server.dbs_info_by_keys),
    route("/_membership", "GET", GET=server.membership),
    route("/_node/{rest...}", "GET", ANY=node.node),
    route("/_nouveau_analyze/{rest...}", "POST", POST=below(server.nouveau_analyze)),
    route("/_reload_query_servers/{rest...}", "POST", POST=below(server.reload_query_servers)),
    route("/_reshard/{rest...}", "GET,HEAD", ANY=reshard.reshard),
    route("/_replicate", "POST", ANY=replication.replicate),
    route("/_scheduler/{rest...}", "GET,HEAD", ANY=scheduler.scheduler),
    route("/_search_analyze/{rest...}", "GET,POST", ANY=server.search_is_absent),
    route("/_session/{rest...}", "GET,HEAD,POST,DELETE", ANY=session.session),
    route("/_up/{rest...}", "GET,HEAD", GET=below(server.up)),
    route("/_utils/{rest...}", "GET,HEAD", ANY=server.utils),
    route("/_uuids/{rest...}", "GET", GET=below(server.uuids)),
    # databases
    route(
        "/{db}",
        "DELETE,GET,HEAD,POST",
        GET=databases.info,
        PUT=databases.create,
        DELETE=databases.delete,
        POST=documents.post,
    ),
    route("/{db}/_all_docs", "GET,HEAD,POST", GET=all_docs.all_docs, POST=all_docs.all_docs),
    route("/{db}/_all_docs/queries", "POST", POST=all_docs.all_docs_queries),
    route("/{db}/_design_docs", "GET,HEAD,POST", GET=all_docs.design_docs, POST=all_docs.design_docs),
    route("/{db}/_design_docs/queries", "POST", POST=all_docs.design_docs_queries),
    route("/{db}/_local_docs", "GET,HEAD,POST", GET=all_docs.local_docs, POST=all_docs.local_docs),
    route("/{db}/_local_docs/queries", "POST", POST=all_docs.local_docs_queries),
    route("/{db}/_bulk_docs", "POST", POST=bulk.bulk_docs),
    route("/{db}/_bulk_get", "POST", POST=bulk.bulk_get),
    route("/{db}/_changes/{rest...}", "GET,POST,HEAD", GET=changes.changes, POST=changes.changes),
    route("/{db}/_compact", "POST", POST=databases.compact),
    route("/{db}/_ensure_full_commit", "POST", POST=databases.ensure_full_commit),
    route("/{db}/_missing_revs", "POST", POST=revisions.missing_revs),
    route("/{db}/_revs_diff", "POST", POST=revisions.revs_diff),
    route("/{db}/_revs_limit", "PUT,GET", GET=revisions.get_revs_limit, PUT=revisions.put_revs_limit),
    route("/{db}/_purge", "POST", POST=revisions.purge),
    route("/{db}/_purged_infos", "GET", GET=revisions.purged_infos),
    route(
        "/{db}/_purged_infos_limit",
        "GET,PUT",
        GET=revisions.get_purged_infos_limit,
        PUT=revisions.put_purged_infos_limit,
    ),
    route("/{db}/_security", "PUT,GET", GET=security.get_security, PUT=security.put_security),
    route("/{db}/_shards/{rest...}", "GET", ANY=shards.shards),
    route("/{db}/_sync_shards/{rest...}", "POST", POST=shards.sync_shards),
    route("/{db}/_compact/{ddoc}/{rest...}", "POST", POST=below(views.compact)),
    route("/{db}/_view_cleanup/{rest...}", "POST", POST=below(views.cleanup)),
    route("/{db}/_temp_view/{rest...}", "", ANY=below(databases.temp_view)),
    # queries
    route("/{db}/_find/{rest...}", "POST", POST=find.find),
    route("/{db}/_explain/{rest...}", "POST", POST=find.explain),
    route("/{db}/_index/{rest...}", "GET,POST", ANY=find.index_path),
    # views
    route("/{db}/_design/{ddoc}/_view/{rest...}", views.METHODS, ANY=views.view),
    route("/{db}/_design/{ddoc}/_info", "GET", ANY=views.info),
    # inside a partition
    route("/{db}/_partition/{rest...}", "GET,HEAD", ANY=partitions.partition),
    route(
        "/{db}/_partition/{partition}/_all_docs",
        "GET,HEAD,POST",
        GET=partitions.within(all_docs.all_docs),
        POST=partitions.within(all_docs.all_docs),
    ),
    route("/{db}/_partition/{partition}/_all_docs/queries", "POST", POST=partitions.within(all_docs.all_docs_queries)),
    route("/{db}/_partition/{partition}/_find/{rest...}", "POST", POST=partitions.within(find.find)),
    route("/{db}/_partition/{partition}/_explain/{rest...}", "POST", POST=partitions.within(find.explain)),
    route("/{db}/_partition/{partition}/_index/{rest...}", "GET,POST", ANY=partitions.within(find.index_path)),
    route(
        "/{db}/_partition/{partition}/_design/{ddoc}/_view/{rest...}", views.METHODS, ANY=partitions.within(views.view)
    ),
    # other functions of design documents
    route("/{db}/_design/{ddoc}/_list/{rest...}", design_functions.LIST_METHODS, ANY=design_functions.list_view),
    route("/{db}/_design/{ddoc}/_rewrite/{rest...}", "", ANY=rewrites.rewrite),
    route("/{db}/_design/{ddoc}/_show/{rest...}", "", ANY=design_functions.show),
    route("/{db}/_design/{ddoc}/_update/{rest...}", "", ANY=design_functions.update),
    # design documents: what a server without the plugins says
    route("/{db}/_design/{ddoc}/_search/{index}", "GET,POST", ANY=server.search_is_absent),
    route("/{db}/_design/{ddoc}/_search_info/{index}", "GET", ANY=server.search_is_absent),
    route("/{db}/_design/{ddoc}/_nouveau/{index}", "GET,POST", ANY=server.nouveau_is_absent),
    route("/{db}/_design/{ddoc}/_nouveau_info/{index}", "GET", ANY=server.nouveau_is_absent),
    route("/{db}/_search_cleanup/{rest...}", "POST", POST=below(server.search_cleanup)),
    route("/{db}/_nouveau_cleanup/{rest...}", "POST", POST=below(server.search_cleanup)),
    # documents
    route("/{db}/_local/{rest...}", "DELETE,GET,HEAD,POST,PUT,COPY", ANY=documents.local_document),
    route("/{db}/_design/{ddoc}", "DELETE,GET,HEAD,POST,PUT,COPY", ANY=documents.design_document),
    route("/{db}/_design/{ddoc}/{name...}", "DELETE,GET,HEAD,PUT", ANY=attachments.of_design_document),
    route("/{db}/{docid}", "DELETE,GET,HEAD,POST,PUT,COPY", ANY=documents.document),
    route("/{db}/{docid}/{name...}", "DELETE,GET,HEAD,PUT", ANY=attachments.of_document),
]


@dataclass
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    capture: tuple[str, _Node] | None = None
    rest: tuple[str, Route] | None = None
    route: Route | None = None


class Table:
    """Routes, ready to be looked up: ``match(segments)`` gives the route and what its path captured, or None."""

    def __init__(self, routes: list[Route]) -> None:
        self._root = _Node()
        for each in routes:
            self._add(each)

    def _add(self, each: Route) -> None:
        node = self._root
        for part in each.path.split("/"):
            if part.endswith("...}"):
                node.rest = (part[1:-4], each)
                return
            if part.startswith("{"):
                if node.capture is None:
                    node.capture = (part[1:-1], _Node())
                node = node.capture[1]
            elif part:
                node = node.literals.setdefault(part, _Node())
        node.route = each

    def match(self, segments: list[str]) -> tuple[Route, dict[str, Any]] | None:
        captured: dict[str, Any] = {}
        found = _match(self._root, segments, 0, captured)
        return (found, captured) if found is not None else None


def _match(node: _Node, segments: list[str], place: int, captured: dict[str, Any]) -> Route | None:
    if place == len(segments):
        if node.route is None and node.rest is not None:
            captured[node.rest[0]] = []
            return node.rest[1]
        return node.route
    literal = node.literals.get(segments[place])
    if literal is not None:
        found = _match(literal, segments, place + 1, captured)
        if found is not None:
            return found
    if node.capture is not None:
        name, below = node.capture
        found = _match(below, segments, place + 1, captured)
        if found is not None:
            captured[name] = segments[place]
            return found
    if node.rest is not None:
        captured[node.rest[0]] = segments[place:]
        return node.rest[1]
    return None


def is_endpoint(segments: list[str]) -> bool:
    """Return whether a path names something that the table knows: a misspelt ``_name`` is taken for a document's id."""
    found = Table(ROUTES).match(segments)
    if found is None:
        return False
    captured = found[1]
    names = (captured.get("db"), captured.get("docid"))
    return not any(name is not None and name.startswith("_") and name not in _SYSTEM for name in names)


_SYSTEM = ("_users", "_replicator", "_global_changes", "_dbs", "_nodes")
