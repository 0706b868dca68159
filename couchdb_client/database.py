"""A database of the server: a dictionary of documents, and everything else that can be asked of it."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping
from email.message import Message
from typing import Any

import requests

from couchdb_client import attachments, bulk, mango
from couchdb_client.changes import changes
from couchdb_client.document import Document, copy, doc_resource, get, revisions
from couchdb_client.errors import ResourceNotFound
from couchdb_client.list_body import list_body
from couchdb_client.resource import Resource
from couchdb_client.session import SessionLike
from couchdb_client.temporary_view import TemporaryView
from couchdb_client.urls import DEFAULT_BASE_URL, quote
from couchdb_client.views import PermanentView, ViewResults, Wrapper, call_viewlike, iterate, path_from_name

__all__ = ["Database"]


class Database:
    """A database, as a dictionary of its documents by ID; it is true if it exists.

    ``url`` is its URL, its name on the server of COUCHDB_URL (the local one by default), or its `Resource`; ``session``
    as in `Resource`.

    All methods raise `HTTPError`'s subclasses, and `ConnectionFailed` or `TimedOut`.
    """

    def __init__(
        self, url: str | Resource, name: str | None = None, session: SessionLike | requests.Session | None = None
    ) -> None:
        if isinstance(url, str):
            if not url.startswith("http"):
                url = f"{DEFAULT_BASE_URL.removesuffix('/')}/{quote(url)}"
            url = Resource(url, session)
        self.resource = url
        self._name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def __contains__(self, id: str) -> bool:
        """Whether there is a document with this ID."""
        try:
            doc_resource(self.resource, id).head()
        except ResourceNotFound:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter([row["id"] for row in self.view("_all_docs")])

    def __len__(self) -> int:
        count: int = self.resource.get_json()[2]["doc_count"]
        return count

    def __bool__(self) -> bool:
        try:
            self.resource.head()
        except ResourceNotFound:
            return False
        return True

    def __delitem__(self, id: str) -> None:
        """Delete the document's winning revision, whichever that is now; see `delete`."""
        resource = doc_resource(self.resource, id)
        etag = resource.head()[1]["ETag"] or ""
        resource.delete_json(rev=etag.removeprefix("W/").strip('"'))

    def __getitem__(self, id: str) -> Document:
        return Document(doc_resource(self.resource, id).get_json()[2])

    def __setitem__(self, id: str, content: dict[str, Any]) -> None:
        """Create or update the document; ``content`` gets its ``_id`` and its new ``_rev``."""
        data = doc_resource(self.resource, id).put_json(body=content)[2]
        content.update({"_id": data["id"], "_rev": data["rev"]})

    @property
    def name(self) -> str:
        """The name of the database; asked of the server, once, if it is not known."""
        if self._name is None:
            self._name = str(self.info()["db_name"])
        return self._name

    @property
    def security(self) -> dict[str, Any]:
        """Who may read and who may administrate: the security object. Assign to it to replace it."""
        data: dict[str, Any] = self.resource.get_json("_security")[2]
        return data

    @security.setter
    def security(self, doc: dict[str, Any]) -> None:
        self.resource.put_json("_security", body=doc)

    def info(self, ddoc: str | None = None) -> dict[str, Any]:
        """What the server tells of the database, or of the index of the design document ``ddoc``."""
        if ddoc is not None:
            data: dict[str, Any] = self.resource("_design", ddoc.removeprefix("_design/"), "_info").get_json()[2]
        else:
            data = self.resource.get_json()[2]
            self._name = data["db_name"]
        return data

    # Documents

    def create(self, data: dict[str, Any]) -> str:
        """Create a document; returns the ID that the server chose. Deprecated, as it was: `save` does it and more."""
        warnings.warn("Database.create is deprecated, use Database.save instead", DeprecationWarning, stacklevel=2)
        docid: str = self.resource.post_json(body=data)[2]["id"]
        return docid

    def save(self, doc: dict[str, Any], **options: Any) -> tuple[str, str | None]:
        """Create or update a document; ``doc`` gets its ``_id`` and ``_rev``. Returns ``(id, rev)``.

        Without an ``_id`` the server chooses one; such a request is never repeated when the connection fails, so better
        choose one yourself (``uuid.uuid4().hex``). With ``batch='ok'`` the server answers before it has saved: rev is
        None then. Raises `ResourceConflict` if the document's current revision is not its ``_rev``.
        """
        request = doc_resource(self.resource, doc["_id"]).put_json if "_id" in doc else self.resource.post_json
        data = request(body=doc, **options)[2]
        docid, rev = data["id"], data.get("rev")
        doc.update({"_id": docid} if rev is None else {"_id": docid, "_rev": rev})
        return docid, rev

    def get(self, id: str, default: Any = None, **options: Any) -> Any:
        """The document, or ``default`` if it (or the revision asked for) does not exist.

        ``options`` are parameters: ``rev``, ``revs=True``, ``conflicts=True``, ``attachments=True``… With ``open_revs``
        (``'all'`` or a list of revisions) the answer is the server's list.
        """
        return get(self.resource, id, default, options)

    def revisions(self, id: str, **options: Any) -> Generator[Document, None, None]:
        """The document's revisions, the newest first, as far back as the server still has them."""
        return revisions(self.resource, id, options)

    def delete(self, doc: Mapping[str, Any]) -> None:
        """Delete the document in the revision that ``doc`` is. Raises `ResourceConflict` if it was updated since."""
        doc_resource(self.resource, doc["_id"]).delete_json(rev=doc["_rev"])

    def copy(self, src: Any, dest: Any) -> str:
        """Copy a document; returns the new revision of ``dest``.

        ``src`` is an ID or a document. ``dest`` is an ID, or a document to overwrite, in the revision that it has in
        ``_rev``.
        """
        return copy(self.resource, src, dest)

    def update(self, documents: Iterable[Any], **options: Any) -> list[bulk.UpdateResult]:
        """Save many documents by one request. Returns ``(success, docid, rev_or_exc)`` for each, in their order.

        Dictionaries that were saved get their ``_id`` and ``_rev``; other objects are saved as ``dict(obj.items())``.
        For a document that was refused the third is an exception: `ResourceConflict`, or `ServerError` for any other
        reason. ``options`` are further members of the request, like ``new_edits=False``, with which the server answers
        for refused documents only.
        """
        return bulk.update(self.resource, documents, options)

    def purge(self, docs: Iterable[Any]) -> dict[str, Any]:
        """Remove revisions without a trace (``_id`` and ``_rev`` of each of ``docs``). Returns the server's answer."""
        return bulk.purge(self.resource, docs)

    # Attachments

    def get_attachment(self, id_or_doc: Any, filename: str, default: Any = None) -> Any:
        """The attachment as a readable binary file, or ``default`` if there is none of that name.

        A large one is read from the connection while you read it; close it, or use ``with``, if you do not read it to
        its end.
        """
        return attachments.get_attachment(self.resource, id_or_doc, filename, default)

    def put_attachment(
        self, doc: Any, content: Any, filename: str | None = None, content_type: str | None = None
    ) -> None:
        """Create or replace an attachment; ``doc`` (which needs ``_id`` and ``_rev``) gets its new ``_rev``.

        ``content`` is bytes, text, or a file-like object, which is sent while it is read. The name defaults to the
        file's, the content type to a guess by the name. Raises `ValueError` if there is no name.
        """
        attachments.put_attachment(self.resource, doc, content, filename, content_type)

    def delete_attachment(self, doc: Any, filename: str) -> None:
        """Delete an attachment; ``doc`` (which needs ``_id`` and ``_rev``) gets its new ``_rev``."""
        attachments.delete_attachment(self.resource, doc, filename)

    # Queries

    def view(self, name: str, wrapper: Wrapper | None = None, **options: Any) -> ViewResults:
        """The results of a view, ``'designdoc/viewname'`` or one of the database's own like ``'_all_docs'``.

        ``options`` are the view's parameters as Python values; ``wrapper`` makes each row from its dictionary.
        """
        path = path_from_name(name, "_view")
        return PermanentView(self.resource(*path), "/".join(path), wrapper=wrapper)(**options)

    def iterview(self, name: str, batch: int, wrapper: Wrapper | None = None, **options: Any) -> Iterator[Any]:
        """The rows of a view, one at a time, fetched ``batch`` rows at a time.

        Rows of documents that change between the requests may be missed or repeated. Raises `ValueError` for a batch or
        ``limit`` below 1.
        """
        path = path_from_name(name, "_view")
        return iterate(PermanentView(self.resource(*path), "/".join(path)), batch, wrapper, options)

    def query(
        self,
        map_fun: Any,
        reduce_fun: Any = None,
        language: str = "javascript",
        wrapper: Wrapper | None = None,
        **options: Any,
    ) -> ViewResults:
        """The results of map and reduce functions that are in no design document; see `TemporaryView` for how."""
        return TemporaryView(self.resource, map_fun, reduce_fun, language=language, wrapper=wrapper)(**options)

    def find(self, mango_query: Mapping[str, Any], wrapper: Wrapper | None = None) -> mango.FindResults:
        """The documents that a Mango query selects, as a list of `Document` (or of what ``wrapper`` makes of them).

        Without a ``limit`` in the query these are all of them, fetched page by page; with one, that many. With a
        ``bookmark`` it is the page that this marks; the list's attribute ``bookmark`` marks the next.
        """
        return mango.find(self.resource, mango_query, wrapper)

    def iterfind(
        self, mango_query: Mapping[str, Any], batch: int = mango.PAGE_SIZE, wrapper: Wrapper | None = None
    ) -> Iterator[Any]:
        """What `find` finds, one document at a time, fetched ``batch`` documents at a time."""
        for page in mango.pages(self.resource, mango_query, batch):
            yield from map(wrapper or Document, page.get("docs", ()))

    def explain(self, mango_query: Mapping[str, Any]) -> dict[str, Any]:
        """How the server would answer a Mango query: which index it would use, and with what options."""
        data: dict[str, Any] = self.resource.post_json("_explain", mango_query)[2]
        return data

    def index(self) -> mango.Indexes:
        """The indexes for Mango queries."""
        return mango.Indexes(self.resource("_index"))

    # Design functions

    def show(self, name: str, docid: str | None = None, **options: Any) -> tuple[Message, Any]:
        """``(headers, body)`` of the show function ``'designdoc/showname'``, for a document if ``docid`` names one.

        ``headers`` is a mapping, ``body`` a readable binary file.
        """
        path = path_from_name(name, "_show") + ([docid] if docid else [])
        return self.resource(*path).get(**options)[1:]

    def list(self, name: str, view: str, **options: Any) -> tuple[Message, Any]:
        """``(headers, body)`` of the list function ``'designdoc/listname'`` over the view ``'designdoc/viewname'``.

        ``options`` as for `view`. ``body`` is a readable binary file; a JSON object or array is also the decoded value.
        """
        path = path_from_name(name, "_list") + view.split("/", 1)
        _, headers, body = call_viewlike(self.resource(*path), options, decoded=False)
        return headers, list_body(headers, body)

    def update_doc(self, name: str, docid: str | None = None, **options: Any) -> tuple[Message, Any]:
        """``(headers, body)`` of the update function ``'designdoc/updatename'``; ``body`` is a readable binary file.

        Among ``options`` ``headers`` and ``body`` are the request's, all others are parameters. What an update function
        does need not be the same a second time, so the request is never repeated.
        """
        resource = self.resource(*path_from_name(name, "_update")).adjusted(retries=False)
        return resource.post(**options)[1:] if docid is None else resource(docid).put(**options)[1:]

    # The feed, and maintenance

    def changes(self, **opts: Any) -> Any:
        """The changes feed, ``opts`` being its parameters.

        The answer is a dictionary (``results``, ``last_seq``); with ``feed='continuous'`` a generator of dictionaries
        that is open until the server ends it, or you close it. ``doc_ids`` is a list; ``filter='_selector'`` takes the
        option ``_selector={'selector': {…}}``. ``timeout`` and ``heartbeat`` are milliseconds.
        """
        return changes(self.resource, opts)

    def compact(self, ddoc: str | None = None) -> bool:
        """Start compacting the database, or the index of the design document ``ddoc``; whether it was started."""
        return self._start("_compact", *([ddoc.removeprefix("_design/")] if ddoc else []))

    def cleanup(self) -> bool:
        """Start removing the files of indexes that no design document needs any more; whether it was started."""
        return self._start("_view_cleanup")

    def commit(self) -> dict[str, Any]:
        """Have the server write everything to disk (those since 3.0 always have); returns its answer."""
        data: dict[str, Any] = self._post_nothing("_ensure_full_commit")
        return data

    def _start(self, *path: str) -> bool:
        return bool(self._post_nothing(*path)["ok"])

    def _post_nothing(self, *path: str) -> Any:
        return self.resource(*path).post_json(headers={"Content-Type": "application/json"})[2]
