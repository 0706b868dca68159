"""The URL table.

A line is a path, the methods as the ``Allow`` header lists them, and the endpoint of each method. ``{name}`` captures
one part of the path, ``{name...}`` all the rest, which may be empty. Literal parts win over captured ones. HEAD is
handled as GET; a method without an endpoint gets a 405 with the list.

Two things are there for the order in which the real server checks a request: ``before`` is called with what the path
captured before the method is looked at, and an endpoint for ``ANY`` method answers those that have none of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from couchfake.api import all_docs, attachments, bulk, databases, documents, partitions, server
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response

if TYPE_CHECKING:
    from couchfake.api import (
        changes,
        db_updates,
        design_functions,
        find,
        multipart_documents,
        node,
        replication,
        reshard,
        revisions,
        rewrites,
        views,
    )

Endpoint = Callable[..., Response]


class _Later:
    """Modules of endpoints that are imported when one of them first answers: most tests need none of them.

    They are imported together, and kept: pytester removes from ``sys.modules`` what was imported while it ran pytest in
    its own process, and classes of a second copy would not be those of the first.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._modules: dict[str, ModuleType] = {}

    def chapter(self, name: str) -> _Chapter:
        self._names.append(name)
        return _Chapter(self, name)

    def module(self, name: str) -> ModuleType:
        if not self._modules:
            self._modules = {each: import_module(f"couchfake.api.{each}") for each in self._names}
        return self._modules[name]


class _Chapter:
    """Stands for one of these modules. Its attributes are endpoints."""

    def __init__(self, later: _Later, name: str) -> None:
        self._later = later
        self._name = name

    def __getattr__(self, name: str) -> Endpoint:
        def endpoint(*args: Any, **captured: Any) -> Response:
            answer: Endpoint = getattr(self._later.module(self._name), name)
            return answer(*args, **captured)

        return endpoint


if not TYPE_CHECKING:
    _later = _Later()
    changes = _later.chapter("changes")
    db_updates = _later.chapter("db_updates")
    design_functions = _later.chapter("design_functions")
    find = _later.chapter("find")
    multipart_documents = _later.chapter("multipart_documents")
    node = _later.chapter("node")
    replication = _later.chapter("replication")
    reshard = _later.chapter("reshard")
    revisions = _later.chapter("revisions")
    rewrites = _later.chapter("rewrites")
    views = _later.chapter("views")


@dataclass(frozen=True)
class Route:
    """One line of the table; ``handlers`` by method, or ``"ANY"``."""

    path: str
    allow: str
    handlers: dict[str, Endpoint]
    before: Callable[..., object] | None = None

    def handler(self, verb: str) -> Endpoint | None:
        return self.handlers.get(verb) or self.handlers.get("ANY")


def route(path: str, allow: str, before: Callable[..., object] | None = None, **handlers: Endpoint) -> Route:
    return Route(path, allow, handlers, before)


def below(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint for a path whose further parts are ignored."""

    def answer(request: Request, rest: list[str], **captured: str) -> Response:
        return endpoint(request, **captured)

    return answer


def of_design_document(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint of documents for a path that captures a design document's ``ddoc``."""

    def answer(request: Request, ddoc: str, **captured: Any) -> Response:
        return endpoint(request, "_design/" + ddoc, **captured)

    return answer


def of_local_document(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint of documents for a path that captures a local document's name in ``rest``."""

    def answer(request: Request, rest: list[str]) -> Response:
        return endpoint(request, "_local/" + rest[0])

    return answer


def of_attachment(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint of attachments with the name in one piece: its slashes may be escaped or not."""

    def answer(request: Request, docid: str, name: list[str]) -> Response:
        return endpoint(request, docid, "/".join(name))

    return answer


DOCUMENT = "DELETE,GET,HEAD,POST,PUT,COPY"
ATTACHMENT = "DELETE,GET,HEAD,PUT"
ON_VIEW = "GET,POST,HEAD"
ON_DOCUMENT: dict[str, Endpoint] = {
    "GET": documents.get,
    "PUT": documents.put,
    "DELETE": documents.delete,
    "COPY": documents.copy,
    "POST": multipart_documents.post_form,
}
ON_ATTACHMENT: dict[str, Endpoint] = {
    "GET": of_attachment(attachments.get),
    "PUT": of_attachment(attachments.put),
    "DELETE": of_attachment(attachments.delete),
}
within = partitions.within

ROUTES = [
    # server
    route("/", "GET,HEAD", GET=server.welcome),
    route("/favicon.ico/{rest...}", "GET,HEAD", GET=server.favicon),
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
    route("/_node", "GET", ANY=node.incomplete),
    route("/_node/{node}", "GET", node.require_node, ANY=node.name),
    route("/_node/{node}/_config", "GET", node.require_node, GET=node.config),
    route("/_node/{node}/_config/_reload", "POST", node.require_node, POST=node.reload_config),
    route("/_node/{node}/_config/{section}", "GET", node.require_node, GET=node.config_section),
    route(
        "/_node/{node}/_config/{section}/{key}",
        "GET,PUT,DELETE",
        node.require_node,
        GET=node.config_value,
        PUT=node.set_config_value,
        DELETE=node.delete_config_value,
    ),
    route("/_node/{node}/_config/{rest...}", "GET", node.require_node, ANY=node.no_config),
    route("/_node/{node}/_all_dbs", "GET", node.require_node, GET=node.all_dbs),
    route("/_node/{node}/_dbs/{rest...}", "GET", node.require_node, GET=node.dbs),
    route("/_node/{node}/_nodes/{rest...}", "GET", node.require_node, GET=node.nodes),
    route("/_node/{node}/_prometheus", "GET", node.require_node, GET=node.prometheus),
    route("/_node/{node}/_restart", "POST", node.require_node, POST=node.restart),
    route("/_node/{node}/_smoosh/status", "GET", node.require_node, GET=node.smoosh),
    route("/_node/{node}/_stats", "GET", node.require_node, GET=node.all_stats),
    route("/_node/{node}/_stats/{rest...}", "GET", node.require_node, GET=node.stats, ANY=node.unknown_stats),
    route("/_node/{node}/_system", "GET", node.require_node, GET=node.system),
    route("/_node/{node}/_versions", "GET", node.require_node, GET=node.versions),
    route("/_node/{node}/{rest...}", "GET", node.require_node, ANY=node.unknown),
    route("/_nouveau_analyze/{rest...}", "POST", POST=below(server.nouveau_analyze)),
    route("/_reload_query_servers/{rest...}", "POST", POST=below(server.reload_query_servers)),
    route("/_reshard", "GET,HEAD", GET=reshard.summary),
    route("/_reshard/state", "GET,HEAD,PUT", GET=reshard.get_state, PUT=reshard.put_state),
    route("/_reshard/jobs", "GET,HEAD,POST", GET=reshard.jobs, POST=reshard.post_job),
    route("/_reshard/jobs/{job_id}", "GET,HEAD,DELETE", GET=reshard.no_job, DELETE=reshard.no_job),
    route("/_reshard/jobs/{job_id}/state", "GET,HEAD,PUT", GET=reshard.no_job, PUT=reshard.put_job_state),
    route("/_reshard/{rest...}", "GET,HEAD", ANY=reshard.no_job),
    route("/_replicate", "POST", ANY=replication.replicate),
    route("/_scheduler/jobs", "GET,HEAD", GET=replication.jobs),
    route("/_scheduler/jobs/{job_id}", "GET,HEAD", GET=replication.job),
    route("/_scheduler/docs/{path...}", "GET,HEAD", GET=replication.docs),
    route("/_scheduler/{rest...}", "GET,HEAD", GET=replication.unknown),
    route(
        "/_search_analyze/{rest...}",
        "GET,POST",
        GET=below(server.search_is_absent),
        POST=below(server.search_is_absent),
    ),
    route(
        "/_session/{rest...}",
        "GET,HEAD,POST,DELETE",
        GET=below(server.who),
        POST=below(server.login),
        DELETE=below(server.logout),
    ),
    route("/_up/{rest...}", "GET,HEAD", GET=below(server.up)),
    route("/_utils/{rest...}", "GET,HEAD", GET=server.utils),
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
    route("/{db}/_security", "PUT,GET", GET=databases.get_security, PUT=databases.put_security),
    route("/{db}/_shards", "GET", GET=databases.shards),
    route("/{db}/_shards/{docid}", "GET", GET=databases.shard_of),
    route("/{db}/_shards/{rest...}", "GET", ANY=databases.no_shard),
    route("/{db}/_sync_shards/{rest...}", "POST", POST=databases.sync_shards),
    route("/{db}/_compact/{ddoc}/{rest...}", "POST", POST=below(views.compact)),
    route("/{db}/_view_cleanup/{rest...}", "POST", POST=below(views.cleanup)),
    route("/{db}/_temp_view/{rest...}", "", ANY=below(databases.temp_view)),
    # queries
    route("/{db}/_find/{rest...}", "POST", POST=find.find),
    route("/{db}/_explain/{rest...}", "POST", POST=find.explain),
    route("/{db}/_index", "GET,POST", GET=find.list_indexes, POST=find.create_index),
    route("/{db}/_index/_bulk_delete", "POST", POST=find.bulk_delete),
    route("/{db}/_index/{ddoc}/{type}/{name}", "DELETE", DELETE=find.delete_index),
    route("/{db}/_index/_design/{ddoc}/{type}/{name}", "DELETE", DELETE=find.delete_index),
    route("/{db}/_index/{rest...}", "GET,POST", ANY=find.no_index),
    # views
    route("/{db}/_design/{ddoc}/_view/{name}", ON_VIEW, views.require_ddoc, GET=views.view, POST=views.view),
    route("/{db}/_design/{ddoc}/_view/{name}/queries", "POST", views.require_ddoc, POST=views.queries),
    route("/{db}/_design/{ddoc}/_view/{rest...}", ON_VIEW, views.require_ddoc),
    route("/{db}/_design/{ddoc}/_info", "GET", views.require_ddoc, GET=views.info),
    # inside a partition
    route("/{db}/_partition", "GET", ANY=partitions.incomplete),
    route("/{db}/_partition/{partition}", "GET", partitions.check_name, GET=partitions.info),
    route("/{db}/_partition/{partition}/{rest...}", "GET", ANY=partitions.unknown),
    route(
        "/{db}/_partition/{partition}/_all_docs",
        "GET,HEAD,POST",
        GET=within(all_docs.all_docs),
        POST=within(all_docs.all_docs),
    ),
    route("/{db}/_partition/{partition}/_all_docs/queries", "POST", POST=within(all_docs.all_docs_queries)),
    route("/{db}/_partition/{partition}/_find/{rest...}", "POST", POST=within(find.find)),
    route("/{db}/_partition/{partition}/_explain/{rest...}", "POST", POST=within(find.explain)),
    route(
        "/{db}/_partition/{partition}/_index",
        "GET,POST",
        within(partitions.no_check),
        GET=within(find.list_indexes),
        POST=within(find.create_index),
    ),
    route(
        "/{db}/_partition/{partition}/_index/_bulk_delete",
        "POST",
        within(partitions.no_check),
        POST=within(find.bulk_delete),
    ),
    route(
        "/{db}/_partition/{partition}/_index/{ddoc}/{type}/{name}",
        "DELETE",
        within(partitions.no_check),
        DELETE=within(find.delete_index),
    ),
    route(
        "/{db}/_partition/{partition}/_index/_design/{ddoc}/{type}/{name}",
        "DELETE",
        within(partitions.no_check),
        DELETE=within(find.delete_index),
    ),
    route("/{db}/_partition/{partition}/_index/{rest...}", "GET,POST", ANY=within(find.no_index)),
    route(
        "/{db}/_partition/{partition}/_design/{ddoc}/_view/{name}",
        ON_VIEW,
        within(views.require_ddoc),
        GET=within(views.view),
        POST=within(views.view),
    ),
    route(
        "/{db}/_partition/{partition}/_design/{ddoc}/_view/{name}/queries",
        "POST",
        within(views.require_ddoc),
        POST=within(views.queries),
    ),
    route("/{db}/_partition/{partition}/_design/{ddoc}/_view/{rest...}", ON_VIEW, within(views.require_ddoc)),
    route(
        "/{db}/_partition/{partition}/_design/{ddoc}/_info",
        "GET",
        within(views.require_ddoc),
        GET=within(views.info),
    ),
    route(
        "/{db}/_partition/{partition}/_design/{ddoc}/_list/{rest...}",
        ON_VIEW,
        within(views.require_ddoc),
        GET=within(design_functions.list_view),
        OPTIONS=within(design_functions.list_view),
        POST=within(design_functions.list_view),
    ),
    route("/{db}/_partition/{partition}/_design/{ddoc}/_show/{rest...}", "", ANY=within(design_functions.show)),
    # other functions of design documents
    route(
        "/{db}/_design/{ddoc}/_list/{rest...}",
        ON_VIEW,
        views.require_ddoc,
        GET=design_functions.list_view,
        OPTIONS=design_functions.list_view,
        POST=design_functions.list_view,
    ),
    route("/{db}/_design/{ddoc}/_rewrite/{rest...}", "", ANY=rewrites.rewrite),
    route("/{db}/_design/{ddoc}/_show/{rest...}", "", ANY=design_functions.show),
    route("/{db}/_design/{ddoc}/_update/{rest...}", "", ANY=design_functions.update),
    # design documents: what a server without the plugins says
    route(
        "/{db}/_design/{ddoc}/_search/{index}", "GET,POST", GET=server.search_is_absent, POST=server.search_is_absent
    ),
    route("/{db}/_design/{ddoc}/_search_info/{index}", "GET", GET=server.search_is_absent),
    route("/{db}/_design/{ddoc}/_search_disk_size/{index}", "GET", GET=server.search_is_absent),
    route(
        "/{db}/_partition/{partition}/_design/{ddoc}/_search/{index}",
        "GET,POST",
        GET=partitions.within(server.search_is_absent),
        POST=partitions.within(server.search_is_absent),
    ),
    route("/{db}/_design/{ddoc}/_nouveau/{index}", "GET,POST", ANY=server.nouveau_is_absent),
    route("/{db}/_design/{ddoc}/_nouveau_info/{index}", "GET", ANY=server.nouveau_is_absent),
    route("/{db}/_search_cleanup/{rest...}", "POST", POST=below(server.search_cleanup)),
    route("/{db}/_nouveau_cleanup/{rest...}", "POST", POST=below(server.nouveau_cleanup)),
    # documents
    route(
        "/{db}/_local/{rest...}",
        DOCUMENT,
        documents.require_local_name,
        **{method: of_local_document(endpoint) for method, endpoint in ON_DOCUMENT.items()},
    ),
    route(
        "/{db}/_design/{ddoc}",
        DOCUMENT,
        **{method: of_design_document(endpoint) for method, endpoint in ON_DOCUMENT.items()},
    ),
    route(
        "/{db}/_design/{ddoc}/{name...}",
        ATTACHMENT,
        attachments.require_ddoc,
        **{method: of_design_document(endpoint) for method, endpoint in ON_ATTACHMENT.items()},
    ),
    route("/{db}/{docid}", DOCUMENT, documents.require_id, **ON_DOCUMENT),
    route("/{db}/{docid}/{name...}", ATTACHMENT, **ON_ATTACHMENT),
]


@dataclass
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    capture: tuple[str, _Node] | None = None
    rest: tuple[str, Route] | None = None
    route: Route | None = None


class Table:
    """A tree of routes. ``match(segments)`` returns the route and what its path captured, or None."""

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


TABLE = Table(ROUTES)
"""The routes, ready to be looked up: the same for every server, and only read."""


def is_endpoint(segments: list[str]) -> bool:
    """Return whether a path names something that the table knows: a misspelt ``_name`` is taken for a document's id."""
    found = TABLE.match(segments)
    if found is None:
        return False
    captured = found[1]
    names = (captured.get("db"), captured.get("docid"))
    return not any(name is not None and name.startswith("_") and name not in _SYSTEM for name in names)


_SYSTEM = ("_users", "_replicator", "_global_changes", "_dbs", "_nodes")
